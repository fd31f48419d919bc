"""YAML 1.2 text to nodes with spans.

libyaml's events are read by a builder of our own: PyYAML's loaders speak YAML 1.1, take the last of two equal
keys in silence and forget positions. `parse` never raises: what is wrong with a text comes back as diagnostics,
and what hostile text could cost (size, depth, number of nodes, expanding aliases) is bounded before it is built.
Left out on purpose: tags, merge keys and complex keys, which kfgit's language does not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping as MappingOf
from typing import Any, NamedTuple, TypeAlias

import yaml

try:
    from yaml.cyaml import CParser as _Events
except ImportError:  # a PyYAML without libyaml: the same events, slower
    from yaml import SafeLoader as _Events

from kfgit.diagnostics import Checked, Diagnostic, Related
from kfgit.source import SourceFile, Span, whole_file

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 400_000

Value: TypeAlias = str | int | float | bool | None


class Origin(NamedTuple):
    """Something a value was computed from: a variable, a template, a patch, and where it stands."""

    what: str
    span: Span


class Scalar(NamedTuple):
    """A leaf. `plain` tells that it was written without quotes; `origins` what a template took it from."""

    value: Value
    span: Span
    plain: bool = False
    origins: tuple[Origin, ...] = ()


class Sequence(NamedTuple):
    """A list."""

    items: tuple[Node, ...]
    span: Span


class Entry(NamedTuple):
    """A value under its key; `key_span` is where the key stands."""

    key_span: Span
    node: Node


class Mapping(NamedTuple):
    """A map, in the order of the text. Its span is that of its first line."""

    entries: MappingOf[str, Entry]
    span: Span

    def get(self, key: str) -> Node | None:
        """The node under `key`, or None."""
        entry = self.entries.get(key)
        return entry.node if entry is not None else None


Node: TypeAlias = Scalar | Sequence | Mapping


class Document(NamedTuple):
    """One YAML document of a file; `index` counts from 0."""

    file: str
    index: int
    root: Node


def plain(node: Node) -> Any:
    """The node as ordinary Python values, without spans."""
    match node:
        case Scalar():
            return node.value
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {key: plain(entry.node) for key, entry in node.entries.items()}


def at(node: Node, path: tuple[str | int, ...]) -> Node | None:
    """The node at `path`, or None where the path leads nowhere."""
    for step in path:
        match node:
            case Mapping() if isinstance(step, str) and step in node.entries:
                node = node.entries[step].node
            case Sequence() if isinstance(step, int) and -1 < step < len(node.items):
                node = node.items[step]
            case _:
                return None
    return node


def parse(source: SourceFile) -> Checked[tuple[Document, ...]]:
    """All documents of a file. A fault ends the file: the documents before it are kept."""
    text, faults = _decode(source)
    if text is None:
        return Checked((), tuple(faults))
    builder = _Builder(source.path, text)
    documents = tuple(builder.documents())
    return Checked(documents, tuple(builder.diagnostics))


def _decode(source: SourceFile) -> tuple[str | None, list[Diagnostic]]:
    here = whole_file(source.path)
    if len(source.content) > MAX_BYTES:
        size = f"{len(source.content) / 1048576:.1f} MiB"
        limit = f"split it into files of at most {MAX_BYTES // 1048576} MiB"
        return None, [Diagnostic("yaml-too-large", f"the file is too large: {size}", here, limit)]
    try:
        text = source.content.decode("utf-8")
    except UnicodeDecodeError as fault:
        before = source.content[: fault.start].decode("utf-8", "replace")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        span = Span(source.path, line, column, line, column + 1)
        return None, [Diagnostic("yaml-encoding", "the file is not UTF-8", span, "save it as UTF-8")]
    text = text.removeprefix("\ufeff")
    bad = _FORBIDDEN.search(text)
    if bad is not None:
        before = text[: bad.start()]
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        span = Span(source.path, line, column, line, column + 1)
        name = f"U+{ord(bad.group()):04X}"
        help_ = "remove it, or write it as an escape in double quotes"
        return None, [Diagnostic("yaml-character", f"the character {name} may not stand in YAML", span, help_)]
    return text, []


_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff\ufeff]")

_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)\Z")
_NAN = re.compile(r"\.(nan|NaN|NAN)\Z")
_WORDS: dict[str, Value] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_MAX_DIGITS = 400

# What YAML 1.1 readers (PyYAML, go-yaml) take for something else than YAML 1.2 does.
_WORDS_1_1 = frozenset(w for b in ("yes", "no", "on", "off") for w in (b, b.capitalize(), b.upper()))
_SEXAGESIMAL = re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?\Z")
_OCTAL_1_1 = re.compile(r"[-+]?0[0-9]+\Z")
_UNDERSCORES = re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*\Z")


def core_value(text: str) -> Value:
    """A plain scalar by YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema)."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if not (first.isdigit() or first in "+-."):
        return text
    if len(text) > _MAX_DIGITS:
        return text
    if _INT.match(text):
        return int(text)
    if _OCTAL.match(text):
        return int(text[2:], 8)
    if _HEX.match(text):
        return int(text[2:], 16)
    if _FLOAT.match(text):
        return float(text)
    if _INFINITE.match(text):
        return float("-inf") if first == "-" else float("inf")
    return float("nan") if _NAN.match(text) else text


