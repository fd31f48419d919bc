"""What policies say of a plan: which changes count, under which names, and where that is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit import canonical, cel
from kfgit.diagnostics import Diagnostic
from kfgit.document import parse
from kfgit.ir import Resource
from kfgit.model import Environment, Name, PolicyRule, Protected
from kfgit.overlay import Located, locate
from kfgit.plan import Live, LiveObject, Plan, Rules, adoption, plan
from kfgit.policies.changes import check_plan
from kfgit.source import SourceFile, Span

HERE = Span("environments/prod.yaml", 7, 5, 7, 9)
GLOB = Span("environments/prod.yaml", 9, 5, 9, 9)
SOURCES = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: train, labels: {tier: critical}}
spec: {tasks: {a: {component: make}}}
---
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: nightly}
spec: {pipeline: train, cron: "0 2 * * *"}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: gpu}
spec: {}
"""


def documents() -> tuple[Located, ...]:
    parsed = parse(SourceFile("pipelines/p.yaml", SOURCES.encode()))
    return tuple(locate(parsed.value).value)


def resource(kind: str, name: str, *written: str, **spec: Any) -> Resource:
    return Resource(kind, name, spec, canonical.digest([kind, name, spec]), None, written or (name,))


def live(kind: str, name: str, **spec: Any) -> LiveObject:
    return LiveObject(kind, name, "1", spec, canonical.digest([kind, name, spec]), owned=True)


def planned(wanted: Sequence[Resource], there: Sequence[LiveObject], prefix: str = "") -> Plan:
    prune = {"pipelines": "delete", "schedules": "delete", "experiments": "delete", "profiles": "delete"}
    return plan("prod", "local", wanted, Live(tuple(there)), Rules(prune, (), prefix))


def protecting(*globs: str, blocks: bool = True, prefix: str = "") -> Environment:
    found = Protected(tuple(Name(glob, GLOB) for glob in globs), blocks)
    return Environment("prod", HERE, protected=found, prefix=prefix)


def ruled(text: str, **fields: Any) -> Environment:
    found = {
        "kinds": frozenset({"Pipeline", "Schedule", "Experiment", "Run", "ResourceProfile"}),
        "actions": frozenset({"create", "update", "replace", "delete"}), "message": "", "description": "",
        "blocks": True, **fields,
    }  # fmt: skip
    expression = cel.parse(text)
    cel.check_rule(expression)
    rule = PolicyRule("r", HERE, expression, HERE, text, asks_change=True, tests=(), **found)
    return Environment("prod", HERE, rules=(rule,))


def told(environment: Environment, found: Plan) -> list[str]:
    return [each.message for each in check_plan(environment, documents(), found)]


def one(environment: Environment, found: Plan) -> Diagnostic:
    [diagnostic] = check_plan(environment, documents(), found)
    return diagnostic


# --- what is protected

NIGHTLY = resource("Schedule", "nightly", cron="0 0 3 * * *")
OLD = live("Schedule", "nightly", cron="0 0 2 * * *")


def test_what_is_protected_may_be_created_and_stay_and_nothing_else() -> None:
    environment = protecting("schedule/*")
    assert told(environment, planned([NIGHTLY], [])) == []
    assert told(environment, planned([NIGHTLY], [live("Schedule", "nightly", cron="0 0 3 * * *")])) == []
    assert told(environment, planned([NIGHTLY], [OLD])) == [
        "schedule/nightly would be replaced, and `schedule/*` is protected"
    ]
    assert told(environment, planned([], [OLD])) == [
        "schedule/nightly would be deleted, and `schedule/*` is protected"
    ]
    pipelines = planned([resource("Pipeline", "train", digest="b")], [live("Pipeline", "train", digest="a")])
    assert told(environment, pipelines) == []
    assert told(protecting("pipeline/tr*"), pipelines) == [
        "pipeline/train would be updated, and `pipeline/tr*` is protected"
    ]


def test_a_breach_stands_at_the_document_and_names_the_policy() -> None:
    found = one(protecting("schedule/nightly"), planned([NIGHTLY], [OLD]))
    assert (found.code, found.severity) == ("policy-protected", "error")
    assert found.span.start() == "pipelines/p.yaml:8:18"
    assert [each.span for each in found.related] == [GLOB]


def test_what_no_document_wants_any_more_stands_at_the_policy() -> None:
    found = one(protecting("schedule/gone", blocks=False), planned([], [live("Schedule", "gone", cron="x")]))
    assert (found.span, found.related, found.severity) == (GLOB, (), "warning")


