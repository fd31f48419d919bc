"""Schedules, runs, experiments, profiles and the environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping as MappingOf
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kfgit import cron
from kfgit.diagnostics import Diagnostic, Related, did_you_mean
from kfgit.document import Mapping, Node, Scalar, at, places, plain
from kfgit.model import (
    Environment,
    Experiment,
    Name,
    Placement,
    Profile,
    Resources,
    Run,
    Schedule,
    Trigger,
)
from kfgit.overlay import Located
from kfgit.resolve.pipelines import resources
from kfgit.resolve.reader import Reader
from kfgit.resolve.scheduling import check_affinity, check_fixed, check_tolerations
from kfgit.resolve.values import literal_leaves
from kfgit.source import Span, changed

PRUNE = {
    "schedules": "delete",
    "profiles": "delete",
    "experiments": "keep",
    "pipelines": "keep",
    "runs": "keep",
}


def _inputs(reader: Reader, node: Node | None) -> tuple[dict[str, Any], dict[str, Span]]:
    values: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    for key, entry in reader.entries(node):
        spans[key] = entry.node.span
        if literal_leaves(reader, entry.node, "reference-not-allowed", *_NO_REFERENCE):
            values[key] = plain(entry.node)
    return values, spans


def _input_items(reader: Reader, node: Node | None) -> dict[str, tuple[Span, ...]]:
    return {key: places(entry.node) for key, entry in reader.entries(node)}


_NO_REFERENCE = (
    "an input of a schedule or run is a value, not a reference",
    "write the value; `{{ vars.… }}` may stand here",
)


def _inputs_span(document: Mapping, spec: Mapping) -> Span | None:
    """The key that holds the inputs, or would."""
    holder = spec.entries.get("inputs") or document.entries.get("spec")
    return holder.key_span if holder is not None else None


def schedule(reader: Reader, name: str, document: Mapping, span: Span) -> Schedule | None:
    """A Schedule; None where its pipeline is not named."""
    spec = reader.mapping(document.get("spec")) or Mapping({}, span)
    pipeline = reader.name(spec.get("pipeline"))
    inputs, spans = _inputs(reader, spec.get("inputs"))
    if pipeline is None:
        reader.broken = True
        return None
    text = reader.string(spec.get("cron"))
    timezone = reader.string(spec.get("timezone")) or "UTC"
    found = Schedule(
        name, pipeline, span, inputs, spans,
        reader.string(spec.get("version")) or "latest",
        reader.string(spec.get("experiment")),
        text,
        reader.duration(spec.get("every")),
        timezone,
        reader.string(spec.get("start")),
        reader.string(spec.get("end")),
        reader.boolean(spec.get("catchup")) or False,
        reader.integer(spec.get("maxConcurrency")) or 1,
        reader.boolean(spec.get("enabled")) is not False,
        reader.string(spec.get("serviceAccount")),
        reader.string(spec.get("pipelineRoot")),
        reader.string(spec.get("externalName")),
        spec.entries["cron"].node.span if "cron" in spec.entries else None,
        unclear=reader.unclear(spec, "inputs"),
        input_keys={key: entry.key_span for key, entry in reader.entries(spec.get("inputs"))},
        inputs_span=_inputs_span(document, spec),
        input_items=_input_items(reader, spec.get("inputs")),
    )  # fmt: skip
    _check_times(reader, spec, found)
    return found


def _check_times(reader: Reader, spec: Mapping, found: Schedule) -> None:
    zone = spec.get("timezone")
    if zone is not None and not _is_zone(found.timezone):
        reader.fault(
            "unknown-timezone",
            f"there is no time zone `{found.timezone}`",
            zone.span,
            _ZONE_HELP,
        )
    every = spec.get("every")
    if every is not None and found.every == 0:
        reader.fault(
            "out-of-range",
            "`every` must be at least one second, not `0s`",
            every.span,
            "write a duration such as `2h`",
        )
    times = {}
    for key, text in (("start", found.start), ("end", found.end)):
        node = spec.get(key)
        if text is None or node is None:
            continue
        times[key] = _instant(text)
        if times[key] is None:
            reader.fault(
                "bad-time",
                f"`{text}` is no time",
                node.span,
                "write RFC 3339, such as `2026-01-31T02:00:00Z`",
            )
    start, end = times.get("start"), times.get("end")
    node = spec.get("end")
    if start is not None and end is not None and node is not None and end <= start:
        help_ = "exchange `start` and `end`, or leave one of them out"
        begin = spec.entries["start"].node.span
        place = changed(node.span, begin, spec.span)
        reader.fault("bad-time", "the schedule ends before it starts", place, help_)
    if found.cron is not None and found.cron_span is not None:
        problem = _cron_problem(found.cron)
        if problem is not None:
            reader.fault(
                "bad-cron",
                problem,
                found.cron_span,
                "five fields: minute hour day month weekday, such as `0 2 * * *`",
            )


# Any day will do to ask whether a cron ever fires: the next five years hold a leap year and every weekday.
_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=1024)
def _cron_problem(text: str) -> str | None:
    try:
        parsed = cron.parse(text)
    except cron.CronError as fault:
        return f"`{text}` is no cron: {fault}"
    return None if cron.next_times(parsed, _SOME_DAY, "UTC", 1) else f"`{text}` never fires"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _instant(text: str) -> datetime | None:
    """An RFC 3339 time; one without an offset is no instant."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def run(reader: Reader, name: str, document: Mapping, span: Span) -> Run | None:
    """A Run; None where its pipeline is not named."""
    spec = reader.mapping(document.get("spec")) or Mapping({}, span)
    pipeline = reader.name(spec.get("pipeline"))
    inputs, spans = _inputs(reader, spec.get("inputs"))
    if pipeline is None:
        reader.broken = True
        return None
    trigger = reader.string(spec.get("trigger"))
    wait = reader.mapping(spec.get("wait"))
    chosen: Trigger = "manual"
    for known in get_args(Trigger):
        if trigger == known:
            chosen = known
    return Run(
        name, pipeline, span, inputs, spans, chosen,
        reader.string(spec.get("experiment")),
        wait is not None,
        reader.duration(wait.get("timeout")) if wait is not None else None,
        unclear=reader.unclear(spec, "inputs"),
        input_keys={key: entry.key_span for key, entry in reader.entries(spec.get("inputs"))},
        inputs_span=_inputs_span(document, spec),
        input_items=_input_items(reader, spec.get("inputs")),
    )  # fmt: skip


