"""A python text while it is read: where the nodes of its syntax tree stand, and what is wrong with them."""

from __future__ import annotations

import ast

from kfgit.diagnostics import MAX_PER_FILE, Diagnostic
from kfgit.source import Span


class PythonText:
    """A text, and what is wrong with it."""

    def __init__(self, path: str, content: str) -> None:
        self.path = path
        self.content = content
        self.diagnostics: list[Diagnostic] = []
        self._lines = content.split("\n")

    def span(self, node: ast.AST) -> Span:
        """Where a node stands; a function is its name."""
        line, end = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1) or 1
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            start = self._lines[line - 1].find(node.name, node.col_offset)
            return Span(self.path, line, start + 1, line, start + 1 + len(node.name))
        first = self._column(line, getattr(node, "col_offset", 0))
        last = self._column(end, getattr(node, "end_col_offset", 0) or 0)
        return Span(self.path, line, first, end, last)

    def _column(self, line: int, offset: int) -> int:
        """Ast counts UTF-8 bytes, people count characters."""
        text = self._lines[line - 1] if line <= len(self._lines) else ""
        if text.isascii():
            return min(offset, len(text)) + 1
        return len(text.encode()[:offset].decode("utf-8", "replace")) + 1

    def fault(self, code: str, message: str, node: ast.AST, help_: str | None = None) -> None:
        """Tells a mistake, while anybody would read it."""
        if len(self.diagnostics) <= MAX_PER_FILE:
            self.diagnostics.append(Diagnostic(code, message, self.span(node), help_))
