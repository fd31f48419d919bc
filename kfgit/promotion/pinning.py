"""`spec.pin.commit` of an Environment set in its text: everything else stays as somebody wrote it, comments too.

The text is cut where the nodes stand and read again. Only a text whose documents say the same as before but for that
one value is taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kfgit import document, formatting
from kfgit.document import Document, Mapping, Node, Scalar, Sequence, at, plain
from kfgit.formatting import InForm, Reformed, Shapes
from kfgit.source import SourceFile, Span

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
# Hexadecimal digits that YAML reads as a number: 12345678, 12e4567.
_NUMBER = re.compile(r"[0-9]+(e[0-9]+)?\Z")


@dataclass(frozen=True, slots=True)
class Pinned:
    """The file as it is with the pin."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Unsure:
    """The text cannot be changed with certainty; `reason` goes on after "`spec.pin.commit` cannot be written: "."""

    reason: str


def pin(source: SourceFile, name: str, commit: str, shapes: Shapes) -> Pinned | Unsure:
    """The file with the Environment `name` whose `spec.pin.commit` is `commit`, in the stable form if it was in it."""
    if source.path.endswith(".j2"):
        return Unsure("the file is a template")
    before = document.parse(source)
    homes = [found for found in before.value if _is_home(found, name)]
    if len(homes) != 1:
        return Unsure(f"the file holds {len(homes) or 'no'} Environments `{name}`")
    (home,) = homes
    if isinstance(old := at(home.root, ("spec", "pin", "commit")), Scalar) and "{" in str(old.value):
        return Unsure("it is a template, which takes it from elsewhere")
    if not all(_may_hold(at(home.root, path)) for path in (("spec",), ("spec", "pin"))):
        return Unsure("`spec`, or `pin` in it, is no map")
    wanted = [_with_pin(found, commit) if found is home else plain(found.root) for found in before.value]
    for text in _attempts(_Text.of(source), home, commit):
        after = document.parse(SourceFile(source.path, text))
        if (
            len(after.diagnostics) <= len(before.diagnostics)
            and [plain(d.root) for d in after.value] == wanted
        ):
            return Pinned(_formed(source, SourceFile(source.path, text), shapes))
    return Unsure("the document has a form that is not cut with certainty")


def _is_home(found: Document, name: str) -> bool:
    kind, own = at(found.root, ("kind",)), at(found.root, ("metadata", "name"))
    return (
        isinstance(kind, Scalar)
        and isinstance(own, Scalar)
        and (kind.value, own.value) == ("Environment", name)
    )


def _may_hold(node: Node | None) -> bool:
    return node is None or isinstance(node, Mapping) or (isinstance(node, Scalar) and node.value is None)


def _with_pin(found: Document, commit: str) -> Any:
    value = plain(found.root)
    spec = value.get("spec") or {}
    return {**value, "spec": {**spec, "pin": {**(spec.get("pin") or {}), "commit": commit}}}


def _formed(before: SourceFile, after: SourceFile, shapes: Shapes) -> bytes:
    """A file that was in the stable form stays in it."""
    if not isinstance(formatting.form(before, shapes), InForm):
        return after.content
    formed = formatting.form(after, shapes)
    return formed.content if isinstance(formed, Reformed) else after.content


# --- where to cut


@dataclass(frozen=True, slots=True)
class _Text:
    """The lines of a file with their ends, as spans count them."""

    lines: tuple[str, ...]
    mark: str
    end: str

    @classmethod
    def of(cls, source: SourceFile) -> _Text:
        whole = source.content.decode("utf-8")
        text = whole.removeprefix("\ufeff")
        lines = tuple(_LINE.findall(text))
        first = lines[0] if lines else "\n"
        end = first[len(first.rstrip("\r\n")) :] or "\n"
        return cls(lines, whole[: len(whole) - len(text)], end)

    def replaced(self, span: Span, text: str) -> bytes:
        """The file with other characters in a place."""
        before = self.lines[span.line - 1][: span.column - 1]
        after = (
            self.lines[span.end_line - 1][span.end_column - 1 :] if span.end_line <= len(self.lines) else ""
        )
        return self._joined(span.line - 1, before + text + after, span.end_line)

    def inserted(self, number: int, line: str) -> bytes:
        """The file with one more line, that has this number."""
        lines = list(self.lines)
        if lines and not lines[-1].endswith(("\r", "\n")):
            lines[-1] += self.end
        lines.insert(number - 1, line + self.end)
        return (self.mark + "".join(lines)).encode()

    def remarks_below(self, number: int, column: int) -> int:
        """The last line of the comments right below a line that are further in than a column: they belong to it."""
        for line in self.lines[number:]:
            bare = line.lstrip(" ")
            if not bare.startswith("#") or len(line) - len(bare) < column:
                break
            number += 1
        return number

    def _joined(self, first: int, middle: str, rest: int) -> bytes:
        return (self.mark + "".join((*self.lines[:first], middle, *self.lines[rest:]))).encode()


def _attempts(text: _Text, home: Document, commit: str) -> Iterator[bytes]:
    """The texts that may be right, the most natural first."""
    value = f'"{commit}"' if _NUMBER.match(commit) else commit
    old = at(home.root, ("spec", "pin", "commit"))
    if isinstance(old, Scalar):
        yield text.replaced(old.span, value if old.plain else f'"{commit}"')
        return
    for path, new in ((("spec", "pin"), f"commit: {value}"), (("spec",), f"pin: {{commit: {value}}}")):
        yield from _into(text, at(home.root, path), new)
    if isinstance(home.root, Mapping) and at(home.root, ("spec",)) is None:
        yield from _beside(text, home.root, "metadata", f"spec: {{pin: {{commit: {value}}}}}")


def _into(text: _Text, holder: Node | None, new: str) -> Iterator[bytes]:
    """One more key in a map, or in what is empty where one may stand."""
    if isinstance(holder, Scalar) and holder.value is None:
        yield text.replaced(holder.span, f" {{{new}}}" if _is_nothing(holder.span) else f"{{{new}}}")
    if not isinstance(holder, Mapping):
        return
    span = holder.span
    opened = Span(span.file, span.line, span.column, span.line, span.column + 1)
    if text.lines[span.line - 1][span.column - 1 : span.column] == "{":
        yield text.replaced(opened, f"{{{new}, " if holder.entries else f"{{{new}")
    elif holder.entries:
        yield from _beside(text, holder, "git", new)


def _is_nothing(span: Span) -> bool:
    return (span.line, span.column) == (span.end_line, span.end_column)


def _beside(text: _Text, holder: Mapping, key: str, new: str) -> Iterator[bytes]:
    """One more line in a map of lines: behind the entry `key`, else before the first, else behind the last."""
    entries = list(holder.entries.values())
    column = entries[0].key_span.column
    line = " " * (column - 1) + new
    for entry in (holder.entries.get(key), entries[-1]):
        if entry is not None:
            last = max(_last_line(entry.node), entry.key_span.line)
            yield text.inserted(text.remarks_below(last, column) + 1, line)
    if entries[0].key_span.line > 1:
        yield text.inserted(entries[0].key_span.line, line)


def _last_line(node: Node) -> int:
    """The last line that something of a node stands on, as far as spans tell."""
    match node:
        case Mapping():
            return max((node.span.end_line, *(_last_line(entry.node) for entry in node.entries.values())))
        case Sequence():
            return max((node.span.end_line, *(_last_line(item) for item in node.items)))
        case Scalar():
            # A block (`|`) ends at the beginning of the line after it.
            ended = node.span.end_column == 1 and node.span.end_line > node.span.line
            return node.span.end_line - ended
