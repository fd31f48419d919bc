"""Jinja in a sandbox, one scalar at a time: what an environment may change in a document without changing its shape.

A scalar is rendered after YAML is parsed, so a value can never break the structure and every error keeps its
place. The grammar is a closed list of Jinja's nodes: expressions, pure filters and `{% if %}`; loops, calls,
includes and assignments are not in it, and what remains is bounded in size. `{{$…}}` is KFP's own placeholder
and passes through.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kfgit.diagnostics import did_you_mean

if TYPE_CHECKING:
    from types import CodeType

    from jinja2 import nodes
    from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_TEMPLATE = 20_000
MAX_OUTPUT = 65_536
_MAX_INT = 10**30
_MAX_NODES = 500

_FILTERS = frozenset(
    "abs capitalize default d first float int join last length count list lower max min replace reverse round"
    " sort string sum title trim unique upper".split()
)
_TESTS = frozenset(
    "defined undefined none string number integer float boolean mapping sequence true false even odd"
    " divisibleby eq equalto ne lt lessthan le gt greaterthan ge in".split()
)
_METHODS = frozenset("upper lower strip lstrip rstrip title capitalize startswith endswith split get".split())
_NODES = frozenset(
    "Template Output TemplateData If Name Const List Tuple Dict Pair Getattr Getitem Slice Filter Test Compare"
    " Operand And Or Not CondExpr Add Sub Mul Div FloorDiv Mod Neg Pos Concat Call Keyword".split()
)
_FILE_NODES = _NODES | {"For", "Assign"}
# In a value `{#` is the shell's, as in `${#NAME}`: nobody writes the comment that is left.
_NO_COMMENT = ("\ue004", "\ue005")
_FILE_COMMENT = ("{#", "#}")
_KFP_PLACEHOLDER = re.compile(r"\{\{\$.*?\}\}", re.DOTALL)
_HELD = re.compile("\ue000([0-9]+)\ue001")


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """Why a template cannot be rendered."""

    code: str
    message: str
    help: str | None = None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A value and the variables it was made from, such as `vars.registry`."""

    value: Any
    used: tuple[str, ...]


class _Fault(Exception):
    def __init__(self, fault: TemplateFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


def is_template(text: str) -> bool:
    """Whether a scalar holds anything for Jinja to do."""
    if "{" not in text:
        return False
    bare = _KFP_PLACEHOLDER.sub("", text) if "{{$" in text else text
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
        compiled = _compile(_KFP_PLACEHOLDER.sub(hold, text))
        value = compiled.evaluate(scope)
    except _Fault as fault:
        return fault.fault
    except jinja2.TemplateSyntaxError as fault:
        return TemplateFault("template-syntax", f"the template cannot be read: {_sentence(fault.message)}")
    except jinja2.TemplateError as fault:
        return TemplateFault(
            "template-failed", f"the template cannot be rendered: {_sentence(fault.message)}"
        )
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError) as fault:
        return TemplateFault("template-failed", f"the template cannot be rendered: {_sentence(str(fault))}")
    if isinstance(value, str) and held:
        value = _HELD.sub(lambda m: held[int(m.group(1))] if int(m.group(1)) < len(held) else "", value)
    return Rendered(value, compiled.used)


def _sentence(text: str | None) -> str:
    first = (text or "unknown fault").split("\n")[0].rstrip(".")[:200]
    return first[:1].lower() + first[1:]


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
                raise _Fault(
                    TemplateFault(
                        "template-too-large", f"the rendered text is longer than {MAX_OUTPUT:,} characters"
                    )
                )
            out.append(piece)
        return "".join(out)


@lru_cache(maxsize=4096)
def _compile(text: str) -> _Compiled:
    import jinja2  # noqa: PLC0415 - see render

    environment = _environment(_NO_COMMENT)
    try:
        tree = environment.parse(text)
    except RecursionError:
        raise _Fault(TemplateFault("template-too-large", "the template is nested too deep")) from None
    except jinja2.TemplateSyntaxError as fault:
        unknown = re.match(r"No (filter|test) named '(.*)'", fault.message or "")
        if unknown:
            raise _unknown_word(unknown.group(1), unknown.group(2)) from None
        raise
    used = tuple(dict.fromkeys(_check(tree)))
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


def _check(tree: nodes.Node, allowed: frozenset[str] = _NODES) -> Iterator[str]:
    """Refuses what is not in the grammar; yields the variables used as dotted paths."""
    pending: list[nodes.Node] = [tree]
    seen = 0
    while pending:
        node = pending.pop()
        seen += 1
        if seen > _MAX_NODES:
            raise _Fault(TemplateFault("template-too-large", "the template has too many parts"))
        name = type(node).__name__
        if name not in allowed:
            raise _Fault(_not_allowed(name))
        if name == "Filter" and node.name not in _FILTERS:  # type: ignore[attr-defined]
            raise _unknown_word("filter", node.name)  # type: ignore[attr-defined]
        if name == "Test" and node.name not in _TESTS:  # type: ignore[attr-defined]
            raise _unknown_word("test", node.name)  # type: ignore[attr-defined]
        if name == "Call" and not (allowed is _FILE_NODES and _is_range(node)):
            _check_call(node)
        path = _path(node)
        if path is not None:
            yield path
        else:
            pending.extend(reversed(list(node.iter_child_nodes())))


