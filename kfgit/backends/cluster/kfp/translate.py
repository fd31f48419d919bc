"""The documents' words and KFP's, both ways; pure.

Forward, a wanted schedule or run becomes the message that KFP is sent. Backward, what KFP keeps becomes a spec that can
be compared with a wanted one. Both are settled by one comparison in KFP's words (`unlike`): a field that is there as it
would be sent has the value of the document, and only what is otherwise is translated back, so that drift reads as what
somebody changed. KFP's numbers are doubles, its 64-bit numbers texts; what is empty or false is not there at all; the
service account that the server chose is nobody's change. Facts: backend/api/v2beta1/recurring_run.proto and run.proto,
backend/src/apiserver/server/api_converter.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from kfgit import ticks, zones
from kfgit.backends.cluster.kfp.messages import KfpSchedule, Message, part, text, time, whole
from kfgit.cron import CronError, parse, six_fields

Spec = Mapping[str, Any]
_MODES = {True: "ENABLE", False: "DISABLE"}


@dataclass(frozen=True, slots=True)
class Ids:
    """What a schedule or run stands on, by KFP's ids."""

    pipeline_id: str
    pipeline_version_id: str
    experiment_id: str


@dataclass(frozen=True, slots=True)
class Names:
    """KFP's ids in the documents' words. What is not in here is gone, or was never known."""

    pipelines: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    experiments: Mapping[str, str] = field(default_factory=dict)


def schedule_message(
    name: str, spec: Spec, ids: Ids, *, zone: str, description: str = "", start: datetime | None = None
) -> dict[str, Any]:
    """The recurring run that a spec asks for, switched off as all are made. `zone` is the controller's.

    `start` is where it goes on for another one; a later start that the document wants goes before it.
    """
    begins = max((at for at in (_instant(spec.get("start")), start) if at is not None), default=None)
    # In single-user mode KFP takes no namespace beside an experiment, in multi-user mode it is the experiment's.
    message = {
        "display_name": name,
        "description": description,
        **_started(spec, ids),
        "max_concurrency": str(spec.get("maxConcurrency") or 1),
        "trigger": _trigger(spec, zone, begins),
        "mode": _MODES[False],
        "no_catchup": not spec.get("catchup"),
    }
    return {key: value for key, value in message.items() if value not in ("", None)}


def run_message(name: str, spec: Spec, ids: Ids, run_id: str, description: str = "") -> dict[str, Any]:
    """The run that a spec asks for, under an id of our own."""
    message = {"run_id": run_id, "display_name": name, "description": description, **_started(spec, ids)}
    return {key: value for key, value in message.items() if value not in ("", None)}


def switched(message: Message, *, enabled: bool) -> dict[str, Any]:
    """The message of a schedule that is on, or off."""
    return {**message, "mode": _MODES[enabled]}


def unlike(sent: Message, found: Message, applied: Spec | None = None) -> tuple[str, ...]:
    """The document's keys of what KFP keeps otherwise than it would be sent; `inputs.NAME` for a value.

    What is left to the server is whatever it chose, unless it was not left to it when `applied` was sent.
    """
    keys = [key for key, told in _FIELDS.items() if told(sent) != told(found)]
    left = {key for key in _LEFT if not _FIELDS[key](sent) and not (applied or {}).get(key)}
    return (*(key for key in keys if key not in left), *_unlike_inputs(sent, found))


def schedule_spec(
    found: KfpSchedule, names: Names, zone: str, reference: Spec, sent: Message | None
) -> dict[str, Any]:
    """A recurring run as a document would say it.

    `reference` is the spec that its message was, or would be, `sent` for: its words are kept wherever they fit. Where
    nothing can be sent for it (the controller has no words for its cron), `sent` is None, and all is translated back.
    """
    raw = found.raw
    other = None if sent is None else {key.partition(".")[0] for key in unlike(sent, raw)}
    if other == set():
        return dict(reference)
    told = _told(found, names, zone, str(reference.get("timezone") or zone))
    other = set(told) if other is None else other
    spec = {key: told[key] if key in other else reference.get(key) for key in told}
    if "cron" in other or "every" in other:
        spec |= {key: told[key] for key in ("cron", "every", "timezone")}
    for key in _LEFT:
        if reference and reference.get(key) is None:
            spec[key] = None
    spec["inputs"] = _inputs_told(raw, reference)
    return spec


def start_of(message: Message) -> datetime | None:
    """Where the ticks of a recurring run are counted from, if it says so."""
    return time(_schedule_of(message), "start_time")


# --- forward


def _started(spec: Spec, ids: Ids) -> dict[str, Any]:
    """What schedules and runs have in common: what is run, where, with which values, as whom."""
    config: dict[str, Any] = {}
    if spec.get("inputs"):
        config["parameters"] = dict(spec["inputs"])
    if spec.get("pipelineRoot"):
        config["pipeline_root"] = spec["pipelineRoot"]
    return {
        "experiment_id": ids.experiment_id,
        "pipeline_version_reference": {
            "pipeline_id": ids.pipeline_id,
            "pipeline_version_id": ids.pipeline_version_id,
        },
        "runtime_config": config or None,
        "service_account": spec.get("serviceAccount"),
    }


def _trigger(spec: Spec, zone: str, start: datetime | None) -> dict[str, Any]:
    window = {"start_time": start, "end_time": _instant(spec.get("end"))}
    bounds = {key: _rfc3339(at) for key, at in window.items() if at is not None}
    if spec.get("cron"):
        return {"cron_schedule": {**bounds, "cron": _cron_at(spec, zone)}}
    return {"periodic_schedule": {**bounds, "interval_second": str(spec["every"])}}


