"""What is live, what shall be done about it, and a plan of that, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from kfgit import canonical
from kfgit.ir import Resource, Use

if TYPE_CHECKING:  # whoever looks at what is live does not pay for the compiler that `demand` needs
    from kfgit.demand import Costs


@dataclass(frozen=True, slots=True)
class LiveObject:
    """One object as the target has it. `applied` is the digest that kfgit last applied, if it did.

    `before` is what was applied, where that is known: what differs from it has drifted. `fixed` says of fields that the
    target cannot change why that is so; `recreate`, that it takes the change only as a new object. A `leftover` is a
    second object of ours under one name, which an apply that was cut off has left behind. `unrecorded` is ours by its
    mark alone: nothing that was written down knows of it. `documents` are the names of the documents that wanted it.
    """

    kind: str
    name: str
    id: str
    spec: Mapping[str, Any]
    digest: str
    owned: bool
    applied: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] | None = None
    fixed: Mapping[str, str] = field(default_factory=dict)
    recreate: bool = False
    leftover: bool = False
    unrecorded: bool = False
    documents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lack:
    """What a target lacks that is wanted of it: all kinds of an API `group`, or one object of others' that tasks name.

    `message` says it in a sentence, `help` the way out; `kind` and `name` are the object's.
    """

    group: str
    message: str
    help: str
    kind: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What a target was made equal to last, all of it: a commit, or a `folder` that had it checked out."""

    commit: str | None
    folder: bool = False


@dataclass(frozen=True, slots=True)
class Live:
    """All that is live, and how many API requests it took to see it.

    `vanished` are kind and name of what kfgit made and what somebody else removed. `notes` are about single objects,
    wanted or live, `remarks` about the target as a whole. `unfinished`: an apply was cut off, and the target still
    says so. `last` is what the newest apply on record made it equal to, None where that did not do all of it. `lacks`
    is what the target would need to have first.
    """

    objects: tuple[LiveObject, ...]
    requests: int = 0
    vanished: frozenset[tuple[str, str]] = frozenset()
    notes: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    unfinished: bool = False
    last: Applied | None = None
    lacks: tuple[Lack, ...] = ()


Cause = Literal["source", "drift", "adoption"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that changes; `before` or `after` is None where it is not there. `drift`: somebody else changed it."""

    path: str
    before: Any
    after: Any
    drift: bool = False


@dataclass(frozen=True, slots=True)
class Create:
    """An object that is not live yet, or (`drift`) not any more."""

    desired: Resource
    cause: Cause = "source"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """An object that is changed in place."""

    desired: Resource
    live: LiveObject
    cause: Cause
    diff: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Replace:
    """An object that cannot be changed in place: a new one takes over from the old one."""

    desired: Resource
    live: LiveObject
    cause: Cause
    diff: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete:
    """An owned object that nobody wants any more."""

    live: LiveObject
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Adopt:
    """A foreign object that becomes ours."""

    desired: Resource
    live: LiveObject
    diff: tuple[Difference, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An object that is as it should be, or is left alone for the reason in `notes`."""

    kind: str
    name: str
    notes: tuple[str, ...] = ()


Change: TypeAlias = Create | Update | Replace | Delete | Adopt | Unchanged

ORDER = ("Experiment", "Pipeline", "Schedule", "Run")


def level(kind: str) -> int:
    """When objects of a kind come to be: Kubernetes' own first, for all others may need them."""
    return ORDER.index(kind) + 1 if kind in ORDER else 0


# Of Kubernetes' own, what stands on others of them: a ClusterQueue on its flavors, a LocalQueue on that.
_LATER = {"ClusterQueue": 1, "ResourceClaimTemplate": 1, "LocalQueue": 2}


def rank(kind: str) -> tuple[int, int]:
    """The same, told apart further: what is equal comes to be at once."""
    return level(kind), _LATER.get(kind, 0)


def action(change: Change) -> str:
    """The word for a change."""
    return type(change).__name__.lower()


def subject(change: Change) -> tuple[str, str]:
    """Kind and name of what changes."""
    match change:
        case Create(desired=desired):
            return desired.kind, desired.name
        case Update(desired=desired) | Replace(desired=desired) | Adopt(desired=desired):
            return desired.kind, desired.name
        case Delete(live=live):
            return live.kind, live.name
        case Unchanged(kind=kind, name=name):
            return kind, name


def fingerprint(change: Change) -> tuple[str | None, str | None]:
    """The digests of an object as it is and as it shall be; None for what is not there."""
    before = after = None
    match change:
        case Create(desired=desired):
            after = desired.digest
        case (
            Update(desired=desired, live=live)
            | Replace(desired=desired, live=live)
            | Adopt(desired=desired, live=live)
        ):
            before, after = live.digest, desired.digest
        case Delete(live=live):
            before = live.digest
        case Unchanged():
            pass
    return before, after


# The identity of every local target: what is planned for one may be applied to the same environment elsewhere.
LOCAL_TARGET = "local"

Verb = Literal["apply", "adopt", "destroy"]

ACTIONS = ("create", "update", "replace", "delete", "adopt", "unchanged")

# What was done by each that does something.
PAST = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
    "adopt": "adopted",
}


