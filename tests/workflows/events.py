"""What happened on GitHub, and the machine that a workflow about it runs on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = "acme/models"


@dataclass(frozen=True, slots=True)
class Event:
    """What starts workflows. `payload` is what GitHub tells.

    One that is `forked` gets neither secrets nor variables, and may write nothing.
    """

    name: str
    sha: str
    ref: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    base_ref: str = ""
    head_ref: str = ""
    actor: str = "mona"
    forked: bool = False

    @property
    def ref_name(self) -> str:
        return self.ref.removeprefix("refs/heads/").removeprefix("refs/")

    @property
    def context(self) -> Mapping[str, Any]:
        """The context `github`."""
        return {
            "event_name": self.name, "event": self.payload, "sha": self.sha, "ref": self.ref, "ref_name": self.ref_name,
            "base_ref": self.base_ref, "head_ref": self.head_ref, "actor": self.actor, "repository": REPOSITORY,
            "repository_owner": REPOSITORY.partition("/")[0], "run_id": "77",
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Machine:
    """What a job finds: the repository, the repository's settings, and the programs.

    `branches` says which branches an environment is for, where not for all. `token` makes one that may write what it
    says, `began` hears of a deployment; `reported` gets what was uploaded.
    """

    folder: Path
    remote: Path
    programs: Mapping[str, str]
    variables: Mapping[str, str]
    secrets: Mapping[str, Mapping[str, str]]
    branches: Mapping[str, Collection[str]]
    service: Mapping[str, str]
    token: Callable[[Collection[str]], str]
    began: Callable[[str, str], object]
    reported: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ran:
    """A step. `outcome` is what became of it, `conclusion` what counts."""

    name: str
    id: str
    outcome: str
    conclusion: str
    log: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Job:
    """A job that was run, or was not (`skipped`). Of a matrix each has its own."""

    id: str
    name: str
    conclusion: str
    steps: tuple[Ran, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""
    group: str | None = None

    @property
    def log(self) -> str:
        """Everything that its steps said."""
        return "".join(f"## {step.name}: {step.outcome}\n{step.log}" for step in self.steps)

    def step(self, name: str) -> Ran:
        """The step of that name."""
        (found,) = (step for step in self.steps if step.name == name)
        return found


@dataclass(frozen=True, slots=True)
class Run:
    """A workflow that was started by an event."""

    workflow: str
    event: str
    jobs: tuple[Job, ...]

    @property
    def conclusion(self) -> str:
        """As the mark beside a commit."""
        ends = {job.conclusion for job in self.jobs}
        return "failure" if "failure" in ends else "success" if "success" in ends else "skipped"

    @property
    def log(self) -> str:
        return "".join(f"# {job.name}: {job.conclusion}\n{job.log}" for job in self.jobs)

    def job(self, name: str) -> Job:
        """The job of that name."""
        (found,) = (job for job in self.jobs if job.name == name)
        return found
