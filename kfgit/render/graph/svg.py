"""The DAG as a picture: one self-contained SVG without scripts, links or fonts, the same bytes for the same graph.

Groups are drawn first, then edges, then what they join, so that nothing hides a name. What had to be cut keeps its
whole in a `<title>`, which browsers show on hovering; nodes carry their id as `data-id` for pages to link.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from kfgit.render.graph.cards import EDGE, LEADING, SIZE, TEXT_LEFT, TEXT_RIGHT, lines, whole, wrapped
from kfgit.render.graph.labels import Label, labels
from kfgit.render.graph.layout import RULE_SPACE, layout
from kfgit.render.graph.legend import legend
from kfgit.render.graph.measure import fit, text_width
from kfgit.render.graph.palette import MARKS, SIGNS, STYLE
from kfgit.render.graph.pieces import Box, Flow, Frame, Piece, Point, Rule, Wire
from kfgit.render.graph.plain import plain
from kfgit.render.graph.view import Edge, Graph

__all__ = ["STYLE", "svg"]

MARGIN: Final = 28
_NARROWEST: Final = 360
_KEY_ROOM: Final = 54
_SIZES: Final[Mapping[str, float]] = {
    "title": 18.0,
    "key": 11.0,
    **{str(role): size for role, size in SIZE.items()},
}
_BOLD: Final = frozenset({"title", "key", "name"})
_HEAD: Final = 4.2  # half the breadth of an arrow head; it is twice as long as that
_NAMED_EDGES: Final = 6
_ALWAYS: Final = "always runs"


def svg(graph: Graph) -> str:
    """The picture of the whole pipeline: title, interface, tasks."""
    piece, flow = layout(graph.root)
    width = max(piece.width, _NARROWEST) + 2 * MARGIN
    top, header = _header(graph, width - 2 * MARGIN)
    bottom = top + piece.height + MARGIN // 2
    more, key = legend(piece, MARGIN, bottom, width - 2 * MARGIN)
    height = bottom + more + MARGIN // 2
    aside = (width - piece.width) // 2 if flow == "down" else MARGIN
    placed = piece.moved(aside, top)
    name = _attribute(graph.name)
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" class="kfg" width="{width}" height="{height}" '
                f'viewBox="0 0 {width} {height}" role="img" aria-label="DAG of pipeline {name}">'
            ),
            f"<style>{STYLE}</style>",
            f'<rect class="page" width="{width}" height="{height}" rx="10"/>',
            *header,
            *_body(placed, flow),
            *key,
            "</svg>\n",
        ]
    )


def _body(piece: Piece, flow: Flow) -> Iterator[str]:
    yield from (_box(box) for box in piece.boxes if box.node.children)
    yield from (_frame(frame) for frame in piece.frames)
    yield from (_wire(wire, flow) for wire in piece.wires)
    yield from (_rule(rule) for rule in piece.rules)
    yield from (_box(box) for box in piece.boxes if not box.node.children)
    yield from (_label(label) for label in labels(piece))


def _header(graph: Graph, room: int) -> tuple[int, list[str]]:
    """Name, description, inputs and outputs; and where the tasks begin."""
    y = MARGIN + 14
    drawn = [_text("title", MARGIN, y, plain(graph.name), room)]
    for key, text in _interface(graph):
        y += 19
        if key:
            drawn.append(_text("key", MARGIN, y, key, room))
        aside = _KEY_ROOM if key else 0
        for index, line in enumerate(wrapped("detail", text, room - aside)):
            y += LEADING["detail"] if index else 0
            drawn.append(_text("detail", MARGIN + aside, y, line, room - aside))
    return y + MARGIN, drawn


def _interface(graph: Graph) -> tuple[tuple[str, str], ...]:
    named = (("", (graph.description,)), ("inputs", graph.inputs), ("outputs", graph.outputs))
    return tuple((key, text) for key, texts in named if (text := ", ".join(plain(text) for text in texts)))


def _box(box: Box) -> str:
    node = box.node
    shade = ("even", "odd")[box.depth % 2] if node.children else "leaf"
    classes = " ".join(word for word in ("node", node.kind, shade, node.state) if word)
    parts = [f'<g class="{classes}" data-id="{_attribute(node.id)}">', *_stack(box), _card(box, 0)]
    parts.append(
        f'<path class="mark" transform="translate({box.x + 12} {box.y + EDGE + 1})" d="{MARKS[node.kind]}"/>'
    )
    if node.state:
        parts.append(
            f'<text class="sign" x="{box.x + box.width - 11}" y="{box.y + 16}">{SIGNS[node.state]}</text>'
        )
    return "".join((*parts, *_words(box))) + "</g>"


def _stack(box: Box) -> tuple[str, ...]:
    """A loop looks like cards on one another."""
    return (_card(box, 6), _card(box, 3)) if box.node.kind == "loop" else ()


def _card(box: Box, shift: int) -> str:
    return (
        f'<rect class="card" x="{box.x + shift}" y="{box.y + shift}" width="{box.width}" height="{box.height}" '
        f'rx="{10 if box.node.children else 7}"/>'
    )


def _words(box: Box) -> Iterator[str]:
    """The lines of a card; if one of them had to be cut, the whole of it as a tooltip."""
    y, cut = box.y + EDGE, False
    for line in lines(box.node):
        y += LEADING[line.role]
        room = box.width - TEXT_LEFT - TEXT_RIGHT - (8 if box.node.state and line.role == "name" else 0)
        shown = fit(line.text, room, SIZE[line.role], bold=line.role == "name")
        cut = cut or shown != line.text
        yield f'<text class="{line.role}" x="{box.x + TEXT_LEFT}" y="{y - 4}">{_content(shown)}</text>'
    if cut:
        yield f"<title>{_content(whole(box.node))}</title>"


def _text(role: str, x: int, y: int, text: str, room: float) -> str:
    """A line of text; if it had to be cut, the whole of it as a tooltip."""
    shown = fit(text, room, _SIZES[role], bold=role in _BOLD)
    whole = f"<title>{_content(text)}</title>" if shown != text else ""
    return f'<text class="{role}" x="{x}" y="{y}">{whole}{_content(shown)}</text>'


def _frame(frame: Frame) -> str:
    return (
        f'<rect class="frame" x="{frame.x}" y="{frame.y}" width="{frame.width}" height="{frame.height}" rx="10">'
        f"<title>{frame.count} tasks with the same neighbours: an edge here is an edge of each</title></rect>"
    )


def _rule(rule: Rule) -> str:
    """A broken line with its words in the middle."""
    room = text_width(_ALWAYS, 10) + 20
    left, middle = (rule.width - room) / 2, rule.x + rule.width // 2
    words = f'<text class="small middle" x="{middle}" y="{rule.y + 3}">{_ALWAYS}</text>'
    if left < RULE_SPACE // 2:
        return words
    ends = ((rule.x, rule.x + round(left)), (rule.x + rule.width - round(left), rule.x + rule.width))
    drawn = (f'<line class="rule" x1="{a}" x2="{b}" y1="{rule.y}" y2="{rule.y}"/>' for a, b in ends)
    return "".join(drawn) + words


def _wire(wire: Wire, flow: Flow) -> str:
    after = all(edge.kind == "after" for edge in wire.edges)
    told = [_told(edge) for edge in wire.edges[:_NAMED_EDGES]]
    if len(wire.edges) > _NAMED_EDGES:
        told.append(f"and {len(wire.edges) - _NAMED_EDGES} more")
    return (
        f'<g class="edge{" after" if after else ""}"><title>{_content(chr(10).join(told))}</title>'
        f'<path d="{_curve(wire.points, flow)}"/><path class="head" d="{_arrow(wire, flow)}"/></g>'
    )


def _told(edge: Edge) -> str:
    what = ", ".join(edge.labels) if edge.labels else ("after" if edge.kind == "after" else "")
    return plain(f"{edge.source} → {edge.target}" + (f": {what}" if what else ""))


def _curve(points: tuple[Point, ...], flow: Flow) -> str:
    """Straight and curved stretches in turn; curves leave and arrive along the flow."""
    drawn = [f"M{points[0][0]} {points[0][1]}"]
    for index, (start, end) in enumerate(pairwise(points)):
        if start == end:
            continue
        if index % 2 == 0 or start[flow == "right"] == end[flow == "right"]:
            drawn.append(f"L{end[0]} {end[1]}")
        elif flow == "down":
            middle = (start[1] + end[1]) / 2
            drawn.append(f"C{start[0]} {middle:g} {end[0]} {middle:g} {end[0]} {end[1]}")
        else:
            middle = (start[0] + end[0]) / 2
            drawn.append(f"C{middle:g} {start[1]} {middle:g} {end[1]} {end[0]} {end[1]}")
    return "".join(drawn)


def _arrow(wire: Wire, flow: Flow) -> str:
    x, y = wire.points[-1]
    back = 2 * _HEAD if wire.back else -2 * _HEAD
    if flow == "down":
        return f"M{x} {y}L{x - _HEAD:g} {y + back:g}L{x + _HEAD:g} {y + back:g}z"
    return f"M{x} {y}L{x + back:g} {y - _HEAD:g}L{x + back:g} {y + _HEAD:g}z"


def _label(label: Label) -> str:
    ground = " on-even" if label.depth % 2 else ""
    left, width = round(label.x - label.width / 2), round(label.width)
    return (
        f'<rect class="ground{ground}" x="{left}" y="{label.y - 5}" width="{width}" height="10"/>'
        f'<text class="label" x="{label.x}" y="{label.y + 3}">{_content(label.text)}</text>'
    )


def _content(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _attribute(text: str) -> str:
    return _content(plain(text)).replace('"', "&quot;")
