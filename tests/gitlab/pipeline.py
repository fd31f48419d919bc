"""GitLab's part in small: which jobs of a `.gitlab-ci.yml` a pipeline has, and a runner for their scripts.

Only what kfgit's own pipeline uses is known; anything else is an error. See docs.gitlab.com/ci/yaml.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.project.repository import Git

# What jobs may say, and what of the file is no job.
_KEYS = {"stage", "rules", "script", "artifacts", "extends", "environment", "resource_group", "interruptible"}
_OTHERS = {"stages", "default", "variables"}
_DEFAULTS = {"image", "interruptible", "before_script"}
_TOKEN = re.compile(r'\s*(?:(\$\w+)|"([^"]*)"|/((?:[^/\\]|\\.)*)/|(==|!=|=~|&&|\|\|))')


@dataclass(frozen=True, slots=True)
class Job:
    """One job, with what it extends."""

    name: str
    stage: str
    script: tuple[str, ...]
    rules: tuple[Mapping[str, str], ...]
    environment: str | None
    access: bool
    resource_group: str | None
    artifacts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a job: the exit code of the line that ended it, its log, and the files that it left."""

    code: int
    log: str
    artifacts: Mapping[str, str]


def jobs(text: str) -> tuple[Job, ...]:
    """All jobs of a file, in the order of their stages."""
    found = yaml.safe_load(text)
    assert found["default"].keys() <= _DEFAULTS, found["default"]
    named = {name: body for name, body in found.items() if name not in _OTHERS}
    whole = {name: _whole(body, named) for name, body in named.items() if not name.startswith(".")}
    made = [_job(name, body, found) for name, body in whole.items()]
    return tuple(sorted(made, key=lambda job: found["stages"].index(job.stage)))


def _whole(body: Mapping[str, Any], named: Mapping[str, Any]) -> dict[str, Any]:
    base = _whole(named[body["extends"]], named) if "extends" in body else {}
    assert body.keys() <= _KEYS, body.keys() - _KEYS
    return {**base, **body}


def _job(name: str, body: Mapping[str, Any], found: Mapping[str, Any]) -> Job:
    where = body.get("environment")
    return Job(
        name,
        body["stage"],
        (*found["default"]["before_script"], *body["script"]),
        tuple(body["rules"]),
        where["name"] if isinstance(where, dict) else where,
        isinstance(where, dict) and where["action"] == "access",
        body.get("resource_group"),
        body.get("artifacts", {}),
    )


def selected(text: str, variables: Mapping[str, str]) -> tuple[Job, ...]:
    """The jobs of the pipeline that these variables make."""
    return tuple(
        job
        for job in jobs(text)
        if any(holds(rule["if"], variables) for rule in job.rules if _is_only_if(rule))
    )


def _is_only_if(rule: Mapping[str, str]) -> bool:
    assert rule.keys() == {"if"}, rule
    return True


def holds(condition: str, variables: Mapping[str, str]) -> bool:
    """Whether a condition of `rules:if` holds; `&&` binds more than `||`."""
    return any(
        all(_compared(part, variables) for part in _split(either, "&&"))
        for either in _split(list(_tokens(condition)), "||")
    )


Token = tuple[str, str]


def _tokens(condition: str) -> Iterator[Token]:
    at = 0
    while at < len(condition.rstrip()):
        found = _TOKEN.match(condition, at)
        assert found is not None, f"not understood: {condition[at:]}"
        at = found.end()
        kinds = ("variable", "text", "pattern", "sign")
        yield next(
            (kind, value) for kind, value in zip(kinds, found.groups(), strict=True) if value is not None
        )


def _split(tokens: Sequence[Token], sign: str) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in tokens:
        if token == ("sign", sign):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _compared(tokens: Sequence[Token], variables: Mapping[str, str]) -> bool:
    left, (_, sign), right = tokens

    def value(token: Token) -> str | None:
        kind, text = token
        return variables.get(text[1:]) if kind == "variable" else text

    if sign == "=~":
        assert right[0] == "pattern"
        text = value(left)
        return text is not None and re.search(right[1], text) is not None
    return (value(left) == value(right)) == (sign == "==")


@dataclass(frozen=True, slots=True)
class Runner:
    """A machine that runs jobs, each in a detached checkout of its own. `secrets` go to protected refs alone."""

    remote: Path
    folder: Path
    install: str
    secrets: Mapping[str, str]

    def pipeline(self, sha: str, variables: Mapping[str, str]) -> dict[str, Done]:
        """Runs the jobs that a pipeline for a commit has; a stage that fails ends it."""
        given = {"CI": "true", "GITLAB_CI": "true", "CI_COMMIT_SHA": sha, **variables}
        text = self._checkout(sha, "pipeline").joinpath(".gitlab-ci.yml").read_text()
        done: dict[str, Done] = {}
        failed: str | None = None
        for job in selected(text, given):
            if failed is not None and job.stage != failed:
                break
            done[job.name] = self._run(job, sha, given)
            failed = job.stage if done[job.name].code else failed
        return done

    def _checkout(self, sha: str, name: str) -> Path:
        where = self.folder / f"{sha[:10]}-{re.sub('[^a-z]+', '-', name)}-{len(list(self.folder.iterdir()))}"
        where.mkdir(parents=True)
        git = Git(where)
        git("init", "--quiet", "--initial-branch=none")
        git("fetch", "--quiet", str(self.remote), "+refs/heads/*:refs/remotes/origin/*")
        git("checkout", "--quiet", "--detach", sha)
        return where

    def _run(self, job: Job, sha: str, variables: Mapping[str, str]) -> Done:
        where = self._checkout(sha, job.name)
        protected = self.secrets if variables.get("CI_COMMIT_REF_PROTECTED") == "true" else {}
        environ = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("KFGIT_", "KUBECONFIG"))
            },
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "KFGIT_CACHE": str(self.folder.parent / "cache"),
            **variables,
            **({"CI_ENVIRONMENT_NAME": job.environment, **protected} if job.environment else {}),
        }
        assert job.script[0] == f'pip install --quiet "kfgit=={self.install}"'
        # The runner gives bash all lines at once, and it ends with the first that fails.
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", "\n".join(job.script[1:])], cwd=where, env=environ,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        kept = [where / path for path in job.artifacts.get("paths", ())]
        return Done(
            done.returncode, done.stdout, {path.name: path.read_text() for path in kept if path.exists()}
        )
