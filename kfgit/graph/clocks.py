"""Schedules by a clock that the controller of a cluster target has not got, and whose times it cannot reckon itself."""

from __future__ import annotations

from kfgit import zones
from kfgit.cron import Cron, CronError, parse, zone_of
from kfgit.graph.tasks import TaskChecker
from kfgit.model import Environment, Schedule


def check_clock(checker: TaskChecker, schedule: Schedule, environment: Environment) -> None:
    """A cron in another time zone than KFP's must have the same times in KFP's."""
    if environment.cluster is None or schedule.cron is None:
        return
    place = schedule.timezone_span or schedule.cron_span or schedule.span
    there = environment.cluster.kfp.timezone
    read = _read(schedule, there)
    if read is None:  # which was told
        return
    try:
        zones.moved(read, schedule.timezone, there)
    except CronError as fault:
        message = f"KFP goes by {there}, in which this cron of {schedule.timezone} cannot be written: {fault}"
        help_ = (
            f"if the controller runs by {schedule.timezone}, say so in the environment's `target.kfp.timezone`; "
            f"else write the cron in {there}, or use `every`"
        )
        checker.fault("no-such-clock", message, place, help_)


def _read(schedule: Schedule, there: str) -> Cron | None:
    try:
        for zone in (schedule.timezone, there):
            zone_of(zone)
        return parse(schedule.cron or "")
    except CronError:
        return None
