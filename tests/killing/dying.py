"""What changes the store, each to die at every one of its points; see `tests.killing.points`.

`python -m tests.killing.dying NAME SEED FOLDER` plays one case in a process without threads, which may fork, and prints
how often it died. After each death the deed is repeated by whoever comes next, as a client, an apply or a server
would, and must then have had its effect once.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kfgit.__main__ import main
from kfgit.backend import Refused, RunRequest
from kfgit.backends.local import firing
from kfgit.backends.local.backend import LocalBackend, LocalSettings
from kfgit.ir import Package
from kfgit.server.app import routes
from kfgit.server.calls import Call, Context, Upload
from kfgit.server.errors import ApiError
from kfgit.server.routing import Table
from tests.killing.invariants import FINAL, Snapshot, left_over, lost_ticks, take, violations
from tests.killing.points import Deed, alone, until_survived

RUN = "0f0f0f0f-1111-4222-8333-444444444444"


@dataclass(frozen=True, slots=True)
class Case:
    """A deed after others. `points` is how often it dies at least, or it is not looked at where it matters."""

    deed: Deed
    before: tuple[Deed, ...]
    points: int
    came_to: Callable[[Snapshot], object]


def opened(place: Path) -> LocalBackend:
    state = place / ".kfgit" / "local"
    return LocalBackend.open(
        LocalSettings(
            state=state, secrets=place / "secrets", configmaps=place / "configmaps",
            environments=place / "environments", environment="local", project="demo", executor="process",
        )
    )  # fmt: skip


def fire(place: Path) -> None:
    """A server that was away for some seconds."""
    backend = opened(place)
    (since,) = {row["since"] for row in take(backend.settings.state)["schedules"] if row["name"] == "steady"}
    now = datetime.fromisoformat(since) + timedelta(seconds=6)
    while firing.fire(backend.database, "local", now).looked:
        pass


def post(place: Path) -> None:
    spec = json.loads((place / "package.json").read_text())
    package = Package("quick", spec, None, {})
    opened(place).start(RunRequest(id=RUN, name="posted", pipeline="quick", package=package))


def execute(place: Path) -> None:
    for _ in opened(place).watch(RUN):
        pass


def ids(place: Path) -> defaultdict[str, str]:
    snapshot = take(place / ".kfgit" / "local")
    rows = (row for table in ("pipelines", "schedules", "experiments") for row in snapshot[table])
    return defaultdict(lambda: RUN, {row["name"]: row["id"] for row in rows})


def asked(method: str, path: str, body: object = None, upload: str = "", **query: str) -> Deed:
    """A call of KFP's API as the server carries it out; its path may name objects; repeated it may be refused."""

    def deed(place: Path) -> None:
        context = Context(opened(place), lambda: datetime.now(UTC), lambda: None)
        found = Table(routes()).find(method, f"/apis/v2beta1/{path.format_map(ids(place))}")
        assert not isinstance(found, str), path
        spec = (place / "package.json").read_bytes()
        content = json.dumps(body).replace('"SPEC"', spec.decode()).encode()
        brought = Upload(upload, spec) if upload else None
        with suppress(ApiError):
            found.route.handler(context, Call(found.path, query, content, brought))

    return deed


def cancel(place: Path) -> None:
    opened(place).runs.cancel(RUN)


def retry(place: Path) -> None:
    with suppress(Refused):  # it was asked for before
        opened(place).runs.retry(RUN)


def delete(place: Path) -> None:
    backend = opened(place)
    if any(run.id == RUN for run in backend.runs.all()):
        backend.runs.delete(RUN)


def forget(place: Path) -> None:
    """Nothing is applied, and little is there to be."""
    shutil.rmtree(place / ".kfgit" / "local")
    for name in ("schedule-clock", "schedule-even", "schedule-slow", "pipeline-slow"):
        (place / "pipelines" / f"{name}.yaml").unlink()


