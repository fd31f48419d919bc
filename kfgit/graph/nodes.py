"""What a pod asks of its node that no node can give, or that contradicts itself, wherever that was said.

How terms of affinity are read: kubernetes component-helpers, scheduling/corev1/nodeaffinity; how KFP joins them:
backend/src/v2/driver/k8s.go, where required terms are alternatives of one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass, field
from itertools import accumulate, combinations, islice
from typing import Any, Literal, NamedTuple

from kfgit import accelerators
from kfgit.accelerators import MODEL_LABELS, SLICE_LABELS, TPU_LABELS
from kfgit.graph.quantities import is_above
from kfgit.model import Path, Resources

RESOURCE, MODEL = ("accelerator", "resource"), ("accelerator", "model")
AFFINITY, TOLERATIONS = ("node", "affinity"), ("node", "tolerations")
SHARED, MEMORY = ("sharedMemory",), ("limits", "memory")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@dataclass(frozen=True, slots=True)
class Pod:
    """What a task's pod asks for, from wherever it was said. An `affinity` of None is known only at run time."""

    resources: Resources
    selector: Mapping[str, str] = field(default_factory=dict)
    affinity: tuple[Mapping[str, Any], ...] | None = ()
    tolerations: tuple[Mapping[str, Any], ...] = ()
    shared_memory: str | None = None

    @property
    def is_large(self) -> bool:
        """Whether its placement is more than anybody writes; every task that uses it would be looked at against it."""
        affinity = self.affinity or ()
        said = len(self.selector) + len(affinity) + len(self.tolerations)
        return any(size > _MANY for size in accumulate(map(_size, _maps(affinity)), initial=said))

    @property
    def resource(self) -> str:
        """The extended resource of its devices, or nothing."""
        return self.resources.accelerator.resource if self.resources.accelerator is not None else ""


class Clash(NamedTuple):
    """What is wrong, and `about` which settings, by their paths below a profile's `spec`."""

    code: str
    message: str
    help: str
    about: tuple[Path, ...]
    severity: Literal["error", "warning"] = "error"


# So much placement is more than anybody writes.
_MANY = 200


def is_long(*parts: Sized | None) -> bool:
    """Whether there is more of it than anybody writes."""
    return any(part is not None and len(part) > _MANY for part in parts)


def _size(term: Mapping[str, Any]) -> int:
    """How much a term says, counted no further than is needed."""
    maps = (term, *_maps([term.get(_REQUIRED)]))
    inner = [value for each in maps for value in islice(each.values(), _MANY)]
    items = [item for value in inner if isinstance(value, list | tuple) for item in value[:_MANY]]
    below = [v for item in _maps(items) for v in item.values()]
    return sum(len(value) for value in (*inner, *below) if isinstance(value, list | tuple))


def selector_path(label: str) -> Path:
    """Where a label stands in a profile."""
    return ("node", "selector", label)


def clashes(pod: Pod) -> Iterator[Clash]:
    """Everything that is wrong with what one pod asks for."""
    yield from _resource(pod)
    yield from _slices(pod)
    yield from _models(pod)
    yield from _shares(pod)
    yield from _affinity(pod)
    yield from _tolerations(pod)
    yield from _shared_memory(pod)


# --- devices


class _Told(NamedTuple):
    """A model that the pod names, and where."""

    model: str
    where: str
    path: Path


def _told(pod: Pod) -> list[_Told]:
    accelerator = pod.resources.accelerator
    named = [_Told(accelerator.model, "model", MODEL)] if accelerator and accelerator.model else []
    labels = (label for label in MODEL_LABELS if label in pod.selector)
    return [*named, *(_Told(pod.selector[label], label, selector_path(label)) for label in labels)]


def _resource(pod: Pod) -> Iterator[Clash]:
    name = pod.resource
    if name and "/" not in name:
        message = f"`{name}` is no resource of devices: their names have a domain"
        help_ = "write its whole name, such as `nvidia.com/gpu`"
        yield Clash("unknown-resource", message, help_, (RESOURCE,))
    found = accelerators.device(name)
    if found is not None and found.is_mig and (found.slice is None or found.slice not in name):
        help_ = f"write it as `nvidia.com/mig-{found.slice or '1g.10gb'}`"
        yield Clash("no-such-slice", f"`{name}` names no MIG slice", help_, (RESOURCE,))
    if meant := accelerators.meant(name):
        message, help_ = f"no device plugin is known that has `{name}`", f"did you mean `{meant}`?"
        yield Clash("unknown-resource", message, help_, (RESOURCE,), "warning")


