"""What differs between two states of an environment, resource by resource."""

from __future__ import annotations

import json
from pathlib import Path

from kfgit import diff
from tests.cli.conftest import BASE, COURSE, GREET, HELLO, LOCAL, NIGHTLY, run_document
from tests.comparing import between, change, fields, seen, told

PACKAGE = Path(__file__).parents[2] / "sdk" / "pairs" / "packages" / "inner.yaml"
ENV = {"environments/local.yaml": LOCAL}
FILES = {**BASE, **ENV}
CODE = "def train(rows: int) -> int:\n    return rows + 1\n"
TRAIN = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: train}
spec:
  python: {file: src/train.py, function: train}
"""
USES = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: uses}
spec:
  tasks:
    train: {component: train, inputs: {rows: 3}}
"""
OUTER = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: outer}
spec:
  tasks:
    inside: {pipeline: uses}
"""
PYTHON = {**ENV, "components/train.yaml": TRAIN, "components/src/train.py": CODE, "pipelines/uses.yaml": USES}


def test_nothing_differs_from_itself() -> None:
    again = {
        path: f"# said otherwise\n{text}" if path.endswith(".yaml") else text for path, text in PYTHON.items()
    }
    found = between(PYTHON, again)
    assert (found.changes, found.breaks, found.faults, found.notes) == ((), (), (), ())


def test_resources_come_change_and_go() -> None:
    after = {
        **FILES,
        "pipelines/hello.yaml": HELLO.replace("Greet somebody.", "Greet."),
        "c/course.yaml": COURSE,
    }
    found = between({**FILES, "pipelines/nightly.yaml": NIGHTLY}, after)
    assert told(found) == {
        "pipeline/hello": "changed",
        "schedule/nightly": "removed",
        "experiment/course": "added",
    }
    assert fields(change(found, "pipeline/hello")) == {"metadata.description": ("Greet somebody.", "Greet.")}
    assert change(found, "schedule/nightly").span.start() == "pipelines/nightly.yaml:3:18"


def test_an_environment_that_one_side_has() -> None:
    only = seen(FILES, commit="a" * 40)
    added, removed = diff.added(only), diff.removed(only)
    assert set(told(added).values()) == {"added"}
    assert set(told(removed).values()) == {"removed"}
    assert (
        set(told(added)) == set(told(removed)) == {"pipeline/hello", "component/greet", "environment/local"}
    )
    assert added.notes == ("the environment is new",)
    assert removed.breaks == ()


def test_the_environment_itself_is_a_resource() -> None:
    after = {**FILES, "environments/local.yaml": f"{LOCAL}  vars: {{rows: 3}}\n"}
    found = between(FILES, after)
    assert fields(change(found, "environment/local")) == {"spec.vars": (None, {"rows": 3})}


def test_code_counts_though_no_document_says_it() -> None:
    found = between(PYTHON, {**PYTHON, "components/src/train.py": CODE.replace("+ 1", "+ 2")})
    assert change(found, "component/train").because == ("the function's code changed",)
    assert change(found, "pipeline/uses").because == ("component/train changed",)
    assert change(found, "pipeline/uses").fields == ()


def test_what_does_not_travel_does_not_count() -> None:
    """Only the function is in the package, not the module around it."""
    found = between(PYTHON, {**PYTHON, "components/src/train.py": f'"""A module."""\n\n\n{CODE}'})
    assert found.changes == ()


def test_inputs_that_a_signature_gives() -> None:
    after = CODE.replace("rows: int", "rows: int, seed: int = 1")
    found = between(PYTHON, {**PYTHON, "components/src/train.py": after})
    assert change(found, "component/train").because == ("the function's code changed", "its inputs changed")


def test_what_a_nested_pipeline_stands_on() -> None:
    files = {**PYTHON, "pipelines/outer.yaml": OUTER}
    found = between(files, {**files, "components/src/train.py": CODE.replace("+ 1", "+ 2")})
    assert change(found, "pipeline/outer").because == ("component/train changed",)
    found = between(files, {**files, "pipelines/uses.yaml": USES.replace("rows: 3", "rows: 4")})
    assert change(found, "pipeline/outer").because == ("pipeline/uses changed",)


def test_a_package_that_somebody_compiled() -> None:
    head = "apiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {name: given}\nspec: {package: given.yml}\n"
    package = PACKAGE.read_text()
    outer = OUTER.replace("pipeline: uses", "pipeline: given, inputs: {rate: 0.5}")
    files = {
        **ENV,
        "pipelines/given.yaml": head,
        "pipelines/given.yml": package,
        "pipelines/outer.yaml": outer,
    }
    assert "example.com/make:2" in package
    found = between(files, {**files, "pipelines/given.yml": package.replace("/make:2", "/make:3")})
    assert found.faults == ()
    assert change(found, "pipeline/given").because == ("the package `pipelines/given.yml` changed",)
    assert change(found, "pipeline/outer").because == ("pipeline/given changed",)


def test_a_notebook() -> None:
    cells = {
        "cells": [{"cell_type": "code", "metadata": {}, "outputs": [], "source": ["x = 1\n"]}],
        "metadata": {},
    }
    text = json.dumps({**cells, "nbformat": 4, "nbformat_minor": 5})
    component = TRAIN.replace("python: {file: src/train.py, function: train}", "notebook: {file: x.ipynb}")
    uses = USES.replace(", inputs: {rows: 3}", "")
    files = {
        **ENV,
        "components/train.yaml": component,
        "components/x.ipynb": text,
        "pipelines/uses.yaml": uses,
    }
    found = between(files, {**files, "components/x.ipynb": text.replace("x = 1", "x = 2")})
    assert found.faults == ()
    assert change(found, "component/train").because == ("the notebook changed",)
    assert change(found, "pipeline/uses").because == ("component/train changed",)


def test_a_description_changes_no_pipeline() -> None:
    found = between(FILES, {**FILES, "components/greet.yaml": GREET.replace("Say hello.", "Hello.")})
    assert told(found) == {"component/greet": "changed"}


PROFILES = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: small}
spec: {limits: {memory: 1Gi}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: large}
spec: {extends: small, limits: {memory: 8Gi}, requests: {cpu: "1"}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: larger}
spec: {extends: large, limits: {cpu: "4"}}
"""