def apply(place: Path) -> None:
    sys.argv = ["kfgit", "-q", "-C", str(place), "apply", "--yes"]
    with suppress(SystemExit):
        main()


def ticks(snapshot: Snapshot) -> object:
    return sorted((run["id"], run["schedule"], run["scheduled_at"]) for run in snapshot["runs"])


def objects(snapshot: Snapshot) -> object:
    assert snapshot["inventory"], "nothing was applied"
    owned = sorted((row["kind"], row["name"]) for row in snapshot["inventory"])
    tables = ("pipelines", "versions", "schedules", "experiments")
    there = [sorted(row["name"] for row in snapshot[table]) for table in tables]
    standing = sorted((row["name"], row["enabled"]) for row in snapshot["schedules"])
    archived = [(row["name"], row["storage_state"]) for row in (*snapshot["experiments"], *snapshot["runs"])]
    return [owned, there, standing, sorted(archived), states(snapshot)]


def states(snapshot: Snapshot) -> object:
    return [run["state"] for run in snapshot["runs"]]


def ended(snapshot: Snapshot) -> object:
    """It has succeeded, or it is told that its process died."""
    return all(run["state"] in FINAL for run in snapshot["runs"])


POSTED = {"run_id": RUN, "display_name": "posted", "pipeline_spec": "SPEC"}
CASES = {
    "apply": Case(apply, (forget,), 20, objects),
    "fire": Case(fire, (), 2, ticks),
    "post": Case(post, (), 2, states),
    "execute": Case(execute, (post,), 12, ended),
    "cancel": Case(cancel, (post,), 2, states),
    "retry": Case(retry, (post, cancel), 2, states),
    "retried": Case(execute, (post, cancel, retry), 12, ended),
    "delete": Case(delete, (post, execute), 4, states),
    "api-run": Case(asked("POST", "runs", POSTED), (), 2, states),
    "api-upload": Case(asked("POST", "pipelines/upload", upload="p.json", name="up"), (), 2, objects),
    "api-experiment": Case(asked("POST", "experiments", {"display_name": "mine"}), (), 2, objects),
    "api-terminate": Case(asked("POST", f"runs/{RUN}:terminate"), (post,), 2, states),
    "api-delete-run": Case(asked("DELETE", f"runs/{RUN}"), (post, execute), 4, states),
    "api-delete-pipeline": Case(asked("DELETE", "pipelines/{quick}", cascade="true"), (), 2, objects),
    "api-delete-schedule": Case(asked("DELETE", "recurringruns/{steady}"), (fire,), 2, objects),
    "api-disable": Case(asked("POST", "recurringruns/{steady}:disable"), (fire,), 2, objects),
    "api-archive": Case(asked("POST", "experiments/{Default}:archive"), (fire,), 2, objects),
    "api-delete-experiment": Case(asked("DELETE", "experiments/{Default}"), (fire,), 2, objects),
}


def play(name: str, seed: Path, folder: Path) -> int:
    """Raises `AssertionError` for what is not as it must be, and returns the number of deaths."""
    case, begun, place = CASES[name], folder / "begun", folder / "place"
    shutil.copytree(seed, place, symlinks=True)
    for deed in case.before:
        alone(place, deed)
    place.rename(begun)
    deaths, ends = 0, []
    for death in until_survived(begun, place, case.deed):
        state = place / ".kfgit" / "local"
        assert not (state / "state.db").exists() or violations(state) == [], death
        alone(place, case.deed)
        told = [*violations(state), *left_over(state)]
        assert told == [], (death, told)
        assert list(lost_ticks(state)) == [], death
        ends.append(case.came_to(take(state)))
        deaths += 1
    ends.append(case.came_to(take(place / ".kfgit" / "local")))
    assert all(end == ends[-1] for end in ends), ends
    assert deaths >= case.points, f"it died only {deaths} times"
    return deaths


if __name__ == "__main__":
    print(play(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
