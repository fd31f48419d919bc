"""Where everything stands: rectangles for nodes, lines for edges, computed without any graph library.

A group is laid out like the whole: its children are sized first (groups by laying them out), its edges layered,
its parts that hang together set side by side, and a heading put on top. The whole is laid out twice, flowing
down and flowing right, and the shape that is easier to look at wins: down, unless that is too wide for a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from kfgit.render.graph.cards import card_width, heading_width, text_height
from kfgit.render.graph.columns import in_columns
from kfgit.render.graph.pieces import Box, Flow, Frame, Piece, Rule, over, shelved
from kfgit.render.graph.sheaves import Sheaf, gathered
from kfgit.render.graph.view import Node
from kfgit.render.graph.waves import Pair

PADDING: Final = 18
RULE_SPACE: Final = 44  # between the work and what always runs; the rule's words stand in it
_PAGE: Final = (1150, 1700)


def layout(root: Node) -> tuple[Piece, Flow]:
    """The children of `root` in place, and the direction that was chosen."""
    down, right = flowing(root, "down"), flowing(root, "right")
    return (down, "down") if _awkward(down) <= 1.1 * _awkward(right) else (right, "right")


def flowing(root: Node, flow: Flow) -> Piece:
    """The children of `root` in place, in a direction that is given."""
    return _group(root, flow, 0)


def _awkward(piece: Piece) -> float:
    """How many pages wide or high it is; what fits on one page is fine however small."""
    return max(1.0, piece.width / _PAGE[0], piece.height / _PAGE[1])


def _group(group: Node, flow: Flow, depth: int) -> Piece:
    """The children of a group, without its heading and border."""
    last = tuple(child for child in group.children if child.kind == "exit")
    ids = {child.id for child in last}
    work = replace(
        group,
        children=tuple(child for child in group.children if child.kind != "exit"),
        edges=tuple(edge for edge in group.edges if edge.source not in ids and edge.target not in ids),
    )
    piece = _work(work, flow, depth)
    return _with_exit(piece, _cards(last, group, flow, depth), flow) if last else piece


def _with_exit(work: Piece, cards: Mapping[str, Piece], flow: Flow) -> Piece:
    """The exits under a line: below the middle of the boxes if the flow is down, else at the left."""
    last = shelved(tuple(cards.values()), flow)
    middle = _middle(work) if flow == "down" else last.width // 2
    left = max(0, last.width // 2 - middle)
    at = left + middle - last.width // 2
    width = max(left + work.width, at + last.width)
    top = work.height + RULE_SPACE if work.height else RULE_SPACE // 2
    rule = Piece(width, 0, rules=(Rule(0, top - RULE_SPACE // 2, width),))
    return over(width, top + last.height, (work.moved(left, 0), rule, last.moved(at, top)))


def _middle(piece: Piece) -> int:
    """The middle of the boxes; lines may go further aside."""
    left = min((box.x for box in piece.boxes), default=0)
    return (left + max((box.x + box.width for box in piece.boxes), default=0)) // 2


def _work(group: Node, flow: Flow, depth: int) -> Piece:
    """Children without exits: sheaves gathered, each part that hangs together, and at last the single tasks."""
    cards = _cards(group.children, group, flow, depth)
    gathering = gathered(group)
    items = {id: _sheaf(id, gathering.sheaves, cards, flow) for id in gathering.ids}
    parts: list[Piece] = []
    loose: list[Piece] = []
    for ids in _hanging_together(gathering.ids, list(gathering.edges)):
        if len(ids) == 1 and not items[ids[0]].boxes[0].node.children:
            loose.append(items[ids[0]])
            continue
        own = {pair: joined for pair, joined in gathering.edges.items() if pair[0] in frozenset(ids)}
        parts.append(in_columns({id: items[id] for id in ids}, own, flow, depth))
    return shelved([*parts, shelved(loose, "down")] if loose and parts else parts or loose, flow)


def _sheaf(id: str, sheaves: Mapping[str, Sheaf], cards: Mapping[str, Piece], flow: Flow) -> Piece:
    """A card, or the frame with the cards that a sheaf holds."""
    sheaf = sheaves.get(id)
    if sheaf is None:
        return cards[id]
    inside = shelved([cards[member] for member in sheaf], flow, gap=10)
    width, height = inside.width + 20, inside.height + 20
    frame = Piece(width, height, frames=(Frame(0, 0, width, height, len(sheaf)),))
    return over(width, height, (frame, inside.moved(10, 10)))


def _cards(nodes: Sequence[Node], parent: Node, flow: Flow, depth: int) -> dict[str, Piece]:
    """Every node with what is in it; single cards of one group are equally wide."""
    width = max((card_width(node) for node in nodes if not node.children), default=0)
    return {
        node.id: _frame(node, parent, flow, depth)
        if node.children
        else Piece(width, text_height(node), (Box(node, 0, 0, width, text_height(node), depth, parent.id),))
        for node in nodes
    }


def _frame(node: Node, parent: Node, flow: Flow, depth: int) -> Piece:
    """A group: heading, then its children, within a border."""
    inside = _group(node, flow, depth + 1)
    top = text_height(node) + 4
    width = max(inside.width + 2 * PADDING, heading_width(node))
    width += width % 2
    height = top + inside.height + PADDING
    height += height % 2
    box = Piece(width, height, (Box(node, 0, 0, width, height, depth, parent.id),))
    return over(width, height, (box, inside.moved((width - inside.width) // 2, top)))


def _hanging_together(ids: Sequence[str], pairs: Sequence[Pair]) -> list[list[str]]:
    """The ids in groups that edges join, each in source order."""
    home = {id: id for id in ids}

    def find(id: str) -> str:
        while home[id] != id:
            home[id] = home[home[id]]
            id = home[id]
        return id

    for source, target in pairs:
        home[find(target)] = find(source)
    groups: dict[str, list[str]] = {}
    for id in ids:
        groups.setdefault(find(id), []).append(id)
    return list(groups.values())
