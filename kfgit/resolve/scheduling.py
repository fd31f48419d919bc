"""Node affinity and tolerations that Kubernetes would refuse, or KFP leave out, when the task starts.

The rules are those of the API server (kubernetes pkg/apis/core/validation/validation.go, ValidateNodeSelectorTerm and
ValidateTolerations); a term without requirements KFP's driver skips with a line in its log (driver/k8s.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from kfgit import references
from kfgit.document import Mapping, Node, Scalar, Sequence, texts
from kfgit.resolve.reader import Reader

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_MATCHES = ("matchExpressions", "matchFields")
# A text with a reference is told where it stands as a whole.
_REFERENCE = re.compile(r".*\$\(", re.DOTALL)
_LABEL_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?\Z", re.ASCII
)
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?)?\Z", re.ASCII)
_WHOLE_NUMBER = re.compile(r"[-+]?\d+\Z", re.ASCII)


def check_affinity(reader: Reader, node: Node | None) -> None:
    """Terms as KFP has them, or whole NodeAffinity objects."""
    for item in _items(node):
        if not isinstance(item, Mapping):
            continue
        whole = [key for key in (_REQUIRED, _PREFERRED) if key in item.entries]
        own = [key for key in (*_MATCHES, "weight") if key in item.entries]
        if whole and own:
            message = f"`{own[0]}` does not go with `{whole[0]}`"
            help_ = "a term stands in an item of its own"
            reader.fault("bad-affinity", message, item.entries[own[0]].key_span, help_)
        elif whole:
            for term in _terms_of_kubernetes(item):
                _term(reader, term)
        else:
            _term(reader, item)


def _terms_of_kubernetes(affinity: Mapping) -> Iterator[Node]:
    required, preferred = affinity.get(_REQUIRED), affinity.get(_PREFERRED)
    if isinstance(required, Mapping):
        yield from _items(required.get("nodeSelectorTerms"))
    for item in _items(preferred):
        if isinstance(item, Mapping) and "preference" in item.entries:
            yield item.entries["preference"].node


def _term(reader: Reader, term: Node) -> None:
    if not isinstance(term, Mapping) or reader.is_unclear(term):
        return
    if not any(_items(term.get(key)) for key in _MATCHES):
        if all(isinstance(term.get(key), Sequence | None) for key in _MATCHES):
            message = "a term without requirements says nothing, and KFP leaves it out"
            help_ = "add `matchExpressions`, or remove the term"
            reader.fault("bad-affinity", message, term.span, help_)
        return
    for key in _MATCHES:
        for requirement in _items(term.get(key)):
            if isinstance(requirement, Mapping):
                _requirement(reader, requirement, is_field=key == "matchFields")


def _requirement(reader: Reader, node: Mapping, *, is_field: bool) -> None:
    key, operator = (reader.string(node.get(name)) for name in ("key", "operator"))
    if key is None or operator is None:
        return
    if is_field:
        _field(reader, node, key, operator)
    elif not (_LABEL_KEY.match(key) or _REFERENCE.match(key)):
        message = f"`{key}` is no label key"
        help_ = "write a key such as `topology.kubernetes.io/zone`"
        reader.fault("bad-affinity", message, node.entries["key"].node.span, help_)
    holder = node.entries.get("values") or node.entries["operator"]
    found = _values_problem(operator, _items(node.get("values")), is_field=is_field)
    if found is not None:
        reader.fault("bad-affinity", found[0], holder.node.span, found[1])
    elif not is_field and operator in {"In", "NotIn"}:
        for item in _items(node.get("values")):
            _label_value(reader, "bad-affinity", item)


def _values_problem(operator: str, values: tuple[Node, ...], *, is_field: bool) -> tuple[str, str] | None:
    """Message and help, where an operator and its values do not go together."""
    match operator:
        case "In" | "NotIn" if not values:
            return f"`{operator}` needs `values`", "list what it is compared with"
        case "In" | "NotIn" if is_field and len(values) > 1:
            return "a field is compared with one value", "make a term for each value"
        case "Exists" | "DoesNotExist" if values:
            return f"`{operator}` has no `values`", "remove them, or write `In`"
        case "Gt" | "Lt":
            texts = [item.value for item in values if isinstance(item, Scalar)]
            if len(values) != 1 or not all(isinstance(t, str) and _is_number(t) for t in texts):
                return f"`{operator}` compares with one whole number", 'write it as text: `values: ["8"]`'
        case _:
            pass
    return None


def _is_number(text: str) -> bool:
    return bool(_WHOLE_NUMBER.match(text) or _REFERENCE.match(text))


def _field(reader: Reader, node: Mapping, key: str, operator: str) -> None:
    if key != "metadata.name" and not _REFERENCE.match(key):
        message = f"a node cannot be chosen by the field `{key}`"
        reader.fault(
            "bad-affinity", message, node.entries["key"].node.span, "the one field is `metadata.name`"
        )
    elif operator not in {"In", "NotIn"}:
        message = f"a field cannot be compared with `{operator}`"
        reader.fault("bad-affinity", message, node.entries["operator"].node.span, "write `In` or `NotIn`")


def _label_value(reader: Reader, code: str, node: Node) -> None:
    text = node.value if isinstance(node, Scalar) else None
    if isinstance(text, str) and not (_LABEL_VALUE.match(text) or _REFERENCE.match(text)):
        message = f"`{text[:40]}` cannot be the value of a label"
        help_ = "a label's value has at most 63 letters, digits, `-`, `_` and `.`"
        reader.fault(code, message, node.span, help_)


def check_tolerations(reader: Reader, node: Node | None) -> None:
    """Tolerations that are written out."""
    for item in _items(node):
        if isinstance(item, Mapping) and not reader.is_unclear(item):
            _toleration(reader, item)


def _toleration(reader: Reader, node: Mapping) -> None:
    given = {
        key: reader.string(entry.node) for key, entry in node.entries.items() if key != "tolerationSeconds"
    }
    key, operator, value = (given.get(name) for name in ("key", "operator", "value"))
    if "key" not in given and operator != "Exists":
        message = "a toleration without a `key` bears every taint, and says so with `operator: Exists`"
        reader.fault("bad-toleration", message, node.span, "add a `key`, or `operator: Exists`")
    elif key is not None and not (_LABEL_KEY.match(key) or _REFERENCE.match(key)):
        message = f"`{key}` is no taint key"
        help_ = "write a key such as `nvidia.com/gpu`"
        reader.fault("bad-toleration", message, node.entries["key"].node.span, help_)
    if operator == "Exists" and value:
        message = "`Exists` bears every value, so there is no `value`"
        reader.fault(
            "bad-toleration", message, node.entries["value"].node.span, "remove it, or write `Equal`"
        )
    elif value is not None:
        _label_value(reader, "bad-toleration", node.entries["value"].node)
    if "tolerationSeconds" in node.entries and given.get("effect") != "NoExecute":
        message = "`tolerationSeconds` is for the effect `NoExecute`"
        help_ = "add `effect: NoExecute`, or leave the seconds out"
        reader.fault("bad-toleration", message, node.entries["tolerationSeconds"].key_span, help_)


def check_fixed(reader: Reader, node: Node | None) -> None:
    """Tells of references where nobody looks any up, such as in a profile."""
    for text, leaf in texts(node) if node is not None else ():
        if references.has_reference(text):
            message = "a profile cannot hold a reference"
            reader.fault("reference-not-allowed", message, leaf.span, "choose it with `{{ vars.… }}`")


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sequence) else ()