@dataclass(frozen=True, slots=True)
class WantedRun:
    """A run that documents want under the key of now. `name` is the target's, `document` and `pipeline` the documents'.

    `digest` is its package's, `id` the run that was started for it before, None where the plan starts it.
    """

    name: str
    document: str
    pipeline: str
    digest: str
    id: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Every object and what happens to it, in the order in which it happens.

    `owned` counts what is kfgit's before, `wanted` what the documents ask for. `foreign` is what others have made under
    names that no document has: it is told, and left alone. `remarks` are about the source or the target as a whole.
    `unfinished`: an apply was cut off, and the next one writes down that it is over, also where nothing is left to do.
    What is wanted was read from `commit` of `branch`, or from a `folder` that has it checked out; `last` is what the
    target was made equal to before. `uses` are those of pipelines that stay as they are, by their ids, where other ones
    are written down for them: profiles with new names and the old meaning. `lacks` is what the target would need first.
    `costs` is what runs and schedules cost once it is carried out; None where nobody has asked, or nothing says what
    anything costs.
    """

    environment: str
    target: str
    changes: tuple[Change, ...]
    commit: str | None = None
    requests: int = 0
    owned: int = 0
    wanted: int = 0
    foreign: tuple[LiveObject, ...] = ()
    remarks: tuple[str, ...] = ()
    unfinished: bool = False
    branch: str | None = None
    folder: bool = False
    last: Applied | None = None
    runs: tuple[WantedRun, ...] = ()
    verb: Verb = "apply"
    lacks: tuple[Lack, ...] = ()
    uses: Mapping[str, tuple[Use, ...]] = field(default_factory=dict)
    costs: Costs | None = None

    @property
    def is_news(self) -> bool:
        """Whether the target is on record as equal to something else than this commit, also where it is equal to it."""
        if self.commit is None or self.verb != "apply" or self.last == Applied(self.commit):
            return False
        return self.last != Applied(self.commit, self.folder)

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that change something."""
        return tuple(change for change in self.changes if not isinstance(change, Unchanged))

    @property
    def digest(self) -> str:
        """Equal for equal plans: what would be done, to what, from which state."""
        return canonical.digest(
            [
                self.environment,
                self.target,
                [[action(each), *subject(each), *fingerprint(each)] for each in self.pending],
            ]
        )

    @property
    def place(self) -> str:
        """The target as people know it, without what only tells it from another of the same address."""
        return self.target.partition(" (")[0]

    @property
    def is_local(self) -> bool:
        """Whether the target is this machine."""
        return self.target == LOCAL_TARGET

    @property
    def summary(self) -> Mapping[str, int]:
        """How many changes of each sort."""
        return {name: sum(action(change) == name for change in self.changes) for name in ACTIONS}
