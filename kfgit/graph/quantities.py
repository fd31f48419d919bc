"""Amounts in Kubernetes' notation: what they are as numbers, and which of them nobody can have meant."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

# What KFP's SDK takes, whose backend passes it on (kfp/dsl/pipeline_task.py).
_CPU = re.compile(r"(\d+|\d*\.\d+)m?\Z", re.ASCII)
_MEMORY = re.compile(r"\d+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki|k)?\Z", re.ASCII)
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(m|[kKMGTPE]i?)?\Z", re.ASCII)
_UNITS = {"": Fraction(1), "m": Fraction(1, 1000), "k": Fraction(1000)}
_UNITS |= {unit: Fraction(1000**power) for power, unit in enumerate("KMGTPE", start=1)}
_UNITS |= {f"{unit}i": Fraction(1024**power) for power, unit in enumerate("KMGTPE", start=1)}
# A quantity is an int64 in the end (apimachinery, pkg/api/resource).
_MOST = 2**63
_LONGEST = 64
_MEBIBYTE = 2**20
# No machine has so many cores, and many people think in thousandths.
_MANY_CORES = 500
BYTES = frozenset({"memory", "ephemeralStorage", "ephemeral-storage", "storage"})


def quantity(text: str | None) -> float | None:
    """A Kubernetes quantity as a number, in cores or bytes; None where there is none or it is bad."""
    number = exact(text)
    return float(number) if number is not None else None


@lru_cache(maxsize=4096)  # most amounts are the same few
def exact(text: str | None) -> Fraction | None:
    """A quantity without rounding; None where there is none or it is bad."""
    match = _QUANTITY.match(text or "") if len(text or "") <= _LONGEST else None
    if match is None:
        return None
    number = Fraction(match.group(1)) * _UNITS[match.group(2) or ""]
    return number if number < _MOST else None


def is_above(least: str | None, most: str | None) -> bool:
    """Whether one amount is more than another, where both are known."""
    low, high = exact(least), exact(most)
    return low is not None and high is not None and low > high


def task_problem(name: str, text: str) -> tuple[str, str] | None:
    """What is wrong with an amount of a task, and the way out: KFP must read it, and somebody can have meant it."""
    pattern = {"cpu": _CPU, "memory": _MEMORY}.get(name)
    if (pattern is not None and not pattern.match(text)) or exact(text) is None:
        example = f"an amount such as {'`500m` or `2`' if name == 'cpu' else '`512Mi` or `2Gi`'}"
        whole = (exact(text) or Fraction(1, 3)) / _MEBIBYTE
        if name == "memory" and whole.denominator == 1:
            example = f"`{whole.numerator}Mi`"
        return f"`{text}` is no quantity of {name} that KFP reads", f"write {example}"
    return container_problem(name, text)


def container_problem(name: str, text: str) -> tuple[str, str] | None:
    """An amount of one container that is right in form and cannot be meant: the unit is missing."""
    if name == "cpu":
        cores = exact(text)
        if cores is None:
            return f"`{text}` is no quantity of cpu", "write such as `500m` or `2`"
        if text.isdecimal() and cores >= _MANY_CORES:
            return f"`{text}` is {text} cores", f"write `{text}m` for thousandths of a core"
    return bytes_problem(name, text) if name in BYTES else None


def bytes_problem(name: str, text: str) -> tuple[str, str] | None:
    """Bytes without a unit that are less than any container has."""
    number = exact(text)
    if number is None:
        return f"`{text}` is no quantity of {name}", "write an amount such as `512Mi` or `2Gi`"
    if text[-1].isdecimal() and 0 < number < _MEBIBYTE:
        return f"`{text}` is {text} bytes of {name}", f"write its unit, such as `{text}Mi` or `{text}Gi`"
    return None


def total_problem(name: str, text: str) -> tuple[str, str] | None:
    """An amount of many tasks together: devices and other things are counted whole."""
    if name in BYTES:
        return bytes_problem(name, text)
    number = exact(text)
    if number is None:
        return f"`{text}` is no quantity of {name}", "write a number such as `8`"
    if name != "cpu" and number.denominator != 1:
        return f"`{text}` is no whole number of `{name}`", "write a whole number: a device is not divided"
    return None
