"""One mistake is one diagnostic: what merely follows from another one is not told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from kfgit.diagnostics import Diagnostic
from kfgit.schema.case import Case, Path
from kfgit.schema.keys import KEY_ERRORS
from kfgit.schema.values import VALUE_ERRORS


class Fault(NamedTuple):
    """A diagnostic, and what tells a cascade: its error, its path, and the keys that it is about."""

    diagnostic: Diagnostic
    error: str
    path: Path
    keys: tuple[str, ...] = ()


def without_cascades(faults: list[Fault]) -> Iterator[Fault]:
    """Those that do not follow from others; of several at one value the first in rank."""
    unknown = [fault for fault in faults if fault.error == "unknown-key"]
    meant = {(fault.path, key) for fault in unknown for key in fault.keys}
    # What was chosen in vain stands for what may be chosen.
    refused = [fault for fault in faults if fault.error == "refused-key"]
    meant |= {(fault.path, key) for fault in refused for key in fault.keys}
    # A key that resembles nothing was meant as one of those that the map needs.
    strange = {fault.path for fault in unknown if not fault.keys}
    choices = [fault for fault in faults if fault.error == "missing-choice" and fault.path in strange]
    meant |= {(fault.path, key) for fault in choices for key in fault.keys}
    clashing = {fault.path for fault in faults if fault.error == "exclusive-keys"}
    unclear = clashing | {fault.path for fault in faults if fault.error == "missing-choice"}
    rank = list(VALUE_ERRORS)
    values: dict[Path, Fault] = {}
    for fault in faults:
        if fault.error in VALUE_ERRORS:
            first = values.setdefault(fault.path, fault)
            values[fault.path] = min(first, fault, key=lambda f: rank.index(f.error))
        elif not _follows(fault, meant, clashing, unclear):
            yield fault
    yield from values.values()


def _follows(fault: Fault, meant: set[tuple[Path, str]], clashing: set[Path], unclear: set[Path]) -> bool:
    """Whether a missing or misplaced key is only what another mistake at the same map looks like."""
    if not fault.error.startswith("mis"):
        return False
    broken = {"missing-key": set[Path](), "misplaced-key": unclear}.get(fault.error, clashing)
    return fault.path in broken or any((fault.path, key) in meant for key in fault.keys)


def fault_of(name: str, case: Case) -> Fault:
    """An error of the validator as a diagnostic."""
    if name in KEY_ERRORS:
        diagnostic, keys = KEY_ERRORS[name](case)
        return Fault(diagnostic, name, case.path, keys)
    return Fault(VALUE_ERRORS[name](case), name, case.path)
