from __future__ import annotations

import json
import re
import shutil
import subprocess
import unicodedata
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kfgit.render import graph as pictures
from kfgit.render.graph.layout import flowing, layout
from kfgit.render.graph.measure import cells, fit, text_width
from kfgit.render.graph.pieces import Box, Flow, Frame
from kfgit.render.graph.plain import plain
from kfgit.render.graph.view import Edge, Graph, Kind, Node, State, descendants
from kfgit.render.graph.waves import waves_of

QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SVG = "{http://www.w3.org/2000/svg}"
FLOWS: tuple[Flow, ...] = ("down", "right")
HOSTILE = (
    '"]; click x "javascript:alert(1)" %%{init: {"theme":"dark"}}%% <script>alert(1)</script>',
    "\\",
    '\\" ]; } evil [label="x',
    "\u202egpj.exe",
    "a\x1b[2Jb\x00c\r\nd",
    "1. foo `code` **bold** [link](http://x) #quot; &lt;b&gt; ]]> --> <!--",
    "z\u0300\u0301\u0302\u0303\u0304\u0305algo \u2028 \ud800 \ufffe \u200b",
    "清洗数据 и данные عربى 🙂",
    "",
    "end",
)
LABELS = st.one_of(
    st.sampled_from(HOSTILE), st.text(max_size=60), st.from_regex(r"[a-z][a-z0-9-]{0,30}", fullmatch=True)
)
GROUPS: tuple[Kind, ...] = ("pipeline", "loop", "switch", "branch")
SINGLE: tuple[Kind, ...] = ("task", "task", "task", "import", "exit", "pipeline")
STATES: tuple[State, ...] = ("", "", "added", "changed", "removed")


@st.composite
def nodes(draw: st.DrawFn, id: str = "", depth: int = 0, *, cycles: bool = False) -> Node:
    """A group with a random DAG, with groups in it; or, `cycles` allowed, with any edges."""
    ids = [f"{id}{index}" for index in range(draw(st.integers(1, 9 if depth == 0 else 4)))]
    children = tuple(
        draw(nodes(f"{child}/", depth + 1, cycles=cycles))
        if depth < 2 and draw(st.integers(0, 3)) == 0
        else Node(
            child,
            draw(LABELS),
            draw(st.sampled_from(SINGLE)),
            draw(LABELS),
            state=draw(st.sampled_from(STATES)),
        )
        for child in ids
    )
    last = {child.id for child in children if child.kind == "exit"}
    names = [child.id for child in children]
    possible = [(a, b) for a, b in combinations(names, 2) if not {a, b} & last]
    possible += [(b, a) for a, b in possible] if cycles else []
    chosen = draw(st.lists(st.sampled_from(possible), max_size=14)) if possible else []
    edges = tuple(
        Edge(a, b, tuple(draw(st.lists(LABELS, max_size=2))), draw(st.sampled_from(("data", "after"))))
        for a, b in chosen
    )
    kind = draw(st.sampled_from(GROUPS))
    return Node(id or "root", draw(LABELS), kind, draw(LABELS), children, edges, draw(LABELS))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    root = draw(nodes(cycles=draw(st.booleans())))
    names = st.lists(LABELS, max_size=3).map(tuple)
    return Graph(draw(LABELS), draw(LABELS), draw(names), draw(names), root)


def small() -> Graph:
    """Everything once: import, loop, edge kinds, guard, state, exit."""
    return Graph(
        "churn",
        "",
        ("lrs",),
        (),
        Node(
            "",
            "churn",
            "pipeline",
            children=(
                Node("data", "data", "import"),
                Node("sweep", "sweep", "loop", "for each of 3", (Node("sweep/fit", "fit", "task", "xgb"),)),
                Node("tell", "tell", "task", "notify", when='tier == "gold"', state="added"),
                Node("report", "report", "exit"),
            ),
            edges=(
                Edge("data", "sweep", ("rows",)),
                Edge("sweep", "tell", (), "after"),
                Edge("data", "tell"),
                Edge("data", "tell", (), "after"),
            ),
        ),
    )


