"""The DAG as a Mermaid flowchart, as GitHub and GitLab draw it in Markdown.

Every character of a label that is neither a letter, a digit nor harmless punctuation is written as a Mermaid entity
(`#35;`), so that no label can close its quotes, open a directive (`%%{`), become Markdown or HTML.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from kfgit.render.graph.names import safe_ids
from kfgit.render.graph.palette import SIGNS
from kfgit.render.graph.plain import plain
from kfgit.render.graph.view import Edge, Graph, Node, State, descendants, told_edges

_HARMLESS: Final = frozenset(" ,/:=?()")
_JOINING: Final = frozenset("-_.")
_LONGEST: Final = 90
_OPEN: Final = {"task": '["', "import": '[/"', "exit": '(["'}
_CLOSE: Final = {"task": '"]', "import": '"/]', "exit": '"])'}
_SIGN: Final[Mapping[str, str]] = {
    "loop": "⟳ ",
    "switch": "◇ ",
    "import": "⤓ ",
    "exit": "■ ",
    "pipeline": "▣ ",
}
# All see-through, so that they suit a light page and a dark one.
_COLOURS: Final[Mapping[State, str]] = {
    "added": "fill:#2da44e33,stroke:#2da44e,stroke-width:2px",
    "changed": "fill:#d2992233,stroke:#bf8700,stroke-width:2px",
    "removed": "fill:#f8514926,stroke:#e5534b,stroke-width:2px,stroke-dasharray:4 3",
}
# A group's own change shows on its rim: what is in it has colours of its own.
_RIMS: Final[Mapping[State, str]] = {
    "added": "fill:#2da44e14,stroke:#2da44e,stroke-width:2px",
    "changed": "fill:#d2992214,stroke:#bf8700,stroke-width:2px",
    "removed": "fill:#f8514914,stroke:#e5534b,stroke-width:2px,stroke-dasharray:4 3",
}
_STROKES: Final[Mapping[State, str]] = {
    "added": "stroke:#2da44e,stroke-width:2.5px",
    "changed": "stroke:#bf8700,stroke-width:2.5px",
    "removed": "stroke:#e5534b,stroke-width:2px,stroke-dasharray:4 3",
}
_ALWAYS: Final = "always runs"
_GROUP: Final = "fill:#80808014,stroke:#80808099"


def mermaid(graph: Graph) -> str:
    """The text of a flowchart, without a Markdown fence."""
    ids = _Ids(safe_ids(graph), graph)
    work = [child for child in graph.root.children if child.kind != "exit"]
    last = [child for child in graph.root.children if child.kind == "exit"]
    drawn = ["flowchart TD"]
    drawn += [f'  subgraph pipeline["{_label(graph.name)}"]', "    direction TB"] if last else []
    for node in work:
        drawn += _node(node, ids, "    " if last else "  ")
    drawn += ["  end"] if last else []
    links: list[_Link] = []
    for node in last:
        drawn += _node(node, ids, "  ")
        links.append((f'pipeline -. "{_ALWAYS}" .-> {ids.safe[node.id]}', _presence(node)))
    for parent in (graph.root, *(node for node, _ in descendants(graph.root))):
        links += ((_edge(edge, ids), edge.state) for edge in told_edges(parent))
        links += ((line, "") for line in (_holding(parent, ids) if parent is not graph.root else ()))
    links += ((_edge(e, ids), e.state) for group, _ in descendants(graph.root) for e in _endings(group))
    drawn += (f"  {line}" for line, _ in links)
    return "\n".join([*drawn, *_classes(graph, ids), *_strokes(links)]) + "\n"


_Link = tuple[str, State]


def _strokes(links: Sequence[_Link]) -> Iterator[str]:
    """Colours of links, which Mermaid knows by their numbers alone."""
    for state, stroke in _STROKES.items():
        numbers = [str(number) for number, (_, each) in enumerate(links) if each == state]
        if numbers:
            yield f"  linkStyle {','.join(numbers)} {stroke}"


class _Ids:
    """Names of nodes, and where edges begin and end.

    Mermaid 11 fails on edges of a group when groups in it have edges too ("setting 'rank'"), so edges of a group that
    has groups in it end at a dot within.
    """

    def __init__(self, safe: Mapping[str, str], graph: Graph) -> None:
        self.safe = safe
        groups = [node for node, _ in descendants(graph.root)]
        edges = [*graph.root.edges, *(edge for node in groups for edge in (*node.edges, *_endings(node)))]
        outer = {node.id for node in groups if any(child.children for child in node.children)}
        self._read = {edge.source for edge in edges} & outer
        self._reading = {edge.target for edge in edges} & outer

    def source(self, id: str) -> str:
        """Where an edge from a node begins."""
        return f"out_{self.safe[id]}" if id in self._read else self.safe[id]

    def target(self, id: str) -> str:
        """Where an edge to a node ends."""
        return f"in_{self.safe[id]}" if id in self._reading else self.safe[id]

    def dots(self, node: Node) -> tuple[str, ...]:
        """The dots within a group."""
        return tuple({self.source(node.id): None, self.target(node.id): None} if node.children else ())


def _endings(group: Node) -> Iterator[Edge]:
    """What leads to the exit task of a nested pipeline; that of the whole follows a frame."""
    sources = {edge.source for edge in group.edges}
    for last in (child for child in group.children if child.kind == "exit"):
        for child in group.children:
            if child.kind != "exit" and child.id not in sources:
                yield Edge(child.id, last.id, (_ALWAYS,), "after", _presence(last) or _presence(child))


def _presence(node: Node) -> State:
    """Of what leads to a node: whether it came or went with the node."""
    return "" if node.state == "changed" else node.state


def _holding(group: Node, ids: _Ids) -> Iterator[str]:
    """Unseen links that hold a group's dots above and below what is in it."""
    sources, targets = {edge.source for edge in group.edges}, {edge.target for edge in group.edges}
    above, below = ids.target(group.id), ids.source(group.id)
    for child in group.children:
        if above.startswith("in_") and child.id not in targets:
            yield f"{above} ~~~ {ids.target(child.id)}"
        if below.startswith("out_") and child.id not in sources:
            yield f"{ids.source(child.id)} ~~~ {below}"


