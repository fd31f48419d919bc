"""What a plan says that runs ask for."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from kfgit import driver
from kfgit.demand import asks, hourly, widest_sentences
from kfgit.graph import CheckedProject

PROFILES = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: gpu}
spec: {accelerator: {resource: nvidia.com/gpu}, cost: {perHour: 2.5}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: four}
spec: {extends: gpu, accelerator: {resource: nvidia.com/gpu, count: 4}, cost: {perHour: 9.90}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: tpu}
spec: {extends: gpu, accelerator: {resource: google.com/tpu, count: 8}, cost: {perHour: 7, currency: EUR}}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: cheap}
spec: {limits: {cpu: "1"}, cost: {perHour: 0.1}}
"""
HOME = "apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {name: local}\n"
C = "component: {container: {image: 'e.com/a:1', script: echo}}"


SWITCH = f"""\
    s:
      switch:
        - {{when: '1 == 1', tasks: {{a: {{{C}, profile: four}}}}}}
        - {{tasks: {{b: {{{C}, profile: gpu}}}}}}
"""


def told(
    tmp_path: Path, tasks: str, more: str = "", environment: str = "{target: {type: local}}"
) -> tuple[str, ...]:
    return widest_sentences(loaded(tmp_path, tasks, more, environment), "p")


def loaded(
    tmp_path: Path, tasks: str, more: str = "", environment: str = "{target: {type: local}}"
) -> CheckedProject:
    files = {
        "kfgit.yaml": "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: demo}\n",
        "components/profiles.yaml": PROFILES,
        "pipelines/inner.yaml": pipeline("inner", f"    one: {{{C}, profile: gpu}}\n"),
        "pipelines/p.yaml": pipeline("p", tasks, more),
        "environments/local.yaml": f"{HOME}spec: {environment}\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    repository = driver.load(tmp_path)
    checked = driver.check(repository, "local")
    assert [d for d in (*repository.diagnostics, *checked.diagnostics) if d.severity == "error"] == []
    return checked.value.project


def pipeline(name: str, tasks: str, more: str = "") -> str:
    return f"apiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {{name: {name}}}\nspec:\n{more}  tasks:\n{tasks}"


def test_what_each_task_asks_for(tmp_path: Path) -> None:
    tasks = f"{SWITCH}    n: {{pipeline: inner}}\n    c: {{{C}}}\n"
    own = f"    a: {{{C}, profile: gpu, resources: {{accelerator: {{resource: amd.com/gpu, count: 2}}}}}}\n"
    more = f"  defaults: {{profile: cheap}}\n  onExit: {{{C}}}\n"
    found = asks(loaded(tmp_path, tasks + own, more), "p")
    assert [(ask.path, ask.pipeline, ask.name, ask.resource, ask.count) for ask in found] == [
        ("s/a", "p", "four", "nvidia.com/gpu", 4),
        ("s/b", "p", "gpu", "nvidia.com/gpu", 1),
        ("n/one", "inner", "gpu", "nvidia.com/gpu", 1),
        ("c", "p", "cheap", None, 0),
        ("a", "p", "gpu", "amd.com/gpu", 2),
        ("onExit", "p", None, None, 0),
    ]


def test_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, f"    a: {{{C}}}\n") == ()


ONE = "at most 1 GPU at once: a 1"


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        # Whoever holds the devices costs the money: that is not said twice.
        (f"    a: {{{C}, profile: gpu}}\n", (ONE, "at most 2.50 USD per hour")),
        (
            f"    l: {{forEach: [1, 2, 3], parallelism: 2, tasks: {{a: {{{C}, profile: four}}}}}}\n",
            ("at most 8 GPUs at once: l/a 2 × 4", "at most 19.80 USD per hour"),
        ),
        (
            f"    train: {{{C}, profile: four}}\n    eval: {{{C}, profile: gpu, after: [train]}}\n",
            ("at most 4 GPUs at once: train 4", "at most 9.90 USD per hour"),
        ),
        (SWITCH, ("at most 4 GPUs at once: s/a 4", "at most 9.90 USD per hour")),
        ("    n: {pipeline: inner}\n", ("at most 1 GPU at once: n/one 1", "at most 2.50 USD per hour")),
        # The dearest moment is another one than that with most devices, or has more tasks.
        (
            f"    a: {{{C}, profile: gpu}}\n    c: {{{C}, profile: cheap}}\n",
            (ONE, "at most 2.60 USD per hour: a, c"),
        ),
        (f"    c: {{{C}, profile: cheap}}\n", ("at most 0.10 USD per hour: c",)),
        (
            f"    l: {{forEach: [1, 2], tasks: {{c: {{{C}, profile: cheap}}}}}}\n",
            ("at most 0.20 USD per hour: l/c × 2",),
        ),
        (
            (
                f"    many: {{{C}, profile: cheap, resources: {{accelerator: {{resource: amd.com/gpu, count: 3}}}}}}\n"
                f"    a: {{{C}, profile: gpu, after: [many]}}\n"
            ),
            (
                "at most 3 × amd.com/gpu at once: many 3; at most 1 × nvidia.com/gpu at once: a 1",
                "at most 2.50 USD per hour: a",
            ),
        ),
        (
            f"    a: {{{C}, profile: tpu}}\n    b: {{{C}, profile: gpu, after: [a]}}\n",
            (
                "at most 8 × google.com/tpu at once: a 8; at most 1 × nvidia.com/gpu at once: b 1",
                "at most 7.00 EUR per hour and 2.50 USD per hour",
            ),
        ),
        (
            f"    l: {{forEach: $(inputs.of), tasks: {{a: {{{C}, profile: gpu}}}}}}\n",
            (
                "at most 1 GPU at once with one iteration of `l` (only the run knows how many there are): l/a 1",
                "at most 2.50 USD per hour with one iteration of `l`",
            ),
        ),
        (
            "".join(f"    t{n}: {{{C}, profile: cheap}}\n" for n in range(6)),
            ("at most 0.60 USD per hour: t0, t1, t2, t3 and 2 more tasks",),
        ),
    ],
)
def test_devices_and_money(tmp_path: Path, tasks: str, words: tuple[str, ...]) -> None:
    assert told(tmp_path, tasks, "  inputs: {of: {type: list}}\n") == words


