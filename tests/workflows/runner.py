"""Runs a workflow as GitHub's runner does: the jobs by their needs, the steps in order, each `run:` in bash.

Only what kfgit's workflows use is known, and anything else is an error. What differs from GitHub: jobs run one after
the other, actions are those of `tests.workflows.uses`, and a secret in what somebody can read ends the test.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import yaml

from tests.workflows import uses
from tests.workflows.events import REPOSITORY, Event, Job, Machine, Ran, Run
from tests.workflows.expressions import Unknown, evaluate, expand, shown, truth

PATIENCE = 300
_STATUS = re.compile(r"\b(always|cancelled|failure|success)\(\)")
_OUTPUT = re.compile(r"([A-Za-z_][\w-]*)=(.*)\n")
_KEYS = {
    "name", "if", "needs", "runs-on", "timeout-minutes", "concurrency", "permissions", "outputs", "strategy",
    "environment", "env", "steps",
}  # fmt: skip
_STEP_KEYS = {"name", "id", "if", "uses", "with", "run", "env", "continue-on-error"}


def run(text: str, name: str, event: Event, machine: Machine) -> Run:
    """Runs the workflow that stands in a text."""
    workflow = yaml.load(text, _Loader)
    assert workflow["defaults"] == {"run": {"shell": "bash"}}, "only bash is known"
    assert workflow["permissions"] == {}, "each job says what it may"
    done: dict[str, list[Job]] = {}
    while waiting := [each for each in workflow["jobs"].items() if each[0] not in done]:
        id_, job = next((i, j) for i, j in waiting if all(need in done for need in _needs(j)))
        assert set(job) <= _KEYS, sorted(set(job) - _KEYS)
        done[id_] = list(_jobs(id_, job, workflow, event, machine, done))
    return Run(name, event.name, tuple(job for jobs in done.values() for job in jobs))


def triggers(text: str, event: Event) -> bool:
    """Whether an event starts the workflow."""
    on = yaml.load(text, _Loader)["on"]
    if event.name not in on:
        return False
    branches = (on[event.name] or {}).get("branches") if isinstance(on[event.name], dict) else None
    return branches is None or (event.ref.startswith("refs/heads/") and _chosen(event.ref_name, branches))


def _chosen(branch: str, patterns: Sequence[str]) -> bool:
    """Whether patterns name a branch: the last that matches counts, and one with `!` takes it out again."""
    chosen = False
    for pattern in patterns:
        bare = pattern.removeprefix("!")
        assert re.fullmatch(r"([\w-]+/)*(\*\*|[\w-]+)", bare), "only these are known"
        if branch.startswith(bare.removesuffix("**")) if bare.endswith("**") else branch == bare:
            chosen = bare == pattern
    return chosen


class _Loader(yaml.SafeLoader):
    """YAML 1.2 as GitHub reads it: `on` is a word."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:bool"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|false"), list("tf"))


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def _jobs(
    id_: str,
    job: Mapping[str, Any],
    workflow: Mapping[str, Any],
    event: Event,
    machine: Machine,
    done: Mapping[str, Sequence[Job]],
) -> Iterator[Job]:
    needs = {need: done[need] for need in _needs(job)}
    ends = {each.conclusion for jobs in needs.values() for each in jobs}
    contexts = {
        "github": event.context,
        "vars": {} if event.forked else machine.variables,
        "inputs": _inputs(workflow, event),
        "needs": {
            need: {"result": jobs[0].conclusion, "outputs": jobs[0].outputs} for need, jobs in needs.items()
        },
    }
    if not _condition(job.get("if"), contexts, failed=bool(ends - {"success"})):
        yield Job(id_, job["name"], "skipped")
        return
    for values in _matrix(job, contexts):
        yield _Executor(id_, job, {**contexts, "matrix": values}, event, machine).run()


