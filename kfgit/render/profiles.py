"""Resource profiles as people look at them: what each name means where, what that is, and who uses it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kfgit.demand.folded import Value
from kfgit.demand.usage import Meaning, Use
from kfgit.model import Path, Profile, Resources
from kfgit.render.envelope import envelope, items
from kfgit.render.style import Style, clean, one_line, table
from kfgit.source import Span

_SHOWN, _MANY = 4, 12
_LONG = 60


@dataclass(frozen=True, slots=True)
class Seen:
    """What a name means in one environment, with all that is known of it.

    `objects` are those that the environment keeps for it, each as its kind, its name and the profiles that want it.
    """

    environment: str
    meaning: Meaning
    description: str = ""
    values: tuple[Value, ...] = ()
    objects: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


# --- the list


def human(found: Sequence[Seen], environments: Sequence[str], style: Style) -> str:
    """A row for each name, and one more wherever it means something else."""
    by_name: dict[str, list[Seen]] = {}
    for seen in found:
        by_name.setdefault(seen.meaning.name, []).append(seen)
    rows: list[tuple[str, ...]] = []
    for name, of_name in by_name.items():
        for index, (cells, where) in enumerate(_alike(of_name, style).items()):
            shown = "all" if len(where) == len(environments) else ", ".join(where)
            first = style.bold(name) if not index else ""
            rows.append((first, *([shown] if len(environments) > 1 else []), *cells))
    head = ("NAME", *(["IN"] if len(environments) > 1 else []), "MEANS", "WHAT IT IS", "USED BY")
    return table(rows, head, style)


def _alike(found: Iterable[Seen], style: Style) -> dict[tuple[str, ...], list[str]]:
    """The environments of each meaning of a name."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for seen in found:
        alike.setdefault(_cells(seen.meaning, style), []).append(seen.environment)
    return alike


def _cells(meaning: Meaning, style: Style) -> tuple[str, ...]:
    if meaning.profile is None:
        return style.red(_nothing(meaning)), "", used_by(meaning)
    told = used_by(meaning)
    return meaning.concrete, words(meaning.profile), told if meaning.uses else style.dim(told)


def _nothing(meaning: Meaning) -> str:
    """Why a name means nothing."""
    if meaning.faulty:
        return f"{meaning.concrete} has mistakes"
    return "not mapped" if meaning.mapped is None else f"there is no {meaning.concrete}"


def used_by(meaning: Meaning) -> str:
    """`2 pipelines, 3 tasks`; else why it is there all the same."""
    if meaning.uses:
        return f"{_many(len(meaning.pipelines), 'pipeline')}, {_many(len(meaning.uses), 'task')}"
    parts = []
    if meaning.concrete == meaning.name:
        parts += [f"as {_some(meaning.aliases)}"] if meaning.aliases else []
        parts += [f"base of {_some(meaning.bases)}"] if meaning.bases else []
    return "; ".join(parts) or "no task"


def words(profile: Profile) -> str:
    """A profile in one line: `cpu 2–4, memory 8Gi, 1 × nvidia.com/gpu NVIDIA-L4, queue batch, 0.81 USD/h`."""
    parts = list(_amounts(profile.resources))
    parts += [f"queue {profile.queue.local}"] if profile.queue is not None else []
    parts += [f"{profile.cost.per_hour} {profile.cost.currency}/h"] if profile.cost is not None else []
    return one_line(", ".join(parts), 2 * _LONG)


def _amounts(resources: Resources) -> Iterable[str]:
    least, most = resources.requests, resources.limits
    for name in dict.fromkeys((*least, *most)):
        low, high = least.get(name), most.get(name)
        if low is None or high is None:
            yield f"{name} {'≤ ' if low is None else '≥ '}{high if low is None else low}"
        else:
            yield f"{name} {low}" if low == high else f"{name} {low}–{high}"
    devices = resources.accelerator
    if devices is not None and devices.resource:
        yield f"{devices.count} × {devices.resource}{f' {devices.model}' if devices.model else ''}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


# --- one of them


def page(seen: Seen, elsewhere: Mapping[str, Sequence[str]], style: Style) -> str:
    """A name in one environment: each value with its place, who uses it, and what else it means where."""
    meaning = seen.meaning
    place = f"  {style.dim(_place(meaning.mapped))}" if meaning.mapped is not None else ""
    told = style.red(clean(_nothing(meaning))) if meaning.profile is None else clean(meaning.concrete)
    head = f"{style.bold(clean(meaning.name))} in {clean(seen.environment)}: {told}{place}\n"
    description = f"{one_line(seen.description, 3 * _LONG)}\n" if seen.description else ""
    blocks = [
        _valued(seen.values, meaning.concrete, style),
        _titled(
            "keeps on the cluster", [(kind, name, _of(by, meaning)) for kind, name, by in seen.objects], style
        ),
        _titled("used by", [_using(uses, meaning, style) for uses in meaning.pipelines.values()], style),
        _titled("elsewhere", [(what, f"in {', '.join(where)}") for what, where in elsewhere.items()], style),
    ]
    unused = "" if meaning.uses else f"\n{style.dim(clean(used_by(meaning)))}\n"
    return head + description + "".join(f"\n{block}" for block in blocks if block) + unused


