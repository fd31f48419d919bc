"""Whole files of a template, `*.yaml.j2`: text with loops, and for each line of it the line that made it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from kfgit.template.faults import Fault, TemplateFault, sentence
from kfgit.template.grammar import FILE_COMMENT, FILE_NODES, check, held_back, restored
from kfgit.template.sandbox import sandbox
from kfgit.template.using import used_by
from kfgit.template.weighing import WEIGHED, weigh
from kfgit.template.work import Work

if TYPE_CHECKING:
    from jinja2 import nodes


class Filled(NamedTuple):
    """What an expression put into a line: its columns, counted from 1, the end exclusive, and the variables in it."""

    column: int
    end_column: int
    used: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Generated:
    """What a whole file of a template gives: for each of its lines the template's, and by line what was filled in."""

    text: str
    lines: tuple[int, ...]
    filled: Mapping[int, tuple[Filled, ...]]


MAX_GENERATED = 2_000_000
MAX_LINES = 50_000
_MAX_STEPS = 100_000
# A line of the template begins; an expression begins; it ends. Values that look so are only taken for such.
_MARK = re.compile("\ue002([0-9]{1,6})\ue003|\ue006([0-9]{1,6})\ue007|\ue008")


def generate(text: str, scope: Mapping[str, Any]) -> Generated | tuple[TemplateFault, int]:
    """Renders a whole `*.yaml.j2` file, in which loops may stand too; a fault comes with its line."""
    import jinja2  # noqa: PLC0415 - see render

    held: list[str] = []

    def hold(match: re.Match[str]) -> str:
        held.append(match.group())
        return f"\ue000{len(held) - 1}\ue001"

    if any("\ue000" <= char <= "\uf8ff" for char in text):
        return TemplateFault("yaml-character", "a template holds no private-use characters"), 1
    if text.count("\n") > MAX_LINES:
        return TemplateFault("template-too-large", f"the template has more than {MAX_LINES:,} lines"), 1
    environment = sandbox(FILE_COMMENT)
    environment.work = work = Work()
    try:
        tree = environment.parse(held_back(text, hold))
        list(check(tree, FILE_NODES))
        parts, used = _instrument(tree)
        weigh(tree)
        pieces = _run(environment.from_string(tree), scope, work, parts)
    except Fault as fault:
        return fault.fault, _line_of(fault)
    except jinja2.TemplateSyntaxError as fault:
        return TemplateFault(
            "template-syntax", f"the template cannot be read: {sentence(fault.message)}"
        ), fault.lineno or 1
    except Exception as fault:  # noqa: BLE001 - whatever a template's own code raises is its fault
        return TemplateFault(
            "template-failed", f"the template cannot be rendered: {sentence(str(fault))}"
        ), _line_of(fault)
    whole = restored("".join(pieces), held)
    return _lined(whole, used)


def _instrument(tree: nodes.Template) -> tuple[int, tuple[tuple[str, ...], ...]]:
    """Marks where the template's lines and expressions begin, and counts the steps of its loops.

    Returns how many parts it has, and the variables of each expression.
    """
    from jinja2 import nodes as kinds  # noqa: PLC0415 - see render

    used = used_by(tree)
    for data in tree.find_all(kinds.TemplateData):
        first, *others = data.data.split("\n")
        data.data = first + "".join(
            f"\n\ue002{data.lineno + i}\ue003{line}" for i, line in enumerate(others, start=1)
        )
    for loop in tree.find_all(kinds.For):
        loop.iter = kinds.Call(
            kinds.Name("__counted__", "load"), [loop.iter], [], None, None, lineno=loop.lineno
        )
    parts = sum(1 for _ in tree.find_all(kinds.Node))
    numbers = count()
    for output in tree.find_all(kinds.Output):
        marked: list[nodes.Expr] = []
        for node in output.nodes:
            if _is_text(node):
                marked.append(node)
            else:
                begin = kinds.TemplateData(f"\ue006{next(numbers)}\ue007")
                marked += [begin, node, kinds.TemplateData("\ue008")]
        output.nodes = marked
    return parts, used


def _is_text(node: nodes.Node) -> bool:
    return type(node).__name__ == "TemplateData"


def _run(compiled: Any, scope: Mapping[str, Any], work: Work, parts: int) -> list[str]:
    steps = 0

    def counted(items: Any) -> Iterator[Any]:
        nonlocal steps
        for item in items:
            steps += 1
            work.spend(parts)
            if steps > _MAX_STEPS:
                raise Fault(
                    TemplateFault("template-too-large", f"the loops take more than {_MAX_STEPS:,} steps")
                )
            yield item

    pieces, size = [], 0
    given = {**scope, "range": _short_range, "__counted__": counted, WEIGHED: work.weighed}
    for piece in compiled.generate(given):
        size += len(piece)
        if size > MAX_GENERATED:
            raise Fault(
                TemplateFault(
                    "template-too-large", f"the template gives more than {MAX_GENERATED:,} characters"
                )
            )
        pieces.append(piece)
    return pieces


def _short_range(*bounds: int) -> range:
    found = range(*bounds)
    if len(found) > _MAX_STEPS:
        raise Fault(TemplateFault("template-too-large", f"a range of {len(found):,} is too long"))
    return found


def _line_of(fault: BaseException) -> int:
    """The template's line in a traceback that Jinja has rewritten to it."""
    if isinstance(fault, Fault) and fault.line is not None:
        return fault.line
    line, here = 1, fault.__traceback__
    while here is not None:
        if here.tb_frame.f_code.co_filename == "<template>":
            line = here.tb_lineno
        here = here.tb_next
    return line


def _lined(text: str, used: Sequence[tuple[str, ...]]) -> Generated:
    """The text without the marks, and what they said."""
    current = 1
    inside: tuple[str, ...] | None = None
    lines: list[int] = []
    shown: list[str] = []
    filled: dict[int, tuple[Filled, ...]] = {}
    for marked in text.split("\n"):
        line, end, begin, found = "", 0, 1, []
        for mark in _MARK.finditer(marked):
            line += marked[end : mark.start()]
            end = mark.end()
            if mark[1]:
                current = min(int(mark[1]), MAX_LINES)
            elif mark[2]:
                inside, begin = used[int(mark[2])] if int(mark[2]) < len(used) else (), len(line) + 1
            elif inside is not None:
                found.append(Filled(begin, len(line) + 1, inside))
                inside = None
        line += marked[end:]
        if inside is not None:
            found.append(Filled(begin, len(line) + 1, inside))
        shown.append(line)
        lines.append(current)
        if found:
            filled[len(shown)] = tuple(found)
    return Generated("\n".join(shown), tuple(lines), filled)
