"""JSON that is nearly what the API expects: values, names and texts changed by chance."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str | int, ...]

IDS = (
    "00000000-0000-4000-8000-000000000000", "0f0f0f0f-1111-5222-8333-444444444444", "0", "..", "../../etc/passwd",
    "x" * 300, "0F0F0F0F-1111-5222-8333-444444444444", "0f0f0f0f111152228333444444444444", " ", "a/b", "%2e%2e%2f",
    "a\0b", "é", "'", '"', "{0f0f0f0f-1111-5222-8333-444444444444}", "latest", "' OR 1=1 --", "\u202e",
)  # fmt: skip
TIMES = (
    "2026-01-01T00:00:00Z", "2026-02-30T00:00:00Z", "0000-00-00T00:00:00Z", "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999Z", "2016-12-31T23:59:60Z", "2026-01-01T00:00:00+25:00",
    "2026-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-01",
    "2026-01-01 00:00:00Z", "2026-01-01T00:00:00", "20260101T000000Z", "now", "", "-2026-01-01T00:00:00Z",
    "12026-01-01T00:00:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T24:00:00Z", "2026-W01-1T00:00:00Z",
    "1970-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789123Z", "２026-01-01T00:00:00Z", 0, 1e10, {"seconds": 1},
)  # fmt: skip
CRONS = (
    "* * * * * *", "*/0 * * * * *", "0 0 0 30 2 *", "1-99999999 * * * * *", "@every 1ns", "@every 0s", "@every -1h",
    "@every 1h", "@every 99999999999h", "@every 1.5s", "@reboot", "@daily", "TZ=UTC * * * * *",
    "CRON_TZ=Mars/X * * * * * *", "", " ", "* * * * *", "* * * * * * *", "L * * * * *", "0,,,,0 * * * * *",
    "60 * * * * *", "?" * 5000, "é * * * * *", "*/1e9 * * * * *", "٣ * * * * *", "0 0 0 1 1 0 2026", ", , , , , ,",
    "0/59 0-59/59 0 * jan-dec sun-sat", "\0 * * * * *", "1" * 5000 + " * * * * *",
)  # fmt: skip
NUMBERS = (
    0, -1, 1, 2, 11, 2**31, -(2**31) - 1, 2**53 + 1, 2**63, 2**64, 10**400, -(10**30), 1.5, -0.0, 1e308, 1e-320,
    float("nan"), float("inf"), float("-inf"), "0", "-1", "1", "5", "1e3", "9223372036854775807",
    "9223372036854775808", "0x10", "1_000", " 1", "1.0", "+1", "NaN", "٣", "１", "1" * 5000,
)  # fmt: skip
ENUMS = (
    "ENABLE", "DISABLE", "MODE_UNSPECIFIED", "enable", "PENDING", "RUNNING", "SUCCEEDED", "AVAILABLE", "ARCHIVED",
    "NOPE", 0, 1, 2, 99, -1, "1", True, ["ENABLE"],
)  # fmt: skip
TEXTS = (
    "", " ", "\t\n", "a", "x" * 127, "x" * 128, "x" * 129, "x" * 255, "x" * 256, "x" * 100_000, "é" * 64, "é" * 65,
    "😀" * 40, "\0", "a\0b", "\ud800", "a\udfffb", "\ufeff", "\u202eabc", "\x1b[31m", "\r\nX-Evil: 1", "{{ 1 }}",
    "$(inputs.x)", "{{$.inputs}}", "%s%n", "%", "%25", "+", "../x", "/", "a/b", ".", "..", "'; DROP TABLE runs; --",
    '"', "\\", "<script>", "null", "true", "EXP-A", "Default", "default", "I\u0307", "ß", "ﬁ", "\u0130", "e\u0301",
    "[[ScheduledTime]]", "[[Index]]",
)  # fmt: skip
STRUCTURES: tuple[Any, ...] = (
    None, True, False, [], {}, [[]], [None], {"": None}, {"a": {"b": [1]}}, [{}], {"@type": "x"}, {"values": []},
    {"null_value": 0}, {"a\0b": 1}, {"\ud800": 1},
)  # fmt: skip
ODD: tuple[tuple[Any, ...], ...] = (IDS, TIMES, CRONS, NUMBERS, ENUMS, TEXTS, TEXTS, STRUCTURES)
# Fields of KFP's messages (backend/api/v2beta1), beside those in the recorded requests.
NAMES = (
    "experiment_id", "experimentId", "display_name", "displayName", "name", "description", "namespace",
    "created_at", "storage_state", "last_run_created_at", "run_id", "runId", "pipeline_id", "pipelineId",
    "pipeline_version_id", "pipeline_version_reference", "pipelineVersionReference", "pipeline_spec",
    "pipelineSpec", "runtime_config", "runtimeConfig", "parameters", "pipeline_root", "service_account",
    "scheduled_at", "finished_at", "state", "error", "run_details", "recurring_run_id", "state_history",
    "plugins_input", "plugins_output", "trigger", "cron_schedule", "periodic_schedule", "cron", "interval_second",
    "start_time", "end_time", "mode", "status", "max_concurrency", "no_catchup", "updated_at", "package_url",
    "pipeline_url", "code_source_url", "tags", "pipeline", "pipeline_version", "", "x", "__proto__", "self", "id",
    "a\0b", "\ud800", "@type", "experiment id",
)  # fmt: skip


_BODIES = ("", " ", "null", "[]", "{}", '""', "0", "{", "}", "NaN", "\ufeff{}", "{}{}")


def odd(chance: random.Random) -> Any:
    """A value that somebody may have forgotten."""
    return chance.choice(chance.choice(ODD))


def changed(chance: random.Random, value: Any, others: tuple[Any, ...] = ()) -> Any:
    """The value with one place of it changed; parts of `others` may come in."""
    places = list(_places(value))
    place = chance.choice(places)
    return _with(value, place, lambda old: chance.choice(_CHANGES)(chance, old, others))


def text(chance: random.Random, value: Any) -> str:
    """The value as JSON, or nearly."""
    plain = json.dumps(value, ensure_ascii=chance.random() < 0.7)
    match chance.randrange(16):
        case 0:
            return chance.choice((*_BODIES, f"[{plain}]"))
        case 1:
            depth = chance.choice((90, 1_000, 100_000))
            return chance.choice(
                ('{"a":' * depth + "1" + "}" * depth, "[" * depth + "]" * depth, "[" * depth)
            )
        case 2:
            return plain[: chance.randint(0, len(plain))]
        case 3:  # a name twice
            return plain.replace("{", '{"display_name": "first", "display_name": 2, ', 1)
        case 4:
            return plain + chance.choice((",", "}", "]", "x", "\0", " // no", "\n\n{}"))
        case 5:
            return plain.replace('"', chance.choice(("'", '\\"', '""', "")), chance.choice((1, 2, -1)))
        case 6:
            return plain.replace(":", chance.choice((": \\", "=", ": NaN, ", ": 1e999, ", ": -")), 1)
        case 7:
            return plain.replace('"', '"\\ud83d', 1)
        case _:
            return plain


def _places(value: Any, place: Path = ()) -> Iterator[Path]:
    yield place
    match value:
        case dict():
            for name, inner in value.items():
                yield from _places(inner, (*place, name))
        case list():
            for number, inner in enumerate(value):
                yield from _places(inner, (*place, number))
        case _:
            pass


def _with(value: Any, place: Path, change: Callable[[Any], Any]) -> Any:
    if not place:
        return change(value)
    first, rest = place[0], place[1:]
    if isinstance(value, dict):
        return {name: _with(inner, rest, change) if name == first else inner for name, inner in value.items()}
    return [_with(inner, rest, change) if number == first else inner for number, inner in enumerate(value)]


def _replaced(chance: random.Random, _: Any, __: tuple[Any, ...]) -> Any:
    return odd(chance)


def _renamed(chance: random.Random, old: Any, _: tuple[Any, ...]) -> Any:
    if not isinstance(old, dict) or not old:
        return odd(chance)
    name = chance.choice(list(old))
    fresh = chance.choice(
        (chance.choice(NAMES), name.upper(), name + "s", name.replace("_", ""), _camel(name))
    )
    return {fresh if key == name else key: value for key, value in old.items()}


def _added(chance: random.Random, old: Any, _: tuple[Any, ...]) -> Any:
    match old:
        case dict():
            return {**old, chance.choice(NAMES): odd(chance)}
        case list():
            return [*old, odd(chance)] * chance.choice((1, 1, 2, 30))
        case str():
            at = chance.randint(0, len(old))
            return old[:at] + str(odd(chance)) + old[at:]
        case _:
            return [old]


def _removed(chance: random.Random, old: Any, _: tuple[Any, ...]) -> Any:
    match old:
        case dict() if old:
            gone = chance.choice(list(old))
            return {name: value for name, value in old.items() if name != gone}
        case list():
            return old[1:]
        case str():
            return old[: chance.randint(0, len(old))]
        case _:
            return None


def _wrapped(chance: random.Random, old: Any, _: tuple[Any, ...]) -> Any:
    return chance.choice(
        ({"value": old}, [old], str(old), json.dumps(old), {"string_value": old}, [old] * 25)
    )


def _swapped(chance: random.Random, old: Any, others: tuple[Any, ...]) -> Any:
    if not others:
        return _wrapped(chance, old, others)
    other = chance.choice(others)
    for step in chance.choice(list(_places(other))):
        other = other[step]
    return other


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(piece.title() for piece in rest)


_CHANGES = (_replaced, _replaced, _replaced, _renamed, _added, _removed, _wrapped, _swapped)
