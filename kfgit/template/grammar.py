"""What a template may say: a closed list of Jinja's nodes, filters, tests and methods."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kfgit.diagnostics import did_you_mean
from kfgit.template.faults import Fault, TemplateFault

if TYPE_CHECKING:
    from jinja2 import nodes

_MAX_NODES = 500

FILTERS = frozenset(
    "abs capitalize default d first float int join last length count list lower max min replace reverse round"
    " sort string sum title trim unique upper".split()
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
HELD = re.compile("\ue000([0-9]+)\ue001")


def check(tree: nodes.Node, allowed: frozenset[str] = NODES) -> Iterator[str]:
    """Refuses what is not in the grammar; yields the variables used as dotted paths."""
    pending: list[nodes.Node] = [tree]
    seen = 0
    while pending:
        node = pending.pop()
        seen += 1
        if seen > _MAX_NODES:
            raise Fault(TemplateFault("template-too-large", "the template has too many parts"))
        name = type(node).__name__
        if name not in allowed:
            raise Fault(_not_allowed(name))
        if name == "Filter" and node.name not in FILTERS:  # type: ignore[attr-defined]
            raise unknown_word("filter", node.name)  # type: ignore[attr-defined]
        if name == "Test" and node.name not in TESTS:  # type: ignore[attr-defined]
            raise unknown_word("test", node.name)  # type: ignore[attr-defined]
        if name == "Call" and not (allowed is FILE_NODES and _is_range(node)):
            _check_call(node)
        path = _path(node)
        if path is not None:
            yield path
        else:
            pending.extend(reversed(list(node.iter_child_nodes())))


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
