"""A notebook's file: JSON with cells (nbformat 4), checked so far as it can be without running it.

The JSON is read by the same reader as YAML, of which it is a part, to know where things stand; a file that only a JSON
reader takes is told of as a whole.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Iterator, Mapping as MappingOf, Sequence
from dataclasses import dataclass
from typing import Any

from kfgit.diagnostics import Checked, Diagnostic
from kfgit.document import Node, at, parse
from kfgit.source import MAX_BYTES, SourceFile, Span, whole_file

_KINDS = ("code", "markdown", "raw")
# What IPython adds to Python: magics, shell lines and help.
_IPYTHON = re.compile(r"^[ \t]*([%!?]|.*[\w)\]]\?+[ \t]*$|[^#'\"\n]*=[ \t]*[%!])", re.MULTILINE)
_PARSED = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
# Python needs a kilobyte of memory for a line of code; what is beyond is left to Jupyter.
_MOST_CODE = 200_000
_HELP = "open it in Jupyter and save it"


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook that can be run: its file's name and bytes."""

    name: str
    content: bytes


def read(source: SourceFile) -> Checked[Notebook | None]:
    """The notebook in a file; None where there is none that could run."""
    if len(source.content) > MAX_BYTES:
        message = f"the notebook is larger than {MAX_BYTES // 1048576} MiB"
        help_ = "clear its outputs, and keep data in files of their own"
        return Checked(None, (Diagnostic("bad-notebook", message, whole_file(source.path), help_),))
    value = _json(source)
    if isinstance(value, Diagnostic):
        return Checked(None, (value,))
    faults = tuple(_Places(source).told(value))
    name = source.path.rpartition("/")[2]
    return Checked(
        None if any(f.severity == "error" for f in faults) else Notebook(name, source.content), faults
    )


def _json(source: SourceFile) -> Any:
    """The value, or why there is none."""
    try:
        return json.loads(source.content.decode("utf-8"))
    except UnicodeDecodeError:
        return Diagnostic(
            "bad-notebook", "the notebook is not encoded as UTF-8", whole_file(source.path), _HELP
        )
    except json.JSONDecodeError as fault:
        span = Span(source.path, fault.lineno, fault.colno, fault.lineno, fault.colno + 1)
        return Diagnostic(
            "bad-notebook", f"this is no JSON: {fault.msg[:1].lower()}{fault.msg[1:]}", span, _HELP
        )
    except (ValueError, RecursionError):
        message = "the notebook cannot be read as JSON: a number is too large, or it is nested too deep"
        return Diagnostic("bad-notebook", message, whole_file(source.path), _HELP)


class _Places:
    """Tells what is wrong with a notebook, at the place where it stands."""

    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._root: Node | None = None
        self._is_parsed = False
        self._looked_at = 0

    def told(self, value: Any) -> Iterator[Diagnostic]:
        if not isinstance(value, dict):
            yield self._wrong("a notebook is a JSON object with `cells`")
            return
        version = value.get("nbformat")
        if isinstance(version, bool) or not isinstance(version, int):
            yield self._wrong("the notebook does not say its `nbformat`", "nbformat")
        elif version == 4:
            yield from self._cells(value.get("cells"))
        elif not 1 <= version < 4:
            yield self._wrong(f"the notebook has the format {version}, which is not known", "nbformat")
        language = _language(value)
        if language is not None and language[0].lower() not in {"python", "python3", "ipython"}:
            message = f"the notebook is written in {language[0]}, and KFP runs it with a Python kernel"
            yield self._wrong(message, *language[1], help_="give a notebook in Python")

    def _cells(self, cells: Any) -> Iterator[Diagnostic]:
        if not isinstance(cells, list):
            yield self._wrong("the notebook has no list of `cells`", "cells")
            return
        faults = [fault for number, cell in enumerate(cells) for fault in self._cell(number, cell)]
        if not faults and not any(cell["cell_type"] == "code" for cell in cells):
            yield self._wrong("the notebook has no cell with code", "cells", severity="warning")
        yield from faults

    def _cell(self, number: int, cell: Any) -> Iterator[Diagnostic]:
        shown = number + 1
        if not isinstance(cell, dict):
            yield self._wrong(f"cell {shown} is no JSON object", "cells", number)
            return
        kind, source = cell.get("cell_type"), cell.get("source")
        lines = [source] if isinstance(source, str) else source
        if kind not in _KINDS:
            yield self._wrong(
                f"cell {shown} has no `cell_type` that Jupyter knows", "cells", number, "cell_type"
            )
        elif not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            yield self._wrong(f"cell {shown} has no text as its `source`", "cells", number, "source")
        elif not isinstance(cell.get("metadata", {}), dict):
            yield self._wrong(
                f"the `metadata` of cell {shown} is no JSON object", "cells", number, "metadata"
            )
        elif kind == "code":
            yield from self._python(number, lines, is_listed=isinstance(source, list))

    def _python(self, number: int, lines: Sequence[str], *, is_listed: bool) -> Iterator[Diagnostic]:
        """A cell of plain Python must be Python; one with IPython's own notation is IPython's business."""
        text = "".join(lines)
        self._looked_at += len(text)
        if self._looked_at > _MOST_CODE or _IPYTHON.search(text):
            return
        try:
            with warnings.catch_warnings(action="ignore"):  # those are between the author and Jupyter
                compile(text, "cell", "exec", _PARSED, dont_inherit=True)
        except SyntaxError as fault:
            path = ("cells", number, "source")
            line = (fault.lineno or 1) - 1
            place = (*path, line) if is_listed and line < len(lines) else path
            yield self._wrong(
                f"cell {number + 1} is not python: {fault.msg}", *place, code="python-syntax", help_=None
            )
        except (ValueError, RecursionError, MemoryError):
            yield self._wrong(
                f"cell {number + 1} cannot be read as python", "cells", number, code="python-syntax"
            )

    def _wrong(
        self, message: str, *path: str | int, code: str = "bad-notebook", help_: str | None = _HELP,
        severity: Any = "error",
    ) -> Diagnostic:  # fmt: skip
        return Diagnostic(code, message, self._at(path), help_, severity)

    def _at(self, path: tuple[str | int, ...]) -> Span:
        """The place of a value, else of the nearest thing around it that is there."""
        if not self._is_parsed:
            self._is_parsed = True
            parsed = parse(self._source)
            self._root = parsed.value[0].root if parsed.value and parsed.ok else None
        for length in range(len(path), -1, -1):
            found = at(self._root, path[:length]) if self._root is not None else None
            if found is not None:
                return found.span
        return whole_file(self._source.path)


def _language(value: MappingOf[str, Any]) -> tuple[str, tuple[str, ...]] | None:
    """The language, and the path at which the notebook says it."""
    for path in (("kernelspec", "language"), ("language_info", "name")):
        found: Any = value.get("metadata")
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if isinstance(found, str) and found:
            return found, ("metadata", *path)
    return None