def _unknown_word(what: str, name: str) -> _Fault:
    known = _FILTERS if what == "filter" else _TESTS
    return _Fault(
        TemplateFault(
            "template-not-allowed",
            f"there is no {what} `{name}` here",
            did_you_mean(name, known, what=f"{what}s"),
        )
    )


def _is_range(node: Any) -> bool:
    return getattr(node.node, "name", None) == "range"


def _check_call(node: Any) -> None:
    method = getattr(node.node, "attr", None)
    if method not in _METHODS:
        name = method or getattr(node.node, "name", "this")
        raise _Fault(
            TemplateFault(
                "template-not-allowed",
                f"`{name}()` cannot be called in a template",
                "use a filter, or put the value in `vars`",
            )
        )


def _not_allowed(name: str) -> TemplateFault:
    names = {"For": "{% for %}", "Include": "{% include %}", "Import": "{% import %}", "FromImport": "{% import %}",
             "Macro": "{% macro %}", "Assign": "{% set %}", "Pow": "**", "Extends": "{% extends %}"}  # fmt: skip
    what = names.get(name, name.lower())
    help_ = "only expressions, filters and `{% if %}` may stand in a value"
    if name == "For":
        help_ = "repeat with `forEach`, or let a file named `*.yaml.j2` generate tasks"
    return TemplateFault("template-not-allowed", f"`{what}` is not allowed in a value", help_)


def _path(node: nodes.Node) -> str | None:
    from jinja2 import nodes as kinds  # noqa: PLC0415 - see render

    steps: list[str] = []
    while isinstance(node, kinds.Getattr | kinds.Getitem):
        if isinstance(node, kinds.Getattr):
            steps.append(node.attr)
        elif isinstance(node.arg, kinds.Const) and isinstance(node.arg.value, str):
            steps.append(node.arg.value)
        else:
            return None
        node = node.node
    return ".".join([node.name, *reversed(steps)]) if isinstance(node, kinds.Name) else None


def _plain(value: Any) -> Any:
    """A value of an expression as JSON data; an undefined one raises, a generator or an object does not pass."""
    import jinja2  # noqa: PLC0415 - see render

    if isinstance(value, jinja2.Undefined):
        str(value)
    if isinstance(value, str):
        if len(value) > MAX_OUTPUT:
            raise _Fault(
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
    raise _Fault(TemplateFault("template-failed", "the template gives no text, number, list or map"))


@lru_cache(maxsize=2)
def _environment(comment: tuple[str, str]) -> ImmutableSandboxedEnvironment:
    import jinja2  # noqa: PLC0415 - see render
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - see render

    class Missing(jinja2.StrictUndefined):
        """Says which variable is missing and which ones there are."""

        __slots__ = ()

        def _fail_with_undefined_error(self, *_args: Any, **_kwargs: Any) -> Any:
            name = str(self._undefined_name)
            owner = self._undefined_obj
            if isinstance(owner, Mapping):
                known = [str(key) for key in owner]
                message = f"there is no variable `{name}` here"
            else:
                known, message = list(SCOPE), f"there is no variable `{name}` in templates"
            raise _Fault(
                TemplateFault("unknown-variable", message, did_you_mean(name, known, what="variables"))
            )

        __str__ = __iter__ = __len__ = __bool__ = __eq__ = __ne__ = __hash__ = _fail_with_undefined_error
        __add__ = __radd__ = __sub__ = __mul__ = __getitem__ = __getattr__ = _fail_with_undefined_error
        __lt__ = __le__ = __gt__ = __ge__ = __call__ = __contains__ = _fail_with_undefined_error

    class Sandbox(ImmutableSandboxedEnvironment):
        """Jinja's sandbox with arithmetic bounded too, which it leaves open."""

        intercepted_binops = frozenset({"+", "*", "%"})

        def _compile(self, source: str, filename: str) -> CodeType:
            """Without python's hints at what will fail, such as `0[:]`: rendering tells it."""
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                return super()._compile(source, filename)

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            """Bounds what one operation can make."""
            if operator == "%" and isinstance(left, str):
                raise _Fault(
                    TemplateFault(
                        "template-not-allowed", "`%` cannot format text here", "join texts with `~`"
                    )
                )
            if operator == "*" and (
                isinstance(left, str | list | tuple) or isinstance(right, str | list | tuple)
            ):
                raise _Fault(TemplateFault("template-not-allowed", "`*` multiplies numbers only"))
            result = super().call_binop(context, operator, left, right)
            if isinstance(result, int) and abs(result) > _MAX_INT:
                raise _Fault(TemplateFault("template-too-large", "the number is too large"))
            if isinstance(result, str | list | tuple) and len(result) > MAX_OUTPUT:
                raise _Fault(TemplateFault("template-too-large", "the value is too large"))
            return result

    environment = Sandbox(
        undefined=Missing,
        keep_trailing_newline=True,
        cache_size=0,
        autoescape=False,
        comment_start_string=comment[0],
        comment_end_string=comment[1],
    )
    environment.globals.clear()
    environment.filters = {name: _bounded(environment.filters[name]) for name in _FILTERS}
    environment.tests = {
        name: environment.tests[name] for name in environment.tests if name in _TESTS or not name.isalpha()
    }
    return environment


SCOPE = ("vars", "env", "git", "project")


@dataclass(frozen=True, slots=True)
class Generated:
    """What a whole file of a template gives, and for each of its lines the line of the template it comes from."""

    text: str
    lines: tuple[int, ...]


MAX_GENERATED = 2_000_000
_MAX_STEPS = 100_000
_MARK = re.compile("\ue002([0-9]+)\ue003")


def generate(text: str, scope: Mapping[str, Any]) -> Generated | tuple[TemplateFault, int]:
    """Renders a whole `*.yaml.j2` file, in which loops may stand too; a fault comes with its line."""
    import jinja2  # noqa: PLC0415 - see render

    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match.group())
        return f"\ue000{len(held) - 1}\ue001"

    if any("\ue000" <= char <= "\uf8ff" for char in text):
        return TemplateFault("yaml-character", "a template holds no private-use characters"), 1
    environment = _environment(_FILE_COMMENT)
    try:
        tree = environment.parse(_KFP_PLACEHOLDER.sub(hold, text))
        list(_check(tree, _FILE_NODES))
        _instrument(tree)
        pieces = _run(environment.from_string(tree), scope)
    except _Fault as fault:
        return fault.fault, _line_of(fault)
    except jinja2.TemplateSyntaxError as fault:
        return TemplateFault(
            "template-syntax", f"the template cannot be read: {_sentence(fault.message)}"
        ), fault.lineno or 1
    except (jinja2.TemplateError, *_FAILURES) as fault:
        return TemplateFault(
            "template-failed", f"the template cannot be rendered: {_sentence(str(fault))}"
        ), _line_of(fault)
    whole = _HELD.sub(lambda m: held[int(m.group(1))] if int(m.group(1)) < len(held) else "", "".join(pieces))
    return _lined(whole)


