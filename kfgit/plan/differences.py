"""Which fields differ, without what must not be shown: a plan goes into pull requests and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kfgit.plan.values import Difference
from kfgit.resolve.secrets import is_secret


def difference(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """The fields that differ, by path; lists are compared item by item where they are equally long."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from difference(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif _differing_variables(before, after):
        one, other = ({each["name"]: each["value"] for each in side} for side in (before, after))
        yield from difference(one, other, path)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from difference(one, other, f"{path}[{index}]")
    elif before != after:
        name = path.rpartition(".")[2]
        yield Difference(path, shown(name, before), shown(name, after))


HIDDEN = "(hidden)"


def _differing_variables(before: Any, after: Any) -> bool:
    """Whether these are variables of a container, and others than only in their order: names say more than numbers."""
    both = [{str(each["name"]): each for each in side} for side in (before, after) if _are_variables(side)]
    return len(both) == 2 and both[0] != both[1]


def _are_variables(value: Any) -> bool:
    """Variables with one value for each name (pipeline_spec.proto, PipelineContainerSpec.EnvVar)."""
    if not isinstance(value, list) or not all(
        isinstance(e, Mapping) and set(e) == {"name", "value"} for e in value
    ):
        return False
    return len({str(each["name"]) for each in value}) == len(value)


def shown(name: str, value: Any) -> Any:
    """A value as plans and diffs may show and keep it: what is a secret by its name or its form stays untold."""
    match value:
        case str():
            return HIDDEN if is_secret(name, value) else value
        case Mapping():
            # A variable's name stands beside its value.
            inner = str(value["name"]) if set(value) == {"name", "value"} else None
            return {
                key: shown(inner if inner and key == "value" else str(key), item)
                for key, item in value.items()
            }
        case list():
            return [shown(name, item) for item in value]
        case _:
            return value