def test_profiles_reach_pipelines() -> None:
    uses = USES.replace("component: train", "component: train, profile: wanted")
    mapped = f"{LOCAL}  profiles: {{wanted: large}}\n"
    files = {**PYTHON, "pipelines/uses.yaml": uses, "c/p.yaml": PROFILES, "environments/local.yaml": mapped}
    found = between(files, {**files, "environments/local.yaml": mapped.replace("large", "larger")})
    assert change(found, "pipeline/uses").because == ("profile wanted is larger now, it was large",)
    found = between(files, {**files, "c/p.yaml": PROFILES.replace("8Gi", "9Gi")})
    assert change(found, "pipeline/uses").because == ("resourceprofile/large changed",)
    assert change(found, "resourceprofile/larger").because == ("a profile that it extends changed",)


def test_templates_are_compared_as_they_are_rendered() -> None:
    image = GREET.replace("alpine:3.20", '"alpine:{{ vars.tag }}"')
    before, after = (f'{LOCAL}  vars: {{tag: "{tag}"}}\n' for tag in ("3.20", "3.21"))
    found = between(
        {**FILES, "components/greet.yaml": image, "environments/local.yaml": before},
        {**FILES, "components/greet.yaml": image, "environments/local.yaml": after},
    )
    assert fields(change(found, "component/greet")) == {
        "spec.container.image": ("alpine:3.20", "alpine:3.21")
    }
    assert change(found, "pipeline/hello").because == ("component/greet changed",)


def test_secrets_stay_untold() -> None:
    env = "    script: |\n"
    one, other = (
        GREET.replace(env, f"    env: {{API_TOKEN: {text}}}\n{env}") for text in ("abcdefgh1", "abcdefgh2")
    )
    found = between({**FILES, "components/greet.yaml": one}, {**FILES, "components/greet.yaml": other})
    assert fields(change(found, "component/greet")) == {
        "spec.container.env.API_TOKEN": ("(hidden)", "(hidden)")
    }
    assert "abcdefgh" not in repr([(each.fields, each.tasks) for each in found.changes])


# --- mistakes


