"""What a KFP server can, found by asking it, and the word for what it cannot.

kfgit is made for KFP 2.17. What earlier servers lack is found out in the cheapest way that changes nothing, once and
only where it is needed: a filter on tags, which servers before 2.17 refuse; the deletion of a schedule that cannot be
there, by a policy that cannot be, which servers before 2.16 do not even look at. A release number is no proof: it is
"unknown" in many installations, and distributions carry features to and fro.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from kfgit.backend import MachineFault
from kfgit.backends.cluster.kfp.answers import KfpFault
from kfgit.backends.cluster.kfp.api import KfpApi
from kfgit.backends.cluster.kfp.messages import KfpHealth
from kfgit.backends.cluster.records import marks

# The first release in which a pipeline's name is not its display name, and goes with its versions (`cascade`).
OLDEST = (2, 14)
# The release whose answers kfgit is held to.
MADE_FOR = (2, 17)
_NOBODY = "00000000-0000-4000-8000-000000000000"


@dataclass(eq=False)
class Capabilities:
    """One server's. What is asked for is asked once; thread-safe."""

    kfp: KfpApi
    health: KfpHealth
    _known: dict[str, bool] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def tags(self) -> bool:
        """Whether pipelines and versions have tags that can be changed (2.17)."""
        return self._ask("tags", self._has_tags)

    @property
    def orphan(self) -> bool:
        """Whether a schedule can be deleted without the runs that it has begun (2.16)."""
        return self._ask("orphan", self._has_orphan)

    @property
    def native(self) -> bool:
        """Whether pipelines are Kubernetes objects there, and not rows of a database."""
        return self.health.pipeline_store == "kubernetes"

    def seen(self, feature: str) -> None:
        """Somebody saw that the server has it: nobody needs to ask."""
        with self._lock:
            self._known[feature] = True

    def remarks(self) -> tuple[str, ...]:
        """What people should know before they read a plan, of what was asked for so far."""
        told = []
        release = _release(self.health.tag_name)
        if release is not None and release > MADE_FOR:
            told.append(
                f"KFP there is {self.health.tag_name}, newer than the {_dotted(MADE_FOR)} that kfgit was made for"
            )
        if self._known.get("tags") is False:
            told.append(
                "KFP there has no tags (it is older than 2.17): the inventory alone knows what pipelines were made of, "
                "and their display names cannot be changed"
            )
        if self._known.get("orphan") is False:
            told.append(
                "KFP there has no `propagation_policy` (it is older than 2.16): replacing or deleting a schedule ends "
                "its runs that go on"
            )
        if self.native:
            told.append(
                "KFP there keeps pipelines as Kubernetes objects: kfgit writes them through KFP's API, which takes "
                "names of lower-case letters, digits, `-` and `.` only, and packages up to about 1.5 MiB"
            )
        return tuple(told)

    def _ask(self, feature: str, ask: Callable[[], bool]) -> bool:
        with self._lock:
            if feature not in self._known:
                self._known[feature] = ask()
            return self._known[feature]

    def _has_tags(self) -> bool:
        release = _release(self.health.tag_name)
        if self.native and release is not None:
            # Not every filter works where pipelines are Kubernetes objects.
            return release >= MADE_FOR
        try:
            self.kfp.pipelines_tagged(marks.SET_TAG, "nobody")
        except KfpFault as fault:
            if fault.status == 400:
                return False
            raise
        return True

    def _has_orphan(self) -> bool:
        """A server that knows policies looks at them first, and refuses one that is none."""
        try:
            self.kfp.delete_schedule_by(_NOBODY, "NO_SUCH_POLICY")
        except KfpFault as fault:
            if fault.status == 400:
                return True
            raise
        return False


def ask(kfp: KfpApi) -> Capabilities:
    """What there is to know before anything is asked of a server; raises `MachineFault` for one that will not do."""
    health = kfp.health()
    release = _release(health.tag_name)
    if release is not None and release < OLDEST:
        raise MachineFault(
            f"{kfp.wire.place} is KFP {health.tag_name}, and kfgit needs {_dotted(OLDEST)} or later: pipelines have "
            "no names of their own there, and are not deleted with their versions; `compile` and local targets work "
            "without it"
        )
    if health.multi_user and kfp.namespace is None:
        raise MachineFault(
            f"{kfp.wire.place} has many users: say whose namespace is meant, in `target.kfp.namespace`"
        )
    return Capabilities(kfp, health)


def _release(tag: str) -> tuple[int, ...] | None:
    """The beginning of a release's number; None where the tag is none."""
    found = re.match(r"v?([0-9]{1,4})\.([0-9]{1,4})", tag)
    return (int(found[1]), int(found[2])) if found else None


def _dotted(release: tuple[int, ...]) -> str:
    return ".".join(map(str, release))
