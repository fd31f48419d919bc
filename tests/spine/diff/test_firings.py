"""What will run otherwise: runs that an apply starts, and schedules."""

from __future__ import annotations

import pytest

from kfgit import diff
from tests.cli.conftest import BASE, GREET, HELLO, LOCAL, NIGHTLY, run_document
from tests.comparing import PROJECT, Files, between, seen

FILES = {**BASE, "environments/local.yaml": LOCAL}
CLUSTER = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  target: {type: cluster, namespace: ml, kfp: {endpoint: "http://127.0.0.1:1"}}
"""
OTHER = {**FILES, "components/greet.yaml": GREET.replace("Hello, %s!", "Hi, %s!")}


def why(before: Files, after: Files) -> list[str]:
    return [each.why for each in between(before, after).firings]


def with_run(files: Files, trigger: str, inputs: str = "{}") -> Files:
    return {**files, "pipelines/smoke.yaml": run_document(trigger, inputs=inputs)}


def with_schedule(files: Files, text: str = NIGHTLY) -> Files:
    return {**files, "pipelines/nightly.yaml": text}


@pytest.mark.parametrize(
    ("trigger", "told"),
    [
        ("manual", []),
        ("once", ["starts once, and is new as such"]),
        ("onChange", ["starts at each change, and is new as such"]),
        ("onApply", ["starts with each apply of another commit"]),
    ],
)
def test_a_new_run(trigger: str, told: list[str]) -> None:
    assert why(FILES, with_run(FILES, trigger)) == told
    assert why(with_run(FILES, "manual"), with_run(FILES, trigger)) == told


@pytest.mark.parametrize(
    ("trigger", "told"),
    [
        ("manual", []),
        ("once", []),
        ("onChange", ["starts, since pipeline/hello changed"]),
        ("onApply", ["starts with each apply of another commit"]),
    ],
)
def test_a_run_whose_pipeline_changed(trigger: str, told: list[str]) -> None:
    assert why(with_run(FILES, trigger), with_run(OTHER, trigger)) == told
    assert why(with_run(FILES, trigger), with_run(FILES, trigger)) == []


def test_a_run_whose_inputs_changed() -> None:
    assert why(with_run(FILES, "onChange"), with_run(FILES, "onChange", "{name: moon}")) == [
        "starts, since what it is given changed"
    ]
    assert why(with_run(FILES, "onChange"), with_run(OTHER, "onChange", "{name: moon}")) == [
        "starts, since pipeline/hello and what it is given changed"
    ]
    assert why(with_run(FILES, "once"), with_run(FILES, "once", "{name: moon}")) == []


def test_callers_of_another_pipeline() -> None:
    files = {**FILES, "pipelines/two.yaml": HELLO.replace("name: hello", "name: two")}
    one, other = with_run(files, "onChange"), with_run(files, "onChange")
    other = {**other, "pipelines/smoke.yaml": run_document("onChange", pipeline="two")}
    assert why(one, other) == ["starts, since it runs two now, and not hello"]
    assert why(
        with_schedule(files), with_schedule(files, NIGHTLY.replace("pipeline: hello", "pipeline: two"))
    ) == ["runs two and not hello"]


def test_a_clusters_state_is_its_commit() -> None:
    """A commit that changes no resource is another commit all the same."""
    files = with_run({**BASE, "environments/prod.yaml": CLUSTER}, "onApply")
    one, other = (seen(files, "prod", commit=letter * 40) for letter in "ab")
    assert [each.why for each in diff.between(one, other).firings] == [
        "starts with each apply of another commit"
    ]
    assert diff.between(one, seen(files, "prod", commit="a" * 40)).firings == ()


def test_runs_of_faulty_pipelines_do_not_start() -> None:
    wrong = {**FILES, "components/greet.yaml": GREET.replace("image: alpine:3.20", "image: 3")}
    assert why(with_run(FILES, "onApply"), with_run(wrong, "onApply")) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, NIGHTLY, ["is new: fires daily at 02:00 UTC"]),
        (NIGHTLY, None, ["is removed: fired daily at 02:00 UTC"]),
        (NIGHTLY, NIGHTLY.replace("0 2 *", "0 3 *"), ["fires daily at 02:00 → 03:00 UTC"]),
        (NIGHTLY, f"{NIGHTLY}  enabled: false\n", ["is disabled: fired daily at 02:00 UTC"]),
        (f"{NIGHTLY}  enabled: false\n", NIGHTLY, ["is enabled: fires daily at 02:00 UTC"]),
        (f"{NIGHTLY}  enabled: false\n", f"{NIGHTLY}  enabled: false\n  catchup: true\n", []),
        (NIGHTLY, f"{NIGHTLY}  inputs: {{name: moon}}\n", ["gives other inputs"]),
        (NIGHTLY, f"{NIGHTLY}  maxConcurrency: 3\n", []),
        (
            NIGHTLY,
            f'{NIGHTLY}  start: "2027-01-01T00:00:00Z"\n',
            ["starts at no set time → 2027-01-01T00:00:00Z"],
        ),
    ],
)
def test_schedules(before: str | None, after: str | None, told: list[str]) -> None:
    one, other = (with_schedule(FILES, text) if text else FILES for text in (before, after))
    assert why(one, other) == told


def test_a_schedule_whose_pipeline_changed() -> None:
    assert why(with_schedule(FILES), with_schedule(OTHER)) == [
        "fires daily at 02:00 UTC, with the changed pipeline from now on"
    ]
    fixed = f"{NIGHTLY}  version: abc\n"
    assert why(with_schedule(FILES, fixed), with_schedule(OTHER, fixed)) == []


def test_in_development_no_schedule_fires() -> None:
    quiet = {**FILES, "environments/local.yaml": LOCAL.replace("spec:\n", "spec:\n  mode: development\n")}
    assert why(quiet, with_schedule(quiet)) == []
    assert why(with_schedule(quiet), with_schedule(FILES)) == ["is enabled: fires daily at 02:00 UTC"]


def test_schedules_that_are_kept() -> None:
    kept = {**FILES, "environments/local.yaml": f"{LOCAL}  prune: {{schedules: keep}}\n"}
    assert why(with_schedule(kept), kept) == [
        "is removed, and the environment keeps what is live: goes on firing daily at 02:00 UTC"
    ]


def test_labels_are_no_other_pipeline() -> None:
    labelled = {
        **FILES,
        "pipelines/hello.yaml": HELLO.replace("name: hello", "name: hello, labels: {team: a}", 1),
    }
    assert labelled != FILES
    for files in (with_schedule, lambda one: with_run(one, "onApply"), lambda one: with_run(one, "onChange")):
        assert why(files(FILES), files(labelled)) == []


def test_what_is_not_wanted_is_no_other_state() -> None:
    """A local target's state is what is wanted there, and runs `onApply` go by it."""
    told = ["starts with each apply of another commit"]
    variables = {**FILES, "kfgit.yaml": PROJECT + "spec: {vars: {unused: 1}}\n"}
    assert why(with_run(FILES, "onApply"), with_run(variables, "onApply")) == []
    experiment = "apiVersion: kfgit.dev/v1\nkind: Experiment\nmetadata: {name: trial}\n"
    more = {**FILES, "pipelines/trial.yaml": experiment}
    assert why(with_run(FILES, "onApply"), with_run(more, "onApply")) == told
    assert why(with_run(more, "onApply"), with_run(FILES, "onApply")) == told


@pytest.mark.parametrize(
    ("trigger", "told"),
    [
        ("manual", []),
        ("once", ["starts once more, by its new name on the target"]),
        ("onChange", ["starts, since its name on the target changed"]),
        ("onApply", ["starts with each apply of another commit"]),
    ],
)
def test_runs_that_are_called_otherwise_start_again(trigger: str, told: list[str]) -> None:
    prefixed = {**FILES, "environments/local.yaml": f"{LOCAL}  mode: development\n"}
    assert why(with_run(FILES, trigger), with_run(prefixed, trigger)) == told


def test_another_version() -> None:
    fixed = with_schedule(FILES, f"{NIGHTLY}  version: v1\n")
    assert why(with_schedule(FILES), fixed) == ["runs the version latest → v1"]