def _cron_at(spec: Spec, zone: str) -> str:
    """The cron in the controller's time zone; what has no exact words there was told before anything is planned."""
    return _moved(str(spec["cron"]), str(spec.get("timezone") or "UTC"), zone)


@lru_cache(maxsize=4096)
def _moved(cron: str, zone: str, to: str) -> str:
    return six_fields(zones.moved(parse(cron), zone, to))


def _instant(written: Any) -> datetime | None:
    return datetime.fromisoformat(str(written)).astimezone(UTC).replace(microsecond=0) if written else None


def _rfc3339(at: datetime) -> str:
    return f"{at.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z"


# --- what is compared, in KFP's words


def _reference(message: Message, key: str) -> str:
    return text(part(message, "pipeline_version_reference"), key)


def _schedule_of(message: Message) -> Message:
    trigger = part(message, "trigger")
    return part(trigger, "cron_schedule") or part(trigger, "periodic_schedule")


def _cron_of(message: Message) -> str:
    return _read(text(part(part(message, "trigger"), "cron_schedule"), "cron"))


@lru_cache(maxsize=4096)
def _read(cron: str) -> str:
    """The cron with six fields, as KFP reads it: seconds first also where there are five."""
    try:
        return ticks.from_api(cron) if cron else ""
    except CronError:
        return cron


def _every_of(message: Message) -> int:
    return whole(part(part(message, "trigger"), "periodic_schedule"), "interval_second")


def _account(message: Message) -> str:
    return text(message, "service_account")


def _root(message: Message) -> str:
    return text(part(message, "runtime_config"), "pipeline_root")


def _enabled(message: Message) -> bool:
    return text(message, "mode") == _MODES[True]


# What KFP chooses where nobody says it.
_LEFT = ("serviceAccount", "pipelineRoot")
_FIELDS: Mapping[str, Callable[[Message], Any]] = {
    "pipeline": lambda message: _reference(message, "pipeline_id"),
    "version": lambda message: _reference(message, "pipeline_version_id"),
    "experiment": lambda message: text(message, "experiment_id"),
    "cron": _cron_of,
    "every": _every_of,
    "start": start_of,
    "end": lambda message: time(_schedule_of(message), "end_time"),
    "catchup": lambda message: not message.get("no_catchup"),
    "maxConcurrency": lambda message: whole(message, "max_concurrency"),
    "enabled": _enabled,
    "serviceAccount": _account,
    "pipelineRoot": _root,
}


def _parameters(message: Message) -> Message:
    return part(part(message, "runtime_config"), "parameters")


def _unlike_inputs(sent: Message, found: Message) -> Iterator[str]:
    ours, theirs = _parameters(sent), _parameters(found)
    for name in sorted({*ours, *theirs}):
        if name not in ours or name not in theirs or not same_value(ours[name], theirs[name]):
            yield f"inputs.{name}"


def same_value(one: Any, other: Any) -> bool:
    """Whether two values are one to KFP, whose values are protobuf's: all numbers are doubles."""
    match one, other:
        case (bool(), _) | (_, bool()):
            return one is other
        case (int() | float(), int() | float()):
            return _double(one) == _double(other)
        case (list(), list()):
            return len(one) == len(other) and all(map(same_value, one, other))
        case (dict(), dict()):
            return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
        case _:
            return type(one) is type(other) and bool(one == other)


def _double(number: float) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf")


# --- backward


def _told(found: KfpSchedule, names: Names, zone: str, wanted_zone: str) -> dict[str, Any]:
    raw = found.raw
    cron, timezone = _cron_told(_cron_of(raw), zone, wanted_zone)
    begin, end = (time(_schedule_of(raw), key) for key in ("start_time", "end_time"))
    return {
        "pipeline": _named(found.pipeline_id, names.pipelines, "a package of its own"),
        "version": _named(found.pipeline_version_id, names.versions, "latest"),
        "experiment": _named(found.experiment_id, names.experiments, None),
        "cron": cron,
        "every": _every_of(raw) or None,
        "timezone": timezone,
        "start": begin and begin.isoformat(),
        "end": end and end.isoformat(),
        "catchup": not raw.get("no_catchup"),
        "maxConcurrency": whole(raw, "max_concurrency"),
        "enabled": found.enabled,
        "inputs": dict(_parameters(raw)),
        "serviceAccount": _account(raw) or None,
        "pipelineRoot": _root(raw) or None,
    }


def _named(id_: str | None, names: Mapping[str, str], without: str | None) -> str | None:
    if not id_:
        return without
    return names.get(id_, f"{id_} (not found)")


def _cron_told(written: str, zone: str, wanted_zone: str) -> tuple[str | None, str]:
    """A cron of the controller's zone in the wanted one, or in the controller's own where it has no words there."""
    if not written:
        return None, wanted_zone
    try:
        return _moved(written, zone, wanted_zone), wanted_zone
    except CronError:
        return written, zone


def _inputs_told(raw: Message, reference: Spec) -> dict[str, Any]:
    """The values, in the words of the reference wherever they are the same to KFP."""
    kept = reference.get("inputs") or {}
    return {
        name: kept[name] if name in kept and same_value(kept[name], value) else value
        for name, value in _parameters(raw).items()
    }