def experiment(reader: Reader, name: str, document: Mapping, span: Span) -> Experiment:
    """An Experiment."""
    spec = reader.mapping(document.get("spec")) or Mapping({}, span)
    metadata = reader.mapping(document.get("metadata")) or Mapping({}, span)
    description = reader.string(spec.get("description")) or reader.string(metadata.get("description")) or ""
    return Experiment(name, span, description, reader.string(spec.get("externalName")))


def environment(
    reader: Reader, name: str, document: Mapping | None, span: Span, project: Mapping | None = None
) -> Environment:
    """An Environment; without a document it is the one named `local` that always exists.

    The project's policies hold where the environment says nothing of them.
    """
    common = at(project, ("spec", "policies")) if project is not None else None
    policies = plain(common) if isinstance(common, Mapping) else {}
    if document is None:
        return Environment(name, span, prune=PRUNE, policies=policies)
    spec = reader.mapping(document.get("spec")) or Mapping({}, span)
    target = reader.mapping(spec.get("target")) or Mapping({}, span)
    development = reader.string(spec.get("mode")) == "development"
    prefix = reader.string(spec.get("prefix"))
    prune = {**PRUNE, **reader.texts(spec.get("prune"))}
    _not_enforced(reader, spec)
    _check_environment(reader, spec)
    return Environment(
        name,
        span,
        "development" if development else "production",
        (prefix if prefix is not None else f"{name}-") if development else "",
        "cluster" if reader.string(target.get("type")) == "cluster" else "local",
        reader.string(target.get("executor")) or "auto",
        {key: Name(str(plain(e.node)), e.node.span) for key, e in reader.entries(spec.get("profiles"))},
        dict.fromkeys(prune, "keep") if development else prune,
        reader.strings(spec.get("protect")),
        {**policies, **(plain(own) if isinstance(own := spec.get("policies"), Mapping) else {})},
        reader.string(target.get("namespace")),
    )


