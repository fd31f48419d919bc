"""The text of a file before it is parsed: decoded, bounded, and mended where one mistake would hide all others."""

from __future__ import annotations

import re

from kfgit.diagnostics import Diagnostic
from kfgit.source import MAX_BYTES, SourceFile, Span, whole_file

# What YAML forbids, and what YAML 1.1 and libyaml take for the end of a line, but neither YAML 1.2 nor editors do.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff\ufeff]"
)


def decode(source: SourceFile, limit: int = MAX_BYTES) -> str | Diagnostic:
    """The text of a file, with `\\n` at the end of its lines, or why there is none."""
    if len(source.content) > limit:
        message = f"the file is larger than {limit // 1048576} MiB"
        return Diagnostic("yaml-too-large", message, whole_file(source.path), "split it into smaller files")
    try:
        text = source.content.decode("utf-8")
    except UnicodeDecodeError as fault:
        before = source.content[: fault.start].decode("utf-8", "replace").removeprefix("\ufeff")
        span = _after(source.path, with_newlines(before))
        return Diagnostic("yaml-encoding", "the file is not UTF-8", span, "save it as UTF-8")
    text = with_newlines(text.removeprefix("\ufeff"))
    bad = _FORBIDDEN.search(text)
    if bad is None:
        return text
    name = f"U+{ord(bad.group()):04X}"
    help_ = "remove it, or write it as an escape in double quotes"
    span = _after(source.path, text[: bad.start()])
    return Diagnostic("yaml-character", f"the character {name} may not stand in YAML", span, help_)


def with_newlines(text: str) -> str:
    """The text with `\\n` for the other ends of lines that YAML 1.2 knows, so that all count lines alike."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _after(path: str, before: str) -> Span:
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Span(path, line, column, line, column + 1)


_TEMPLATE = re.compile(r"(?<![^\s\[{,:])\{\{(?!\$)")
_COMMENT = re.compile(r"\s#")
_MAX_COLUMN = 2_000
_BLOCK_VALUE = re.compile(r"\s*(?:-\s+)*(?:[^\s{\[\"'#][^{\[\"'#]*:\s+)?\Z")


def unquoted_template(line: str) -> int | None:
    """Where an unquoted `{{ … }}` begins in a line, counted from 0; further on than anybody writes it is not looked."""
    for match in _TEMPLATE.finditer(line, 0, _MAX_COLUMN):
        before = line[: match.start()]
        if _COMMENT.search(before) or before.lstrip().startswith("#"):
            return None
        if before.count('"') % 2 == 0 and before.count("'") % 2 == 0:
            return match.start()
    return None


def masked(line: str, start: int) -> str:
    """The line with the unquoted template at `start` as a string of the same length."""
    if _BLOCK_VALUE.match(line[:start]):
        comment = _COMMENT.search(line, start)
        end = len((line[: comment.start()] if comment else line).rstrip())
    else:
        closed = line.find("}}", start)
        after = re.compile(r"[,\]}\s]|\Z").search(line, closed + 2) if closed >= 0 else None
        end = after.start() if after else len(line.rstrip())
    return f'{line[:start]}"{"x" * (end - start - 2)}"{line[end:]}'


def without_document(lines: list[str], first: int, fault: int) -> list[str]:
    """The lines with those of a faulty document blanked, so that the ones after it can be read."""
    after = next((n for n in range(max(fault, first + 1), len(lines)) if _is_marker(lines[n])), len(lines))
    begin = first + 1 if first < len(lines) and _is_marker(lines[first]) else first
    return [*lines[:begin], *([""] * (after - begin)), *lines[after:]]


def _is_marker(line: str) -> bool:
    return line.startswith("---") and line[3:4] in {"", " ", "\t", "\r"}
