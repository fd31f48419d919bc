"""What a plan says that runs ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfgit import driver
from kfgit.demand import asks, sentence, widest_sentence
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
) -> str | None:
    return sentence(asks(loaded(tmp_path, tasks, more, environment), "p"))


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


def test_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, f"    a: {{{C}}}\n") is None


def test_devices_and_money(tmp_path: Path) -> None:
    tasks = f"    train: {{{C}, profile: four}}\n    eval: {{{C}, profile: gpu}}\n    tell: {{{C}}}\n"
    assert (
        told(tmp_path, tasks) == "asks for 4 × nvidia.com/gpu in train, 1 in eval; at most 12.40 USD per hour"
    )


def test_kinds_and_currencies_apart(tmp_path: Path) -> None:
    tasks = f"    a: {{{C}, profile: tpu}}\n    b: {{{C}, profile: gpu}}\n    c: {{{C}, profile: cheap}}\n"
    assert told(tmp_path, tasks) == (
        "asks for 8 × google.com/tpu in a; asks for 1 × nvidia.com/gpu in b; "
        "at most 7.00 EUR per hour; at most 2.60 USD per hour"
    )


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        (
            f"    l: {{forEach: [1, 2], tasks: {{a: {{{C}, profile: four}}}}}}\n",
            "asks for 4 × nvidia.com/gpu in l/a for each iteration; at most 9.90 USD per hour for each iteration",
        ),
        (
            f"    b: {{{C}, profile: gpu}}\n    l: {{forEach: [1], tasks: {{a: {{{C}, profile: four}}}}}}\n",
            (
                "asks for 1 × nvidia.com/gpu in b, 4 in l/a for each iteration; at most 2.50 USD per hour and "
                "9.90 USD per hour for each iteration"
            ),
        ),
        (
            SWITCH,
            "asks for 4 × nvidia.com/gpu in s/a, 1 in s/b; at most 12.40 USD per hour",
        ),
        ("    n: {pipeline: inner}\n", "asks for 1 × nvidia.com/gpu in n/one; at most 2.50 USD per hour"),
    ],
)
def test_what_is_inside(tmp_path: Path, tasks: str, words: str) -> None:
    assert told(tmp_path, tasks) == words


def test_defaults_hold_for_tasks_and_not_for_the_exit_task(tmp_path: Path) -> None:
    more = f"  defaults: {{profile: gpu}}\n  onExit: {{{C}}}\n"
    assert (
        told(tmp_path, f"    a: {{{C}}}\n", more)
        == "asks for 1 × nvidia.com/gpu in a; at most 2.50 USD per hour"
    )
    more = f"  onExit: {{{C}, profile: cheap}}\n"
    assert told(tmp_path, f"    a: {{{C}}}\n", more) == "at most 0.10 USD per hour"


def test_what_the_environment_makes_of_a_profile(tmp_path: Path) -> None:
    told_ = told(
        tmp_path,
        f"    a: {{{C}, profile: gpu}}\n",
        environment="{target: {type: local}, profiles: {gpu: four}}",
    )
    assert told_ == "asks for 4 × nvidia.com/gpu in a; at most 9.90 USD per hour"


def test_a_task_of_its_own_and_many(tmp_path: Path) -> None:
    own = f"    a: {{{C}, resources: {{accelerator: {{resource: amd.com/gpu, count: 2}}}}}}\n"
    assert told(tmp_path, own) == "asks for 2 × amd.com/gpu in a"
    many = "".join(f"    t{n}: {{{C}, profile: gpu}}\n" for n in range(6))
    assert told(tmp_path, many) == (
        "asks for 1 × nvidia.com/gpu in t0, 1 in t1, 1 in t2, 1 in t3 and in 2 more tasks; at most 15.00 USD per hour"
    )


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
    assert widest_sentence(loaded(tmp_path, tasks, more), "p") == words