def wide(count: int) -> Graph:
    middle = tuple(Node(f"shard-{index}", f"shard-{index}", "task", "process") for index in range(count))
    edges = [Edge("split", node.id) for node in middle] + [Edge(node.id, "merge") for node in middle]
    root = Node(
        "",
        "wide",
        "pipeline",
        "",
        (Node("split", "split", "task"), *middle, Node("merge", "merge", "task")),
        tuple(edges),
    )
    return Graph("wide", "", (), (), root)


Rect = tuple[int, int, int, int]


def rect(part: Box | Frame) -> Rect:
    return part.x, part.y, part.x + part.width, part.y + part.height


def touch(one: Rect, other: Rect) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def inside(one: Rect, other: Rect) -> bool:
    return other[0] <= one[0] and other[1] <= one[1] and one[2] <= other[2] and one[3] <= other[3]


# layout


@QUICK
@given(nodes(cycles=True), st.sampled_from(FLOWS))
def test_siblings_never_overlap_and_stand_within_their_group(root: Node, flow: Flow) -> None:
    piece = flowing(root, flow)
    by_id = {box.node.id: box for box in piece.boxes}
    assert sorted(by_id) == sorted(node.id for node, _ in descendants(root))
    assert len(by_id) == len(piece.boxes)
    for one, other in combinations(piece.boxes, 2):
        if one.parent == other.parent:
            assert not touch(rect(one), rect(other))
    for box in piece.boxes:
        around = by_id.get(box.parent)
        assert inside(rect(box), rect(around) if around else (0, 0, piece.width, piece.height))


@QUICK
@given(nodes(), st.sampled_from(FLOWS))
def test_edges_of_a_dag_go_forward(root: Node, flow: Flow) -> None:
    for wire in flowing(root, flow).wires:
        if wire.turns:
            continue
        along = [point[flow == "down"] for point in wire.points]
        assert not wire.back
        assert along == sorted(along)
        assert along[0] < along[-1]


@QUICK
@given(nodes(cycles=True), st.sampled_from(FLOWS))
def test_a_line_crosses_no_box_beside_those_it_joins(root: Node, flow: Flow) -> None:
    piece = flowing(root, flow)
    parent = {box.node.id: box.parent for box in piece.boxes}
    for wire in piece.wires:
        home = parent[wire.edges[0].source]
        siblings = [rect(box) for box in piece.boxes if box.parent == home]
        for (x1, y1), (x2, y2) in pairwise(wire.points):
            stretch = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
            assert not any(touch(stretch, box) for box in siblings)


@QUICK
@given(nodes(cycles=True), st.sampled_from(FLOWS))
def test_every_edge_is_drawn_once_from_border_to_border(root: Node, flow: Flow) -> None:
    piece = flowing(root, flow)
    frames: tuple[Box | Frame, ...] = piece.frames
    drawn = [edge for wire in piece.wires for edge in wire.edges]
    groups = (root, *(node for node, _ in descendants(root)))
    assert sorted(map(repr, drawn)) == sorted(repr(edge) for group in groups for edge in group.edges)
    borders = [rect(part) for part in (*piece.boxes, *frames)]
    for wire in piece.wires:
        for x, y in (wire.points[0], wire.points[-1]):
            assert any(on_border((x, y), border) for border in borders)


def on_border(point: tuple[int, int], border: Rect) -> bool:
    (x, y), (left, top, right, bottom) = point, border
    return left <= x <= right and top <= y <= bottom and (x in (left, right) or y in (top, bottom))


def test_exit_tasks_stand_below_everything() -> None:
    piece, _ = layout(small().root)
    bottoms = {box.node.id: box.y + box.height for box in piece.boxes}
    report = next(box for box in piece.boxes if box.node.id == "report")
    assert max(bottom for id, bottom in bottoms.items() if id != "report") < piece.rules[0].y < report.y


