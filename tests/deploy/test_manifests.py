"""What `deploy/` has, without a cluster; the API server's word on it is in tests/cluster/test_deploy.py."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from kfgit.cli.agent import command
from tests import apart
from tests.deploy.building import COMPONENTS, DEPLOY, WORKLOADS, build, overlay, pods, tool
from tests.docs.markdown import sections


@pytest.fixture(autouse=True)
def _kustomize() -> None:
    with apart.wanted():
        tool()


@pytest.fixture(params=WORKLOADS)
def built(request: pytest.FixtureRequest, tmp_path: Path) -> list[dict[str, Any]]:
    return overlay(tmp_path / "own", request.param, COMPONENTS, "ml-prod")


def container(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    [pod] = pods(manifests)
    [found] = pod["spec"]["containers"]
    return dict(found)


def test_every_folder_that_users_may_name_builds() -> None:
    assert {path.parent.name for path in (DEPLOY / "components").glob("*/kustomization.yaml")} == set(
        COMPONENTS
    )
    for name in (*WORKLOADS, "example"):
        assert build(DEPLOY / name)


def test_the_example_is_whole() -> None:
    manifests = build(DEPLOY / "example")
    assert {each["metadata"].get("namespace") for each in manifests} == {"ml-prod"}
    assert container(manifests)["image"].startswith("registry.example.com/")


def test_one_workload_alone(built: list[dict[str, Any]]) -> None:
    assert len(pods(built)) == 1


def test_flags_and_variables_are_the_programs(built: list[dict[str, Any]]) -> None:
    found = container(built)
    known = {f"KFGIT_AGENT_{option.name.upper()}" for option in command.params if option.name}
    settings = next(each for each in built if each["kind"] == "ConfigMap")["data"]
    given = {each["name"] for each in found["env"]} | settings.keys()
    assert {name for name in given if name.startswith("KFGIT_")} <= known
    words = [word.replace("$(ENVIRONMENT)", settings["ENVIRONMENT"]) for word in found["args"]]
    assert words.pop(0) == "agent"
    context = click.Context(command, info_name="agent")
    options, rest, _ = command.make_parser(context).parse_args(words)
    for parameter in command.params:
        parameter.handle_parse_result(context, options, rest)
    assert rest == []


def test_a_pod_may_do_nothing_that_it_does_not_need(built: list[dict[str, Any]]) -> None:
    [pod] = pods(built)
    security, own = pod["spec"]["securityContext"], container(built)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert own == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC", "hostPath"} & pod["spec"].keys()
    assert all(
        mount["readOnly"] for mount in container(built)["volumeMounts"] if "/run/" in mount["mountPath"]
    )


def verbs(manifests: list[dict[str, Any]]) -> Iterator[str]:
    for each in manifests:
        for rule in each.get("rules", ()):
            yield from (*rule["verbs"], *rule["resources"], *rule["apiGroups"])


def test_no_role_has_a_star_or_reads_secrets(built: list[dict[str, Any]]) -> None:
    assert {"*", "secrets", "escalate", "bind", "impersonate"}.isdisjoint(verbs(built))


def test_the_page_tells_the_role_as_it_is() -> None:
    [role] = [
        each
        for each in yaml.safe_load_all((DEPLOY / "base" / "rbac.yaml").read_text())
        if each["kind"] == "Role"
    ]
    wanted = {(rule["resources"][0], ", ".join(rule["verbs"])) for rule in role["rules"]}
    text = sections(apart.ROOT / "docs" / "cluster.md", 2)["Rights"]
    assert set(re.findall(r"^\| `(\w+)`[^|]*\| ([a-z, ]+) \|", text, re.MULTILINE)) == wanted


def test_the_agent_is_one_and_has_time_to_end(tmp_path: Path) -> None:
    [deployment] = [
        each for each in overlay(tmp_path / "own", "base", (), "a") if each["kind"] == "Deployment"
    ]
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 60


def test_numbers_of_files_are_what_they_mean() -> None:
    text = "".join(path.read_text() for path in DEPLOY.rglob("*.yaml"))
    assert {int(found) for found in re.findall(r"defaultMode: (\d+)", text)} == {0o440}
    assert all(list(yaml.safe_load_all(path.read_text())) for path in DEPLOY.rglob("*.yaml"))
