"""The triggers of recurring runs: KFP's two kinds, and kfgit's own form of them.

A cron of the API begins with seconds where it has five fields; it has no time zone. Times are whole seconds, as in
KFP's database. Facts: backend/src/apiserver/server, api_converter.go (toModelTrigger) and job_server.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from kfgit import ticks
from kfgit.cron import CronError
from kfgit.server import times
from kfgit.server.errors import invalid
from kfgit.server.messages import Shape

TRIGGER: Final = Shape(
    {
        "cron_schedule": Shape({"start_time": "timestamp", "end_time": "timestamp", "cron": "string"}),
        "periodic_schedule": Shape(
            {"start_time": "timestamp", "end_time": "timestamp", "interval_second": "int64"}
        ),
    },
    (frozenset({"cron_schedule", "periodic_schedule"}),),
)


def read(trigger: Mapping[str, Any], doing: str) -> dict[str, Any]:
    """The trigger in kfgit's form; raises `ApiError`."""
    given: Mapping[str, Any] = next(iter(trigger.values()), {})
    spec: dict[str, Any] = {
        "cron": None,
        "every": None,
        "timezone": "UTC",
        "start": _second(given.get("start_time")),
        "end": _second(given.get("end_time")),
    }
    if "cron_schedule" in trigger:
        text = given.get("cron", "")
        try:
            spec["cron"] = ticks.from_api(text)
        except CronError as fault:
            raise invalid(
                f"Schedule cron is not a supported format(https://godoc.org/github.com/robfig/cron). Error: {fault}",
                doing,
            ) from None
    if "periodic_schedule" in trigger:
        spec["every"] = given.get("interval_second", 0)
        if spec["every"] < 1:
            raise invalid(
                f"Found invalid period schedule interval {spec['every']}. Set at interval to least 1 second",
                doing,
            )
    return spec


def written(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """The trigger as it is given back: in whole seconds, 64-bit numbers as texts."""
    return {
        kind: {
            name: times.told(value) if isinstance(value, datetime) else str(value)
            for name, value in fields.items()
        }
        for kind, fields in trigger.items()
    }


def told(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The trigger of a schedule that `apply` made, as one would write it here."""
    window = {"start_time": _told_text(spec.get("start")), "end_time": _told_text(spec.get("end"))}
    given = {name: at for name, at in window.items() if at}
    if spec.get("cron"):
        return {"cron_schedule": {"cron": spec["cron"], **given}}
    return (
        {"periodic_schedule": {"interval_second": str(spec["every"]), **given}} if spec.get("every") else {}
    )


def _second(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).replace(microsecond=0).isoformat()


def _told_text(text: Any) -> str | None:
    return times.told(datetime.fromisoformat(str(text))) if text else None