_FAILURES = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)


def _instrument(tree: nodes.Node) -> None:
    """Marks where the template's lines begin, and counts the steps of its loops."""
    from jinja2 import nodes as kinds  # noqa: PLC0415 - see render

    for node in tree.find_all(kinds.TemplateData):
        parts = node.data.split("\n")
        node.data = parts[0] + "".join(
            f"\n\ue002{node.lineno + i}\ue003{part}" for i, part in enumerate(parts[1:], start=1)
        )
    for loop in tree.find_all(kinds.For):
        loop.iter = kinds.Call(
            kinds.Name("__counted__", "load"), [loop.iter], [], None, None, lineno=loop.lineno
        )


def _run(compiled: Any, scope: Mapping[str, Any]) -> list[str]:
    steps = 0

    def counted(items: Any) -> Iterator[Any]:
        nonlocal steps
        for item in items:
            steps += 1
            if steps > _MAX_STEPS:
                raise _Fault(
                    TemplateFault("template-too-large", f"the loops take more than {_MAX_STEPS:,} steps")
                )
            yield item

    pieces, size = [], 0
    for piece in compiled.generate({**scope, "range": _short_range, "__counted__": counted}):
        size += len(piece)
        if size > MAX_GENERATED:
            raise _Fault(
                TemplateFault(
                    "template-too-large", f"the template gives more than {MAX_GENERATED:,} characters"
                )
            )
        pieces.append(piece)
    return pieces


def _short_range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > _MAX_STEPS:
        raise _Fault(TemplateFault("template-too-large", f"a range of {len(found):,} is too long"))
    return found


def _line_of(fault: BaseException) -> int:
    """The template's line in a traceback that Jinja has rewritten to it."""
    line, here = 1, fault.__traceback__
    while here is not None:
        if here.tb_frame.f_code.co_filename == "<template>":
            line = here.tb_lineno
        here = here.tb_next
    return line


def _lined(text: str) -> Generated:
    lines, current, shown = [], 1, []
    for line in text.split("\n"):
        marks = _MARK.findall(line)
        current = int(marks[-1]) if marks else current
        lines.append(current)
        shown.append(_MARK.sub("", line))
    return Generated("\n".join(shown), tuple(lines))


def _bounded(filter_: Any) -> Any:
    """The same filter; what it makes may not be larger than a value may be."""
    import functools  # noqa: PLC0415 - only with Jinja

    @functools.wraps(filter_)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        for number in (*args[1:], *kwargs.values()):
            if isinstance(number, int) and abs(number) > MAX_OUTPUT:
                raise _Fault(TemplateFault("template-too-large", "a filter's argument is too large"))
        result = filter_(*args, **kwargs)
        if hasattr(result, "__next__"):
            result = list(result)
        if isinstance(result, str | list | tuple) and len(result) > MAX_OUTPUT:
            raise _Fault(TemplateFault("template-too-large", "the value is too large"))
        return result

    return bounded