def _inputs(workflow: Mapping[str, Any], event: Event) -> Mapping[str, Any]:
    """What was typed for a dispatch; nothing for other events."""
    if event.name != "workflow_dispatch":
        return {}
    known = (workflow["on"]["workflow_dispatch"] or {}).get("inputs", {})
    assert set(event.inputs) <= set(known), f"no such input: {event.inputs}"
    for name, about in known.items():
        assert name in event.inputs or "default" in about or not about.get("required"), f"{name} is wanted"
    return {name: event.inputs.get(name, about.get("default", "")) for name, about in known.items()}


def _matrix(job: Mapping[str, Any], contexts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    strategy = job.get("strategy")
    if strategy is None:
        return [{}]
    ((key, values),) = strategy["matrix"].items()
    found = expand(values, contexts, _FUNCTIONS)
    assert isinstance(found, list), found
    assert found, "an empty matrix is an error on GitHub"
    return found if key == "include" else [{key: value} for value in found]


_FUNCTIONS = {"fromJSON": json.loads}


def _condition(text: Any, contexts: Mapping[str, Any], *, failed: bool) -> bool:
    """An `if:`; one without a word about the state wants that everything before went well."""
    text = "true" if text is None else shown(text) if isinstance(text, bool) else text
    states = {
        "always": lambda: True,
        "cancelled": lambda: False,
        "failure": lambda: failed,
        "success": lambda: not failed,
    }
    bare = re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", text, flags=re.DOTALL)
    met = truth(evaluate(bare, contexts, {**_FUNCTIONS, **states}))
    return met and (bool(_STATUS.search(bare)) or not failed)


@dataclass(slots=True)
class _Executor:
    """One job on a machine of its own."""

    id: str
    job: Mapping[str, Any]
    contexts: Mapping[str, Any]
    event: Event
    machine: Machine
    steps: list[Ran] = field(default_factory=list)
    failed: bool = False
    exported: dict[str, str] = field(default_factory=dict)
    summary: str = ""

    def run(self) -> Job:
        """The job, once all its steps have ended."""
        home = self.machine.folder / f"job-{uuid4().hex[:8]}"
        for name in ("work", "temp", "files", "home"):
            (home / name).mkdir(parents=True)
        values = ", ".join(value for value in self.contexts["matrix"].values() if value)
        name = shown(self._expand(self.job["name"])) + (f" ({values})" if values else "")
        deployed = self._environment()
        if self.event.ref_name not in self.machine.branches.get(deployed or "", [self.event.ref_name]):
            return Job(self.id, name, "failure")  # "is not allowed to deploy to …"
        secrets = {} if self.event.forked else self.machine.secrets.get(deployed or "", {})
        may = set() if self.event.forked else {k for k, v in self.job["permissions"].items() if v == "write"}
        token = self.machine.token(may)
        self.contexts = {
            **self.contexts,
            "github": {**self.event.context, "token": token},
            "secrets": secrets,
            "runner": {"temp": str(home / "temp")},
        }
        group = self.job.get("concurrency", {}).get("group")
        before = uses.branches(self.machine.remote)
        for number, step in enumerate(self.job["steps"]):
            assert set(step) <= _STEP_KEYS, sorted(set(step) - _STEP_KEYS)
            self.steps.append(self._step(step, home, number, may))
        assert "contents" in may or uses.branches(self.machine.remote) == before, "it may not push"
        outputs = {key: shown(self._expand(text)) for key, text in self.job.get("outputs", {}).items()}
        done = Job(
            self.id, name, "failure" if self.failed else "success", tuple(self.steps), outputs, self.summary,
            None if group is None else shown(self._expand(group)),
        )  # fmt: skip
        for secret in (*secrets.values(), token):
            assert secret not in done.log + done.summary, f"{name} tells a secret"
        shutil.rmtree(home)
        return done

    def _environment(self) -> str | None:
        """The GitHub environment, whose deployment Actions opens by itself unless that is switched off."""
        said = self.job.get("environment")
        if said is None:
            return None
        name = shown(self._expand(said["name"] if isinstance(said, dict) else said))
        if not isinstance(said, dict) or said.get("deployment", True):
            self.machine.began(name, self.event.sha)
        return name

    def _expand(self, text: Any, **more: Any) -> Any:
        steps = {
            step.id: {"outcome": step.outcome, "conclusion": step.conclusion, "outputs": step.outputs}
            for step in self.steps
            if step.id
        }
        empty = {"outcome": "", "conclusion": "", "outputs": {}}
        later = {step["id"]: empty for step in self.job["steps"] if "id" in step}
        job = {"status": "failure" if self.failed else "success"}
        contexts = {**self.contexts, "steps": {**later, **steps}, "job": job, **more}
        return expand(text, contexts, _FUNCTIONS)

    def _step(self, step: Mapping[str, Any], home: Path, number: int, may: set[str]) -> Ran:
        name = step.get("name") or step.get("uses", "").partition("@")[0]
        steps = {
            each.id: {"outcome": each.outcome, "outputs": each.outputs} for each in self.steps if each.id
        }
        contexts = {
            **self.contexts,
            "steps": steps,
            "job": {"status": "failure" if self.failed else "success"},
        }
        if not _condition(step.get("if"), contexts, failed=self.failed):
            return Ran(name, step.get("id", ""), "skipped", "skipped")
        files = home / "files" / str(number)
        files.mkdir()
        if "uses" in step:
            given = {key: shown(self._expand(value)) for key, value in step.get("with", {}).items()}
            log = uses.perform(step["uses"], given, uses.Place(self.event, self.machine, home / "work", may))
            code = 0
        else:
            code, log = self._bash(step, home, files)
        outcome = "success" if code == 0 else "failure"
        forgiven = step.get("continue-on-error", False)
        self.failed = self.failed or (code != 0 and not forgiven)
        self.summary += _read(files / "summary")
        self.exported |= _pairs(_read(files / "env"))
        conclusion = "success" if forgiven else outcome
        return Ran(name, step.get("id", ""), outcome, conclusion, log, _pairs(_read(files / "output")))

    def _bash(self, step: Mapping[str, Any], home: Path, files: Path) -> tuple[int, str]:
        script = files / "script.sh"
        assert "${{" not in step["run"], "text goes in through variables alone"
        script.write_text(step["run"])
        said = {**self.job.get("env", {}), **step.get("env", {})}
        own = {key: shown(self._expand(value)) for key, value in said.items()}
        payload = files / "event.json"
        payload.write_text(json.dumps(self.event.payload))
        variables = {
            **self.machine.programs, **self.machine.service, **self.exported, "HOME": str(home / "home"),
            "RUNNER_TEMP": str(home / "temp"), "CI": "true", "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(home / "work"), "GITHUB_EVENT_NAME": self.event.name,
            "GITHUB_EVENT_PATH": str(payload), "GITHUB_SHA": self.event.sha, "GITHUB_REF": self.event.ref,
            "GITHUB_REF_NAME": self.event.ref_name, "GITHUB_BASE_REF": self.event.base_ref,
            "GITHUB_HEAD_REF": self.event.head_ref, "GITHUB_ACTOR": self.event.actor,
            "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_STEP_SUMMARY": str(files / "summary"), "GITHUB_OUTPUT": str(files / "output"),
            "GITHUB_ENV": str(files / "env"), **own,
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)], cwd=home / "work", env=variables,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout.decode(errors="replace")


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _pairs(text: str) -> dict[str, str]:
    """What a step wrote as its outputs, one in a line."""
    found = dict(_OUTPUT.findall(text))
    if text.count("\n") != len(found):
        raise Unknown(f"outputs are lines NAME=VALUE: {text!r}")
    return found


def programs(folder: Path, interpreter: str, root: Path, version: str) -> Mapping[str, str]:
    """PATH with kfgit, as it would be installed, and a `pip` that installs nothing else."""
    folder.mkdir()
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    words = " ".join(f"{name}='{value}'" for name, value in {**kept, "PYTHONPATH": str(root)}.items())
    (folder / "kfgit").write_text(f'#!/bin/sh\nexec env {words} {interpreter} -m kfgit "$@"\n')
    (folder / "pip").write_text(
        f'#!/bin/sh\n[ "$*" = "install kfgit=={version}" ] && exit\necho "no: $*"; exit 1\n'
    )
    for name in ("kfgit", "pip"):
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "LANG": "C.UTF-8"}