def _node(node: Node, ids: _Ids, indent: str) -> Iterator[str]:
    name = ids.safe[node.id]
    if not node.children:
        start, end = _OPEN.get(node.kind, '[["'), _CLOSE.get(node.kind, '"]]')
        yield f"{indent}{name}{start}{_text(node)}{end}"
        return
    yield f'{indent}subgraph {name}["{_text(node)}"]'
    yield f"{indent}  direction TB"
    yield from (f'{indent}  {dot}((" "))' for dot in ids.dots(node) if dot != name)
    for child in node.children:
        yield from _node(child, ids, indent + "  ")
    yield f"{indent}end"


def _text(node: Node) -> str:
    """Name, detail and guard on a line each; a subgraph's title stays on one."""
    guard = f"if {node.when}" if node.when else ""
    sign = f"{_label(SIGNS[node.state])} " if node.state else ""
    parts = [sign + _SIGN.get(node.kind, "") + _label(node.label), _label(node.detail), _label(guard)]
    return ("#58; " if node.children else "<br/>").join(part for part in parts if part)


def _edge(edge: Edge, ids: _Ids) -> str:
    arrow = "-->" if edge.kind == "data" else "-.->"
    words = ", ".join(edge.labels) or ("after" if edge.kind == "after" else "")
    said = f'|"{_label(words)}"|' if words else ""
    return f"{ids.source(edge.source)} {arrow}{said} {ids.target(edge.target)}"


def _classes(graph: Graph, ids: _Ids) -> Iterator[str]:
    groups = [ids.safe[node.id] for node, _ in descendants(graph.root) if node.children]
    groups += ["pipeline"] if any(child.kind == "exit" for child in graph.root.children) else []
    if groups:
        yield f"  classDef group {_GROUP}"
        yield f"  class {','.join(groups)} group"
    for suffix, table in (("", _COLOURS), ("_group", _RIMS)):
        for state, colours in table.items():
            found = (node for node, _ in descendants(graph.root) if node.state == state)
            members = [ids.safe[node.id] for node in found if bool(node.children) == bool(suffix)]
            if members:
                yield f"  classDef {state}{suffix} {colours}"
                yield f"  class {','.join(members)} {state}{suffix}"


def _label(text: str) -> str:
    shown = f" {plain(text, _LONGEST)} "
    return "".join(
        character if _stands(before, character, after) else f"#{ord(character)};"
        for before, character, after in zip(shown, shown[1:], shown[2:], strict=False)
    )


def _stands(before: str, character: str, after: str) -> bool:
    """Letters of all scripts stand as they are, and what joins two of them within a word."""
    if character.isalnum() or character in _HARMLESS or ord(character) > 0xFF:
        return True
    return character in _JOINING and before.isalnum() and after.isalnum()
