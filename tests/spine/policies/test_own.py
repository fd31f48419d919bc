"""A team's own rules: what they can see, what a mistake in them is, and that their cost is bounded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit import cel
from kfgit.cel import rules as scope
from kfgit.model import Environment, PolicyRule, RuleTest
from kfgit.policies.own import Purse, broken
from kfgit.policies.testing import outcomes
from kfgit.source import Span

HERE = Span("kfgit.yaml", 3, 5, 3, 9)
PIPELINE = {
    "apiVersion": "kfgit.dev/v1", "kind": "Pipeline",
    "metadata": {"name": "train", "labels": {"team": "growth"}},
    "spec": {"retries": 3, "rate": 0.5, "tasks": {"a": {"component": "make"}, "b": {"component": "use"}}},
}  # fmt: skip


def rule(text: str, *tests: RuleTest, **fields: Any) -> PolicyRule:
    expression = cel.parse(text)
    cel.check_rule(expression)
    found = {
        "asks_change": "change" in cel.names(expression), "kinds": frozenset({"Pipeline"}),
        "actions": frozenset({"update"}), "message": "", "description": "", "blocks": True, **fields,
    }  # fmt: skip
    return PolicyRule("r", HERE, expression, HERE, text, tests=tests, **found)


def asked(text: str, resource: Any = PIPELINE, change: Any = None, purse: Purse | None = None) -> str | None:
    """Why a rule does not hold; None where it does."""
    environment = {"name": "prod", "mode": "production", "labels": {"tier": "critical"}}
    variables = {"resource": scope.document(resource), "environment": scope.environment(environment)}
    if change is not None:
        variables["change"] = scope.change(change)
    return broken(rule(text), variables, purse or Purse.of(1))


@pytest.mark.parametrize(
    "text",
    [
        "resource.kind == 'Pipeline' && resource.metadata.labels.team == 'growth'",
        "has(resource.metadata.labels) && !has(resource.metadata.annotations)",
        "'team' in resource.metadata.labels",
        "resource.metadata.labels.all(key, key.matches('^[a-z]+$'))",
        "resource.spec.tasks.exists(name, resource.spec.tasks[name].component == 'use')",
        "size(resource.spec.tasks) == 2 && size(resource.spec.tasks.filter(t, t != 'a')) == 1",
        "resource.spec.retries + 1 == 4 && resource.spec.retries / 2 == 1",  # whole numbers are ints here
        "resource.spec.rate * 2.0 == 1.0 && double(resource.spec.retries) > resource.spec.rate",
        "environment.name == 'prod' && environment.mode != 'development'",
        "has(environment.labels) && environment.labels.tier == 'critical'",
    ],
)
def test_what_rules_can_see(text: str) -> None:
    assert asked(text) is None


CHANGE = {
    "action": "replace", "kind": "Schedule", "name": "nightly", "before": {"enabled": True},
    "diff": [{"path": "cron", "before": "0 0 2 * * *", "after": "0 0 3 * * *"}],
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "change.action in ['update', 'replace'] && change.cause == 'source'",
        "change.diff.exists(d, d.path == 'cron' && d.after.startsWith('0 0 3'))",
        "change.before.enabled && change.kind == 'Schedule' && change.name == 'nightly'",
        "!has(change.before.cron)",
    ],
)
def test_what_rules_can_see_of_a_change(text: str) -> None:
    assert asked(text, change=CHANGE) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("resource.kind == 'Run'", "it does not hold"),
        ("resource.metadata.owner == 'me'", "it could not be asked: no such key: owner"),
        ("resource.spec.rate", "it could not be asked: the value is not a bool but a double"),
        ("resource.spec.retries + 1.5 > 2.0", "it could not be asked: no such overload"),
        # As CEL has it: what cannot be asked does not matter beside what decides.
        ("resource.metadata.owner == 'me' && resource.kind == 'Run'", "it does not hold"),
    ],
)
def test_what_does_not_hold_says_why(text: str, why: str) -> None:
    assert (asked(text) or "").startswith(why)


def test_an_error_beside_what_decides_does_not_matter() -> None:
    assert asked("resource.metadata.owner == 'me' || resource.kind == 'Pipeline'") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resources.kind == 'Run'", "no variable `resources`"),
        ("environment.branch == 'main'", "has no field `branch`"),
        ("change.fields == []", "has no field `fields`"),
        ("'text'", "must be true or false"),
        ("inputs.parameter_values['x'] == 1", "no variable `inputs`"),  # that is KFP's
        ("size(resource) + 'a' == 1", "cannot be applied"),
        ("change.diff.map(d, d.path)", "must be true or false"),
    ],
)
def test_what_can_never_be_true_or_false_is_refused(text: str, message: str) -> None:
    with pytest.raises(cel.CelTypeError, match=message):
        cel.check_rule(cel.parse(text))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("change.action == 'delete'", {"change"}),
        ("resource.items.all(change, change > environment.n)", {"resource", "environment"}),
        ("change.exists(change, change == resource)", {"change", "resource"}),
        ("[1].map(x, x > 0, x + y)", {"y"}),
        ("{'a': b}.a == c ? d : has(e.f)", {"b", "c", "d", "e"}),
    ],
)
def test_the_variables_of_an_expression(text: str, found: set[str]) -> None:
    assert cel.names(cel.parse(text)) == found


def test_one_evaluation_is_bounded_and_all_together_are() -> None:
    costly = (
        "resource.spec.items.all(a, resource.spec.items.all(b, resource.spec.items.all(c, a + b + c >= 0)))"
    )
    many = {"spec": {"items": list(range(1000))}}
    purse = Purse.of(1000)
    whole = purse.left
    assert asked(costly, many, purse=purse) == "it could not be asked: the evaluation takes too many steps"
    assert 0 < whole - purse.left <= 200_001
    rounds = 0
    while purse.left:
        asked(costly, many, purse=purse)
        rounds += 1
    assert rounds < 40


@pytest.mark.parametrize(
    "text",
    [
        "resource.a == resource.b",
        "resource.a <= resource.b",
        "resource.a in [resource.b]",
        "bytes(resource.a) != b''",
    ],
)
def test_what_long_texts_cost_is_counted(text: str) -> None:
    """Two large texts are compared to their ends, which takes longer than a step."""
    large, small = Purse.of(1), Purse.of(1)
    asked(text, {"a": "x" * 2**21, "b": "".join(["x"] * 2**21)}, purse=large)
    asked(text, {"a": "x", "b": "x"}, purse=small)
    assert small.left - large.left >= 500


def test_what_nests_absurdly_is_told() -> None:
    deep: Any = 1
    for _ in range(80):
        deep = [deep]
    test = RuleTest("deep", {"spec": deep}, None, {}, passes=False, span=HERE)
    environment = Environment("prod", HERE, rules=(rule("has(resource.spec)", test),))
    [found] = outcomes(environment, {})
    assert found.passed
    assert found.why == "it could not be asked: the value is nested too deeply"


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(json)
def test_any_document_can_be_asked_about(value: Any) -> None:
    resource = {"kind": "Pipeline", "spec": value}
    assert asked("resource.kind == 'Pipeline' && resource == resource", resource) is None


def test_a_test_says_what_was_expected_and_what_came() -> None:
    named = RuleTest("named", {"kind": "Pipeline"}, None, {}, passes=True, span=HERE)
    elsewhere = RuleTest("elsewhere", {"kind": "Run"}, None, {"name": "dev"}, passes=True, span=HERE)
    found = outcomes(
        Environment("prod", HERE, rules=(rule("environment.name == 'prod'", named, elsewhere),)), {"a": 1}
    )
    assert [(each.passed, each.why) for each in found] == [(True, None), (False, "it does not hold")]
    diagnostic = found[1].diagnostic()
    assert diagnostic.code == "policy-test"
    assert diagnostic.help == "expected: it holds; got: it refuses: it does not hold"


def test_the_environment_of_a_test_is_the_one_under_test_but_for_what_it_says() -> None:
    text = "environment.labels.tier == 'critical' && environment.mode == 'development'"
    test = RuleTest("dev", {}, None, {"mode": "development"}, passes=True, span=HERE)
    [found] = outcomes(Environment("prod", HERE, rules=(rule(text, test),)), {"tier": "critical"})
    assert found.passed
