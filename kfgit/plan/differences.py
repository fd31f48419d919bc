"""Which fields differ, without what must not be shown: a plan goes into pull requests and files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kfgit.plan.values import Difference
from kfgit.resolve.secrets import is_secret, names_a_secret

# Below a longer path all is told as one: with long keys and many levels the paths would outgrow what they lead to.
LONGEST_PATH = 1000


def difference(before: Any, after: Any, path: str = "", name: str = "") -> Iterator[Difference]:
    """The fields that differ, by path; lists are compared by the names of their items, else where equally long.

    `name` says what a value is of, and so whether it is a secret.
    """
    if before == after:
        return  # most of what is compared; nothing of it is walked through
    if isinstance(before, Mapping) and isinstance(after, Mapping) and len(path) <= LONGEST_PATH:
        for key in sorted({*before, *after}):
            below, inner = f"{path}.{key}" if path else str(key), named(str(key), name, before, after)
            yield from difference(before.get(key), after.get(key), below, inner)
    elif _differing_variables(before, after):
        one, other = ({each["name"]: each["value"] for each in side} for side in (before, after))
        yield from difference(one, other, path, name)
    elif _are_named(before) and _are_named(after) and _by_name(before) != _by_name(after):
        one, other = _by_name(before), _by_name(after)
        for key in dict.fromkeys((*one, *other)):
            yield from difference(one.get(key), other.get(key), f"{path}[{key}]", name)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from difference(one, other, f"{path}[{index}]", name)
    else:
        yield Difference(path, shown(name, before), shown(name, after))


HIDDEN = "(hidden)"
# What stands under these is a value of what stands above them, or of the name beside them.
_OF_OTHERS = frozenset({"value", "default", "const", "enum", "defaultValue", "runtimeValue", "constant"})


def named(key: str, above: str, *sides: Mapping[str, Any]) -> str:
    """The name that says whether what stands under a key is a secret: the key, or what it is the value of.

    `above` is the name of the whole; `sides` are the mappings that have the key. One name of a secret is enough.
    """
    if key not in _OF_OTHERS:
        return key
    beside = [str(side["name"]) for side in sides if "name" in side] if key == "value" else []
    return next(filter(names_a_secret, (*beside, above)), key)


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


def _are_named(value: Any) -> bool:
    """Whether each item of a list has a name of its own, as flavors and resources of a queue have."""
    if not isinstance(value, list) or not all(
        isinstance(e, Mapping) and isinstance(e.get("name"), str) for e in value
    ):
        return False
    return len({each["name"] for each in value}) == len(value)


def _by_name(value: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {each["name"]: each for each in value}


def shown(name: str, value: Any) -> Any:
    """A value as plans and diffs may show and keep it: what is a secret by its name or its form stays untold."""
    match value:
        case str():
            return HIDDEN if is_secret(name, value) else value
        case Mapping():
            return {key: shown(named(str(key), name, value), item) for key, item in value.items()}
        case list():
            return [shown(name, item) for item in value]
        case _:
            return value
