from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from kfgit.backends.cluster.kubernetes.references import Reference, missing, references
from kfgit.ir import Package, Resource


def package(**executors: Any) -> Package:
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    return Package("p", {}, platform)


def constant(name: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": name}}


READER = package(
    **{
        "exec-train": {
            "configMapAsEnv": [
                {"configMapName": "settings", "configMapNameParameter": constant("settings")},
                {"configMapName": "maybe", "optional": True},
            ],
            "configMapAsVolume": [{"configMapNameParameter": {"componentInputParameter": "which"}}],
            "secretAsEnv": [{"secretName": "token"}],
        },
        "exec-eval": {"configMapAsVolume": [{"configMapNameParameter": constant("settings")}]},
    }
)


@dataclass
class Names:
    """Names of objects by kind, and which kinds were asked for."""

    there: dict[str, frozenset[str]]
    namespace: str = "ml"
    asked: list[str] = field(default_factory=list)

    def metadata(self, _api_version: str, kind: str) -> frozenset[str]:
        self.asked.append(kind)
        return self.there.get(kind, frozenset())


def pipeline(found: Package) -> Resource:
    return Resource("Pipeline", "p", {}, "", found)


def test_what_is_optional_or_known_only_at_run_time_is_no_reference() -> None:
    assert set(references(READER)) == {
        Reference("ConfigMap", "settings", "train"),
        Reference("ConfigMap", "settings", "eval"),
        Reference("Secret", "token", "train"),
    }
    assert list(references(Package("p", {}))) == []


def test_a_missing_config_map_is_told_with_all_that_need_it() -> None:
    kube = Names({"ConfigMap": frozenset({"other"})})
    (note,) = missing([pipeline(READER)], kube)[("Pipeline", "p")]  # type: ignore[arg-type] # names are all it asks for
    assert note == (
        "there is no ConfigMap `settings` in namespace `ml`, and `eval`, `train` cannot start without it"
    )
    assert kube.asked == ["ConfigMap"]


def test_secrets_are_looked_at_only_where_somebody_asks() -> None:
    kube = Names({"ConfigMap": frozenset({"settings"})})
    assert missing([pipeline(READER)], kube) == {}  # type: ignore[arg-type] # as above
    (note,) = missing([pipeline(READER)], kube, secrets=True)[("Pipeline", "p")]  # type: ignore[arg-type] # as above
    assert "no Secret `token`" in note


def test_nothing_is_asked_where_nothing_is_named() -> None:
    kube = Names({})
    assert missing([pipeline(Package("p", {}))], kube, secrets=True) == {}  # type: ignore[arg-type] # as above
    assert kube.asked == []


ODD: tuple[Any, ...] = (
    3, {"configMapAsEnv": 5}, {"configMapAsEnv": [3]}, {"configMapAsEnv": [{"configMapName": 5}]},
    {"configMapAsEnv": [{"configMapNameParameter": 3}]},
    {"secretAsEnv": [{"secretNameParameter": {"runtimeValue": 3}}]},
)  # fmt: skip


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_package_may_say_anything_there(odd: Any) -> None:
    assert list(references(package(**{"exec-a": odd}))) == []
