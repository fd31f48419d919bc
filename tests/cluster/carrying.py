"""Plans carried out against a KFP server of ours (`kfgit up --no-engine`), over a wire that loses what it is told to.

Kubernetes is a dictionary here, as far as the inventory needs it; `matrix` plays all of it, through the door.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

from kfgit import apply, canonical
from kfgit.backends.cluster.changes import performing
from kfgit.backends.cluster.changes.applying import Context, names_of
from kfgit.backends.cluster.connection.pooling import pool
from kfgit.backends.cluster.connection.wire import Ambiguous, Answer, Forbidden, Wire
from kfgit.backends.cluster.kfp import capabilities
from kfgit.backends.cluster.kfp.api import KfpApi, KfpSchedule
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.kubernetes.faults import Stale
from kfgit.backends.cluster.live import observing
from kfgit.backends.cluster.records.codec import Place
from kfgit.backends.cluster.records.inventory import Intent
from kfgit.backends.cluster.records.ledger import Ledger
from kfgit.events import ChangeFinished
from kfgit.ir import Package, Resource
from kfgit.plan import Change, Live, Plan, Rules, action, plan, subject
from tests.e2e.door import Project
from tests.serving import serving

ALL = Rules(dict.fromkeys(("experiments", "pipelines", "schedules", "runs"), "delete"))


class Killed(BaseException):
    """The process is gone at this point."""


# What happens to a write, by name: a function of what would carry it out.
Treatment = Callable[["Fated", Callable[[], Answer]], Answer]


@dataclass(eq=False)
class Fated:
    """A wire on which the `n`th write, and each one to a path that ends with `on`, meets its fate."""

    wire: Wire
    n: int = -1
    fate: Treatment | None = None
    on: str = "nothing"
    writes: list[str] = field(default_factory=list)
    late: list[Callable[[], Answer]] = field(default_factory=list)
    wait: int = 0
    watch: Callable[[], None] | None = None
    place: str = "the server"

    def read(self, method: str, path: str, **given: Any) -> Answer:
        """As `Wire.read`."""
        self._arrive()
        return self.wire.read(method, path, **given)

    def write(self, method: str, path: str, **given: Any) -> Answer:
        """As `Wire.write`."""
        self._arrive()
        query = given.get("query")
        self.writes.append(f"{method} {path}" + (f" {dict(query)}" if query else ""))

        def send() -> Answer:
            answer = self.wire.write(method, path, **given)
            if self.watch is not None and path.endswith(":enable"):
                self.watch()
            return answer

        if self.fate is not None and (len(self.writes) == self.n or path.endswith(self.on)):
            return self.fate(self, send)
        return send()

    def _arrive(self) -> None:
        """What was late comes in after some more requests."""
        self.wait -= 1
        if self.wait <= 0:
            for each in self.late:
                each()
            self.late.clear()


def killed_before(_wire: Fated, _send: Callable[[], Answer]) -> Answer:
    raise Killed


def killed_after(_wire: Fated, send: Callable[[], Answer]) -> Answer:
    send()
    raise Killed


def cut_before(_wire: Fated, _send: Callable[[], Answer]) -> Answer:
    raise Ambiguous("the connection ended")


def cut_after(_wire: Fated, send: Callable[[], Answer]) -> Answer:
    send()
    raise Ambiguous("the connection ended")


def late(wire: Fated, send: Callable[[], Answer]) -> Answer:
    wire.late.append(send)
    wire.wait = 3
    raise Ambiguous("the connection ended")


def killed_late(wire: Fated, send: Callable[[], Answer]) -> Answer:
    wire.late.append(send)
    wire.wait = 10_000
    raise Killed


def doubled(_wire: Fated, send: Callable[[], Answer]) -> Answer:
    send()
    return send()


def broken(_wire: Fated, _send: Callable[[], Answer]) -> Answer:
    return fault(500, 13, "Internal Server Error")


def refused(_wire: Fated, _send: Callable[[], Answer]) -> Answer:
    return fault(400, 3, "the parameter is none")


def forbidden(_wire: Fated, _send: Callable[[], Answer]) -> Answer:
    raise Forbidden("the server: `ada` may not create jobs")


def taken(_wire: Fated, _send: Callable[[], Answer]) -> Answer:
    return fault(409, 6, "the name is taken")


def without_workflow(_wire: Fated, _send: Callable[[], Answer]) -> Answer:
    return fault(500, 13, 'scheduledworkflows.kubeflow.org "x" not found')


def other_than_sent(_wire: Fated, send: Callable[[], Answer]) -> Answer:
    """A server that keeps something else than it was given: here somebody switches it on at once."""
    answer = send()
    _wire.wire.write("POST", f"/apis/v2beta1/recurringruns/{answer.json()['recurring_run_id']}:enable")
    return answer


def fault(status: int, code: int, message: str) -> Answer:
    told = {"code": code, "message": message, "details": [{"code": code, "message": message}]}
    return Answer(status, {}, json.dumps(told).encode())


def broken_after(_wire: Fated, send: Callable[[], Answer]) -> Answer:
    send()
    return fault(500, 13, "Internal Server Error")


FATES: Mapping[str, Treatment] = {
    each.__name__: each
    for each in (
        killed_before, killed_after, cut_before, cut_after, late, killed_late, doubled, broken, broken_after,
    )
}  # fmt: skip


class ConfigMaps:
    """As much of the Kubernetes API as the inventory needs."""

    namespace = "tests"

    def __init__(self) -> None:
        self.there: dict[str, dict[str, Any]] = {}
        self.count = 0

    def get(self, _version: str, _kind: str, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.there.get(name))

    def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        if manifest["metadata"]["name"] in self.there:
            raise Stale(409, "AlreadyExists", "it is there")
        return self._put(manifest)

    def replace(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        stored = self.there[manifest["metadata"]["name"]]
        if stored["metadata"]["resourceVersion"] != manifest["metadata"]["resourceVersion"]:
            raise Stale(409, "Conflict", "it was changed")
        return self._put(manifest)

    def _put(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        self.count += 1
        kept = copy.deepcopy(dict(manifest))
        kept["metadata"] |= {"resourceVersion": str(self.count), "uid": "u"}
        self.there[kept["metadata"]["name"]] = kept
        return copy.deepcopy(kept)


@dataclass(eq=False)
class Target:
    """A set of objects on a server: `observe`, `plan` and `apply` as kfgit's own backend does them."""

    wire: Wire
    owner: str
    maps: ConfigMaps = field(default_factory=ConfigMaps)
    naps: list[float] = field(default_factory=list)

    @property
    def kfp(self) -> KfpApi:
        """The server, past all faults."""
        return KfpApi(self.wire)

    def plan(self, desired: Sequence[Resource], wire: Fated | None = None) -> tuple[Plan, Live, Ledger]:
        """What there is to do."""
        kfp = KfpApi(cast("Wire", wire or self.wire))
        ledger = Ledger(cast("KubeApi", self.maps), Place("demo", "prod"))
        scene = observing.Scene(kfp, capabilities.ask(kfp), ledger.read(), self.owner)
        live = observing.observe(scene, desired)
        return plan("prod", "there", desired, live, ALL), live, ledger

    def apply(self, desired: Sequence[Resource], wire: Fated | None = None) -> list[ChangeFinished]:
        """Plans and carries it out; what it did."""
        context, found, ledger = self.begin(desired, wire)
        place = _Backend(context)
        told = [each for each in apply.apply(found, cast("Any", place)) if isinstance(each, ChangeFinished)]
        ledger.end(told)
        return told

    def begin(
        self, desired: Sequence[Resource], wire: Fated | None = None, held: Callable[[], None] = lambda: None
    ) -> tuple[Context, Plan, Ledger]:
        """An apply that has written its intents, and nothing else."""
        found, live, ledger = self.plan(desired, wire)
        before = ledger.read()
        intents = [Intent(action(each), *subject(each)) for each in found.pending]
        number = ledger.begin(found, intents, "tests")
        gone = live.vanished - {subject(each) for each in found.changes}
        for entry in before.entries:
            if (entry.kind, entry.name) in gone:
                ledger.forget(entry.kind, entry.id)
        kfp = KfpApi(cast("Wire", wire or self.wire))
        context = Context(
            kfp,
            held,
            names=names_of(live, before),
            sleep=self.naps.append,
            kube=cast("KubeApi", self.maps),
            ledger=ledger,
            capabilities=capabilities.ask(kfp),
            inventory=before,
            owner=self.owner,
            number=number,
        )
        return context, found, ledger

    def schedules(self, name: str) -> list[KfpSchedule]:
        """The recurring runs of a name."""
        return list(self.kfp.schedules_named(name))


