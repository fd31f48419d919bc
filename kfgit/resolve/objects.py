"""Schedules, runs, experiments, profiles and the environment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping as MappingOf
from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from kfgit import cron
from kfgit.diagnostics import Diagnostic, Related, did_you_mean
from kfgit.document import Mapping, Node, Scalar, at, plain
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
from kfgit.source import Span

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
        if (
            isinstance(entry.node, Scalar)
            and isinstance(entry.node.value, str)
            and "$(" in entry.node.value.replace("$$(", "")
        ):
            message = "an input of a schedule or run is a value, not a reference"
            help_ = "write the value; `{{ vars.… }}` may stand here"
            reader.fault("reference-not-allowed", message, entry.node.span, help_)
            spans[key] = entry.node.span
        elif isinstance(entry.node, Scalar) and entry.node.is_failed:
            reader.broken = True
            spans[key] = entry.node.span
        else:
            values[key] = plain(entry.node)
            spans[key] = entry.key_span if isinstance(entry.node, Mapping) else entry.node.span
    return values, spans


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
        unclear=reader.is_unclear(spec, "inputs"),
        input_keys={key: entry.key_span for key, entry in reader.entries(spec.get("inputs"))},
        inputs_span=_inputs_span(document, spec),
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
            "use an IANA name such as `Europe/Paris`",
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
        reader.fault("bad-time", "the schedule ends before it starts", node.span)
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
        unclear=reader.is_unclear(spec, "inputs"),
        input_keys={key: entry.key_span for key, entry in reader.entries(spec.get("inputs"))},
        inputs_span=_inputs_span(document, spec),
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
        if found is None or not isinstance(holder, Mapping) or plain(found) in ("emulate", False):
            continue
        message = f"`{path[-1]}` is not enforced yet"
        reader.warn(
            "not-enforced", message, holder.entries[path[-1]].key_span, "do not rely on it in this version"
        )


def profiles(reader: Reader, documents: MappingOf[str, Mapping]) -> dict[str, Profile]:
    """All profiles with what they extend folded in; without those that extend nothing or each other, which is told."""
    found: dict[str, Profile] = {}
    told: set[str] = set()
    for start in documents:
        chain, missing = _ancestors(start, documents)
        if missing is None:
            base: Profile | None = None
            for name in reversed(chain):
                base = found[name] if name in found else _folded(reader, name, documents[name], base)
                found[name] = base
        elif missing.text in chain:
            circle = chain[chain.index(missing.text) :]
            if not told & set(circle):
                first = _parent(documents[circle[0]]) or missing
                message = f"profiles extend each other: {' → '.join([*circle, circle[0]])}"
                reader.fault("profile-cycle", message, first.span, "break the circle")
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


def _ancestors(start: str, documents: MappingOf[str, Mapping]) -> tuple[list[str], Name | None]:
    """A profile and what it extends, up to the last; and what the last extends in vain, if anything."""
    chain = [start]
    while True:
        parent = _parent(documents[chain[-1]])
        if parent is None or parent.text not in documents or parent.text in chain:
            return chain, parent
        chain.append(parent.text)


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
        return Profile(name, document.span, own, placement, impossible)
    merged = Resources(
        {**base.resources.requests, **own.requests},
        {**base.resources.limits, **own.limits},
        own.accelerator or base.resources.accelerator,
        {**base.resources.spans, **own.spans},
    )
    inherited = tuple(n for n in base.cluster_only if n.text != "priority" or placement.queue is None)
    return Profile(name, document.span, merged, placement, (*inherited, *impossible))


def _placement(reader: Reader, spec: Mapping, base: Placement) -> Placement:
    """What a profile says of nodes and queues, over what it extends: each key replaces."""
    node = reader.mapping(spec.get("node")) or Mapping({}, spec.span)
    selector = reader.texts(node.get("selector")) if "selector" in node.entries else None
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
