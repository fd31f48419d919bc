"""KFP's REST API v2beta1, typed: one method for each call that kfgit makes, and what goes wrong as `KfpFault`.

An answer counts only if it is KFP's: a login page, a proxy's error or a 404 that does not come from KFP itself is a
fault, and never "there is no such object". Names are compared exactly here, because the server's database does not.
Facts: backend/src/apiserver (server/list_request_util.go for pages and filters, server/pipeline_upload_server.go,
common/util/error.go).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote

from kfgit.backend import Refused
from kfgit.backends.cluster.connection.wire import Wire
from kfgit.backends.cluster.kfp import messages as objects
from kfgit.backends.cluster.kfp.answers import KfpFault, exactly, nothing, page, understood
from kfgit.backends.cluster.kfp.limits import kept, unfit
from kfgit.backends.cluster.kfp.messages import (
    KfpExperiment,
    KfpHealth,
    KfpPipeline,
    KfpRun,
    KfpSchedule,
    KfpVersion,
    Message,
)
from kfgit.backends.cluster.kfp.uploading import form

__all__ = (
    "KfpApi",
    "KfpExperiment",
    "KfpFault",
    "KfpHealth",
    "KfpPipeline",
    "KfpRun",
    "KfpSchedule",
    "KfpVersion",
    "RunQuery",
)

T = TypeVar("T")
Query = Mapping[str, str]

# KFP cuts a greater one down to this (server/list_request_util.go).
PAGE_SIZE = 200
# A million objects: more than any list has, and not endless.
_MAX_PAGES = 5000
_ROOT = "/apis/v2beta1"


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs, in which order; what is None does not matter."""

    experiment_id: str | None = None
    recurring_run_id: str | None = None
    display_name: str | None = None
    state: str | None = None
    sort_by: str = "created_at desc"