def _slices(pod: Pod) -> Iterator[Clash]:
    """A slice that none of the named models can be cut into."""
    device = accelerators.device(pod.resource)
    asked: list[tuple[str, Path]] = [(device.slice, RESOURCE)] if device is not None and device.slice else []
    for label in SLICE_LABELS:
        found = accelerators.slice_of_label(label, pod.selector.get(label, ""))
        asked += [(found, selector_path(label))] if found else []
    for wanted, path in asked:
        for told in _told(pod):
            has = accelerators.slices(told.model)
            if has is None or wanted in has:
                continue
            message = f"`{told.model}` has no MIG slice `{wanted}`"
            listed = ", ".join(f"`{name}`" for name in has)
            help_ = f"it can be cut into {listed}"
            if not has:
                message = f"`{told.model}` cannot be cut into MIG slices"
                help_ = "ask for all of it with `nvidia.com/gpu`, or name a model that can"
            yield Clash("no-such-slice", message, help_, (path, told.path))
            break


def _models(pod: Pod) -> Iterator[Clash]:
    """Models that are not the same, and a model that the resource's vendor does not make."""
    told = _told(pod)
    for one, other in combinations(told, 2):
        if accelerators.is_other(one.model, other.model):
            message = f"`{one.where}` says `{one.model}`, and `{other.where}` says `{other.model}`"
            help_ = "no node has both: name one model"
            yield Clash("accelerator-mismatch", message, help_, (one.path, other.path))
            return
    device = accelerators.device(pod.resource)
    for each in told if device is not None else ():
        vendor = accelerators.vendor_of(each.model)
        if device is not None and vendor not in {None, device.vendor}:
            message = f"`{pod.resource}` is of {device.vendor}, and `{each.model}` is of {vendor}"
            help_ = "name the resource and a model of one vendor"
            yield Clash("accelerator-mismatch", message, help_, (RESOURCE, each.path))
            return


def _shares(pod: Pod) -> Iterator[Clash]:
    product = MODEL_LABELS[0]
    if accelerators.is_shared_twice(pod.resource, pod.selector.get(product, "")):
        message = f"no node has `{pod.resource}` and a `{product}` that ends in `-SHARED`"
        help_ = "a node says by one of them that its GPUs are shared: leave `.shared` or `-SHARED` out"
        yield Clash("accelerator-mismatch", message, help_, (RESOURCE, selector_path(product)))


def without_tpu_labels(pod: Pod) -> Clash | None:
    """TPUs that GKE will not place: it goes by two labels."""
    device = accelerators.device(pod.resource)
    if device is None or device.vendor != "Google" or pod.affinity is None:
        return None
    required = {key for term in _required(pod.affinity) for key, _, _ in _requirements(term)}
    missing = [label for label in TPU_LABELS if label not in pod.selector and label not in required]
    if not missing:
        return None
    listed = " and ".join(f"`{label}`" for label in missing)
    message = f"nothing is said of {listed}, and GKE places TPUs by both labels"
    help_ = f"select both: `selector: {{{_TPU_EXAMPLE}}}`"
    return Clash("tpu-without-labels", message, help_, (RESOURCE,), "warning")


_TPU_EXAMPLE = ", ".join(map(": ".join, zip(TPU_LABELS, ("tpu-v5-lite-podslice", "2x4"), strict=True)))


# --- nodes


def _maps(value: Any) -> list[Mapping[str, Any]]:
    """The maps of a list; what has another form was told by the schema."""
    found = value if isinstance(value, list | tuple) else ()
    return [each for each in found if isinstance(each, Mapping)]


def _required(affinity: tuple[Mapping[str, Any], ...]) -> list[Mapping[str, Any]]:
    """The terms of which one must hold."""
    terms: list[Mapping[str, Any]] = []
    for item in _maps(affinity):
        if _REQUIRED in item or _PREFERRED in item:
            terms += [
                term for each in _maps([item.get(_REQUIRED)]) for term in _maps(each.get("nodeSelectorTerms"))
            ]
        elif "weight" not in item:
            terms.append(item)
    return terms


