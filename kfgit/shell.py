"""References in shell scripts: data stays data.

A reference in a `script` becomes a shell variable that is set from an argument before the script begins, so a value is
one word wherever the reference stands and can never be read as code. Where a shell expands nothing (single
quotes, quoted here-documents) a reference is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from kfgit.references import Ref, Text, show

_PREFIX = "kfgit_"


@dataclass(frozen=True, slots=True)
class Script:
    """A script whose references are variables; `arguments` are what `sh` must be given, in order."""

    text: str
    arguments: tuple[Ref, ...]
    problems: tuple[str, ...] = ()


def bind(text: Text) -> Script:
    """Turns references into variables. Problems are sentences about places where a shell expands nothing."""
    reader = _Reader()
    for part in text.parts:
        if isinstance(part, str):
            reader.text(part)
        else:
            reader.reference(part)
    body = "".join(reader.out)
    references = tuple(reader.references)
    if not references:
        return Script(body, (), tuple(reader.problems))
    settings = " ".join(f"{_PREFIX}{i}=${{{i}}}" for i in range(1, len(references) + 1))
    return Script(f"{settings}; shift {len(references)}; {body}", references, tuple(reader.problems))


@dataclass(slots=True)
class _Frame:
    """A place in the grammar of the shell: `code quote single backtick brace arithmetic comment here`."""

    kind: str
    depth: int = 0
    end: str = ""
    quoted: bool = False


@dataclass(slots=True)
class _Reader:
    """Follows a script just closely enough to know how it quotes."""

    out: list[str] = field(default_factory=list)
    references: list[Ref] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    stack: list[_Frame] = field(default_factory=lambda: [_Frame("code")])
    waiting: list[_Frame] = field(default_factory=list)
    line: list[str] = field(default_factory=list)  # its characters so far

    def reference(self, ref: Ref) -> None:
        frame = self.stack[-1]
        where = self._silent(frame)
        if where:
            self.problems.append(f"`{show(ref)}` stands in {where}, where a shell expands nothing")
        if ref not in self.references:
            self.references.append(ref)
        variable = f"${{{_PREFIX}{self.references.index(ref) + 1}}}"
        bare = frame.kind in {"quote", "arithmetic", "comment", "here"} or (
            frame.kind == "brace" and frame.quoted
        )
        self.out.append(variable if bare else f'"{variable}"')
        self.line += "x"

    def _silent(self, frame: _Frame) -> str:
        if frame.kind == "single":
            return "single quotes"
        if frame.kind == "here" and frame.quoted:
            return "a quoted here-document"
        if frame.kind == "backtick" and frame.quoted:
            return "backticks inside double quotes"
        return ""

    def text(self, text: str) -> None:
        position = 0
        while position < len(text):
            step = self._step(text, position)
            self.out.append(text[position : position + step])
            position += step

    def _step(self, text: str, at: int) -> int:
        """Takes one token and returns its length."""
        frame = self.stack[-1]
        char = text[at]
        if char == "\n":
            return self._newline(frame)
        self.line += char
        if frame.kind == "single":
            if char == "'":
                self.stack.pop()
            return 1
        if frame.kind == "comment" or (frame.kind == "here" and (frame.quoted or char != "$")):
            return 1
        if char == "\\":
            self.line += text[at + 1 : at + 2].strip("\n")
            return min(2, len(text) - at)
        opened = self._open(frame, text, at)
        return opened or self._close(frame, text, at)

    def _newline(self, frame: _Frame) -> int:
        line = "".join(self.line) if frame.kind == "here" else ""
        self.line.clear()
        if frame.kind == "comment" or (
            frame.kind == "here" and line.lstrip("\t" if frame.depth else "") == frame.end
        ):
            self.stack.pop()
        if self.waiting and self.stack[-1].kind not in {"here", "single", "quote"}:
            self.stack.extend(reversed(self.waiting))
            self.waiting = []
        return 1

    def _open(self, frame: _Frame, text: str, at: int) -> int:
        """Enters a new place; 0 where nothing opens."""
        rest = text[at : at + 3]
        inside = frame.kind in {"quote", "here"} or frame.quoted
        for token, kind in (("$((", "arithmetic"), ("$(", "code"), ("${", "brace")):
            if rest.startswith(token):
                self.stack.append(_Frame(kind, quoted=inside and kind == "brace"))
                return len(token)
        char = text[at]
        if char == "`" and frame.kind != "backtick":
            self.stack.append(_Frame("backtick", quoted=inside))
            return 1
        if frame.kind in {"code", "backtick"} or (frame.kind == "brace" and not frame.quoted):
            return self._open_in_code(frame, text, at)
        return 0

    def _open_in_code(self, frame: _Frame, text: str, at: int) -> int:
        char = text[at]
        if char in "'\"":
            self.stack.append(_Frame("single" if char == "'" else "quote"))
            return 1
        if char == "#" and frame.kind != "brace" and (len(self.line) < 2 or self.line[-2] in " \t;&|("):
            self.stack.append(_Frame("comment"))
            return 1
        here = _HERE.match(text, at) if char == "<" else None
        if here is not None:
            word = here.group(2)
            bare = re.sub(r"['\"\\]", "", word)
            self.waiting.append(_Frame("here", 1 if here.group(1) else 0, bare, quoted=bare != word))
            self.line += here.group()[1:]
            return len(here.group())
        if text.startswith("<<<", at):
            return 3
        return 0

    def _close(self, frame: _Frame, text: str, at: int) -> int:
        char = text[at]
        if frame.kind == "code" and char in "()":
            if char == ")" and frame.depth == 0 and len(self.stack) > 1:
                self.stack.pop()
            else:
                frame.depth += 1 if char == "(" else -1 if frame.depth else 0
        elif frame.kind == "arithmetic" and char in "()":
            if char == ")" and frame.depth == 0:
                self.stack.pop()
                return min(2, len(text) - at)
            frame.depth += 1 if char == "(" else -1
        elif (frame.kind, char) in {("quote", '"'), ("backtick", "`"), ("brace", "}")}:
            self.stack.pop()
        return 1


_HERE = re.compile(r"<<(-?)[ \t]*((?:[A-Za-z_0-9.]|'[^'\n]*'|\"[^\"\n]*\"|\\.)+)")
