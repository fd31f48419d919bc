"""Laws of two graphs in one picture, with what became of each task and of each edge."""

from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given

from kfgit.diff.values import ResourceChange, TaskChange
from kfgit.render.diffs.drawing import MOST, drawn, union
from kfgit.render.graph import Edge, Graph, Node, mermaid
from kfgit.render.graph.view import descendants
from tests.render.test_diffs import AFTER, BEFORE, at, built
from tests.render.test_graph import QUICK, graphs

OPPOSITE = {"added": "removed", "removed": "added", "changed": "changed", "": ""}


def states(graph: Graph) -> dict[str, str]:
    return {node.id: node.state for node, _ in descendants(graph.root)}


def edges(graph: Graph) -> dict[tuple[str, str], str]:
    groups = [graph.root, *(node for node, _ in descendants(graph.root))]
    return {(edge.source, edge.target): edge.state for group in groups for edge in group.edges}


def without_states(graph: Graph) -> Graph:
    def bare(node: Node) -> Node:
        inner = tuple(bare(child) for child in node.children)
        once = {(edge.source, edge.target): edge for edge in node.edges}
        return replace(node, state="", children=inner, edges=tuple(once.values()))

    return replace(graph, root=bare(graph.root))


@QUICK
@given(graphs().map(without_states))
def test_a_graph_with_itself_is_the_graph(graph: Graph) -> None:
    assert union(graph, graph) == graph


@QUICK
@given(graphs().map(without_states), graphs().map(without_states))
def test_what_is_in_one_alone_came_or_went(one: Graph, other: Graph) -> None:
    both, back = union(one, other), union(other, one)
    olds, news = states(one), states(other)
    assert states(both).keys() == olds.keys() | news.keys()
    for id, state in states(both).items():
        assert (state == "removed") == (id not in news)
        assert (state == "added") == (id not in olds)
        assert states(back)[id] == OPPOSITE[state]
    assert edges(both).keys() == edges(one).keys() | edges(other).keys()
    for pair, state in edges(both).items():
        known = (pair in edges(one), pair in edges(other))
        assert state == {(True, True): "", (True, False): "removed", (False, True): "added"}[known]


@QUICK
@given(graphs().map(without_states), graphs().map(without_states))
def test_mermaid_colours_the_links_that_came_or_went(one: Graph, other: Graph) -> None:
    text = re.sub(r'"[^"]*"', '""', mermaid(union(one, other)))
    links = re.findall(r"^  \w+ (?:-->|-\.->|~~~|-\. \"\" \.->)(?:\|\"\"\|)? \w+$", text, re.MULTILINE)
    coloured = re.findall(r"^  linkStyle ([\d,]+) stroke", text, re.MULTILINE)
    numbers = [int(number) for group in coloured for number in group.split(",")]
    assert len(numbers) == len(set(numbers))
    assert all(number < len(links) for number in numbers)
    assert not [links[number] for number in numbers if "~~~" in links[number]]


def change(before: str, after: str, *tasks: TaskChange) -> ResourceChange:
    return ResourceChange(
        "changed", "Pipeline", "train", at("a.yaml", 1), (), tasks, (), built(before), built(after)
    )


def test_a_pipeline_whose_tasks_changed_is_drawn_with_colours() -> None:
    tell = TaskChange("tell", "changed")
    picture = drawn(change(BEFORE, AFTER, TaskChange("clean", "added"), tell))
    assert picture is not None
    assert picture.states == ("added", "changed", "removed")
    links = re.findall(r"^  (n_\w+) -+\.?-*>\S*(?: \S+)? (n_\w+)$", picture.text, re.MULTILINE)
    came, went = (
        re.findall(rf"linkStyle ([\d,]+) {stroke}", picture.text) for stroke in ("stroke:#2d", "stroke:#e5")
    )
    assert [links[int(number)] for number in came[0].split(",")] == [
        ("n_load", "n_clean"),
        ("n_clean", "n_fit"),
    ]
    assert [links[int(number)] for number in went[0].split(",")] == [
        ("n_load", "n_check"),
        ("n_check", "n_fit"),
    ]
    for line in ("class n_clean added", "class n_tell changed", "class n_check removed"):
        assert f"  {line}\n" in picture.text
    assert 'n_clean["#43; clean<br/>step"]' in picture.text


def test_a_new_pipeline_is_drawn_plainly_and_one_that_is_gone_is_not() -> None:
    new = replace(change(BEFORE, AFTER), action="added", before=None)
    picture = drawn(new)
    assert picture is not None
    assert picture.states == ()
    assert drawn(replace(new, before=new.after, after=None)) is None


def test_without_a_change_of_tasks_there_is_no_picture() -> None:
    assert drawn(change(BEFORE, BEFORE)) is None


def row(count: int) -> str:
    afters = ["", *(f"t{number}" for number in range(count - 1))]
    return "".join(
        f"    t{number}: {{component: step, after: [{name}]}}\n" for number, name in enumerate(afters)
    )


def test_of_many_tasks_those_are_drawn_that_changed_and_their_neighbours() -> None:
    extra = "    new: {component: step, after: [t50]}\n"
    picture = drawn(change(row(200), row(200) + extra, TaskChange("new", "added")))
    assert picture is not None
    assert picture.left_out == 199
    assert set(re.findall(r"^  (n_\w+)\[", picture.text, re.MULTILINE)) == {"n_t50", "n_new"}


def test_too_many_changes_are_not_drawn() -> None:
    assert drawn(change(row(1), row(3 * MOST), TaskChange("t1", "added"))) is None
    assert drawn(change(row(1), row(2500), TaskChange("t1", "added"))) is None


def test_tasks_in_branches_are_found_by_their_paths_in_runs() -> None:
    text = """\
    load: {component: step}
    gate:
      switch:
        - when: $(tasks.load.outputs.y) > 1
          tasks: {deploy: {component: step}}
        - tasks: {hold: {component: step}}
"""
    picture = drawn(change(text, text, TaskChange("gate/deploy", "changed")))
    assert picture is not None
    assert "class n_gate_0_deploy changed" in picture.text


def test_an_edge_can_have_a_state() -> None:
    nodes = (Node("a", "a", "task"), Node("b", "b", "task"))
    root = Node("", "p", "pipeline", "", nodes, (Edge("a", "b", state="removed"),))
    assert "linkStyle 0 stroke:#e5534b" in mermaid(Graph("p", "", (), (), root))
