"""The DAG in a terminal: one line for each task, in waves, groups as branches of a tree, `←` before what it waits for.

The number before a task is its wave within its group: tasks with the same number can run at once. Where a line would
be wider than the terminal, the detail gives way first, then what it waits for takes a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from kfgit.render.graph.measure import cells
from kfgit.render.graph.plain import plain
from kfgit.render.graph.view import Graph, Node, State, told_edges
from kfgit.render.graph.waves import waves_of

_MARKS: Final = {
    "task": "•",
    "import": "⤓",
    "pipeline": "▣",
    "loop": "⟳",
    "switch": "◇",
    "branch": "→",
    "exit": "■",
}
_SIGNS: Final[Mapping[State, str]] = {"": " ", "added": "+", "changed": "~", "removed": "-"}
_SGR: Final = {"added": "32", "changed": "33", "removed": "31", "bold": "1", "dim": "2", "guard": "33"}
_NARROWEST_DETAIL: Final = 12
_WIDEST_NAME: Final = 44
_AFTER: Final = "after "


@dataclass(frozen=True, slots=True)
class _Row:
    """A task's line before it meets the width: the tree's lines, the name, and the rest."""

    node: Node
    lead: str  # what stands before the mark
    under: str  # what stands before a second line
    waits: str

    @property
    def head(self) -> str:
        """Up to the name."""
        return f"{self.lead}{_MARKS[self.node.kind]} {plain(self.node.label)}"


@dataclass(frozen=True, slots=True)
class _Paper:
    width: int
    column: int  # where details begin
    paint: Mapping[str, str]

    def inked(self, text: str, colour: str) -> str:
        """The text in a colour, if there are colours."""
        code = self.paint.get(colour)
        return f"\x1b[{code}m{text}\x1b[0m" if code and text else text


def text(graph: Graph, width: int = 100, *, colour: bool = False) -> str:
    """Lines of at most `width` columns, where the names themselves allow it; `colour` adds ANSI sequences."""
    rows = tuple(_rows(graph.root, "", top=True))
    widest = max((cells(row.head) for row in rows if cells(row.head) <= _WIDEST_NAME), default=0)
    paper = _Paper(width, widest + 2, _SGR if colour else {})
    drawn = [*_header(graph, paper), ""]
    for row in rows:
        if row.node.kind == "exit" and not row.lead.strip():
            drawn.append(paper.inked("  ── always runs " + "─" * max(0, min(width, 60) - 17), "dim"))
        drawn += _lines(row, paper)
    key = list(_legend(rows, paper))
    drawn += ["", *key] if key else []
    return "\n".join(line.rstrip() for line in drawn) + "\n"


def _header(graph: Graph, paper: _Paper) -> Iterator[str]:
    yield paper.inked(_cut(plain(graph.name), paper.width), "bold")
    for key, values in (("", (graph.description,)), ("inputs", graph.inputs), ("outputs", graph.outputs)):
        word = f"{key:<9}" if key else ""
        value = ", ".join(plain(value) for value in values)
        for line in _folded(value, "", replace(paper, width=paper.width - len(word))) if value else ():
            yield paper.inked(word, "dim") + line
            word = " " * len(word)


def _rows(group: Node, lead: str, *, top: bool = False) -> Iterator[_Row]:
    """The children in the order of their waves, each followed by what is in it; exits last."""
    wave = waves_of(group)
    last = len(wave)
    children = sorted(group.children, key=lambda child: wave.get(child.id, last))
    numbered = bool(group.edges)
    digits = len(str(max(wave.values(), default=0) + 1))
    for child in children:
        end = child is children[-1]
        number = f"{wave[child.id] + 1:>{digits}} " if numbered and child.id in wave else ""
        number = number or (" " * (digits + 1) if numbered else "")
        own = "" if top else ("└─ " if end else "├─ ")
        onward = lead + ("" if top else ("   " if end else "│  ")) + " " * len(number)
        under = onward + ("│ " if child.children else "  ")
        yield _Row(child, f"{lead}{own}{number}", under, _waits(child, group))
        yield from _rows(child, onward)


def _waits(child: Node, group: Node) -> str:
    """The tasks it reads, and those it only follows."""
    labels = {other.id: plain(other.label) for other in group.children}
    told = [edge for edge in told_edges(group) if edge.target == child.id]
    read = dict.fromkeys(labels[edge.source] for edge in told if edge.kind == "data")
    followed = dict.fromkeys(labels[edge.source] for edge in told if edge.kind == "after")
    said = [", ".join(read), f"{_AFTER}{', '.join(followed)}" if followed else ""]
    return f"← {' · '.join(words for words in said if words)}" if told else ""


def _lines(row: _Row, paper: _Paper) -> Iterator[str]:
    node = row.node
    head = _cut(row.head, paper.width - 2)
    name = head[len(row.lead) :]
    sign = paper.inked(_SIGNS[node.state], node.state)
    left = f"{sign} {paper.inked(row.lead, 'dim')}{paper.inked(name, node.state or 'bold')}"
    room = paper.width - 2 - max(paper.column, cells(head) + 2)
    pad = " " * (max(paper.column, cells(head) + 2) - cells(head))
    detail = plain(node.detail)
    space = room - (cells(row.waits) + 2 if row.waits else 0)
    together = not row.waits or not detail or space >= min(_NARROWEST_DETAIL, cells(detail))
    below = node.kind == "branch" and cells(detail) > room  # a condition is never cut
    shown = "" if below else _cut(detail, space if together else room)
    fits = together and space >= 0
    gap = "  " if shown and row.waits else ""
    rest = paper.inked(shown, "dim") + (gap + row.waits if fits else "")
    yield left + pad + rest
    if below:
        yield from _folded(detail, f"  {row.under}", paper, "dim")
    if row.waits and not fits:
        yield from _folded(row.waits, f"  {row.under}", paper)
    if node.when:
        yield from _folded(f"if {plain(node.when)}", f"  {row.under}", paper, "guard")


def _folded(words: str, under: str, paper: _Paper, colour: str = "") -> Iterator[str]:
    """The words on as many lines as they need, the later ones a little further in."""
    line = ""
    room = paper.width - cells(under)
    for word in words.replace("← ", "←\0", 1).split(" "):
        longer = f"{line} {word}" if line else word
        if line and cells(longer) > room:
            yield paper.inked(under, "dim") + paper.inked(line.replace("\0", " "), colour)
            longer = f"  {word}"
        line = _cut(longer, room)
    yield paper.inked(under, "dim") + paper.inked(line.replace("\0", " "), colour)


def _legend(rows: tuple[_Row, ...], paper: _Paper) -> Iterator[str]:
    """What numbers and arrows mean, where there are any."""
    if not any(row.waits for row in rows):
        return
    told = ["equal numbers can run at once", "← waits for"]
    told += ["after: without reading anything"] if any(f" {_AFTER}" in row.waits for row in rows) else []
    line = ""
    for words in told:
        longer = f"{line} · {words}" if line else f"  {words}"
        if line and cells(longer) > paper.width:
            yield paper.inked(line, "dim")
            longer = f"  {words}"
        line = longer
    yield paper.inked(_cut(line, paper.width), "dim")


def _cut(text: str, width: int) -> str:
    """At most `width` columns of the text, with an ellipsis where something is missing."""
    if cells(text) <= width:
        return text
    kept, used = "", 1
    for character in text:
        used += cells(character)
        if used > width:
            break
        kept += character
    return kept.rstrip() + "…" if width > 0 else ""