def _valued(found: Sequence[Value], concrete: str, style: Style) -> str:
    rows = []
    for each in found:
        by = f" ({each.profile})" if each.profile not in (None, concrete) else ""
        where = f"{_place(each.span)}{by}" if each.span is not None else "default"
        rows.append((f"  {_dotted(each.path)}", one_line(_shown(each.value), _LONG), style.dim(clean(where))))
    return table(rows, style=style)


def _titled(title: str, rows: Sequence[Sequence[str]], style: Style) -> str:
    if not rows:
        return ""
    return f"{style.dim(title)}\n{table([(f'  {first}', *rest) for first, *rest in rows], style=style)}"


def _of(by: Sequence[str], meaning: Meaning) -> str:
    """Whose object it is, where others have said it."""
    return "" if meaning.concrete in by else f"of {_some(by)}"


def _using(uses: Sequence[Use], meaning: Meaning, style: Style) -> Sequence[str]:
    """A pipeline and its tasks, each with the amounts that it has otherwise."""
    assert uses
    told = []
    for use in uses[:_MANY]:
        other = _otherwise(use.resources, meaning.profile)
        told.append(f"{use.path} ({other})" if other else use.path)
    more = f" and {len(uses) - _MANY} more" if len(uses) > _MANY else ""
    return uses[0].pipeline, ", ".join(told) + more, style.dim(_place(uses[0].name.span))


def _otherwise(resources: Resources, profile: Profile | None) -> str:
    base = set(_amounts(profile.resources)) if profile is not None else set()
    return ", ".join(each for each in _amounts(resources) if each not in base)


def _dotted(path: Path) -> str:
    return ".".join(step if "." not in step and "/" not in step else f'["{step}"]' for step in path).replace(
        ".[", "["
    )


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(_plain(value), ensure_ascii=False)


def _place(span: Span | None) -> str:
    return f"{span.file}:{span.line}" if span is not None else ""


# --- for machines


def as_json(found: Sequence[Seen]) -> dict[str, Any]:
    """The list."""
    return items("Profile", [_summary(seen) for seen in found])


def page_json(seen: Seen, elsewhere: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """One of them, with everything."""
    values = [
        {"path": _dotted(v.path), "value": _plain(v.value), "profile": v.profile, **_where(v.span)}
        for v in seen.values
    ]
    objects = [{"kind": kind, "name": name, "profiles": list(by)} for kind, name, by in seen.objects]
    uses = [
        {"pipeline": u.pipeline, "task": u.path, **_where(u.name.span), "resources": _resources(u.resources)}
        for u in seen.meaning.uses
    ]
    others = [{"profile": name, "environments": list(where)} for name, where in elsewhere.items()]
    return envelope("Profile", **_summary(seen), values=values, objects=objects, uses=uses, elsewhere=others)


def _summary(seen: Seen) -> dict[str, Any]:
    meaning = seen.meaning
    profile = meaning.profile
    cost = profile.cost if profile is not None else None
    return {
        "name": meaning.name,
        "environment": seen.environment,
        "profile": profile.name if profile is not None else None,
        "mapped": _where(meaning.mapped) if meaning.mapped is not None else None,
        "description": seen.description,
        "extends": profile.extends if profile is not None else None,
        "resources": _resources(profile.resources) if profile is not None else None,
        "queue": profile.queue.local if profile is not None and profile.queue is not None else None,
        "cost": {"perHour": _plain(cost.per_hour), "currency": cost.currency} if cost is not None else None,
        "pipelines": list(meaning.pipelines),
        "tasks": len(meaning.uses),
        "aliases": list(meaning.aliases),
        "baseOf": list(meaning.bases),
    }


def _resources(resources: Resources) -> dict[str, Any]:
    devices = resources.accelerator
    found = (
        {"resource": devices.resource, "count": devices.count, "model": devices.model} if devices else None
    )
    return {"requests": dict(resources.requests), "limits": dict(resources.limits), "accelerator": found}


def _where(span: Span | None) -> dict[str, str | int | None]:
    return {"file": span.file if span else None, "line": span.line if span else None}


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return float(value)
        case Mapping():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value