class _Stop(Exception):
    """Ends the reading of one file; never leaves this module."""


class _Builder:
    """Turns one file's events into documents, collecting what is wrong."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.diagnostics: list[Diagnostic] = []
        self._text = text
        self._parser = _Events(text)
        self._anchors: dict[str, tuple[Node | None, int]] = {}
        self._nodes = 0

    def documents(self) -> Iterator[Document]:
        index = 0
        try:
            while True:
                event = self._next()
                if isinstance(event, yaml.StreamEndEvent):
                    return
                if isinstance(event, yaml.DocumentStartEvent):
                    self._anchors.clear()
                    root = self._node(self._next(), 0)
                    if not (isinstance(root, Scalar) and root.value is None and root.plain):
                        yield Document(self.path, index, root)
                    index += 1
        except _Stop:
            return
        except yaml.YAMLError as fault:
            self.diagnostics.append(self._syntax(fault))
        finally:
            self._parser.dispose()

    def _next(self) -> Any:
        return self._parser.get_event()

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        return Span(self.path, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _fail(self, code: str, message: str, span: Span, help_: str | None = None) -> _Stop:
        self.diagnostics.append(Diagnostic(code, message, span, help_))
        return _Stop()

    def _node(self, event: Any, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            span = self._span(event)
            raise self._fail("yaml-too-large", f"more than {MAX_NODES:,} values in one file", span, "split the file")
        if event.__class__ is yaml.ScalarEvent:
            return self._scalar(event)
        if event.__class__ is yaml.AliasEvent:
            return self._alias(event)
        if depth >= MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise self._fail("yaml-too-deep", message, self._span(event), "flatten the document")
        self._no_tag(event)
        if event.anchor is None:
            return self._collection(event, depth)
        self._anchors[event.anchor] = (None, 0)
        before = self._nodes
        node = self._collection(event, depth)
        self._anchors[event.anchor] = (node, self._nodes - before + 1)
        return node

    def _collection(self, event: Any, depth: int) -> Node:
        if event.__class__ is yaml.SequenceStartEvent:
            return self._sequence(event, depth)
        return self._mapping(event, depth)

    def _sequence(self, start: Any, depth: int) -> Sequence:
        items: list[Node] = []
        while True:
            event = self._next()
            if event.__class__ is yaml.SequenceEndEvent:
                return Sequence(tuple(items), self._head(start, event))
            items.append(self._node(event, depth + 1))

    def _mapping(self, start: Any, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        while True:
            event = self._next()
            if event.__class__ is yaml.MappingEndEvent:
                return Mapping(entries, self._head(start, event))
            key = self._key(event, start)
            span = self._span(event)
            node = self._node(self._next(), depth + 1)
            if key in entries:
                first = Related("first written here", entries[key].key_span)
                message = f"the key `{key}` is written twice"
                help_ = "remove one of them; YAML readers disagree about which one counts"
                self.diagnostics.append(Diagnostic("duplicate-key", message, span, help_, related=(first,)))
                continue
            entries[key] = Entry(span, node)

    def _key(self, event: Any, start: Any) -> str:
        span = self._span(event)
        if event.__class__ is yaml.ScalarEvent:
            self._no_tag(event)
            if event.value == "<<" and event.implicit[0]:
                help_ = "write the keys out, or use an overlay or `defaults`"
                raise self._fail("yaml-merge-key", "merge keys are not part of YAML 1.2", span, help_)
            self._surprise(event, span, is_key=True)
            return str(event.value)
        flow = event.__class__ is yaml.MappingStartEvent and event.flow_style and start.flow_style
        if flow and event.start_mark.index == start.start_mark.index + 1:
            outer = self._span(start)
            whole = Span(self.path, outer.line, outer.column, outer.line, outer.column + 2)
            raise self._fail("unquoted-template", "an unquoted `{{ … }}` is a YAML map", whole, 'quote it: "{{ … }}"')
        raise self._fail("yaml-complex-key", "a key must be a plain word or a string", span)

    def _scalar(self, event: Any) -> Scalar:
        span = self._span(event)
        self._no_tag(event)
        if event.implicit[0]:
            node = Scalar(core_value(event.value), span, plain=True)
            self._surprise(event, span, is_key=False)
        else:
            node = Scalar(event.value, span)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, 1)
        return node

    def _alias(self, event: Any) -> Node:
        node, size = self._anchors.get(event.anchor, (None, 0))
        if node is None:
            if event.anchor in self._anchors:
                raise self._fail("yaml-alias", f"the alias `*{event.anchor}` contains itself", self._span(event))
            raise self._fail("yaml-alias", f"no anchor `&{event.anchor}` before this alias", self._span(event))
        self._nodes += size
        if self._nodes > MAX_NODES:
            message = f"aliases expand to more than {MAX_NODES:,} values"
            raise self._fail("yaml-alias", message, self._span(event), "write the values out")
        return node

    def _no_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag != "!":
            help_ = "remove the tag; the value's form decides its type"
            self.diagnostics.append(
                Diagnostic("yaml-tag", f"YAML tags such as `{event.tag}` are not used here", self._span(event), help_)
            )

    def _surprise(self, event: Any, span: Span, *, is_key: bool) -> None:
        text = event.value
        if not event.implicit[0] or not text or len(text) > 40:  # noqa: PLR2004 - no such word is longer
            return
        if text in _WORDS_1_1:
            if is_key and text not in {"on", "off", "yes", "no"}:
                return
            meant = "true" if text.lower() in {"yes", "on"} else "false"
            message = f"`{text}` is the string \"{text}\" here, a boolean for YAML 1.1 readers"
            self._warn(message, span, f"write `{meant}`, or quote it: \"{text}\"")
        elif not text[-1].isdigit() and text[-1] not in "._":
            return
        elif _OCTAL_1_1.match(text):
            number = core_value(text)
            self._warn(f"`{text}` is the number {number} here, an octal number for YAML 1.1 readers", span,
                       f"write `{number}`, or quote it: \"{text}\"")  # fmt: skip
        elif _SEXAGESIMAL.match(text):
            self._warn(f"`{text}` is a string here, a number in base 60 for YAML 1.1 readers", span,
                       f"quote it: \"{text}\"")  # fmt: skip
        elif _UNDERSCORES.match(text):
            self._warn(f"`{text}` is a string here, a number for YAML 1.1 readers", span,
                       f"write `{text.replace('_', '')}`, or quote it: \"{text}\"")  # fmt: skip

    def _warn(self, message: str, span: Span, help_: str) -> None:
        self.diagnostics.append(Diagnostic("yaml-1.1", message, span, help_, severity="warning"))

    def _head(self, start: Any, end: Any) -> Span:
        first, last = start.start_mark, end.end_mark
        if last.line == first.line:
            return Span(self.path, first.line + 1, first.column + 1, last.line + 1, last.column + 1)
        return Span(self.path, first.line + 1, first.column + 1, first.line + 1, first.column + 2)

    def _syntax(self, fault: yaml.YAMLError) -> Diagnostic:
        mark = getattr(fault, "problem_mark", None) or getattr(fault, "context_mark", None)
        problem = str(getattr(fault, "problem", None) or fault).split("\n")[0]
        context = getattr(fault, "context", None)
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        lines = self._text.split("\n")
        text = lines[line - 1] if line <= len(lines) else ""
        span = Span(self.path, line, column, line, column + 1)
        if "\t" in text[: max(column, len(text) - len(text.lstrip()))]:
            column = text.index("\t") + 1
            span = Span(self.path, line, column, line, column + 1)
            return Diagnostic("yaml-tab", "a tab cannot indent YAML", span, "indent with spaces")
        message = f"the YAML cannot be read: {problem}" + (f" ({context})" if context else "")
        if "{{" in text:
            return Diagnostic("yaml-syntax", message, span, 'quote a value that contains "{{ … }}"')
        return Diagnostic("yaml-syntax", message, span, "see https://yaml.org/spec/1.2.2 for the form of YAML")
