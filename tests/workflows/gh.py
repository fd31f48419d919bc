"""The commands of `gh` that the starter's README shows, on the GitHub of the tests; any other is an error."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from tests.workflows.events import Run
from tests.workflows.hub import Hub
from tests.workflows.uses import git

_OWN_BRANCHES = [
    "-F", "deployment_branch_policy[protected_branches]=false",
    "-F", "deployment_branch_policy[custom_branch_policies]=true",
]  # fmt: skip
_PLACE = "repos/{owner}/{repo}/"


def gh(hub: Hub, clone: Path, home: Path, line: str) -> list[Run]:
    """Types one, and says which workflows that starts."""
    words = shlex.split(line)
    given = Path(words.pop().replace("~", str(home), 1)).read_text() if words[-2] == "<" else ""
    match words[1:]:
        case ["repo", "create", _, "--private", "--source", ".", "--push"]:
            git(clone, "remote", "add", "origin", f"file://{hub.remote}")
            git(clone, "push", "-q", "-u", "origin", "main")
            return hub.pushed()
        case ["api", "--silent", "-X", "PUT", path, *fields] if path.startswith(_PLACE):
            _put(hub, path.removeprefix(_PLACE), fields)
        case ["api", "--silent", "-X", "POST", path, "-f", field]:
            found = re.fullmatch(
                rf"{re.escape(_PLACE)}environments/([\w-]+)/deployment-branch-policies", path
            )
            assert found is not None
            hub.branches[found[1]].append(field.removeprefix("name="))
        case ["secret", "set", name, "--env", environment, "<"]:
            hub.secrets[environment][name] = given.rstrip("\n")
        case ["variable", "set", name, "--body", value]:
            hub.variables[name] = value
        case ["pr", "create", "--fill"]:
            _, runs = hub.open_pull(_branch(clone), title=git(clone, "log", "-1", "--format=%s"))
            return runs
        case ["pr", "merge", "--merge"]:
            (number,) = (each.number for each in hub.rest.pulls if each.head == _branch(clone))
            return hub.merge(number)
        case ["workflow", "run", file, *fields]:
            inputs = dict(
                field.split("=", 1)
                for flag, field in zip(fields[::2], fields[1::2], strict=True)
                if flag == "-f"
            )
            return [hub.dispatch(file.removesuffix(".yaml"), inputs)]
        case _:
            raise AssertionError(f"this gh does not know: {line}")
    return []


def _put(hub: Hub, what: str, fields: Sequence[str]) -> None:
    """Makes an environment, or lets Actions open pull requests."""
    if what == "actions/permissions/workflow":
        assert list(fields) == [
            "-f",
            "default_workflow_permissions=read",
            "-F",
            "can_approve_pull_request_reviews=true",
        ]
        hub.rest.actions_may_open_pulls = True
        return
    kind, _, name = what.partition("/")
    assert kind == "environments"
    hub.secrets.setdefault(name, {})
    if fields:
        assert list(fields) == _OWN_BRANCHES
        hub.branches.setdefault(name, [])


def _branch(clone: Path) -> str:
    return git(clone, "branch", "--show-current")