# What an environment may ask for and nothing looks at yet: better said than found out.
_LATER = (("pin",), ("gpu",), *(("policies", key) for key in ("maxGpusPerRun", "budgetPerMonth", "freeze")))


def _not_enforced(reader: Reader, spec: Mapping) -> None:
    for path in _LATER:
        found = at(spec, path)
        holder = at(spec, path[:-1])
        if found is None or not isinstance(holder, Mapping) or not _asks(path[-1], found):
            continue
        message = f"`{path[-1]}` is not enforced yet"
        reader.warn(
            "not-enforced", message, holder.entries[path[-1]].key_span, "do not rely on it in this version"
        )


def _asks(key: str, node: Node) -> bool:
    """Whether a setting asks for something; a faulty one was told and asks for nothing."""
    match key:
        case "pin":
            return isinstance(node, Mapping)
        case "gpu":
            return bool(plain(node) == "require")
        case _:
            value = node.get("value") if isinstance(node, Mapping) else node
            return value is not None and plain(value) is not False


def _check_environment(reader: Reader, spec: Mapping) -> None:
    """What the schema cannot say of an Environment: names of kinds and time zones."""
    for item in reader.items(spec.get("protect")):
        text = plain(item)
        kind = text.partition("/")[0] if isinstance(text, str) else "*"
        if not any(fnmatchcase(known, kind) for known in _PROTECTED) and "/" in str(text):
            help_ = did_you_mean(kind, _PROTECTED, what="kinds")
            reader.fault("unknown-kind", f"there is nothing of kind `{kind}` to protect", item.span, help_)
    zone = at(spec, ("target", "kfp", "timezone"))
    if isinstance(zone, Scalar) and isinstance(zone.value, str) and zone.value and not _is_zone(zone.value):
        reader.fault("unknown-timezone", f"there is no time zone `{zone.value}`", zone.span, _ZONE_HELP)


_ZONE_HELP = "use an IANA name such as `Europe/Paris`"
_PROTECTED = ("pipeline", "schedule", "experiment", "run", "profile", "resourceprofile")


def profiles(reader: Reader, documents: MappingOf[str, Mapping]) -> dict[str, Profile]:
    """All profiles with what they extend folded in; without those that extend nothing or each other, which is told."""
    found: dict[str, Profile] = {}
    told: set[str] = set()
    for start in documents:
        if start in found or start in told:
            continue
        chain, missing = _ancestors(start, documents, found)
        if missing is None or missing.text in found:
            base = found[missing.text] if missing is not None else None
            for name in reversed(chain):
                base = found[name] if name in found else _folded(reader, name, documents[name], base)
                found[name] = base
        elif missing.text in chain:
            circle = chain[chain.index(missing.text) :]
            if not told & set(circle):
                first = _parent(documents[circle[0]]) or missing
                message = f"profiles extend each other: {' → '.join([*circle, circle[0]])}"
                if len(circle) == 1:
                    message = f"the profile `{circle[0]}` extends itself"
                related = (_extension(name, documents[name]) for name in (circle if len(circle) > 1 else ()))
                reader.fault("profile-cycle", message, first.span, "break the circle", *related)
            told |= set(circle)
        elif len(chain) == 1:
            help_ = did_you_mean(missing.text, documents, what="profiles")
            reader.fault(
                "unknown-profile", f"there is no ResourceProfile `{missing.text}`", missing.span, help_
            )
    return found


def _parent(document: Mapping) -> Name | None:
    node = at(document, ("spec", "extends"))
    return Name(node.value, node.span) if isinstance(node, Scalar) and isinstance(node.value, str) else None


