"""Tasks as a kfgit that serves a local environment tells them: each with its parent; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kfgit.backends.cluster.history.places import DEEPEST, Place, Step, steps
from kfgit.backends.cluster.history.task_rows import Row, Seen
from kfgit.ir import ROOT, Package


@dataclass(slots=True)
class _Family:
    """Tasks by their parents. Iterations have none of their own: what is in them comes once for each, in order."""

    package: Package
    children: Mapping[str, Sequence[Row]]
    known: dict[Place, Seen] = field(default_factory=dict)

    def enter(self, component: str, place: Place, told: Sequence[Row], depth: int = 0) -> None:
        """Finds the tasks of a DAG among what is told of it."""
        for step in steps(self.package, component) if depth < DEEPEST else ():
            here = (*place, step.name)
            row = next((row for row in told if row.name in {step.name, step.label}), None)
            if row is not None:
                self.known[here] = _seen(row)
                self._inside(step, here, self.children.get(row.id, ()), depth)
            elif not step.label:  # told by who knows the author's names, and looks through groups
                self._inside(step, here, told, depth)

    def _inside(self, step: Step, here: Place, told: Sequence[Row], depth: int) -> None:
        if not step.loop:
            self.enter(step.component, here, told, depth + 1)
        elif step.kind == "dag":
            for index, chosen in enumerate(_rounds(told)):
                self.enter(step.component, (*here, index), chosen, depth + 1)
        else:
            self.known |= {(*here, index): _seen(row) for index, row in enumerate(told)}


def family(found: Sequence[Row], package: Package) -> Mapping[Place, Seen]:
    """What became of each place, as far as it is told."""
    children: dict[str, list[Row]] = {}
    for row in found:
        children.setdefault(row.parent, []).append(row)
    family = _Family(package, children)
    whole = next((row for row in found if not row.parent), None)
    family.enter(ROOT, (), children.get(whole.id, ()) if whole else ())
    return family.known


def _rounds(told: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """The tasks of each iteration: the n-th of a name is of the n-th."""
    count: dict[str, int] = {}
    rounds: dict[int, list[Row]] = {}
    for row in told:
        index = count.get(row.name, 0)
        count[row.name] = index + 1
        rounds.setdefault(index, []).append(row)
    return (rounds[index] for index in sorted(rounds))


def _seen(row: Row) -> Seen:
    return Seen(row.state, row.started_at, row.finished_at, row.error, (row.id,))