@pytest.mark.parametrize("glob", ["schedule/nightly", "schedule/me-*", "SCHEDULE/nightly", "*/nightly"])
def test_the_name_is_that_of_the_document_or_of_the_object(glob: str) -> None:
    wanted = resource("Schedule", "me-nightly", "nightly", cron="0 0 3 * * *")
    old = live("Schedule", "me-nightly", cron="0 0 2 * * *")
    assert len(told(protecting(glob, prefix="me-"), planned([wanted], [old], "me-"))) == 1
    assert len(told(protecting(glob, prefix="me-"), planned([], [old], "me-"))) == 1


@pytest.mark.parametrize("glob", ["resourceprofile/gpu", "profile/gpu", "priorityclass/high"])
def test_what_kubernetes_has_for_a_profile_goes_by_the_profile(glob: str) -> None:
    wanted = resource("PriorityClass", "high", "gpu", value=2)
    found = one(protecting(glob), planned([wanted], [live("PriorityClass", "high", value=1)]))
    assert found.span.start() == "pipelines/p.yaml:13:18"


def test_what_only_becomes_ours_or_is_only_written_down_is_no_change() -> None:
    environment = protecting("*/*")
    taken = adoption("prod", "local", [NIGHTLY], Live((OLD,)), {("Schedule", "nightly"): "1"})
    assert len(taken.pending) == 1
    assert told(environment, taken) == []
    from dataclasses import replace

    same = replace(live("Schedule", "nightly", cron="0 0 3 * * *"), unrecorded=True)
    noted = planned([NIGHTLY], [same])
    assert len(noted.pending) == 1
    assert told(environment, noted) == []


# --- rules about changes


@pytest.mark.parametrize(
    ("text", "broken"),
    [
        ("change.action != 'replace'", True),
        ("change.action == 'replace' && change.cause == 'adoption'", False),
        ("!change.diff.exists(d, d.path == 'cron')", True),
        ("change.diff.all(d, d.before == '0 0 2 * * *' && d.after == '0 0 3 * * *')", False),
        ("change.before.cron == '0 0 2 * * *'", False),
        ("change.kind + '/' + change.name == 'Schedule/nightly'", False),
        ("resource.spec.pipeline == 'train' && change.action != ''", False),
        ("environment.name == 'dev' || change.action == ''", True),
    ],
)
def test_what_a_rule_sees(text: str, broken: bool) -> None:  # noqa: FBT001 - it is data
    assert (told(ruled(text), planned([NIGHTLY], [OLD])) != []) is broken


def test_of_what_no_document_wants_a_rule_sees_its_kind_and_name() -> None:
    text = "resource.kind == 'Schedule' && resource.metadata.name == 'gone' && !has(resource.spec) && change.name != ''"
    deletes = planned([], [live("Schedule", "gone", cron="x")])
    assert told(ruled(text), deletes) == []
    found = one(ruled("change.action != 'delete'", message="nothing goes"), deletes)
    assert found.message == "schedule/gone would be deleted, which breaks the rule `r`: nothing goes"
    assert found.span == HERE


def test_kinds_and_actions_narrow_a_rule() -> None:
    never = "change.action == ''"
    both = planned([NIGHTLY, resource("Pipeline", "train", digest="b")], [OLD])
    assert len(told(ruled(never), both)) == 2
    assert len(told(ruled(never, kinds=frozenset({"Pipeline"})), both)) == 1
    assert len(told(ruled(never, actions=frozenset({"replace"})), both)) == 1
    assert told(ruled(never, actions=frozenset({"delete"})), both) == []


def test_a_rule_sees_no_secrets() -> None:
    token = "hf_" + "a" * 34
    wanted = resource("Schedule", "nightly", inputs={"hf_token": token})
    found = planned([wanted], [live("Schedule", "nightly", inputs={"hf_token": "hf_" + "b" * 34})])
    hidden = "change.diff.all(d, d.after == '(hidden)') && change.before.inputs.hf_token == '(hidden)'"
    assert told(ruled(hidden), found) == []


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True),
    st.lists(st.sampled_from("abcd"), unique=True),
)
def test_a_plan_is_lawful_exactly_where_it_leaves_alone_what_is_protected(
    wanted: list[str], there: list[str]
) -> None:
    found = planned(
        [resource("Schedule", name, cron="new") for name in wanted],
        [live("Schedule", name, cron="old") for name in there],
    )
    assert len(told(protecting("schedule/[ab]"), found)) == len({"a", "b"} & {*there})
