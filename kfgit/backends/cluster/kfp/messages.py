"""What KFP's server keeps, as values, read strictly out of its messages.

The fields have KFP's names (backend/api/v2beta1/*.proto) and `raw` is the whole message. KFP leaves out what is empty,
0 or false, writes 64-bit numbers as texts, and 1970 for a time that has not come. A message that is none of KFP's
raises `Odd`, which `answers` tells.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Message = Mapping[str, Any]


class Odd(ValueError):
    """A message that KFP does not send; the text says what is odd about it."""


@dataclass(frozen=True, slots=True)
class KfpHealth:
    """What a server says of itself; `tag_name` is its release, or "unknown" where nobody told it."""

    tag_name: str
    multi_user: bool
    pipeline_store: str


@dataclass(frozen=True, slots=True)
class KfpExperiment:
    """An experiment; `display_name` is its unique name."""

    experiment_id: str
    display_name: str
    description: str
    archived: bool
    created_at: datetime | None
    namespace: str
    raw: Message = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class KfpPipeline:
    """A pipeline; `name` is unique. Servers before 2.14 have the display name alone."""

    pipeline_id: str
    name: str
    display_name: str
    description: str
    tags: Mapping[str, str]
    created_at: datetime | None
    namespace: str
    raw: Message = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class KfpVersion:
    """A version of a pipeline. `spec` is as KFP gives it: the IR, or `{pipeline_spec, platform_spec}`."""

    pipeline_version_id: str
    pipeline_id: str
    name: str
    display_name: str
    description: str
    tags: Mapping[str, str]
    created_at: datetime | None
    spec: Message
    raw: Message = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class KfpSchedule:
    """A recurring run. What it runs and when stands in `raw`, which `translate` reads."""

    recurring_run_id: str
    display_name: str
    description: str
    enabled: bool
    experiment_id: str
    pipeline_id: str | None
    pipeline_version_id: str | None
    created_at: datetime | None
    updated_at: datetime | None
    raw: Message = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class KfpRun:
    """A run. `state` is "" for one that no engine has looked at yet."""

    run_id: str
    display_name: str
    description: str
    state: str
    archived: bool
    experiment_id: str
    pipeline_id: str | None
    pipeline_version_id: str | None
    recurring_run_id: str | None
    parameters: Mapping[str, Any]
    created_at: datetime | None
    scheduled_at: datetime | None
    finished_at: datetime | None
    error: str | None
    raw: Message = field(compare=False, repr=False)


def health(message: Message) -> KfpHealth:
    """Reads the answer of healthz; `multi_user` is in every one of them since 2.0."""
    if not isinstance(message.get("multi_user"), bool):
        raise Odd("it has no `multi_user`")
    return KfpHealth(
        text(message, "tag_name") or "unknown",
        message["multi_user"],
        text(message, "pipeline_store") or "database",
    )


def experiment(message: Message) -> KfpExperiment:
    """Reads an experiment."""
    return KfpExperiment(
        _needed(message, "experiment_id"),
        _needed(message, "display_name"),
        text(message, "description"),
        text(message, "storage_state") == "ARCHIVED",
        time(message, "created_at"),
        text(message, "namespace"),
        message,
    )


def pipeline(message: Message) -> KfpPipeline:
    """Reads a pipeline."""
    name = text(message, "name") or _needed(message, "display_name")
    return KfpPipeline(
        _needed(message, "pipeline_id"),
        name,
        text(message, "display_name") or name,
        text(message, "description"),
        _tags(message),
        time(message, "created_at"),
        text(message, "namespace"),
        message,
    )


def version(message: Message) -> KfpVersion:
    """Reads a version of a pipeline."""
    name = text(message, "name") or _needed(message, "display_name")
    return KfpVersion(
        _needed(message, "pipeline_version_id"),
        _needed(message, "pipeline_id"),
        name,
        text(message, "display_name") or name,
        text(message, "description"),
        _tags(message),
        time(message, "created_at"),
        part(message, "pipeline_spec"),
        message,
    )


def schedule(message: Message) -> KfpSchedule:
    """Reads a recurring run. `mode` is what KFP was told last; `status` follows when the controller has seen it."""
    reference = part(message, "pipeline_version_reference")
    _check_settings(message)
    return KfpSchedule(
        _needed(message, "recurring_run_id"),
        _needed(message, "display_name"),
        text(message, "description"),
        text(message, "mode") == "ENABLE",
        text(message, "experiment_id"),
        text(reference, "pipeline_id") or None,
        text(reference, "pipeline_version_id") or None,
        time(message, "created_at"),
        time(message, "updated_at"),
        message,
    )


def _check_settings(message: Message) -> None:
    """Reads once what `translate` reads of a schedule later on, where nobody knows any more what answered."""
    trigger, config = part(message, "trigger"), part(message, "runtime_config")
    cron, periodic = part(trigger, "cron_schedule"), part(trigger, "periodic_schedule")
    for window in (cron, periodic):
        time(window, "start_time")
        time(window, "end_time")
    text(cron, "cron")
    whole(periodic, "interval_second")
    whole(message, "max_concurrency")
    text(message, "service_account")
    text(config, "pipeline_root")
    part(config, "parameters")


def run(message: Message) -> KfpRun:
    """Reads a run."""
    reference, state = part(message, "pipeline_version_reference"), text(message, "state")
    return KfpRun(
        _needed(message, "run_id"),
        _needed(message, "display_name"),
        text(message, "description"),
        "" if state == "RUNTIME_STATE_UNSPECIFIED" else state,
        text(message, "storage_state") == "ARCHIVED",
        text(message, "experiment_id"),
        text(reference, "pipeline_id") or None,
        text(reference, "pipeline_version_id") or None,
        text(message, "recurring_run_id") or None,
        part(part(message, "runtime_config"), "parameters"),
        time(message, "created_at"),
        time(message, "scheduled_at"),
        time(message, "finished_at"),
        text(part(message, "error"), "message") or None,
        message,
    )


def text(message: Message, key: str) -> str:
    """A text, "" where there is none."""
    found = message.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Odd(f"its `{key}` is no text")
    return found


def part(message: Message, key: str) -> Message:
    """A message in a message, an empty one where there is none."""
    found = message.get(key)
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise Odd(f"its `{key}` is no object")
    return found


def whole(message: Message, key: str) -> int:
    """A number of 32 or 64 bits, 0 where there is none."""
    found = message.get(key)
    if found is None:
        return 0
    if isinstance(found, str) and re.fullmatch(r"-?[0-9]{1,19}", found, re.ASCII):
        return int(found)
    if isinstance(found, int) and not isinstance(found, bool):
        return found
    raise Odd(f"its `{key}` is no whole number")


def time(message: Message, key: str) -> datetime | None:
    """A time in UTC, None for what has not come."""
    written = text(message, key)
    if not written:
        return None
    try:
        # Go writes up to nine digits of a second.
        found = datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", written))
    except ValueError:
        raise Odd(f"its `{key}` is no time") from None
    if found.tzinfo is None:
        raise Odd(f"its `{key}` has no time zone")
    try:
        return None if found.timestamp() == 0 else found.astimezone(UTC)
    except OverflowError:
        raise Odd(f"its `{key}` is beyond all calendars") from None


def _needed(message: Message, key: str) -> str:
    found = text(message, key)
    if not found:
        raise Odd(f"it has no `{key}`")
    return found


def _tags(message: Message) -> Mapping[str, str]:
    found = part(message, "tags")
    return {key: text(found, key) for key in found}
