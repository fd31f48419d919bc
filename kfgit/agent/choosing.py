"""What of a plan an agent carries out, and what it only reports. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kfgit.agent.fights import WINDOW, Fight, Fights, drifted
from kfgit.agent.telling import Told
from kfgit.plan import Change, Plan, Replace, Update, action, subject
from kfgit.render.style import one_line

_MAX_VALUE = 500
_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Choice:
    """`plan` is what is done. `drift` are the changes that would undo what others did; of these some are `left`."""

    plan: Plan
    drift: tuple[Change, ...]
    left: tuple[Change, ...]
    fights: Mapping[tuple[str, str], Fight]

    def told(self) -> Iterator[tuple[str, Told]]:
        """What there is to say of it besides what is done, each with a key of its own."""
        for change in self.drift:
            key = subject(change)
            name = f"{key[0].lower()}/{key[1]}"
            if key in self.fights:
                yield f"fight {name}", _fight(name, self.fights[key])
            else:
                yield f"drift {name}", _drift(name, change, healed=change not in self.left)
        for remark in self.plan.remarks:
            yield f"remark {remark}", Told("warning", "remark", remark)


def choose(plan: Plan, fights: Fights, now: float, *, heal: bool) -> Choice:
    """Everything that the source asks for; of what has drifted that which heals, and is not fought over."""
    drift = tuple(change for change in plan.pending if any(drifted(change)))
    lost = fights.found(plan.pending, now) if heal else {}
    left = tuple(change for change in drift if not heal or subject(change) in lost)
    changes = tuple(change for change in plan.changes if change not in left)
    return Choice(replace(plan, changes=changes), drift, left, lost)


def _fight(name: str, fight: Fight) -> Told:
    minutes = round(WINDOW / 60)
    text = (
        f"{name} is not healed any more: somebody has changed {_paths(fight.fields)} back {fight.count} times within "
        f"{minutes} min; settle who owns it, and the next commit is applied as ever"
    )
    fields = {
        "kind": fight.kind, "name": fight.name, "fields": list(fight.fields), "count": fight.count,
    }  # fmt: skip
    return Told("error", "fight", text, fields)


def _drift(name: str, change: Change, *, healed: bool) -> Told:
    kind, own = subject(change)
    paths = list(drifted(change))
    values = {d.path: d for d in change.diff} if isinstance(change, Update | Replace) else {}
    differ = [
        {"path": path, "live": _bounded(values[path].before), "wanted": _bounded(values[path].after)}
        for path in paths
        if path in values
    ]
    what = (
        "; ".join(
            f"`{one_line(d['path'])}` is {_short(d['live'])}, not {_short(d['wanted'])}"
            for d in differ[:_SHOWN]
        )
        if differ
        else "somebody has deleted it"
    )
    more = f" and {len(differ) - _SHOWN} more" if len(differ) > _SHOWN else ""
    end = "it is healed" if healed else "it is only reported"
    fields = {"kind": kind, "name": own, "action": action(change), "healed": healed, "differences": differ}
    return Told("warning", "drift", f"{name} has drifted: {what}{more}; {end}", fields)


def _paths(paths: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{one_line(path)}`" if " " not in path else path for path in paths[:_SHOWN])
    return shown + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")


def _short(value: Any) -> str:
    return "not there" if value is None else one_line(json.dumps(value, ensure_ascii=False, default=str), 48)


def _bounded(value: Any) -> Any:
    """A value for a log line: as it is, or the beginning of its JSON where that is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "…"
