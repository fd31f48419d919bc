"""Work grows with a repository, and not with its square: counted in lines of kfgit that run, which no machine changes.

Each repository is checked at one size and at four times that: what is linear does four times as much, what is
quadratic sixteen times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from kfgit import diagnostics, driver
from tests.counting import lines
from tests.hostile.repositories import (
    Files,
    component,
    documents,
    nested,
    pipeline,
    with_devices,
    with_enum,
    with_python,
    with_rules,
    with_script,
    with_tasks,
    write,
)

# With fewer than 500 mistakes, after which no more are told.
FEW, MANY = 100, 400
MOST = 6.0


def tasks(task: str) -> Callable[[int], Files]:
    return lambda count: with_tasks(count, f"    {task}\n")


def of_kind(kind: str, spec: str) -> Callable[[int], Files]:
    head = pipeline("  tasks: {t: {component: make}}\n")
    return lambda count: {"pipelines/p.yaml": head + documents(kind, count, spec)}


def ports(port: str) -> Callable[[int], Files]:
    """A component with so many inputs, all of which a task is given."""

    def files(count: int) -> Files:
        inputs = "".join(f"    x{n}: {port}\n" for n in range(count))
        given = ", ".join(f"x{n}: a" for n in range(count))
        return {
            "components/c.yaml": component(f"  inputs:\n{inputs}  container: {{image: 'e.com/m:1'}}\n"),
            "pipelines/p.yaml": pipeline(f"  tasks: {{t: {{component: c, inputs: {{{given}}}}}}}\n"),
        }

    return files


def chain(count: int) -> Files:
    """Each task waits for the one before it."""
    rest = "".join(f"    t{n}: {{component: make, after: [t{n - 1}]}}\n" for n in range(1, count))
    return {"pipelines/p.yaml": pipeline(f"  tasks:\n    t0: {{component: make}}\n{rest}")}


def handed_on(count: int) -> Files:
    """Each task reads what the one before it makes."""
    task = "    t{0}: {{component: make, inputs: {{x: $(tasks.t{1}.outputs.y)}}}}\n"
    rest = "".join(task.format(n, n - 1) for n in range(1, count))
    return {"pipelines/p.yaml": pipeline(f"  tasks:\n    t0: {{component: make}}\n{rest}")}


def into_groups(count: int) -> Files:
    """Loops, and tasks that wait for what stands in them."""
    loop = "    l{0}: {{forEach: [1], tasks: {{i{0}: {{component: make}}}}}}\n"
    waiting = loop + "    t{0}: {{component: make, after: [i{0}]}}\n"
    return {"pipelines/p.yaml": pipeline("  tasks:\n" + "".join(map(waiting.format, range(count))))}


def patches(count: int) -> Files:
    """Patches of one environment, each of a document of its own."""
    patch = "  - {{target: {{kind: Pipeline, name: x{0}}}, merge: {{metadata: {{description: d}}}}}}\n"
    head = "apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {name: dev}\nspec:\n  patches:\n"
    return {
        "environments/dev.yaml": head + "".join(map(patch.format, range(count))),
        **of_kind("Pipeline", "tasks: {t: {component: make}}")(count),
    }


GROWING: Mapping[str, Callable[[int], Files]] = {
    "tasks": tasks("t%: {component: make}"),
    "unknown tasks": tasks("t%: {component: make, after: [nope%]}"),
    "unknown components": tasks("t%: {component: nope%}"),
    "unknown inputs": tasks("t%: {component: make, inputs: {nope%: 1}}"),
    "unknown outputs": tasks("t%: {component: make, inputs: {x: $(tasks.t0.outputs.nope%)}}"),
    "wrong": tasks("t%: {component: 5}"),
    "misnamed": tasks("T%: {component: make}"),
    "keys": tasks("t%: {component: make, k%: 1}"),
    "templates": tasks("t%: {component: make, inputs: {x: '{{ 1 + % }}'}}"),
    "conditions": tasks("t%: {component: make, when: '% == 1'}"),
    "profiles": tasks("t%: {component: make, profile: nope%}"),
    "chain": chain,
    "handed on": handed_on,
    "into groups": into_groups,
    "nested": lambda count: {"pipelines/p.yaml": nested(count // 4)},
    "inputs": ports("{type: string, default: b}"),
    "enum": lambda count: with_enum(count, count),
    "pipelines": of_kind("Pipeline", "tasks: {t: {component: make}}"),
    "runs": of_kind("Run", "pipeline: p"),
    "unknown pipelines": of_kind("Run", "pipeline: nope%"),
    "schedules": of_kind("Schedule", "pipeline: p, cron: '0 2 * * *'"),
    "extends": of_kind("ResourceProfile", "extends: x@"),
    "kinds": of_kind("Pipelin", ""),
    "patches": patches,
    "rules": lambda count: with_rules(
        tuple(f"resource.metadata.name != 'x{n}'" for n in range(count // 4)), 10
    ),
    "ruled": lambda count: with_rules(("resource.metadata.name != 'x'",) * 3, count),
    "devices": lambda count: with_devices(count // 4, 3),
    "python": lambda count: with_python("x = 1\n" * count + "def f(x: str = 'a') -> str:\n    return x\n"),
    "script": lambda count: with_script("echo $(inputs.x)\n" * count),
}


@pytest.mark.parametrize("name", GROWING)
def test_work_grows_with_the_repository(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Looking up what was meant compares names with names; that has a bound of its own.
    monkeypatch.setattr(diagnostics, "_affordable", lambda _cost: False)
    _work(tmp_path / "warm", GROWING[name](1))  # what is imported and kept is no part of it
    few, many = (_work(tmp_path / str(size), GROWING[name](size)) for size in (FEW, MANY))
    print(f"{name}: {few:,} and {many:,} lines: {many / few:.2f}")
    assert few < many <= MOST * few


def _work(root: Path, files: Files) -> int:
    write(root, files)
    with lines() as counted:
        repository = driver.load(root)
        driver.validate(repository, repository.environments)
    return counted[0]
