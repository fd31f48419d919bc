"""How long the newest runs of pipelines took, with few requests.

KFP cannot list the runs of a pipeline (issues 8242 and 9673 there), but tells the tasks of all that it lists: so the
newest runs that succeeded are listed until there are enough. What a run consists of its version knows; of each pipeline
only a few versions are asked for, the newest, and runs of older ones are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from kfgit.backends.cluster.history import run_calls
from kfgit.backends.cluster.history.places import is_same
from kfgit.backends.cluster.history.run_records import package_of, record, tasks_of
from kfgit.backends.cluster.history.task_rows import rows
from kfgit.backends.cluster.kfp.api import KfpApi, KfpRun, KfpVersion, RunQuery
from kfgit.backends.cluster.kfp.translate import Names
from kfgit.backends.cluster.records import marks
from kfgit.durations import RunTimes, elapsed
from kfgit.ir import Package

# So many of the newest runs of the whole namespace are looked through: two requests.
_LOOKED_THROUGH = 400
_VERSIONS = 3
_AT_ONCE = 8

Packages = Callable[[str], Package | None]


def durations(
    api: KfpApi, pipelines: Sequence[str], count: int, packages: Packages
) -> Mapping[str, tuple[RunTimes, ...]]:
    """The newest runs that succeeded, at most `count` of each pipeline, newest first."""
    ids = {one.pipeline_id: one.name for one in api.pipelines() if one.name in pipelines}
    chosen = _chosen(api, ids.keys(), count) if ids else {}
    with run_calls.strictly(api, "a run"), ThreadPoolExecutor(_AT_ONCE) as pool:
        wanted = [one for runs in chosen.values() for one in runs]
        versions = {
            version.pipeline_version_id: version
            for version in pool.map(lambda pair: api.version(*pair), _versions(wanted))
            if version is not None
        }
        full = {
            run.run_id: run
            for run in pool.map(api.run, [one.run_id for one in wanted if not rows(one.raw)])
            if run
        }
        found = {
            ids[id_]: tuple(_times(full.get(one.run_id, one), versions, packages(ids[id_])) for one in runs)
            for id_, runs in chosen.items()
        }
    told = {name: tuple(each for each in times if each is not None) for name, times in found.items()}
    return {name: times for name, times in told.items() if times}


def _chosen(api: KfpApi, ids: Collection[str], count: int) -> Mapping[str, Sequence[KfpRun]]:
    """The newest runs of each pipeline; the next page is asked for only while some pipeline has too few."""
    found: dict[str, list[KfpRun]] = {id_: [] for id_ in ids}
    for run in api.each_run(RunQuery(state="SUCCEEDED"), _LOOKED_THROUGH):
        if run.pipeline_id in found and len(found[run.pipeline_id]) < count:
            found[run.pipeline_id].append(run)
            if all(len(each) == count for each in found.values()):
                break
    return {id_: _of_few_versions(each) for id_, each in found.items()}


def _of_few_versions(found: Sequence[KfpRun]) -> Sequence[KfpRun]:
    known = list(dict.fromkeys(one.pipeline_version_id for one in found if one.pipeline_version_id))[
        :_VERSIONS
    ]
    return [one for one in found if one.pipeline_version_id is None or one.pipeline_version_id in known]


def _versions(found: Sequence[KfpRun]) -> Iterator[tuple[str, str]]:
    """The pipelines and versions of runs, each once; a run may bring its own spec along."""
    pairs = (
        (one.pipeline_id, one.pipeline_version_id)
        for one in found
        if one.pipeline_id and one.pipeline_version_id
    )
    yield from dict.fromkeys(pairs)


def _times(run: KfpRun, versions: Mapping[str, KfpVersion], ours: Package | None) -> RunTimes | None:
    """How long a run and its tasks took, in the author's words; None where nobody knows what it ran."""
    version = versions.get(run.pipeline_version_id or "")
    package = package_of(run, version)
    if package is None:
        return None
    named = ours is not None and version is not None and marks.version_name(ours.digest) == version.name
    if ours is not None and (named or is_same(ours, package)):
        package = replace(package, labels=ours.labels)
    tasks = tasks_of(run, package, "SUCCEEDED")
    whole = record(run, "", Names(), tasks)
    return RunTimes(
        elapsed(whole.started_at or whole.created_at, whole.finished_at),
        {
            one.record.path: 0.0
            if one.record.cached
            else elapsed(one.record.started_at, one.record.finished_at)
            for one in tasks
        },
    )