@dataclass(frozen=True, slots=True)
class KfpApi:
    """A KFP server. `namespace` is the user's on a multi-user server, else None."""

    wire: Wire
    namespace: str | None = None

    def health(self) -> KfpHealth:
        """What the server says of itself."""
        return self._read("tell its health", "/healthz", objects.health)

    # --- experiments

    def experiments(self) -> tuple[KfpExperiment, ...]:
        """All experiments, archived ones too."""
        return tuple(self._list("list experiments", _EXPERIMENTS))

    def experiment(self, id_: str) -> KfpExperiment | None:
        """One experiment; None where KFP says that there is none."""
        return self._get(f"show experiment {id_}", f"/experiments/{_quoted(id_)}", objects.experiment)

    def experiment_named(self, name: str) -> KfpExperiment | None:
        """The experiment of exactly that name."""
        found = self._list(f"look for experiment `{name}`", _EXPERIMENTS, filters={"name": name})
        return exactly(name, "experiment", found, lambda each: each.display_name)

    def create_experiment(self, name: str, description: str = "") -> KfpExperiment:
        """Makes an experiment."""
        body = {"display_name": name, "description": kept(description), "namespace": self.namespace}
        _check(f"experiment `{name}`", body, named="display_name")
        return self._write(
            f"create experiment `{name}`", "POST", "/experiments", objects.experiment, json=_filled(body)
        )

    def delete_experiment(self, id_: str) -> bool:
        """Removes an experiment, and none of its runs; False where it is gone already."""
        return self._delete(f"delete experiment {id_}", f"/experiments/{_quoted(id_)}")

    def unarchive_experiment(self, id_: str) -> None:
        """Brings an experiment back from the archive: it alone, not its runs or schedules."""
        path = f"/experiments/{_quoted(id_)}:unarchive"
        self._write(f"unarchive experiment {id_}", "POST", path, nothing)

    # --- pipelines

    def pipelines(self) -> tuple[KfpPipeline, ...]:
        """All pipelines of the namespace, without their versions."""
        return tuple(self._list("list pipelines", _PIPELINES))

    def pipeline(self, id_: str) -> KfpPipeline | None:
        """One pipeline; None where KFP says that there is none."""
        return self._get(f"show pipeline {id_}", f"/pipelines/{_quoted(id_)}", objects.pipeline)

    def pipeline_named(self, name: str) -> KfpPipeline | None:
        """The pipeline of exactly that name. A list, for not every name fits into a path."""
        found = self._list(f"look for pipeline `{name}`", _PIPELINES, filters={"name": name})
        return exactly(name, "pipeline", found, lambda each: each.name)

    def pipelines_tagged(self, key: str, value: str) -> tuple[KfpPipeline, ...]:
        """The pipelines with a tag (2.17); servers without tags answer 400."""
        filters = {f"tags.{key}": value}
        return tuple(self._list(f"list pipelines tagged `{key}`", _PIPELINES, filters=filters))

    def create_pipeline(
        self, name: str, display_name: str = "", description: str = "", tags: Mapping[str, str] | None = None
    ) -> KfpPipeline:
        """Makes a pipeline that has no version yet."""
        body = {
            "name": name,
            "display_name": kept(display_name),
            "description": kept(description),
            "namespace": self.namespace,
            "tags": tags,
        }
        # A pipeline's description may have any length.
        _check(f"pipeline `{name}`", {"name": name, "display_name": kept(display_name)}, named="name")
        return self._write(
            f"create pipeline `{name}`", "POST", "/pipelines", objects.pipeline, json=_filled(body)
        )

    def update_pipeline(
        self, id_: str, display_name: str = "", tags: Mapping[str, str] | None = None
    ) -> KfpPipeline:
        """Changes the name for people, and replaces all tags; what is empty stays as it is (KFP 2.17)."""
        body = _filled({"display_name": kept(display_name), "tags": tags})
        doing = f"change pipeline {id_}, as KFP can since 2.17"
        return self._write(doing, "PATCH", f"/pipelines/{_quoted(id_)}", objects.pipeline, json=body)

    def delete_pipeline(self, id_: str, cascade: bool = True) -> bool:  # noqa: FBT001, FBT002 - KFP's own flag
        """Removes a pipeline, with `cascade` also one that has versions (2.14); False where it is gone already."""
        query = {"cascade": "true"} if cascade else {}
        return self._delete(f"delete pipeline {id_}", f"/pipelines/{_quoted(id_)}", query)

    # --- versions

    def versions(self, pipeline_id: str, limit: int | None = None) -> tuple[KfpVersion, ...]:
        """The versions of a pipeline with their specs, newest first; all of them without a `limit`."""
        doing, newest_first = f"list the versions of pipeline {pipeline_id}", {"sort_by": "created_at desc"}
        return tuple(self._list(doing, _versions(pipeline_id), newest_first, limit=limit))

    def version_named(self, pipeline_id: str, name: str) -> KfpVersion | None:
        """The version of exactly that name."""
        found = self._list(f"look for version `{name}`", _versions(pipeline_id), filters={"name": name})
        return exactly(name, "version", found, lambda each: each.name)

    def version(self, pipeline_id: str, id_: str) -> KfpVersion | None:
        """One version with its spec; None where KFP says that there is none."""
        return self._get(
            f"show version {id_}", f"{_versions(pipeline_id).path}/{_quoted(id_)}", objects.version
        )

    def upload_version(
        self, pipeline_id: str, name: str, text: str, tags: Mapping[str, str] | None = None
    ) -> KfpVersion:
        """Makes a version of a package (`Package.to_yaml`); what no server would take is refused before it is sent."""
        doing = f"take in version `{name}` of pipeline {pipeline_id}"
        content_type, body = form(text)
        query = {"pipelineid": pipeline_id, "name": name}
        if tags:
            query["tags"] = json.dumps(dict(tags), sort_keys=True)
        answer = self.wire.write(
            "POST", f"{_ROOT}/pipelines/upload_version", query=query, body=body, content_type=content_type
        )
        return understood(doing, answer, objects.version)

    def tag_version(self, pipeline_id: str, id_: str, tags: Mapping[str, str]) -> KfpVersion:
        """Replaces all tags of a version (KFP 2.17)."""
        path = f"{_versions(pipeline_id).path}/{_quoted(id_)}"
        return self._write(f"tag version {id_}", "PATCH", path, objects.version, json={"tags": dict(tags)})

    def delete_version(self, pipeline_id: str, id_: str) -> bool:
        """Removes a version; False where it is gone already."""
        return self._delete(f"delete version {id_}", f"{_versions(pipeline_id).path}/{_quoted(id_)}")

    # --- recurring runs

    def schedules(self) -> tuple[KfpSchedule, ...]:
        """All recurring runs."""
        return tuple(self._list("list recurring runs", _SCHEDULES))

    def schedule(self, id_: str) -> KfpSchedule | None:
        """One recurring run; None where KFP says that there is none."""
        return self._get(f"show recurring run {id_}", f"/recurringruns/{_quoted(id_)}", objects.schedule)

    def schedules_named(self, name: str) -> tuple[KfpSchedule, ...]:
        """The recurring runs of exactly that name: it may be many of them."""
        doing = f"look for recurring runs `{name}`"
        found = self._list(doing, _SCHEDULES, filters={"display_name": name})
        return tuple(each for each in found if each.display_name == name)

    def create_schedule(self, message: Message) -> KfpSchedule:
        """Makes a recurring run of a message (`translate.schedule_message`). Never repeated: names are not unique."""
        doing = f"create recurring run `{message.get('display_name')}`"
        _check(f"schedule `{message.get('display_name')}`", message)
        return self._write(doing, "POST", "/recurringruns", objects.schedule, json=message)

    def enable(self, id_: str) -> None:
        """Switches a recurring run on, also one that is on."""
        self._write(f"enable recurring run {id_}", "POST", f"/recurringruns/{_quoted(id_)}:enable", nothing)

    def disable(self, id_: str) -> None:
        """Switches a recurring run off, also one that is off; its runs go on."""
        self._write(f"disable recurring run {id_}", "POST", f"/recurringruns/{_quoted(id_)}:disable", nothing)

    def delete_schedule(self, id_: str, orphan: bool = True) -> bool:  # noqa: FBT001, FBT002 - KFP's own choice
        """Removes a recurring run, with `orphan` (2.16) not the runs that go on; False where it is gone already."""
        return self.delete_schedule_by(id_, "ORPHAN" if orphan else None)

    def delete_schedule_by(self, id_: str, policy: str | None) -> bool:
        """Removes a recurring run by a policy of KFP's, None for the one that is usual there."""
        query = {"propagation_policy": policy} if policy else {}
        return self._delete(f"delete recurring run {id_}", f"/recurringruns/{_quoted(id_)}", query)

    # --- runs

    def runs(self, query: RunQuery = RunQuery(), limit: int | None = None) -> tuple[KfpRun, ...]:
        """Runs, newest first unless `sort_by` says otherwise; all of them without a `limit`."""
        return tuple(self.each_run(query, limit))

    def each_run(self, query: RunQuery = RunQuery(), limit: int | None = None) -> Iterator[KfpRun]:
        """The same, page by page as they are wanted."""
        wanted = {
            "recurring_run_id": query.recurring_run_id,
            "display_name": query.display_name,
            "state": query.state,
        }
        filters = {key: value for key, value in wanted.items() if value is not None}
        asked = {"sort_by": query.sort_by, **_filled({"experiment_id": query.experiment_id})}
        return self._list("list runs", _RUNS, asked, filters=filters, limit=limit)

    def run(self, id_: str) -> KfpRun | None:
        """One run with its tasks; None where KFP says that there is none."""
        return self._get(f"show run {id_}", f"/runs/{_quoted(id_)}", objects.run)

    def create_run(self, message: Message) -> KfpRun:
        """Starts a run. Look for its `run_id` before: a second POST with one id makes a second workflow (KFP 2.17)."""
        doing = f"start run `{message.get('display_name')}`"
        _check(f"run `{message.get('display_name')}`", message)
        made = self._write(doing, "POST", "/runs", objects.run, json=message)
        asked = message.get("run_id")
        if asked and made.run_id != asked:
            problem = f"it started it under another id, {made.run_id}, so that it could start it twice"
            raise KfpFault(doing, 200, 0, problem)
        return made

    def terminate(self, id_: str) -> None:
        """Asks a run to end."""
        self._write(f"terminate run {id_}", "POST", f"/runs/{_quoted(id_)}:terminate", nothing)

    def retry(self, id_: str) -> None:
        """Lets a run that failed go on."""
        self._write(f"retry run {id_}", "POST", f"/runs/{_quoted(id_)}:retry", nothing)

    def delete_run(self, id_: str) -> bool:
        """Removes a run; False where it is gone already."""
        return self._delete(f"delete run {id_}", f"/runs/{_quoted(id_)}")

    # --- how all of them go

    def _read(self, doing: str, path: str, read: Callable[[Message], T], query: Query | None = None) -> T:
        return understood(doing, self.wire.read("GET", _ROOT + path, query=query or None), read)

    def _get(self, doing: str, path: str, read: Callable[[Message], T]) -> T | None:
        try:
            return self._read(doing, path, read)
        except KfpFault as fault:
            if fault.missing:
                return None
            raise

    def _write(
        self, doing: str, method: str, path: str, read: Callable[[Message], T], json: Message | None = None
    ) -> T:
        return understood(doing, self.wire.write(method, _ROOT + path, json=json), read)

    def _delete(self, doing: str, path: str, query: Query | None = None) -> bool:
        try:
            understood(doing, self.wire.write("DELETE", _ROOT + path, query=query or None), nothing)
        except KfpFault as fault:
            if fault.missing:
                return False
            raise
        return True

    def _list(
        self,
        doing: str,
        kind: _Kind[T],
        asked: Query | None = None,
        *,
        filters: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> Iterator[T]:
        """All pages of a list, up to `limit`."""
        size = PAGE_SIZE if limit is None else max(1, min(PAGE_SIZE, limit))
        namespace = {"namespace": self.namespace} if self.namespace else {}
        query = {**namespace, **(asked or {}), "page_size": str(size)}
        if filters:
            query["filter"] = equals(filters)
        # The token keeps what is sorted and filtered by, but for tags.
        known = (
            {"sort_by"} if all(key.startswith("tags.") for key in filters or ()) else {"sort_by", "filter"}
        )
        kept = {key: value for key, value in query.items() if key not in known}
        seen: set[str] = set()
        left = limit
        while left is None or left > 0:
            found = self._read(doing, kind.path, page(kind.key, kind.read), query)
            yield from found.items[:left]
            left = None if left is None else left - len(found.items)
            if not found.token:
                return
            if found.token in seen:
                raise KfpFault(doing, 200, 0, "its pages lead back to one that was read before")
            if len(seen) == _MAX_PAGES:
                raise KfpFault(doing, 200, 0, f"there are more than {_MAX_PAGES} pages")
            seen.add(found.token)
            query = {**kept, "page_token": found.token}


class _Kind(NamedTuple, Generic[T]):
    """Where objects of a kind are listed, under which key, and how one is read."""

    path: str
    key: str
    read: Callable[[Message], T]


_EXPERIMENTS = _Kind("/experiments", "experiments", objects.experiment)
_PIPELINES = _Kind("/pipelines", "pipelines", objects.pipeline)
_SCHEDULES = _Kind("/recurringruns", "recurringRuns", objects.schedule)
_RUNS = _Kind("/runs", "runs", objects.run)


def equals(wanted: Mapping[str, str]) -> str:
    """A filter for objects whose fields have exactly these values, as far as the server's database tells texts apart.

    The server takes the escapes of a URL out of it once more, when they are out already (server/list_request_util.go).
    """
    predicates = [{"operation": "EQUALS", "key": key, "string_value": value} for key, value in wanted.items()]
    written = json.dumps({"predicates": predicates}, separators=(",", ":"))
    return written.replace("%", "%25").replace("+", "%2B")


def _versions(pipeline_id: str) -> _Kind[KfpVersion]:
    return _Kind(f"/pipelines/{_quoted(pipeline_id)}/versions", "pipeline_versions", objects.version)


def _check(what: str, message: Message, named: str | None = None) -> None:
    problem = unfit(message, named=named)
    if problem is not None:
        raise Refused(f"{what} is not sent: {problem}")


def _quoted(id_: str) -> str:
    return quote(id_, safe="")


def _filled(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value}
