"""What runs pipelines or is named by them: schedules, runs and experiments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args

from kfgit.diagnostics import Diagnostic, Related
from kfgit.document import Mapping, Scalar, at, places
from kfgit.model import Experiment, Given, GivenInput, Run, Schedule, Trigger
from kfgit.overlay import Located
from kfgit.resolve.reader import Reader
from kfgit.resolve.times import ZONE_HELP, cron_problem, instant, is_zone
from kfgit.resolve.values import literal, literal_leaves
from kfgit.source import Span, changed

_NO_REFERENCE = (
    "an input of a schedule or run is a value, not a reference",
    "write the value; `{{ vars.… }}` may stand here, and `$$(` writes the text `$(`",
)


def _given(reader: Reader, document: Mapping, spec: Mapping, span: Span) -> Given:
    inputs, faulty = {}, set()
    for key, entry in reader.entries(spec.get("inputs")):
        if literal_leaves(reader, entry.node, "reference-not-allowed", *_NO_REFERENCE):
            inputs[key] = GivenInput(literal(entry.node), entry.key_span, entry.node.span, places(entry.node))
        else:
            faulty.add(key)
    holder = spec.entries.get("inputs") or document.entries.get("spec")
    place = holder.key_span if holder is not None else span
    return Given(inputs, frozenset(faulty), place, reader.unclear(spec, "inputs"))


def schedule(reader: Reader, name: str, document: Mapping, span: Span) -> Schedule | None:
    """A Schedule; None where its pipeline is not named."""
    spec = reader.mapping(document.get("spec")) or Mapping({}, span)
    pipeline = reader.name(spec.get("pipeline"))
    given = _given(reader, document, spec, span)
    if pipeline is None:
        reader.broken = True
        return None
    found = Schedule(
        name,
        pipeline,
        span,
        given,
        version=reader.string(spec.get("version")) or "latest",
        experiment=reader.string(spec.get("experiment")),
        cron=reader.string(spec.get("cron")),
        every=reader.duration(spec.get("every")),
        timezone=reader.string(spec.get("timezone")) or "UTC",
        start=reader.string(spec.get("start")),
        end=reader.string(spec.get("end")),
        catchup=reader.boolean(spec.get("catchup")) or False,
        max_concurrency=reader.integer(spec.get("maxConcurrency")) or 1,
        enabled=reader.boolean(spec.get("enabled")) is not False,
        service_account=reader.string(spec.get("serviceAccount")),
        pipeline_root=reader.string(spec.get("pipelineRoot")),
        external_name=reader.string(spec.get("externalName")),
        cron_span=spec.entries["cron"].node.span if "cron" in spec.entries else None,
        timezone_span=spec.entries["timezone"].node.span if "timezone" in spec.entries else None,
    )
    _check_times(reader, spec, found)
    return found


def _check_times(reader: Reader, spec: Mapping, found: Schedule) -> None:
    zone = spec.get("timezone")
    if zone is not None and not is_zone(found.timezone):
        reader.fault(
            "unknown-timezone",
            f"there is no time zone `{found.timezone}`",
            zone.span,
            ZONE_HELP,
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
        times[key] = instant(text)
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
        problem = cron_problem(found.cron)
        if problem is not None:
            reader.fault(
                "bad-cron",
                problem,
                found.cron_span,
                "five fields: minute hour day month weekday, such as `0 2 * * *`",
            )


def run(reader: Reader, name: str, document: Mapping, span: Span) -> Run | None:
    """A Run; None where its pipeline is not named."""
    spec = reader.mapping(document.get("spec")) or Mapping({}, span)
    pipeline = reader.name(spec.get("pipeline"))
    given = _given(reader, document, spec, span)
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
        name,
        pipeline,
        span,
        given,
        trigger=chosen,
        experiment=reader.string(spec.get("experiment")),
        wait=wait is not None,
        wait_timeout=reader.duration(wait.get("timeout")) if wait is not None else None,
    )


def experiment(reader: Reader, name: str, document: Mapping, span: Span) -> Experiment:
    """An Experiment."""
    spec = reader.mapping(document.get("spec")) or Mapping({}, span)
    metadata = reader.mapping(document.get("metadata")) or Mapping({}, span)
    description = reader.string(spec.get("description")) or reader.string(metadata.get("description")) or ""
    return Experiment(name, span, description, reader.string(spec.get("externalName")))


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
