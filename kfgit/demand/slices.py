"""Which devices of dynamic resource allocation a DeviceClass takes, and on which nodes they are (resource.k8s.io/v1).

Devices stand in ResourceSlices, and a class takes those that all of its CEL expressions take. Read here are
expressions that compare the driver or an attribute with a text, joined by `&&`, as nearly all are; where there is
more, as many devices as are told are the most there can be. So it is, too, where devices are cut out of others: they
share counters and cannot all be given out at once (KEP-4815).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

_TEXT = r"""(?:'(?P<one>[^'\\]*)'|"(?P<two>[^"\\]*)")"""
_DRIVER = re.compile(rf"device\.driver\s*==\s*{_TEXT}\Z")
_ATTRIBUTE = re.compile(
    rf"device\.attributes\[['\"](?P<domain>[^'\"\\]+)['\"]\]\.(?P<name>[A-Za-z_]\w*)\s*==\s*{_TEXT}\Z"
)
# Texts, with whatever stands in them, what joins clauses, and all else.
_PARTS = re.compile(r"""'[^']*'|"[^"]*"|&&|[^'"&]+|.""", re.DOTALL)
_NOT_READ = re.compile(r"""[!?|&]|['"]\Z""")


class _Clause(NamedTuple):
    """What a device must be: of the driver `value`, or with an attribute `name` of that value."""

    domain: str | None
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Offer:
    """The devices of a class: by node, those that no single node has, and whether they are the most there can be."""

    by_node: Mapping[str, int]
    elsewhere: int = 0
    is_most: bool = False

    @property
    def devices(self) -> int:
        """All of them."""
        return sum(self.by_node.values()) + self.elsewhere


def offer(selectors: Iterable[str], slices: Sequence[Mapping[str, Any]]) -> Offer:
    """What a class with some selectors takes of the devices in ResourceSlices, each given as its `spec`."""
    clauses = [clause for each in selectors for clause in _clauses(each)]
    known = [clause for clause in clauses if clause is not None]
    by_node: Counter[str] = Counter()
    elsewhere, shared = 0, False
    for spec in _current(slices):
        for device in _maps(spec.get("devices")):
            if not _is_tainted(device) and all(
                _holds(each, str(spec.get("driver")), device) for each in known
            ):
                node = spec.get("nodeName") or device.get("nodeName")
                by_node[str(node)] += 1 if node else 0
                elsewhere += 0 if node else 1
                shared = shared or bool(device.get("consumesCounters"))
    return Offer(+by_node, elsewhere, shared or len(known) < len(clauses))


def _is_tainted(device: Mapping[str, Any]) -> bool:
    """Whether nobody gets it who does not tolerate it, which who asks for a resource by its name cannot (KEP-5055)."""
    return any(taint.get("effect") in ("NoSchedule", "NoExecute") for taint in _maps(device.get("taints")))


def _clauses(expression: str) -> Iterator[_Clause | None]:
    """What an expression asks for, one by one; None for what is not read here."""
    clauses = [""]
    for part in _PARTS.findall(expression):
        if part == "&&":
            clauses.append("")
            continue
        if not _is_text(part) and _NOT_READ.search(part):
            yield None
            return
        clauses[-1] += part
    yield from (_clause(each.strip()) for each in clauses)


def _is_text(part: str) -> bool:
    return len(part) > 1 and part[0] in "'\""


def _clause(text: str) -> _Clause | None:
    if (found := _DRIVER.match(text)) is not None:
        return _Clause(None, "", found["one"] or found["two"] or "")
    if (found := _ATTRIBUTE.match(text)) is not None:
        return _Clause(found["domain"], found["name"], found["one"] or found["two"] or "")
    return None


def _holds(clause: _Clause, driver: str, device: Mapping[str, Any]) -> bool:
    """An attribute without a domain is of the driver's."""
    if clause.domain is None:
        return driver == clause.value
    attributes = device.get("attributes")
    told = attributes if isinstance(attributes, Mapping) else {}
    own = told.get(clause.name) if clause.domain == driver else None
    found = told.get(f"{clause.domain}/{clause.name}", own)
    return isinstance(found, Mapping) and clause.value in (found.get("string"), found.get("version"))


def _current(slices: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Those of each pool's newest generation; the others are about to go (ResourcePool.generation)."""
    newest: dict[tuple[str, str], int] = {}
    for spec in slices:
        newest[_pool(spec)] = max(newest.get(_pool(spec), 0), _generation(spec))
    return (spec for spec in slices if _generation(spec) == newest[_pool(spec)])


def _pool(spec: Mapping[str, Any]) -> tuple[str, str]:
    pool = spec.get("pool")
    return str(spec.get("driver")), str(pool.get("name")) if isinstance(pool, Mapping) else ""


def _generation(spec: Mapping[str, Any]) -> int:
    pool = spec.get("pool")
    found = pool.get("generation") if isinstance(pool, Mapping) else None
    return found if isinstance(found, int) else 0


def _maps(found: Any) -> list[Mapping[str, Any]]:
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
