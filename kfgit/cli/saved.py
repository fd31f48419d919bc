"""A plan as a file: written by plan, read by apply, which carries out nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from kfgit import plan as plans
from kfgit.plan import Plan
from kfgit.render import as_json
from kfgit.render.envelope import API_VERSION

_MAX_BYTES = 256 * 1024 * 1024
_SHOWN = 10
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One change: what happens, from which state of the object, to which; both as digests."""

    action: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Saved:
    """What a plan file binds an apply to. `commit` is None where the folder was read, `refreshed` as the plan was."""

    file: Path
    environment: str
    target: str
    commit: str | None
    digest: str
    steps: Mapping[Key, Step]
    refreshed: bool


def write(path: Path, plan: Plan, *, pinned: bool, refreshed: bool = False) -> None:
    """Keeps a plan. Values that are secret are not in it (`plan.HIDDEN`)."""
    text = json.dumps(as_json.plan(plan, pinned=pinned, refreshed=refreshed), indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read(folder: Path, path: Path) -> Saved:
    """The plan in a file; ends the command where there is none that this version can read."""
    again = f"make one with `kfgit plan --out {path}`"
    try:
        with (folder / path).open("rb") as stream:
            found = json.loads(stream.read(_MAX_BYTES))
        version, kind = found["apiVersion"], found["kind"]
    except (FileNotFoundError, IsADirectoryError) as fault:
        raise click.UsageError(f"there is no file {path}") from fault
    except (ValueError, KeyError, TypeError, RecursionError) as fault:
        raise click.UsageError(f"{path} is no plan; {again}") from fault
    if kind != "Plan":
        raise click.UsageError(f"{path} is no plan; {again}")
    if version != API_VERSION:
        raise click.UsageError(
            f"the plan in {path} is of the format `{version}`, this is {API_VERSION}; {again}"
        )
    try:
        commit = _SHA.match(found["commit"])[0] if found["pinned"] else None  # type: ignore[index]
        return Saved(
            path,
            str(found["environment"]),
            str(found["target"]),
            commit,
            str(found["digest"]),
            _steps(found),
            found.get("refreshed") is True,
        )
    except (ValueError, KeyError, TypeError) as fault:
        raise click.UsageError(f"{path} is no plan of this version of kfgit; {again}") from fault


def _steps(found: Mapping[str, Any]) -> Mapping[Key, Step]:
    return {
        (str(each["kind"]), str(each["name"])): Step(
            each["action"], each["digests"]["before"], each["digests"]["after"]
        )
        for each in found["changes"]
        if each["action"] != "unchanged"
    }


def stale(saved: Saved, plan: Plan) -> str | None:
    """Why a plan is not what would be done now; None where it is."""
    if saved.target != plan.target:
        return (
            f"the plan in {saved.file} is for {saved.target}, and `{plan.environment}` is {plan.target} now"
        )
    if saved.digest == plan.digest:
        return None
    told = list(_apart(saved.steps, {plans.subject(each): _step(each) for each in plan.pending}))
    more = [f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
    head = f"the plan in {saved.file} is stale: the source or the target has changed since"
    return "\n".join([head, *(f"  {line}" for line in (*told[:_SHOWN], *more))])


def _step(change: plans.Change) -> Step:
    return Step(plans.action(change), *plans.fingerprint(change))


def _apart(then: Mapping[Key, Step], now: Mapping[Key, Step]) -> Iterator[str]:
    for key in dict.fromkeys((*then, *now)):
        name = f"{key[0].lower()}/{key[1]}"
        one, other = then.get(key), now.get(key)
        if one == other:
            continue
        if one is None or other is None:
            yield f"{name}: to {other.action} now" if other is not None else f"{name}: nothing to do any more"
        elif one.action != other.action:
            yield f"{name}: to {other.action} now, and not to {one.action}"
        elif one.before != other.before:
            yield f"{name}: the live object is another one by now"
        else:
            yield f"{name}: the source wants something else by now"
