"""Policies that say more than a value: when nothing changes, what is left alone, and a team's own rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from kfgit import cel
from kfgit.diagnostics import Related
from kfgit.document import Mapping, Node, Scalar, Sequence, plain
from kfgit.model import Freeze, Name, PolicyRule, Protected, RuleTest, Window
from kfgit.overlay import KINDS
from kfgit.resolve.kinds import check_globs
from kfgit.resolve.reader import Reader
from kfgit.resolve.times import instant
from kfgit.source import Span

_ALL = frozenset(KINDS) - {"Project", "Environment"}
ACTIONS = ("create", "update", "replace", "delete")


def freeze(reader: Reader, node: Node | None) -> Freeze | None:
    """When nothing changes; None for never."""
    value, blocks = _levelled(node)
    if isinstance(value, Scalar):
        return (
            Freeze(always=True, windows=(), blocks=blocks, span=value.span) if value.value is True else None
        )
    if not isinstance(value, Sequence):
        return None
    found = (_window(reader, item) for item in value.items if isinstance(item, Mapping))
    windows = tuple(sorted((w for w in found if w is not None), key=lambda w: (w.start, w.end)))
    return Freeze(always=False, windows=windows, blocks=blocks, span=value.span)


def _window(reader: Reader, node: Mapping) -> Window | None:
    times = {key: _time(reader, node.get(key)) for key in ("start", "end")}
    start, end = times["start"], times["end"]
    if start is None or end is None:
        return None
    if end <= start:
        place = node.entries["end"].node.span
        reader.fault("bad-time", "the freeze ends before it starts", place, "exchange `start` and `end`")
        return None
    return Window(start, end, reader.string(node.get("reason")) or "", node.entries["start"].node.span)


def _time(reader: Reader, node: Node | None) -> datetime | None:
    """A time; the schema has told what is none."""
    text = reader.string(node)
    return instant(text) if text is not None else None


def protected(reader: Reader, node: Node | None) -> Protected | None:
    """What no plan may change; None for nothing."""
    value, blocks = _levelled(node)
    if not isinstance(value, Sequence):
        return None
    check_globs(reader, value)
    globs = (reader.name(item) for item in value.items)
    return Protected(tuple(glob for glob in globs if glob is not None), blocks)


def _levelled(node: Node | None) -> tuple[Node | None, bool]:
    """A policy's value, written by itself or as `{value, level}`, and whether a breach blocks."""
    if not isinstance(node, Mapping):
        return node, True
    level = node.get("level")
    return node.get("value"), not (isinstance(level, Scalar) and level.value == "warn")


def rules(reader: Reader, common: Node | None, own: Node | None) -> tuple[PolicyRule, ...]:
    """The rules of the project and of the environment; of two that have one name the environment's."""
    found: dict[str, PolicyRule] = {}
    for node in (common, own):
        found.update({rule.name: rule for rule in _rules(reader, node)})
    return tuple(found.values())


def _rules(reader: Reader, node: Node | None) -> Iterator[PolicyRule]:
    places: dict[str, Span] = {}
    for item in node.items if isinstance(node, Sequence) else ():
        name = reader.name(item.get("name")) if isinstance(item, Mapping) else None
        if name is None or not isinstance(item, Mapping):
            continue
        if name.text in places:
            message = f"the rule `{name.text}` is written twice"
            related = Related("first written here", places[name.text])
            reader.fault("duplicate-rule", message, name.span, "rename or remove one of them", related)
            continue
        places[name.text] = name.span
        rule = _rule(reader, name, item)
        if rule is not None:
            yield rule


def _rule(reader: Reader, name: Name, node: Mapping) -> PolicyRule | None:
    require = node.get("require")
    expression = _expression(reader, require)
    if expression is None or require is None:
        return None
    actions = frozenset(reader.strings(node.get("actions")))
    asks_change = bool(actions) or "change" in cel.names(expression)
    kinds = frozenset(reader.strings(node.get("kinds"))) or _ALL
    return PolicyRule(
        name.text,
        name.span,
        expression,
        require.span,
        " ".join(str(plain(require)).split()),
        asks_change,
        kinds,
        actions or frozenset(ACTIONS),
        message=reader.string(node.get("message")) or "",
        description=reader.string(node.get("description")) or "",
        blocks=reader.string(node.get("level")) != "warn",
        tests=tuple(_tests(reader, node, asks_change=asks_change)),
    )


def _expression(reader: Reader, node: Node | None) -> cel.Expr | None:
    text = reader.string(node)
    if text is None or not isinstance(node, Scalar):
        return None
    try:
        expression = cel.parse(text)
        cel.check_rule(expression)
    except (cel.CelSyntaxError, cel.CelTypeError) as fault:
        message = f"the rule cannot be read: {fault.message}"
        reader.fault("bad-rule", message, inside(node, text, fault.offset), fault.help or RULE_HELP)
        return None
    return expression


RULE_HELP = (
    "a rule is CEL over `resource`, `environment` and `change`, such as `has(resource.metadata.labels.team)`"
)


def inside(node: Scalar, text: str, offset: int) -> Span:
    """The place in a text's file of one of its characters, where that can be told; else that of the whole text."""
    span = node.span
    if node.origins:
        return span
    before, width = text[:offset], span.end_column - span.column
    if node.indent is not None:
        line = span.line + 1 + before.count("\n")
        column = node.indent + offset - (before.rfind("\n") + 1) + 1
    elif span.line == span.end_line and width - len(text) in (0, 2):
        line, column = span.line, span.column + (width - len(text)) // 2 + offset
    else:
        return span
    return Span(span.file, line, column, line, column + 1)


def _tests(reader: Reader, node: Mapping, *, asks_change: bool) -> Iterator[RuleTest]:
    for item in reader.items(node.get("tests")):
        name = reader.name(item.get("name")) if isinstance(item, Mapping) else None
        passes = reader.boolean(item.get("passes")) if isinstance(item, Mapping) else None
        if name is None or passes is None or not isinstance(item, Mapping):
            continue
        parts = {key: plain(item.entries[key].node) for key in _PARTS if key in item.entries}
        if asks_change != ("change" in parts):
            message, help_ = _UNASKED if "change" in parts else _NO_CHANGE
            reader.fault("rule-test-change", message, name.span, help_)
            continue
        resource, environment = (parts.get(key) or {} for key in ("resource", "environment"))
        yield RuleTest(name.text, resource, parts.get("change"), environment, passes, name.span)


_PARTS = ("resource", "change", "environment")
_NO_CHANGE = ("the rule is about changes, and this test has none", "add `change: {action: update}`")
_UNASKED = (
    "the rule is not about changes, and this test has one",
    "take `change` out, or name it in the rule, or give the rule `actions`",
)