def test_tasks_with_the_same_neighbours_share_a_frame_and_its_edges() -> None:
    piece, flow = layout(wide(57).root)
    assert [frame.count for frame in piece.frames] == [57]
    assert [len(wire.edges) for wire in piece.wires] == [57, 57]
    assert flow == "down"
    assert piece.width < 1200


def test_a_chain_is_a_straight_line_and_an_edge_that_skips_goes_around() -> None:
    steps = tuple(Node(name, name, "task") for name in "abc")
    root = Node("", "", "pipeline", "", steps, (Edge("a", "b"), Edge("b", "c"), Edge("a", "c")))
    piece = flowing(root, "down")
    assert len({box.x for box in piece.boxes}) == 1
    assert [len({x for x, _ in wire.points}) for wire in piece.wires] == [1, 1, 2]


def test_what_is_too_wide_for_a_page_flows_to_the_right() -> None:
    lanes = [(f"train-{index}", f"check-{index}") for index in range(20)]
    names = ("data", *(name for lane in lanes for name in lane))
    edges = [edge for a, b in lanes for edge in (Edge("data", a), Edge(a, b))]
    root = Node("", "", "pipeline", "", tuple(Node(name, name, "task") for name in names), tuple(edges))
    piece, flow = layout(root)
    assert flow == "right"
    assert piece.width < 1200


@settings(QUICK, max_examples=25)
@given(st.integers(20, 70), st.lists(st.integers(0, 69), max_size=6), st.sampled_from((1, -1)))
def test_a_long_chain_is_read_in_columns(count: int, wide: list[int], order: int) -> None:
    """Some steps are groups or have a neighbour beside them; no line goes through a box all the same."""
    steps = [
        Node(f"s{i}", f"s{i}", "loop", "", (Node(f"s{i}/a", "a", "task"),))
        if i in wide
        else Node(f"s{i}", f"s{i}", "task")
        for i in range(count)
    ]
    beside = [Node(f"b{i}", f"b{i}", "task") for i in wide if i + 1 < count]
    beside = list({node.id: node for node in beside}.values())
    edges = [Edge(a.id, b.id) for a, b in pairwise(steps)]
    edges += [Edge(node.id, f"s{int(node.id[1:]) + 1}") for node in beside]
    children = [*beside, *steps][::order]
    piece = flowing(Node("", "", "pipeline", "", tuple(children), tuple(edges)), "down")
    assert piece.height < 3400
    assert sorted(box.node.id for box in piece.boxes if not box.parent) == sorted(
        node.id for node in children
    )
    top = [rect(box) for box in piece.boxes if box.node.id in {node.id for node in children}]
    assert not any(touch(one, other) for one, other in combinations(top, 2))
    for wire in piece.wires:
        for (x1, y1), (x2, y2) in pairwise(wire.points):
            stretch = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
            assert not any(touch(stretch, box) for box in top)
            assert inside(stretch, (0, 0, piece.width, piece.height))
        for point in (wire.points[0], wire.points[-1]):
            assert any(on_border(point, box) for box in top)


def test_sixty_steps_in_a_chain_make_a_picture_like_a_page() -> None:
    steps = tuple(Node(f"s{index}", f"s{index}", "task", "step") for index in range(60))
    piece, _ = layout(
        Node("", "", "pipeline", "", steps, tuple(Edge(a.id, b.id) for a, b in pairwise(steps)))
    )
    assert 0.5 < piece.width / piece.height < 2
    assert sum(wire.turns for wire in piece.wires) == len({box.x for box in piece.boxes}) - 1


