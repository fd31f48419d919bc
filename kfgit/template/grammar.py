"""What a template may say: a closed list of Jinja's nodes, filters, tests and methods."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kfgit.diagnostics import did_you_mean
from kfgit.template.faults import Fault, TemplateFault

if TYPE_CHECKING:
    from jinja2 import nodes

MAX_NODES = 500
MAX_FILE_NODES = 5_000
# Python compiles no deeper blocks, and no deeper expressions, than these by far.
_MAX_DEPTH = 60
_MAX_BLOCKS = 12
_MAX_INT = 10**30

FILTERS = frozenset(
    "abs capitalize default d dictsort first float int items join last length count list lower max min replace"
    " reverse round sort string sum title tojson trim unique upper".split()
)
TESTS = frozenset(
    "defined undefined none string number integer float boolean mapping sequence true false even odd"
    " divisibleby eq equalto ne lt lessthan le gt greaterthan ge in".split()
)
_METHODS = frozenset("upper lower strip lstrip rstrip title capitalize startswith endswith split get".split())
NODES = frozenset(
    "Template Output TemplateData If Name Const List Tuple Dict Pair Getattr Getitem Slice Filter Test Compare"
    " Operand And Or Not CondExpr Add Sub Mul Div FloorDiv Mod Neg Pos Concat Call Keyword".split()
)
FILE_NODES = NODES | {"For", "Assign"}
# In a value `{#` is the shell's, as in `${#NAME}`: nobody writes the comment that is left.
NO_COMMENT = ("\ue004", "\ue005")
FILE_COMMENT = ("{#", "#}")
KFP_PLACEHOLDER = re.compile(r"\{\{\$.*?\}\}", re.DOTALL)
_HELD = re.compile("\ue000([0-9]{1,9})\ue001")


def held_back(text: str, hold: Callable[[re.Match[str]], str]) -> str:
    """The text with KFP's own placeholders replaced; past the last `}}` nothing is looked for, however much opens."""
    end = text.rfind("}}") + 2
    return KFP_PLACEHOLDER.sub(hold, text[:end]) + text[end:] if end > 1 else text


def restored(text: str, held: Sequence[str]) -> str:
    """The text with the placeholders that were held back."""
    return _HELD.sub(lambda m: held[int(m.group(1))] if int(m.group(1)) < len(held) else "", text)


def check(tree: nodes.Node, allowed: frozenset[str] = NODES) -> Iterator[str]:
    """Refuses what is not in the grammar, or too deep or too large; yields the variables used as dotted paths."""
    most = MAX_FILE_NODES if allowed is FILE_NODES else MAX_NODES
    pending: list[tuple[nodes.Node, int, int]] = [(tree, 0, 0)]
    seen = 0
    while pending:
        node, depth, blocks = pending.pop()
        seen += 1
        name = type(node).__name__
        blocks += name in {"For", "If"}
        if seen > most or depth > _MAX_DEPTH or blocks > _MAX_BLOCKS:
            raise Fault(TemplateFault("template-too-large", "the template has too many parts"))
        try:
            path, below = _judged(node, name, allowed)
        except Fault as fault:
            fault.line = node.lineno
            raise
        if path is not None:
            yield path
        else:
            pending.extend((child, depth + 1, blocks) for child in reversed(below))


def _judged(node: nodes.Node, name: str, allowed: frozenset[str]) -> tuple[str | None, list[nodes.Node]]:
    """The variable that a node is, or what stands below it."""
    if name not in allowed:
        raise Fault(_not_allowed(name))
    below = _checked(node, name, allowed)
    path = path_of(node)
    if path is not None:
        _check_name(path.partition(".")[0])
    return path, below


def _check_name(name: str) -> None:
    """What runs a template has names of its own, which it does not show."""
    if name == "range" or name.startswith("__"):
        raise Fault(TemplateFault("unknown-variable", f"there is no variable `{name}` in templates"))


def _checked(node: Any, name: str, allowed: frozenset[str]) -> list[nodes.Node]:
    """What is below a node of an allowed kind, after a look at its own words."""
    match name:
        case "Filter" if node.name not in FILTERS:
            raise unknown_word("filter", node.name)
        case "Test" if node.name not in TESTS:
            raise unknown_word("test", node.name)
        case "Const" if _is_too_large(node.value):
            raise Fault(TemplateFault("template-too-large", "the number is too large"))
        case "Call" if allowed is FILE_NODES and _is_range(node):
            return [below for below in node.iter_child_nodes() if below is not node.node]
        case "Call":
            _check_call(node)
        case _:
            pass
    return list(node.iter_child_nodes())


def _is_too_large(value: object) -> bool:
    return isinstance(value, int | float) and not -_MAX_INT <= value <= _MAX_INT


def unknown_word(what: str, name: str) -> Fault:
    """A filter or test that does not exist here."""
    known = FILTERS if what == "filter" else TESTS
    return Fault(
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
        raise Fault(
            TemplateFault(
                "template-not-allowed",
                f"`{name}()` cannot be called in a template",
                "use the filter `| items`"
                if method == "items"
                else "use a filter, or put the value in `vars`",
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


def path_of(node: nodes.Node) -> str | None:
    """The dotted path of a variable, such as `vars.images.0`; None for what is no plain path."""
    from jinja2 import nodes as kinds  # noqa: PLC0415 - see render

    steps: list[str] = []
    while isinstance(node, kinds.Getattr | kinds.Getitem):
        if isinstance(node, kinds.Getattr):
            steps.append(node.attr)
        elif isinstance(node.arg, kinds.Const) and isinstance(node.arg.value, str | int):
            steps.append(str(node.arg.value))
        else:
            return None
        node = node.node
    return ".".join([node.name, *reversed(steps)]) if isinstance(node, kinds.Name) else None
