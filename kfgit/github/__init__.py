"""GitHub as far as kfgit needs it: comments, issues, deployments and pull requests of one repository.

Nothing else depends on it: only `kfgit github …` and `promote --pr` ask.
"""

from __future__ import annotations

from dataclasses import dataclass

from kfgit.github import comments, deployments, issues, pulls
from kfgit.github.client import Client, Rejected, Settings, Timing
from kfgit.github.comments import Sticky
from kfgit.github.deployments import Report
from kfgit.github.issues import Tracked
from kfgit.github.pulls import Opened

__all__ = ["GitHub", "Opened", "Rejected", "Report", "Settings", "Sticky", "Timing", "Tracked"]


@dataclass(frozen=True, slots=True)
class GitHub:
    """One repository on GitHub. Whatever goes wrong there is a `MachineFault`."""

    client: Client

    @staticmethod
    def of(settings: Settings, timing: Timing | None = None) -> GitHub:
        """The repository of some settings; asks nothing yet."""
        return GitHub(Client.of(settings, timing or Timing()))

    def comment(self, number: int, key: str, text: str) -> Sticky:
        """The one comment with that key on a pull request says `text` from now on."""
        return comments.put(self.client, number, key, text)

    def issue(self, key: str, title: str, text: str) -> Tracked:
        """The one open issue with that key says `text` from now on."""
        return issues.put(self.client, key, title, text)

    def close_issue(self, key: str, text: str = "") -> Tracked:
        """No issue with that key is open any more; `text` is said in it before."""
        return issues.close(self.client, key, text)

    def report(self, report: Report) -> int:
        """Tells how far a deployment has come, and returns its id."""
        return deployments.report(self.client, report)

    def open_pull_request(self, head: str, base: str, title: str, body: str) -> str:
        """The address of the pull request that brings `head` into `base`; an open one is brought up to date."""
        return pulls.put(self.client, head, base, title, body).url

    def pull_request(self, head: str, base: str, title: str, body: str) -> Opened:
        """The same, with its number and whether it is new."""
        return pulls.put(self.client, head, base, title, body)