def test_a_cycle_of_two_versions_is_drawn_backwards() -> None:
    root = Node(
        "",
        "",
        "pipeline",
        "",
        (Node("a", "a", "task"), Node("b", "b", "task")),
        (Edge("a", "b"), Edge("b", "a")),
    )
    assert [wire.back for wire in flowing(root, "down").wires] == [False, True]


@pytest.mark.parametrize(
    ("children", "edges"),
    [
        ((Node("a", "a", "task"), Node("a", "b", "task")), ()),
        ((Node("a", "a", "task"),), (Edge("a", "a"),)),
        ((Node("a", "a", "task"),), (Edge("a", "elsewhere"),)),
    ],
)
def test_a_view_that_contradicts_itself_cannot_be_made(
    children: tuple[Node, ...], edges: tuple[Edge, ...]
) -> None:
    with pytest.raises(ValueError, match=r"one id|does not join"):
        Node("", "", "pipeline", "", children, edges)


@QUICK
@given(nodes())
def test_waves_rise_along_every_edge(root: Node) -> None:
    wave = waves_of(root)
    assert all(wave[edge.source] < wave[edge.target] for edge in root.edges)


# text


@QUICK
@given(LABELS)
def test_plain_text_has_nothing_hidden(text: str) -> None:
    shown = plain(text)
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}]
    assert plain(shown) == shown or "\\" in text


def test_bidi_and_control_characters_are_shown_as_escapes() -> None:
    assert plain("a\u202eb\x1b[31m\tc\U000e0041") == "a\\u202eb\\u001b[31m c\\U000e0041"
    assert plain("x" * 500) == "x" * 399 + "…"


@QUICK
@given(LABELS.map(plain), st.integers(20, 300))
def test_text_is_cut_to_its_room(text: str, room: int) -> None:
    shown = fit(text, room, 13, bold=True)
    assert text_width(shown, 13, bold=True) <= room
    assert shown == text or "…" in shown


# SVG


