"""Pipelines, experiments and schedules of a target as documents, before anybody has checked them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kfgit import ir
from kfgit.importers.naming import Names, is_name
from kfgit.ir import DEFAULT_EXPERIMENT, Package
from kfgit.plan import LiveObject

Key = tuple[str, str]

KINDS = ("Experiment", "Pipeline", "Schedule")
# The service accounts that KFP gives runs where nobody asks for one (backend/src/apiserver/common/config.go).
_USUAL_ACCOUNTS = ("pipeline-runner", "default-editor")
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known where documents are made for: `documents` are kinds and names of those that are there.

    `called` are the names on the server of those that the environment wants, by kind, with the documents' own.
    `versions` are the digests of what the wanted pipelines are made of, by their names on the server.
    """

    prefix: str = ""
    documents: frozenset[Key] = frozenset()
    called: Mapping[Key, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """A document for a live object. `why` says why it cannot be one; then the file has it as comments."""

    live: LiveObject
    name: str
    spec: Mapping[str, Any]
    description: str = ""
    package: Package | None = None
    remarks: tuple[str, ...] = ()
    why: str | None = None

    @property
    def key(self) -> Key:
        """Kind and name of the document."""
        return self.live.kind, self.name

    @property
    def folder(self) -> str:
        """Where documents of the kind go."""
        return f"{self.live.kind.lower()}s"

    @property
    def path(self) -> str:
        """The document's file."""
        return f"{self.folder}/{self.name}.yaml"

    @property
    def package_path(self) -> str:
        """The file with what the pipeline is made of."""
        return f"{self.folder}/{self.name}.ir.yaml"


def refused(draft: Draft, why: str) -> Draft:
    """A document that turned out to be none."""
    return replace(draft, why=why)


def drafts(found: Iterable[LiveObject], standing: Standing) -> tuple[Draft, ...]:
    """A document for each of some objects; the same for the same objects, in whatever order they come."""
    ranked = sorted(found, key=_rank)
    names = {kind: Names(name for of, name in standing.documents if of == kind) for kind in KINDS}
    # Who can keep its name keeps it, whoever else would be called so.
    given: dict[Key, str] = {}
    for each in sorted(ranked, key=lambda each: not is_name(_own_name(each, standing.prefix))):
        given[each.kind, each.id] = names[each.kind].free(_own_name(each, standing.prefix), each.kind)
    named = [(each, given[each.kind, each.id]) for each in ranked]
    # Names of schedules are not unique, and the database of the server does not tell names by case.
    firsts: dict[Key, str] = {}
    for each, _ in named:
        firsts.setdefault((each.kind, each.name.casefold()), each.id)
    called = {**standing.called}
    for each, name in named:
        called.setdefault((each.kind, each.name), name)
    pipelines = {each.name: each for each, _ in named if each.kind == "Pipeline"}
    made = []
    for each, name in named:
        draft = _MAKERS[each.kind](each, name, _Scene(standing, called, pipelines))
        if standing.prefix + name != each.name:
            draft = replace(draft, spec={**draft.spec, "externalName": each.name})
        if firsts[each.kind, each.name.casefold()] != each.id and draft.why is None:
            draft = refused(
                draft, "another one of this name is there, and a document can only mean one of them"
            )
        made.append(draft)
    return tuple(made)


def _rank(live: LiveObject) -> tuple[int, str, bool, str]:
    return KINDS.index(live.kind), live.name, not live.spec.get("enabled", True), live.id


def _own_name(live: LiveObject, prefix: str) -> str:
    """The name without the environment's prefix, which is put before it again."""
    bare = live.name.removeprefix(prefix)
    return bare if is_name(bare) else live.name


@dataclass(frozen=True, slots=True)
class _Scene:
    standing: Standing
    called: Mapping[Key, str]
    pipelines: Mapping[str, LiveObject]


def _experiment(live: LiveObject, name: str, _: _Scene) -> Draft:
    return Draft(live, name, {}, str(live.spec.get("description") or ""))


def _pipeline(live: LiveObject, name: str, _: _Scene) -> Draft:
    shown = str(live.spec.get("displayName") or "")
    spec: dict[str, Any] = {} if shown in ("", live.name) else {"displayName": shown}
    description = str(live.spec.get("description") or "")
    content = live.detail.get("package")
    if not isinstance(content, Mapping):
        why = live.detail.get("odd") or "it has no version"
        return Draft(live, name, spec, description, why=f"it cannot be said what it is made of: {why}")
    draft = Draft(live, name, {**spec, "package": f"{name}.ir.yaml"}, description)
    # Name and purpose are the document's to say.
    whole = {
        **content,
        "pipelineInfo": {"name": str((content.get("pipelineInfo") or {}).get("name") or name)},
    }
    return replace(draft, package=ir.Package(name, whole, live.detail.get("platform")))


def _schedule(live: LiveObject, name: str, scene: _Scene) -> Draft:
    told = live.spec
    pipeline, experiment = str(told.get("pipeline")), str(told.get("experiment") or DEFAULT_EXPERIMENT)
    version, remark = _version(live, scene)
    spec: dict[str, Any] = {"pipeline": scene.called.get(("Pipeline", pipeline), pipeline)}
    if version is not None:
        spec["version"] = version
    if experiment != DEFAULT_EXPERIMENT:
        spec["experiment"] = scene.called.get(("Experiment", experiment), experiment)
    spec |= {**dict(_timing(told)), **dict(_settings(told))}
    why = None
    if ("Pipeline", pipeline) not in scene.called:
        why = f"what it runs is no pipeline of the server: {pipeline}"
    elif not told.get("cron") and not told.get("every"):
        why = "it has no trigger: it fired once, when it was made"
    elif experiment.endswith(_GONE):
        why = f"its experiment is gone: {experiment}"
    return Draft(live, name, spec, remarks=(remark,) if remark else (), why=why)


def _settings(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What is not as it is where nobody says it."""
    usual = {
        "catchup": (None, False),
        "maxConcurrency": (None, 1),
        "enabled": (None, True),
        "inputs": (None, {}),
        "serviceAccount": (None, "", *_USUAL_ACCOUNTS),
        "pipelineRoot": (None, ""),
    }
    yield from ((key, told[key]) for key, values in usual.items() if told.get(key) not in values)


# What the server's side says of an id that nobody knows.
_GONE = " (not found)"


def _version(live: LiveObject, scene: _Scene) -> tuple[str | None, str | None]:
    """The version to write, None for the one of the commit, and what there is to say of it."""
    version, pipeline = str(live.spec.get("version") or "latest"), str(live.spec.get("pipeline"))
    if version.endswith(_GONE):
        return None, "it runs a version that was deleted; this document takes the one of the commit"
    imported = scene.pipelines.get(pipeline)
    own = scene.standing.versions.get(pipeline, "")[:12]
    if version == (imported.detail.get("version") if imported is not None else own):
        return None, None
    if version == "latest":
        return (
            None,
            "it takes the newest version at each start; kfgit pins the one of the commit at each apply",
        )
    return version, None


def _timing(told: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    cron, every = told.get("cron"), told.get("every")
    if cron:
        # The first of six fields are the seconds.
        fields = str(cron).split()
        yield "cron", " ".join(fields[1:]) if len(fields) == 6 and fields[0] == "0" else str(cron)
        if told.get("timezone") not in (None, "UTC"):
            yield "timezone", told["timezone"]
    elif every:
        yield "every", _duration(int(every))
    for key in ("start", "end"):
        if told.get(key):
            yield key, str(told[key]).replace("+00:00", "Z")


def _duration(seconds: int) -> str:
    unit, size = next(pair for pair in _UNITS if seconds % pair[1] == 0)
    return f"{seconds // size}{unit}"


_MAKERS: Mapping[str, Callable[[LiveObject, str, _Scene], Draft]] = {
    "Experiment": _experiment,
    "Pipeline": _pipeline,
    "Schedule": _schedule,
}
