"""Jinja in a sandbox, one scalar at a time: what an environment may change in a document without changing its shape.

A scalar is rendered after YAML is parsed, so a value can never break the structure and every error keeps its
place. The grammar is a closed list of Jinja's nodes: expressions, pure filters and `{% if %}`; loops, calls,
includes and assignments are not in it, and what remains is bounded in size. `{{$…}}` is KFP's own placeholder
and passes through.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kfgit.template.faults import Fault, TemplateFault, remedy, sentence
from kfgit.template.files import Generated, generate
from kfgit.template.grammar import NO_COMMENT, check, held_back, restored, unknown_word
from kfgit.template.sandbox import SCOPE, sandbox
from kfgit.template.weighing import WEIGHED, weigh
from kfgit.template.work import MAX_OUTPUT, Work, weight

if TYPE_CHECKING:
    from jinja2 import nodes

__all__ = [
    "MAX_OUTPUT",
    "MAX_TEMPLATE",
    "SCOPE",
    "Generated",
    "Rendered",
    "TemplateFault",
    "Work",
    "generate",
    "is_template",
    "remedy",
    "render",
]

MAX_TEMPLATE = 20_000


@dataclass(frozen=True, slots=True)
class Rendered:
    """A value and the variables it was made from, such as `vars.registry`."""

    value: Any
    used: tuple[str, ...]


def is_template(text: str) -> bool:
    """Whether a scalar holds anything for Jinja to do."""
    if "{" not in text:
        return False
    bare = held_back(text, lambda _: "") if "{{$" in text else text
    return "{{" in bare or "{%" in bare


def render(text: str, scope: Mapping[str, Any], work: Work | None = None) -> Rendered | TemplateFault:
    """Renders one scalar. Exactly one `{{ … }}` keeps its value's native type; anything else is a string.

    `work` is what all scalars of an environment may cost together.
    """
    if not is_template(text):
        return Rendered(text, ())
    work = work or Work()
    try:
        known = _plainly(text, scope, work)
    except Fault as fault:
        return fault.fault
    if known is not None:
        return known
    import jinja2  # noqa: PLC0415 - 40 ms that only templates need

    if len(text) > MAX_TEMPLATE:
        return TemplateFault("template-too-large", f"a template of {len(text):,} characters is too large")
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match.group())
        return f"\ue000{len(held) - 1}\ue001"

    try:
        bare = held_back(text, hold)
        work.compile(bare)
        compiled = _compile(bare)
        value = compiled.evaluate(scope, work)
    except Fault as fault:
        return fault.fault
    except jinja2.TemplateSyntaxError as fault:
        return TemplateFault("template-syntax", f"the template cannot be read: {sentence(fault.message)}")
    except Exception as fault:  # noqa: BLE001 - whatever a template's own code raises is its fault
        return TemplateFault("template-failed", f"the template cannot be rendered: {sentence(str(fault))}")
    if isinstance(value, str) and held:
        value = restored(value, held)
    return Rendered(value, compiled.used)


_VARIABLE = re.compile(r"\{\{ *([a-z]+(?:\.[A-Za-z_][A-Za-z0-9_]*)+) *\}\}")


def _plainly(text: str, scope: Mapping[str, Any], work: Work) -> Rendered | None:
    """What Jinja would make of variables and text alone, without its 0.4 ms; None for anything else."""
    work.spend(0)
    texts = _VARIABLE.split(text)
    if any("{" in between or "\n" in between for between in texts[::2]):
        return None
    values = [_found(path, scope) for path in texts[1::2]]
    if not all(isinstance(value, str) for value in values):
        return None
    work.spend(sum(map(len, values)) + len(text))
    whole = "".join(values[at // 2] if at % 2 else part for at, part in enumerate(texts))
    return Rendered(whole, tuple(dict.fromkeys(texts[1::2]))) if len(whole) <= MAX_OUTPUT else None


def _found(path: str, scope: Mapping[str, Any]) -> Any:
    here: Any = scope
    for step in path.split("."):
        if not isinstance(here, Mapping) or step not in here:
            return None
        here = here[step]
    return here


@dataclass(frozen=True, slots=True)
class _Compiled:
    template: Any
    expression: Any
    used: tuple[str, ...]

    def evaluate(self, scope: Mapping[str, Any], work: Work) -> Any:
        sandbox(NO_COMMENT).work = work
        if self.expression is not None:
            return _plain(self.expression(**scope, **{WEIGHED: work.weighed}), work)
        out, size = [], 0
        for piece in self.template.generate(**scope, **{WEIGHED: work.weighed}):
            size += len(piece)
            if size > MAX_OUTPUT:
                raise Fault(
                    TemplateFault(
                        "template-too-large", f"the rendered text is longer than {MAX_OUTPUT:,} characters"
                    )
                )
            out.append(piece)
        return "".join(out)


@lru_cache(maxsize=4096)
def _compile(text: str) -> _Compiled:
    import jinja2  # noqa: PLC0415 - see render

    environment = sandbox(NO_COMMENT)
    try:
        tree = environment.parse(text)
    except RecursionError:
        raise Fault(TemplateFault("template-too-large", "the template is nested too deep")) from None
    except jinja2.TemplateSyntaxError as fault:
        unknown = re.match(r"No (filter|test) named '(.*)'", fault.message or "")
        if unknown:
            raise unknown_word(unknown.group(1), unknown.group(2)) from None
        raise
    used = tuple(dict.fromkeys(check(tree)))
    weigh(tree)
    single = _single_expression(tree)
    if single is None:
        return _Compiled(environment.from_string(tree), None, used)
    return _Compiled(None, _expression(environment, single), used)


def _expression(environment: Any, single: nodes.Expr) -> Any:
    """As `Environment.compile_expression` does it, of the very tree that was checked."""
    from jinja2 import nodes as kinds  # noqa: PLC0415 - see render
    from jinja2.environment import TemplateExpression  # noqa: PLC0415 - see render

    body: list[nodes.Node] = [kinds.Assign(kinds.Name("result", "store"), single, lineno=1)]
    return TemplateExpression(
        environment.from_string(kinds.Template(body, lineno=1)), undefined_to_none=False
    )


def _single_expression(tree: nodes.Template) -> nodes.Expr | None:
    from jinja2 import nodes as kinds  # noqa: PLC0415 - see render

    match tree.body:
        case [kinds.Output(nodes=[kinds.Expr() as only])] if not isinstance(only, kinds.TemplateData):
            return only
        case _:
            return None


def _plain(value: Any, work: Work) -> Any:
    """A value of an expression as JSON data; an undefined one raises, a generator or an object does not pass."""
    import jinja2  # noqa: PLC0415 - see render

    if isinstance(value, jinja2.Undefined):
        str(value)
    if isinstance(value, Mapping | list | tuple):
        work.spend(_PER_NODE * weight(value, MAX_VALUE))
    elif isinstance(value, str):
        work.spend(weight(value, MAX_OUTPUT))
    return _data(value)


# A list or map from a variable becomes part of a document: each value in it costs more than a character.
MAX_VALUE = 400_000
_PER_NODE = 5


def _data(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_data(item) for item in value]
    raise Fault(TemplateFault("template-failed", "the template gives no text, number, list or map"))