@QUICK
@given(graphs())
def test_an_svg_is_well_formed_complete_and_the_same_every_time(graph: Graph) -> None:
    drawn = pictures.svg(graph)
    assert drawn == pictures.svg(graph)
    drawn.encode()
    root = ET.fromstring(drawn)
    ids = [group.attrib["data-id"] for group in root.iter(f"{SVG}g") if "data-id" in group.attrib]
    assert sorted(ids) == sorted(plain(node.id) for node, _ in descendants(graph.root))
    allowed = {"svg", "style", "rect", "g", "path", "text", "title", "line"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    assert not [
        name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name
    ]


def test_svg_text_that_was_cut_is_whole_in_its_title() -> None:
    name = "a-name-that-nobody-should-write-but-somebody-will-" * 2
    root = Node("", "p", "pipeline", "", (Node("t", name, "task"),))
    drawn = ET.fromstring(pictures.svg(Graph("p", "", (), (), root)))
    card = next(group for group in drawn.iter(f"{SVG}g") if group.attrib.get("data-id") == "t")
    shown = "".join(text.text or "" for text in card.iter(f"{SVG}text"))
    assert "…" in shown
    assert [title.text for title in card.iter(f"{SVG}title")] == [name]


@QUICK
@given(st.from_regex(r"[a-z]{1,9}(-[a-z0-9]{1,9}){0,5}", fullmatch=True).filter(lambda name: len(name) < 64))
def test_a_name_that_a_task_may_have_is_never_cut(name: str) -> None:
    root = Node(
        "",
        "p",
        "pipeline",
        "",
        (Node("t", name, "task"), Node("g", name, "loop", "", (Node("g/t", name, "task"),))),
    )
    drawn = ET.fromstring(pictures.svg(Graph("p", "", (), (), root)))
    cards = [group for group in drawn.iter(f"{SVG}g") if "data-id" in group.attrib]
    assert ["".join(text.text or "" for text in card.iter(f"{SVG}text")) for card in cards] == [name] * 3


def test_a_condition_is_whole_on_its_card_and_in_a_terminal() -> None:
    when = '$(tasks.score.outputs.auc) > 0.5 && $(inputs.mode) in ["fast", "careful"] && $(inputs.n) != 3'
    inner = Node("s#0", "if", "branch", when, (Node("s#0/t", "t", "task", "step", when=when),))
    graph = Graph("p", "", (), (), Node("", "p", "pipeline", "", (Node("s", "s", "switch", "", (inner,)),)))
    texts = [text.text or "" for text in ET.fromstring(pictures.svg(graph)).iter(f"{SVG}text")]
    assert when in " ".join(texts)
    assert f"if {when}" in " ".join(texts)
    told = " ".join(re.sub(r"[│├└─]", "", pictures.text(graph, 60)).split())
    assert told.count(when) == 2


def test_the_legend_explains_what_is_in_the_picture_and_nothing_else() -> None:
    words = ("reads an output", "only waits for the end", "imported artifact", "once for each item", "added")
    drawn = pictures.svg(small())
    assert all(f">{said}</text>" in drawn for said in words)
    assert "one branch runs" not in drawn
    steps = Node("", "p", "pipeline", "", (Node("a", "a", "task"), Node("b", "b", "task")), (Edge("a", "b"),))
    assert "reads an output" not in pictures.svg(Graph("p", "", (), (), steps))


def test_tasks_without_neighbours_stand_below_the_others() -> None:
    steps = [Node(f"s{index}", f"s{index}", "task") for index in range(4)]
    loose = [Node(f"l{index}", f"l{index}", "task") for index in range(3)]
    edges = tuple(Edge(a.id, b.id) for a, b in pairwise(steps))
    piece, _ = layout(Node("", "p", "pipeline", "", (*loose, *steps), edges))
    tops = {box.node.id: box.y for box in piece.boxes}
    bottoms = {box.node.id: box.y + box.height for box in piece.boxes}
    beside = min(box.x for box in piece.boxes if box.node.id[0] == "l")
    assert min(tops[node.id] for node in loose) > bottoms["s3"] or beside > 0


def test_a_small_branch_stands_below_another_beside_a_large_one() -> None:
    def branch(id: str, count: int) -> Node:
        steps = tuple(Node(f"{id}/{index}", f"t{index}", "task") for index in range(count))
        return Node(id, id, "branch", "x", steps, tuple(Edge(a.id, b.id) for a, b in pairwise(steps)))

    parts = tuple(branch(id, count) for id, count in (("if", 6), ("elif", 2), ("else", 1)))
    piece = flowing(Node("s", "s", "switch", "", parts), "down")
    box = {one.node.id: one for one in piece.boxes}
    assert box["elif"].x == box["else"].x > box["if"].x
    assert box["else"].y > box["elif"].y == box["if"].y


def test_busy_pictures_have_no_labels_and_quiet_ones_do() -> None:
    def drawn(count: int) -> str:
        steps = tuple(Node(f"s{index}", f"s{index}", "task") for index in range(count))
        edges = tuple(Edge(a.id, b.id, ("out",)) for a, b in pairwise(steps))
        return pictures.svg(Graph("p", "", (), (), Node("", "p", "pipeline", "", steps, edges)))

    assert drawn(5).count('class="label"') == 4
    assert drawn(40).count('class="label"') == 0


def test_the_style_is_one_constant_for_light_and_dark() -> None:
    assert f"<style>{pictures.STYLE}</style>" in pictures.svg(small())
    assert "prefers-color-scheme:dark" in pictures.STYLE
    assert not re.search(r"@import|url\(|[<&]", pictures.STYLE)
    assert all(
        rule.startswith((".kfg", "@media", "}"))
        for rule in re.findall(r"(?:^|(?<=[{}]))[^{};]+(?=\{)", pictures.STYLE)
    )


def test_a_pipeline_without_tasks_is_a_title() -> None:
    empty = Graph("nothing", "", (), (), Node("", "nothing", "pipeline"))
    assert ">nothing</text>" in pictures.svg(empty)
    assert pictures.text(empty) == "nothing\n\n"
    assert pictures.mermaid(empty) == "flowchart TD\n"
    assert pictures.as_json(empty)["nodes"] == []


# Mermaid and DOT


@pytest.mark.parametrize("id", HOSTILE)
def test_hostile_ids_are_harmless_too(id: str) -> None:
    root = Node("", "p", "pipeline", "", (Node(id, "a", "task"), Node("b", "b", "task")), (Edge(id, "b"),))
    graph = Graph("p", "", (), (), root)
    first = next(
        g for g in ET.fromstring(pictures.svg(graph)).iter(f"{SVG}g") if g.attrib["class"] == "node task leaf"
    )
    assert first.attrib["data-id"] == plain(id)
    assert re.search(r"^  n_\w* --> n_b(_2)?$", pictures.mermaid(graph), flags=re.MULTILINE)
    assert pictures.as_json(graph)["edges"][0]["source"] == plain(id)


@QUICK
@given(graphs())
def test_mermaid_labels_cannot_leave_their_quotes(graph: Graph) -> None:
    drawn = pictures.mermaid(graph)
    labels = re.findall(r'"([^"]*)"', drawn)
    for label in labels:
        bare = re.sub(r"#\d+;|<br/>", "", label)
        assert not re.search(r"[\x00-\x1f\"`%{}\[\]<>&*|\\~^$!@';#]", bare)
        assert not re.search(r"(^|[^\w])[-_.]|[-_.]($|[^\w])", re.sub(r"#\d+;|<br/>", "#", label))
    skeleton = re.sub(r'"[^"]*"', '""', drawn)
    assert re.fullmatch(r"[A-Za-z0-9_ \n\[\]()/\"|.\->,:#~]*", skeleton)


@QUICK
@given(graphs())
def test_mermaid_edges_never_end_at_a_group_with_groups_in_it(graph: Graph) -> None:
    """Mermaid 11 cannot lay such edges out if groups within have edges too: "Cannot set properties of undefined"."""
    drawn = re.sub(r'"[^"]*"', '""', pictures.mermaid(graph))
    edges = re.findall(r"^ +(\w+) (?:-->|-\.->|~~~)(?:\|\"\"\|)? (\w+)$", drawn, flags=re.MULTILINE)
    opened: list[str] = []
    outer: set[str] = set()
    for line in drawn.splitlines():
        if found := re.match(r" +subgraph (\w+)\[", line):
            outer |= set(opened[-1:]) - {"pipeline"}
            opened.append(found[1])
        elif line.strip() == "end":
            opened.pop()
    assert not {end for edge in edges for end in edge} & outer
    declared = set(re.findall(r"^ +(?:subgraph )?(\w+)[\[(]", drawn, flags=re.MULTILINE))
    assert {end for edge in edges for end in edge} <= declared


@QUICK
@given(graphs())
def test_dot_labels_cannot_leave_their_quotes(graph: Graph) -> None:
    drawn = pictures.dot(graph)
    skeleton = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', drawn)
    assert re.fullmatch(r'[A-Za-z0-9_ \n\[\]{}"=;,.\->]*', skeleton)
    assert skeleton.count("{") == skeleton.count("}")


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_graphviz_reads_hostile_labels() -> None:
    children = tuple(Node(f"t{index}", label, "task", label) for index, label in enumerate(HOSTILE))
    group = Node("g", HOSTILE[0], "loop", HOSTILE[2], tuple(Node(f"g/{n}", n, "task") for n in "ab"))
    edges = (*(Edge(a.id, b.id, (a.label,)) for a, b in pairwise(children)), Edge("t0", "g"), Edge("g", "t1"))
    graph = Graph(HOSTILE[0], "", (), (), Node("", "", "pipeline", "", (*children, group), edges))
    done = subprocess.run(
        ["dot", "-Tplain"], input=pictures.dot(graph), text=True, capture_output=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout.count("\nnode ") == len(HOSTILE) + 2


def test_ids_that_look_alike_stay_apart() -> None:
    names = ("a-b", "a_b", "A-B", "end", "é")
    root = Node("", "", "pipeline", "", tuple(Node(name, name, "task") for name in names))
    ids = re.findall(r"^  (n_\w*)\[", pictures.mermaid(Graph("p", "", (), (), root)), flags=re.MULTILINE)
    assert ids == ["n_a_b", "n_a_b_2", "n_A_B_3", "n_end", "n_"]


# the terminal


@QUICK
@given(graphs(), st.integers(40, 140))
def test_terminal_lines_fit_and_colours_change_nothing_else(graph: Graph, width: int) -> None:
    drawn = pictures.text(graph, width)
    assert all(cells(line) <= width for line in drawn.splitlines())
    assert not [c for c in drawn if c != "\n" and unicodedata.category(c) in {"Cc", "Cf"}]
    coloured = re.sub(r"\x1b\[\d+m", "", pictures.text(graph, width, colour=True))
    assert [line.rstrip() for line in coloured.splitlines()] == drawn.splitlines()


def test_the_terminal_says_who_waits_for_whom_and_why() -> None:
    names = ("load", "clean", "fit", "tell")
    edges = (
        Edge("load", "fit", ("rows",)),
        Edge("clean", "fit"),
        Edge("load", "tell", (), "after"),
        Edge("fit", "tell", ("m",)),
    )
    root = Node("", "p", "pipeline", "", tuple(Node(name, name, "task") for name in names), edges)
    many = tuple(f"input_{index}: string" for index in range(12))
    drawn = pictures.text(Graph("p", "", many, (), root), 60)
    assert "← load, clean\n" in drawn
    assert "← fit · after load\n" in drawn
    assert ", ".join(many) in " ".join(drawn.split())
    assert drawn.endswith("equal numbers can run at once · ← waits for\n  after: without reading anything\n")


# JSON


@QUICK
@given(graphs())
def test_json_has_every_node_and_edge(graph: Graph) -> None:
    document = json.loads(json.dumps(pictures.as_json(graph)))
    assert (document["apiVersion"], document["kind"]) == ("kfgit.dev/cli/v1", "Graph")
    ids = {node["id"] for node in document["nodes"]}
    assert ids == {plain(node.id) for node, _ in descendants(graph.root)}
    assert all({edge["source"], edge["target"]} <= ids for edge in document["edges"])
    assert all(node["parent"] is None or node["parent"] in ids for node in document["nodes"])


def test_json_of_the_small_graph() -> None:
    document = pictures.as_json(small())
    assert [(n["id"], n["parent"], n["wave"], n["state"]) for n in document["nodes"]] == [
        ("data", None, 0, ""),
        ("sweep", None, 1, ""),
        ("sweep/fit", "sweep", 0, ""),
        ("tell", None, 2, "added"),
        ("report", None, None, ""),
    ]
    assert document["edges"][0] == {"source": "data", "target": "sweep", "labels": ["rows"], "kind": "data"}


# goldens: to renew one, delete it, run its test twice, and look at what came


@pytest.mark.parametrize("name", ["small.svg", "small.mmd", "small.dot", "small.txt"])
def test_the_small_graph_in_every_format(name: str) -> None:
    write = {"svg": pictures.svg, "mmd": pictures.mermaid, "dot": pictures.dot, "txt": pictures.text}
    drawn = write[name.partition(".")[2]](small())
    golden = Path(__file__).parent / "graph" / name
    if not golden.exists():
        golden.write_text(drawn, encoding="utf-8")
        pytest.fail(f"{golden} is new")
    assert golden.read_text(encoding="utf-8") == drawn
