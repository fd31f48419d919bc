"""Schedules. When pipelines run."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Schedules"

ENTRIES = {
    "bad-cron": Explanation(
        "a cron that cannot be read or never fires",
        "Five fields: minute, hour, day of month, month, day of week; or six with seconds first. "
        "The 31st of February never comes.",
        wrong='cron: "0 0 31 2 *"',
        right='cron: "0 2 * * *"',
    ),
    "bad-time": Explanation(
        "a time that cannot be",
        "Times are RFC 3339 with an offset, and a schedule or a freeze ends after it starts.",
        wrong="start: yesterday",
        right='start: "2026-01-31T08:00:00Z"',
    ),
    "no-such-clock": Explanation(
        "a cron that KFP's clock cannot keep",
        "KFP's controller reads every cron by one clock, which the environment names in `target.kfp.timezone` (UTC "
        "where it does not). A schedule in another time zone is converted where that is exact: where the two clocks "
        "are always equally far apart, and days do not move over the end of a month. Berlin and UTC are one hour "
        "apart in winter and two in summer. What comes at the same minute of each hour, or by `every`, knows no clock.",
        wrong='cron: "0 2 * * *"\ntimezone: Europe/Berlin  # and KFP by UTC',
        right='cron: "0 2 * * *"\ntimezone: UTC',
    ),
    "unknown-timezone": Explanation(
        "a time zone that does not exist",
        "`timezone` is a name of the IANA database.",
        wrong="timezone: Zurich",
        right="timezone: Europe/Zurich",
    ),
}
