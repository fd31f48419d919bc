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

from kfgit.template.faults import Fault, TemplateFault, sentence
from kfgit.template.files import Generated, generate
from kfgit.template.grammar import HELD, KFP_PLACEHOLDER, NO_COMMENT, check, unknown_word
from kfgit.template.sandbox import MAX_OUTPUT, SCOPE, sandbox

if TYPE_CHECKING:
    from jinja2 import nodes

__all__ = [
    "MAX_OUTPUT",
    "MAX_TEMPLATE",
    "SCOPE",
    "Generated",
    "Rendered",
    "TemplateFault",
    "generate",
    "is_template",
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
    bare = KFP_PLACEHOLDER.sub("", text) if "{{$" in text else text
    return "{{" in bare or "{%" in bare


def render(text: str, scope: Mapping[str, Any]) -> Rendered | TemplateFault:
    """Renders one scalar. Exactly one `{{ … }}` keeps its value's native type; anything else is a string."""
    if not is_template(text):
        return Rendered(text, ())
    import jinja2  # noqa: PLC0415 - 40 ms that only templates need

    if len(text) > MAX_TEMPLATE:
        return TemplateFault("template-too-large", f"a template of {len(text):,} characters is too large")
    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match.group())
        return f"\ue000{len(held) - 1}\ue001"

    try:
        compiled = _compile(KFP_PLACEHOLDER.sub(hold, text))
        value = compiled.evaluate(scope)
    except Fault as fault:
        return fault.fault
    except jinja2.TemplateSyntaxError as fault:
        return TemplateFault("template-syntax", f"the template cannot be read: {sentence(fault.message)}")
    except jinja2.TemplateError as fault:
        return TemplateFault("template-failed", f"the template cannot be rendered: {sentence(fault.message)}")
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError) as fault:
        return TemplateFault("template-failed", f"the template cannot be rendered: {sentence(str(fault))}")
    if isinstance(value, str) and held:
        value = HELD.sub(lambda m: held[int(m.group(1))] if int(m.group(1)) < len(held) else "", value)
    return Rendered(value, compiled.used)


@dataclass(frozen=True, slots=True)
class _Compiled:
    template: Any
    expression: Any
    used: tuple[str, ...]

    def evaluate(self, scope: Mapping[str, Any]) -> Any:
        if self.expression is not None:
            return _plain(self.expression(**scope))
        out, size = [], 0
        for piece in self.template.generate(**scope):
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
    single = _single_expression(tree)
    if single is None:
        return _Compiled(environment.from_string(tree), None, used)
    source = text.strip()[2:-2].strip("-+").strip()
    return _Compiled(None, environment.compile_expression(source, undefined_to_none=False), used)


def _single_expression(tree: nodes.Template) -> nodes.Expr | None:
    from jinja2 import nodes as kinds  # noqa: PLC0415 - see render

    match tree.body:
        case [kinds.Output(nodes=[kinds.Expr() as only])] if not isinstance(only, kinds.TemplateData):
            return only
        case _:
            return None


def _plain(value: Any) -> Any:
    """A value of an expression as JSON data; an undefined one raises, a generator or an object does not pass."""
    import jinja2  # noqa: PLC0415 - see render

    if isinstance(value, jinja2.Undefined):
        str(value)
    if isinstance(value, str):
        if len(value) > MAX_OUTPUT:
            raise Fault(
                TemplateFault(
                    "template-too-large", f"the rendered text is longer than {MAX_OUTPUT:,} characters"
                )
            )
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    raise Fault(TemplateFault("template-failed", "the template gives no text, number, list or map"))
