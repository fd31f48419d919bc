"""What is known of a commit in the environment that it comes from: its runs as they stand, and what ran beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kfgit import desired
from kfgit.backend import Backend, NotFound
from kfgit.events import FINAL, AppliedRun, ApplyRecord
from kfgit.promotion.choosing import Candidate
from kfgit.promotion.commits import Commits
from kfgit.promotion.requirements import Evidence, Proof, Stand

# So many runs are asked for one by one, each with a request; and so many of the newest are looked at.
_MOST_ASKED = 200
_NEWEST = 200


@dataclass(slots=True, eq=False)
class Witness:
    """An environment's target as a witness. Each run is asked for once; `times` asks for runs whose state is known."""

    backend: Backend
    commits: Commits
    records: tuple[ApplyRecord, ...]
    times: bool = False
    _stands: dict[str, Stand] = field(default_factory=dict)
    _others: Mapping[tuple[str, str], str] | None = None

    def of(self, candidate: Candidate, destination: Callable[[], tuple[str, str]]) -> Evidence:
        """What is known of a commit. `destination` is the commit and the environment that pipelines are wanted in."""
        return Evidence(
            self.backend.environment,
            candidate.applied,
            candidate.applies,
            self.look,
            lambda: self.proofs(candidate, destination()),
        )

    def look(self, run: AppliedRun) -> Stand:
        """How a run stands. What ended badly may have been retried; what succeeded stays so."""
        if not run.id or (run.state == "SUCCEEDED" and not self.times):
            return Stand(run.state)
        if run.id not in self._stands:
            if len(self._stands) >= _MOST_ASKED:
                return Stand(run.state)
            self._stands[run.id] = self._asked(run)
        return self._stands[run.id]

    def _asked(self, run: AppliedRun) -> Stand:
        try:
            found = self.backend.runs.get(run.id)
        except NotFound:
            return Stand(run.state if run.state in FINAL else None)
        return Stand(found.state, found.finished_at)

    def proofs(self, candidate: Candidate, destination: tuple[str, str]) -> Sequence[Proof]:
        """Each pipeline of the environment that the commit goes to, and a run of the same package that succeeded."""
        here = self.backend.environment
        digests = self.commits.digests(candidate.applied, here)
        checked = self.commits.checkout(candidate.applied, here).value.project
        externals = {name: each.external_name for name, each in checked.project.pipelines.items()}
        return [
            Proof(
                name,
                digests.get(name),
                self._succeeded(digests[name], desired.server_name(checked, name, externals.get(name)))
                if name in digests
                else None,
            )
            for name in self.commits.digests(*destination)
        ]

    def _succeeded(self, digest: str, pipeline: str) -> str | None:
        """A run of a package that an apply wanted, or else of the version that has its digest for a name."""
        for record in self.records:
            for run in record.runs:
                if run.digest == digest and run.id and self.look(run).state == "SUCCEEDED":
                    return run.id
        return self._versions().get((pipeline, digest[:12]))

    def _versions(self) -> Mapping[tuple[str, str], str]:
        """What ran by other ways: by schedules, or because somebody asked."""
        if self._others is None:
            newest = self.backend.runs.newest(_NEWEST)
            self._others = {
                (run.pipeline, run.version): run.id
                for run in newest
                if run.state == "SUCCEEDED" and run.version is not None
            }
        return self._others