@dataclass(frozen=True, slots=True)
class _Backend:
    context: Context
    parallelism: int = 1

    def perform(self, change: Change) -> str:
        return performing.perform(change, self.context)


@contextmanager
def server(folder: Path) -> Iterator[Wire]:
    """The way to a server that stores and runs nothing."""
    with serving(Project.new(folder), "--no-engine") as begun:
        wire = Wire(begun.url, pool())
        yield wire
        wire.pool.clear()


def target(wire: Wire) -> Target:
    """A set of its own on a server."""
    return Target(wire, uuid4().hex[:16])


def resource(kind: str, name: str, spec: Mapping[str, Any], package: Package | None = None) -> Resource:
    """A desired object."""
    return Resource(kind, name, spec, canonical.digest([kind, name, spec]), package)


def package(word: str) -> Package:
    """A pipeline that says a word, as KFP's compiler writes it."""
    return Package(
        "greet",
        {
            "components": {
                "comp-say": {
                    "executorLabel": "exec-say",
                    "inputDefinitions": {"parameters": {"who": {"parameterType": "STRING"}}},
                }
            },
            "deploymentSpec": {
                "executors": {"exec-say": {"container": {"image": "busybox", "command": ["echo", word]}}}
            },
            "pipelineInfo": {"name": "greet"},
            "root": {
                "dag": {
                    "tasks": {
                        "say": {
                            "cachingOptions": {"enableCache": True},
                            "componentRef": {"name": "comp-say"},
                            "inputs": {"parameters": {"who": {"componentInputParameter": "who"}}},
                            "taskInfo": {"name": "say"},
                        }
                    }
                },
                "inputDefinitions": {"parameters": {"who": {"parameterType": "STRING", "isOptional": True}}},
            },
            "schemaVersion": "2.1.0",
            "sdkVersion": "kfp-2.17.0",
        },
    )


def schedule(name: str, pipeline: str, made_of: Package, experiment: str, **other: Any) -> Resource:
    """A desired schedule."""
    spec = {
        "pipeline": pipeline,
        "version": made_of.digest[:12],
        "experiment": experiment,
        "cron": "0 0 3 * * *",
        "every": None,
        "timezone": "UTC",
        "start": None,
        "end": None,
        "catchup": False,
        "maxConcurrency": 1,
        "enabled": True,
        "inputs": {"who": "world"},
        "serviceAccount": None,
        "pipelineRoot": None,
        **other,
    }
    return resource("Schedule", name, spec)


def run(name: str, pipeline: str, made_of: Package, experiment: str, key: str = "once") -> Resource:
    """A run that is started once under a key."""
    spec = {
        "pipeline": pipeline,
        "experiment": experiment,
        "inputs": {"who": "you"},
        "trigger": "onChange",
        "key": key,
        "serviceAccount": None,
        "pipelineRoot": None,
    }
    return Resource("Run", name, spec, canonical.digest([name, "onChange", key]), made_of)