def _extension(name: str, document: Mapping) -> Related:
    parent = _parent(document)
    assert parent is not None, name
    return Related(f"`{name}` extends `{parent.text}`", parent.span)


def _ancestors(
    start: str, documents: MappingOf[str, Mapping], found: MappingOf[str, Profile]
) -> tuple[list[str], Name | None]:
    """A profile and what it extends, up to one that is known; and what the last extends, known or in vain."""
    chain, last = {start: None}, start
    while True:
        parent = _parent(documents[last])
        if parent is None or parent.text not in documents or parent.text in chain or parent.text in found:
            return list(chain), parent
        chain[parent.text], last = None, parent.text


def _folded(reader: Reader, name: str, document: Mapping, base: Profile | None) -> Profile:
    spec = reader.mapping(document.get("spec")) or Mapping({}, document.span)
    own = resources(reader, spec) or Resources()
    placement = _placement(reader, spec, base.placement if base is not None else Placement())
    impossible = tuple(
        Name(key, span) for key, span in own.spans.items() if key.endswith(".ephemeralStorage")
    )
    if placement.queue is None and "priority" in spec.entries:
        impossible = (*impossible, Name("priority", spec.entries["priority"].key_span))
    if base is None:
        return Profile(name, document.span, own, placement, impossible, frozenset(own.spans))
    merged = Resources(
        {**base.resources.requests, **own.requests},
        {**base.resources.limits, **own.limits},
        own.accelerator or base.resources.accelerator,
        {**base.resources.spans, **own.spans},
    )
    inherited = tuple(n for n in base.cluster_only if n.text != "priority" or placement.queue is None)
    return Profile(name, document.span, merged, placement, (*inherited, *impossible), frozenset(own.spans))


def _placement(reader: Reader, spec: Mapping, base: Placement) -> Placement:
    """What a profile says of nodes and queues, over what it extends: each key replaces."""
    node = reader.mapping(spec.get("node")) or Mapping({}, spec.span)
    selector = reader.texts(node.get("selector")) if "selector" in node.entries else None
    check_affinity(reader, node.get("affinity"))
    check_tolerations(reader, node.get("tolerations"))
    check_fixed(reader, node.get("affinity"))
    check_fixed(reader, node.get("tolerations"))
    affinity = reader.plain(node.get("affinity"))
    tolerations = reader.plain(node.get("tolerations"))
    return Placement(
        reader.string(spec.get("sharedMemory")) or base.shared_memory,
        base.node_selector if selector is None else selector,
        base.affinity if not isinstance(affinity, list) else tuple(affinity),
        base.tolerations if not isinstance(tolerations, list) else tuple(tolerations),
        _word(reader, spec, "queue", "localQueue") or base.queue,
        _word(reader, spec, "priority", "class") or base.priority,
    )


def _word(reader: Reader, spec: Mapping, group: str, key: str) -> str | None:
    found = reader.mapping(spec.get(group))
    return reader.string(found.get(key)) if found is not None else None


def name_clashes(documents: Iterable[Located], prefix: str) -> Iterator[Diagnostic]:
    """Objects that would have one name on the server, whose database does not tell capital letters from small ones."""
    seen: dict[tuple[str, str], Located] = {}
    for document in documents:
        if document.kind not in {"Pipeline", "Experiment", "Schedule"}:
            continue
        given = at(document.node, ("spec", "externalName"))
        text = given.value if isinstance(given, Scalar) and isinstance(given.value, str) else None
        first = seen.setdefault((document.kind, (text or prefix + document.name).lower()), document)
        if first is document:
            continue
        other = at(first.node, ("spec", "externalName"))
        place, there = given or other, first if given is not None else document
        if place is not None:
            name = text or prefix + document.name
            message = f"the {document.kind} `{there.name}` is called `{name}` on the server too"
            related = (Related("it stands here", there.name_span),)
            yield Diagnostic(
                "duplicate-name", message, place.span, "choose another `externalName`", related=related
            )
