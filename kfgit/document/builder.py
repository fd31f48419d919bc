"""From libyaml's events to nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml

from kfgit.diagnostics import MAX_PER_FILE, Diagnostic, Related
from kfgit.document.events import Parser
from kfgit.document.nodes import Document, Entry, Mapping, Node, Scalar, Sequence, failed
from kfgit.document.scalars import core_value, is_word, surprise
from kfgit.source import Span

# A repository has millions of values, and the constructor of a named tuple takes twice as long.
_new = tuple.__new__
_SCALAR = yaml.ScalarEvent

MAX_DEPTH = 100
MAX_NODES = 100_000
_PER_DOCUMENT = 9  # what a document costs beside its values


class Broken(NamedTuple):
    """What ended the reading, and where its document began. `is_syntax` tells what a mended text may cure."""

    diagnostic: Diagnostic
    document_line: int
    is_syntax: bool


class _Stop(Exception):
    """Ends the reading of one file; never leaves this module."""


class Builder:
    """Turns one file's events into documents, collecting what is wrong.

    `mended` are the places, as line and column, where a string stands for something that could not be read;
    `nodes` counts the values so far, those of aliases too.
    """

    def __init__(self, path: str, text: str, mended: frozenset[tuple[int, int]]) -> None:
        self.path = path
        self.diagnostics: list[Diagnostic] = []
        self.broken: Broken | None = None
        self._text = text
        self._lines: list[str] = []
        self._mended = mended
        self._parser = Parser(text)
        self._next: Callable[[], Any] = self._parser.get_event
        self._anchors: dict[str, tuple[Node | None, int]] = {}
        self.nodes = 0
        self._document_line = 1
        self._sound = True

    def documents(self) -> Iterator[Document]:
        """The documents up to the first thing that cannot be read; `broken` says what that was."""
        index = 0
        try:
            while True:
                event = self._next()
                if isinstance(event, yaml.StreamEndEvent):
                    return
                if isinstance(event, yaml.DocumentStartEvent):
                    self._document_line = self._span(event).line
                    self._anchors.clear()
                    self._sound = True
                    self.nodes += _PER_DOCUMENT
                    root = self._node(self._next(), 0)
                    if not (isinstance(root, Scalar) and root.value is None and root.plain):
                        yield Document(self.path, index, root, self._sound)
                    index += 1
                    self._document_line = self._span(self._next()).end_line
        except _Stop:
            return
        except yaml.YAMLError as fault:
            self.broken = Broken(self._syntax(fault), self._document_line, is_syntax=True)
        finally:
            self._parser.dispose()

    def _span(self, event: Any) -> Span:
        start, end = event.start_mark, event.end_mark
        return _new(Span, (self.path, start.line + 1, start.column + 1, end.line + 1, end.column + 1))

    def _tell(self, code: str, message: str, span: Span, help_: str | None = None) -> None:
        self._note(Diagnostic(code, message, span, help_))

    def _note(self, told: Diagnostic) -> None:
        """Keeps a mistake, while anybody would read it: warnings leave room for errors."""
        self._sound = self._sound and told.severity == "warning"
        if len(self.diagnostics) <= (MAX_PER_FILE if told.severity == "warning" else 2 * MAX_PER_FILE):
            self.diagnostics.append(told)

    def _stop(self, diagnostic: Diagnostic, *, is_syntax: bool = False) -> _Stop:
        self.broken = Broken(diagnostic, self._document_line, is_syntax)
        return _Stop()

    def _node(self, event: Any, depth: int) -> Node:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self._too_many(event, "yaml-too-large", f"more than {MAX_NODES:,} values in one file")
        if event.__class__ is _SCALAR:
            return self._scalar(event)
        if event.__class__ is yaml.AliasEvent:
            return self._alias(event)
        if depth >= MAX_DEPTH:
            message = f"nested deeper than {MAX_DEPTH} levels"
            raise self._stop(Diagnostic("yaml-too-deep", message, self._span(event), "flatten the document"))
        self._no_tag(event)
        if event.anchor is None:
            return self._collection(event, depth)
        self._anchors[event.anchor] = (None, 0)
        before = self.nodes
        node = self._collection(event, depth)
        self._anchors[event.anchor] = (node, self.nodes - before + 1)
        return node

    def _too_many(self, event: Any, code: str, message: str) -> _Stop:
        return self._stop(
            Diagnostic(code, message, self._span(event), "split the file, and write values out")
        )

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
            span = self._span(event)
            key = self._key(event, span, start, depth)
            node = self._node(self._next(), depth + 1)
            if key is None:
                continue
            if key == "<<" and event.implicit[0]:
                _lay_under(entries, node)
            elif key in entries:
                first = Related("first written here", entries[key].key_span)
                message = f"the key `{key}` is written twice"
                help_ = "remove one of them; YAML readers disagree about which one counts"
                self._note(Diagnostic("duplicate-key", message, span, help_, related=(first,)))
            else:
                entries[key] = _new(Entry, (span, node))

    def _key(self, event: Any, span: Span, start: Any, depth: int) -> str | None:
        """The text of a key; None for one that is no text, which is told."""
        if event.__class__ is _SCALAR:
            key: str = event.value
            if event.tag is not None:
                self._no_tag(event)
            if not is_word(key) and event.implicit[0]:
                if key == "<<":
                    help_ = "write the keys out, or use an overlay or `defaults`"
                    self._tell("yaml-merge-key", "merge keys are not part of YAML 1.2", span, help_)
                else:
                    self._warn_of_surprise(key, span, is_key=True)
            if event.anchor is not None:
                self._anchors[event.anchor] = (Scalar(key, span), 1)
            return key
        if _is_template(event, start):
            outer = self._span(start)
            whole = Span(self.path, outer.line, outer.column, outer.line, outer.column + 2)
            told = Diagnostic(
                "unquoted-template", "an unquoted `{{ … }}` is a YAML map", whole, 'quote it: "{{ … }}"'
            )
            raise self._stop(told, is_syntax=True)
        help_ = "put the key in quotes, and leave `?` out"
        self._tell("yaml-complex-key", "a key must be a plain word or a string", span, help_)
        self._node(event, depth + 1)
        return None

    def _scalar(self, event: Any) -> Scalar:
        span = self._span(event)
        text: str = event.value
        if event.tag is not None:
            self._no_tag(event)
        if self._mended and (span.line, span.column) in self._mended:
            node = failed(span, "an unquoted template")
            self._sound = False
        elif not event.implicit[0]:
            node = Scalar(text, span, indent=self._indent(span) if event.style == "|" else None)
        elif is_word(text):
            node = _new(Scalar, (text, span, True, (), None))
        else:
            node = Scalar(core_value(text), span, plain=True)
            self._warn_of_surprise(text, span, is_key=False)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, 1)
        return node

    def _indent(self, span: Span) -> int | None:
        """The blanks before the lines of a literal block that begins at `span`."""
        self._lines = self._lines or self._text.split("\n")
        block = self._lines[span.line : span.end_line]
        return next((len(line) - len(line.lstrip(" ")) for line in block if line.strip()), None)

    def _alias(self, event: Any) -> Node:
        span = self._span(event)
        node, size = self._anchors.get(event.anchor, (None, 0))
        if node is None:
            is_open = event.anchor in self._anchors
            message = (
                f"the alias `*{event.anchor}` contains itself"
                if is_open
                else f"no anchor `&{event.anchor}` before this alias"
            )
            self._tell("yaml-alias", message, span, "write the value out")
            return failed(span, "an alias")
        self.nodes += size
        if self.nodes > MAX_NODES:
            raise self._too_many(event, "yaml-alias", f"aliases expand to more than {MAX_NODES:,} values")
        return node

    def _no_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag != "!":
            help_ = "remove the tag; the value's form decides its type"
            self._tell(
                "yaml-tag", f"YAML tags such as `{event.tag}` are not used here", self._span(event), help_
            )

    def _warn_of_surprise(self, text: str, span: Span, *, is_key: bool) -> None:
        found = surprise(text, is_key=is_key)
        if found is not None:
            self._note(Diagnostic("yaml-1.1", found.message, span, found.help, severity="warning"))

    def _head(self, start: Any, end: Any) -> Span:
        first, last = start.start_mark, end.end_mark
        if last.line == first.line:
            return Span(self.path, first.line + 1, first.column + 1, last.line + 1, last.column + 1)
        return Span(self.path, first.line + 1, first.column + 1, first.line + 1, first.column + 2)

    def _syntax(self, fault: yaml.YAMLError) -> Diagnostic:
        mark, around = getattr(fault, "problem_mark", None), getattr(fault, "context_mark", None)
        problem = str(getattr(fault, "problem", None) or fault).split("\n")[0]
        context = getattr(fault, "context", None)
        if around is not None and (mark is None or (around.line < mark.line and _is_unclosed(context))):
            mark = around
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        lines = self._text.split("\n")
        text = lines[line - 1] if line <= len(lines) else ""
        tab = text.find("\t")
        if tab >= 0 and (tab < len(text) - len(text.lstrip()) or tab == column - 1):
            span = Span(self.path, line, tab + 1, line, tab + 2)
            return Diagnostic("yaml-tab", "a tab cannot indent YAML", span, "indent with spaces")
        span = Span(self.path, line, column, line, column + 1)
        message = f"the YAML cannot be read: {problem}" + (f" ({context})" if context else "")
        told = f"{problem} {context}"
        help_ = next((way_out for part, way_out in _SYNTAX_HELP if part in told), _SPECIFICATION)
        return Diagnostic("yaml-syntax", message, span, help_)


_SPECIFICATION = "see https://yaml.org/spec/1.2.2 for the form of YAML"
# What libyaml says, in parts, and what mends it most often.
_SYNTAX_HELP = (
    ("quoted scalar", "close the quote"),
    ("cannot start any token", "put the value in quotes: a plain one cannot begin with this character"),
    (
        "mapping values are not allowed",
        "put a value that holds `: ` in quotes, and a map on lines of its own",
    ),
    (
        "did not find expected ',' or",
        "close the bracket, and put a value that holds brackets or commas in quotes",
    ),
    ("scanning an anchor", "put the value in quotes: an `&` begins an anchor"),
    ("scanning an alias", "put the value in quotes: a `*` begins an alias"),
    ("did not find expected node content", "write a value here, or remove the comma"),
    ("did not find expected key", "let the keys of a map begin in one column"),
    ("did not find expected '-' indicator", "let the items of a list begin in one column"),
    ("could not find expected ':'", "write `key: value`, and put a value of several lines in quotes"),
)


def _is_unclosed(context: str | None) -> bool:
    """Whether something is open that should be closed: then the mistake stands where it was opened."""
    return bool(context) and ("flow" in str(context) or "quoted" in str(context))


def _is_template(event: Any, start: Any) -> bool:
    """Whether a key that is a map is the inner half of `{{ … }}`."""
    flow = event.__class__ is yaml.MappingStartEvent and event.flow_style and start.flow_style
    return bool(flow and event.start_mark.index == start.start_mark.index + 1)


def _lay_under(entries: dict[str, Entry], merged: Node) -> None:
    """A merge key is told as an error; what it would have brought is kept, so that nothing seems to be missing."""
    for node in merged.items if isinstance(merged, Sequence) else (merged,):
        if isinstance(node, Mapping):
            for key, entry in node.entries.items():
                entries.setdefault(key, entry)