def test_mistakes_of_the_newer_side_are_told_beside_the_sound_rest() -> None:
    wrong = HELLO.replace("component: greet", "component: gret")
    found = between({**FILES, "c/x.yaml": COURSE}, {**FILES, "pipelines/hello.yaml": wrong})
    assert [fault.code for fault in found.faults] == ["unknown-component"]
    assert told(found) == {"pipeline/hello": "changed", "experiment/course": "removed"}
    assert [task.path for task in change(found, "pipeline/hello").tasks] == ["greet"]
    assert (change(found, "pipeline/hello").after, found.breaks) == (None, ())


def test_what_a_file_that_cannot_be_read_may_hold_is_not_gone() -> None:
    found = between(FILES, {**FILES, "pipelines/hello.yaml": f"{HELLO}  broken: [\n"})
    assert found.changes == ()
    assert found.breaks == ()
    assert found.faults


def test_documents_of_a_file_that_was_not_read_are_not_gone() -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n"
    before = {**FILES, "pipelines/nightly.yaml": NIGHTLY, "pipelines/smoke.yaml": run_document("once")}
    after = {
        **before,
        "pipelines/nightly.yaml": pointer,
        "pipelines/hello.yaml": pointer,
        "pipelines/smoke.yaml": pointer,
    }
    found = between(before, after)
    assert {fault.code for fault in found.faults} == {"lfs-pointer"}
    assert (found.changes, found.breaks, found.firings) == ((), (), ())
    back = between(after, before)
    assert (back.changes, back.firings) == ((), ())


def test_nothing_is_known_of_an_environment_that_cannot_be_read() -> None:
    quiet = LOCAL.replace("spec:\n", "spec:\n  mode: development\n")
    before = {**FILES, "pipelines/nightly.yaml": NIGHTLY, "environments/local.yaml": quiet}
    found = between(before, {**before, "environments/local.yaml": f"{quiet}broken: [\n"})
    assert (found.changes, found.breaks, found.firings) == ((), (), ())
    assert found.faults


def test_mistakes_of_the_older_side_are_a_note() -> None:
    wrong = HELLO.replace("component: greet", "component: gret")
    found = between({**FILES, "pipelines/hello.yaml": wrong}, FILES)
    assert found.notes == ("the older side has a mistake: only what is sound there is compared",)
    assert (found.faults, told(found)) == ((), {"pipeline/hello": "changed"})


def test_values_that_cannot_be_rendered_do_not_differ() -> None:
    after = {**FILES, "components/greet.yaml": GREET.replace("alpine:3.20", '"{{ vars.nothing }}"')}
    found = between(FILES, after)
    assert [fault.code for fault in found.faults] == ["unknown-variable"]
    assert found.changes == ()


# --- two environments


def test_two_environments_of_one_commit() -> None:
    prod = LOCAL.replace("name: local", "name: prod")
    files = {
        **FILES,
        "environments/prod/environment.yaml": f"{prod}  vars: {{rows: 5}}\n",
        "environments/prod/nightly.yaml": NIGHTLY,
        "environments/prod/once.yaml": run_document("once"),
    }
    one, other = seen(files, commit="a" * 40), seen(files, "prod", commit="a" * 40)
    found = diff.across(one, other)
    assert found.environment == "prod"
    assert told(found) == {"schedule/nightly": "added", "run/smoke": "added", "environment/prod": "changed"}
    assert fields(change(found, "environment/prod")) == {"spec.vars": (None, {"rows": 5})}
    assert [(f.name, f.why) for f in found.firings] == [("nightly", "fires only in prod: daily at 02:00 UTC")]
    back = diff.across(other, one)
    assert told(back) == {
        "schedule/nightly": "removed",
        "run/smoke": "removed",
        "environment/local": "changed",
    }
    assert [f.why for f in back.firings] == ["fires only in prod: daily at 02:00 UTC"]


def test_schedules_that_two_environments_have_otherwise() -> None:
    prod = LOCAL.replace("name: local", "name: prod")
    overlay = "kind: Schedule\nmetadata: {name: nightly}\nspec: {cron: 0 3 * * *}\n"
    files = {
        **FILES,
        "pipelines/nightly.yaml": NIGHTLY,
        "environments/prod/environment.yaml": prod,
        "environments/prod/nightly.yaml": overlay,
    }
    found = diff.across(seen(files), seen(files, "prod"))
    assert [each.why for each in found.firings] == ["fires daily at 02:00 → 03:00 UTC"]