def test_prices_are_added_exactly(tmp_path: Path) -> None:
    head = "---\napiVersion: kfgit.dev/v1\nkind: ResourceProfile\nmetadata: {name: fine}\n"
    fine = f"{head}spec: {{cost: {{perHour: 0.0625}}}}\n"
    loop = f"    l: {{forEach: [1, 2, 3], tasks: {{c: {{{C}, profile: cheap}}}}}}\n"
    tasks = f"    a: {{{C}, profile: gpu}}\n    b: {{{C}, profile: fine}}\n{loop}"
    found = hourly(loaded(tmp_path, tasks + fine), "p")
    assert {currency: each.price for currency, each in found.items()} == {"USD": Decimal("2.8625")}


def test_defaults_hold_for_tasks_and_not_for_the_exit_task(tmp_path: Path) -> None:
    more = f"  defaults: {{profile: gpu}}\n  onExit: {{{C}}}\n"
    assert told(tmp_path, f"    a: {{{C}}}\n", more) == (ONE, "at most 2.50 USD per hour")
    more = f"  onExit: {{{C}, profile: cheap}}\n"
    assert told(tmp_path, f"    a: {{{C}}}\n", more) == ("at most 0.10 USD per hour: onExit",)


def test_what_the_environment_makes_of_a_profile(tmp_path: Path) -> None:
    environment = "{target: {type: local}, profiles: {gpu: four}}"
    told_ = told(tmp_path, f"    a: {{{C}, profile: gpu}}\n", environment=environment)
    assert told_ == ("at most 4 GPUs at once: a 4", "at most 9.90 USD per hour")


LOOP = "forEach: $(inputs.of)"


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        (f"    a: {{{C}}}\n", None),
        (f"    a: {{{C}, profile: gpu}}\n", "at most 1 GPU at once: a 1"),
        (
            f"    a: {{{C}, profile: gpu}}\n    l: {{forEach: [1, 2], tasks: {{t: {{{C}, profile: four}}}}}}\n",
            "at most 9 GPUs at once: a 1, l/t 2 × 4",
        ),
        (f"    a: {{{C}, profile: tpu}}\n", "at most 8 × google.com/tpu at once: a 8"),
        (
            f"    a: {{{C}, profile: tpu}}\n    b: {{{C}, profile: gpu, after: [a]}}\n",
            "at most 8 × google.com/tpu at once: a 8; at most 1 × nvidia.com/gpu at once: b 1",
        ),
        (
            "".join(
                f"    t{n}: {{{C}, resources: {{accelerator: {{resource: e.com/r{n}}}}}}}\n" for n in range(6)
            ),
            "; ".join(
                [
                    *(f"at most 1 × e.com/r{n} at once: t{n} 1" for n in range(4)),
                    "and some of 2 more resources",
                ]
            ),
        ),
        (
            f"    l: {{{LOOP}, tasks: {{t: {{{C}, profile: gpu}}}}}}\n    b: {{{C}, profile: gpu}}\n",
            "at most 2 GPUs at once with one iteration of `l` (only the run knows how many there are): l/t 1, b 1",
        ),
    ],
)
def test_the_widest_moment_in_a_line(tmp_path: Path, tasks: str, words: str | None) -> None:
    more = "  inputs: {of: {type: list}}\n"
    assert next(iter(told(tmp_path, tasks, more)), None) == words
