"""Each value of a profile with who says it: what a line says that is named must be what the profile has."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given, strategies as st

from kfgit import driver
from kfgit.demand.folded import Value, values
from kfgit.model import Project

_AMOUNTS = st.dictionaries(
    st.sampled_from(["nvidia.com/gpu", "cpu", "memory"]), st.sampled_from(["8", "9"]), min_size=1
)
_NODE = st.fixed_dictionaries(
    {},
    optional={
        "selector": st.dictionaries(
            st.sampled_from(["pool", "example.com/zone"]), st.sampled_from(["a", "b"])
        ),
        "tolerations": st.just([{"key": "gpu", "operator": "Exists"}]),
    },
)
_QUEUE = st.fixed_dictionaries(
    {"localQueue": st.sampled_from(["day", "night"])},
    optional={
        "clusterQueue": st.sampled_from(["one", "two"]),
        "cohort": st.sampled_from(["here", "there"]),
        "borrowingLimit": _AMOUNTS,
        "preemption": st.fixed_dictionaries({"withinClusterQueue": st.just("LowerPriority")}),
    },
)
_SPECS = st.fixed_dictionaries(
    {},
    optional={
        "requests": st.dictionaries(st.sampled_from(["cpu", "memory"]), st.sampled_from(["1", "2"])),
        "limits": st.dictionaries(st.sampled_from(["cpu", "memory"]), st.sampled_from(["3", "4"])),
        "accelerator": st.fixed_dictionaries(
            {},
            optional={
                "resource": st.sampled_from(["nvidia.com/gpu", "amd.com/gpu"]),
                "count": st.integers(1, 4),
                "model": st.sampled_from(["A100", "MI300X"]),
            },
        ),
        "sharedMemory": st.sampled_from(["1Gi", "2Gi"]),
        "node": _NODE,
        "queue": _QUEUE,
        "quota": _AMOUNTS,
        "limitRange": st.dictionaries(
            st.sampled_from(["default", "max"]), st.fixed_dictionaries({"cpu": st.sampled_from(["5", "6"])})
        ),
        "cost": st.fixed_dictionaries(
            {"perHour": st.sampled_from([1.5, 2.5])}, optional={"currency": st.sampled_from(["EUR", "CHF"])}
        ),
    },
)
_HEAD = "apiVersion: kfgit.dev/v1\nkind: "


def written(spec: Mapping[str, Any], indent: str = "  ") -> str:
    """Block YAML with one value on a line."""
    lines = []
    for key, value in spec.items():
        if isinstance(value, dict) and value:
            lines.append(f"{indent}{json.dumps(key)}:\n{written(value, f'{indent}  ')}")
        else:
            lines.append(f"{indent}{json.dumps(key)}: {json.dumps(value)}\n")
    return "".join(lines)


def folded(specs: list[dict[str, Any]]) -> tuple[Project, dict[str, list[str]], tuple[Value, ...]]:
    """Profiles of which each extends the one before, each in its file, and the values of the last."""
    with tempfile.TemporaryDirectory() as folder:
        root, texts = Path(folder), {}
        (root / "kfgit.yaml").write_text(f"{_HEAD}Project\nmetadata: {{name: demo}}\n")
        (root / "pipelines").mkdir()
        for number, spec in enumerate(specs):
            whole = {**({"extends": f"p{number - 1}"} if number else {}), **spec}
            text = f"{_HEAD}ResourceProfile\nmetadata: {{name: p{number}}}\nspec:\n{written(whole)}"
            if not whole:
                text = text.replace("spec:\n", "spec: {}\n")
            (root / "pipelines" / f"p{number}.yaml").write_text(text)
            texts[f"pipelines/p{number}.yaml"] = text.splitlines()
        project = driver.check(driver.load(root), "local").value.project.project
        return project, texts, values(project, project.profiles[f"p{len(specs) - 1}"])


@given(st.lists(_SPECS, min_size=1, max_size=4))
def test_each_value_stands_where_it_is_said_to_stand(specs: list[dict[str, Any]]) -> None:
    _, texts, found = folded(specs)
    for each in found:
        if each.span is None:
            assert (each.profile, each.path[-1]) in {(None, "count"), (None, "currency")}
            continue
        assert each.span.file == f"pipelines/{each.profile}.yaml"
        line = texts[each.span.file][each.span.line - 1]
        key, _, value = line.strip().partition(": ")
        assert json.loads(key) == each.path[-1]
        shown = [dict(item) for item in each.value] if isinstance(each.value, tuple) else each.value
        assert str(json.loads(value)) == str(shown)


@given(st.lists(_SPECS, min_size=1, max_size=4))
def test_what_the_last_document_says_is_all_there(specs: list[dict[str, Any]]) -> None:
    project, _, found = folded(specs)
    last = project.profiles[f"p{len(specs) - 1}"]
    said = {path for path in last.said if path != ("extends",) and path not in _EMPTY}
    assert {each.path for each in found if each.profile == last.name} == said


# A map without anything in it is said, and has no value.
_EMPTY = {("requests",), ("limits",), ("accelerator",), ("node",), ("node", "selector"), ("limitRange",)}


def test_a_price_takes_no_currency_from_another_document() -> None:
    _, _, found = folded([{"cost": {"perHour": 1.5, "currency": "EUR"}}, {"cost": {"perHour": 2.5}}])
    assert [(each.path, str(each.value), each.profile) for each in found] == [
        (("cost", "perHour"), "2.5", "p1"),
        (("cost", "currency"), "USD", None),
    ]


def test_one_device_takes_no_count_from_another() -> None:
    base = {"accelerator": {"resource": "nvidia.com/gpu", "count": 4, "model": "A100"}}
    _, _, found = folded([base, {"accelerator": {"resource": "amd.com/gpu"}}])
    assert [(each.path[1], each.value, each.profile) for each in found] == [
        ("resource", "amd.com/gpu", "p1"),
        ("count", 1, None),
    ]
    _, _, found = folded([base, {"accelerator": {"count": 2}}])
    assert [(each.path[1], each.value, each.profile) for each in found] == [
        ("resource", "nvidia.com/gpu", "p0"),
        ("count", 2, "p1"),
        ("model", "A100", "p0"),
    ]