def _requirements(term: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What a term asks of labels, as far as it can be read."""
    for each in _maps(term.get("matchExpressions")):
        key, operator, values = each.get("key"), each.get("operator"), _texts(each.get("values"))
        if not isinstance(key, str) or not isinstance(operator, str) or values is None:
            continue
        if values or operator not in {"In", "NotIn"}:
            yield key, operator, values


def _texts(value: Any) -> tuple[str, ...] | None:
    """The texts of a list; None for one that holds anything else, or what is only known at run time."""
    items = value if isinstance(value, list | tuple) else () if value is None else (value,)
    texts = tuple(item for item in items if isinstance(item, str) and "$(" not in item)
    return texts if len(texts) == len(items) else None


def _affinity(pod: Pod) -> Iterator[Clash]:
    terms = _required(pod.affinity or ())
    if not terms or any(_impossible(term, pod.selector) is None for term in terms):
        return
    key = _impossible(terms[0], pod.selector) or ""
    message = f"no node can meet the required affinity: what it says of `{key}` contradicts itself"
    about: tuple[Path, ...] = (AFFINITY,)
    if key in pod.selector:
        message = f"no node can be `{key}: {pod.selector[key]}`, as the selector says, and meet the required affinity"
        about = (AFFINITY, selector_path(key))
    yield Clash("impossible-placement", message, "leave one of them out, or make them agree", about)


def _impossible(term: Mapping[str, Any], selector: Mapping[str, str]) -> str | None:
    """The label that no node can have as a term and the selector want it; None where one can."""
    requirements = sorted(_requirements(term), key=lambda each: each[1] != "In")
    allowed = {key: {selector[key]} for key, _, _ in requirements if key in selector}
    present = set(allowed)
    for key, operator, values in requirements:
        present |= {key} if operator in {"In", "Exists", "Gt", "Lt"} else set()
        match operator:
            case "In":
                allowed[key] = allowed.get(key, set(values)) & set(values)
            case "NotIn" if key in allowed:
                allowed[key] -= set(values)
            case "Gt" | "Lt" if key in allowed and values:
                allowed[key] = {value for value in allowed[key] if _compares(value, operator, values[0])}
            case _:
                pass
        if key in allowed and not allowed[key]:
            return key
    absent = (key for key, operator, _ in requirements if operator == "DoesNotExist" and key in present)
    return next(absent, None)


def _compares(value: str, operator: str, bound: str) -> bool:
    try:
        number, limit = int(value), int(bound)
    except ValueError:
        return False
    return number > limit if operator == "Gt" else number < limit


def _tolerations(pod: Pod) -> Iterator[Clash]:
    """Nodes are chosen by a label and usually tainted with the same; a toleration of another value is for others."""
    by_key: dict[Any, list[Mapping[str, Any]]] = {}
    for each in _maps(pod.tolerations):
        if isinstance(each.get("key", ""), str):
            by_key.setdefault(each.get("key"), []).append(each)
    if None in by_key:
        return  # one without a key bears every taint
    for label, wanted in pod.selector.items():
        same = by_key.get(label, [])
        if not same or any(each.get("operator") == "Exists" or each.get("value") == wanted for each in same):
            continue
        message = (
            f"the selector wants `{label}: {wanted}`, and what is tolerated is the taint "
            f"`{label}={same[0].get('value', '')}`"
        )
        help_ = f"tolerate `{wanted}`, or write `operator: Exists`"
        yield Clash("toleration-mismatch", message, help_, (TOLERATIONS, selector_path(label)), "warning")


def _shared_memory(pod: Pod) -> Iterator[Clash]:
    limit = pod.resources.limits.get("memory")
    if is_above(pod.shared_memory, limit):
        message = f"the shared memory ({pod.shared_memory}) is above the memory limit ({limit}), and counts towards it"
        help_ = "raise `limits.memory`, or lower `sharedMemory`"
        yield Clash("shared-memory-above-limit", message, help_, (SHARED, MEMORY), "warning")
