"""Python components: the interface of a function read off its text, and the command KFP runs it with.

The file is parsed, never imported or executed. KFP's lightweight component carries the text of one function, so a
name of the module around it does not exist at run time; `read` says so.
"""

from __future__ import annotations

import ast
import inspect
import tokenize
import warnings
from collections.abc import Collection

from kfgit.diagnostics import Diagnostic, Related, did_you_mean
from kfgit.lightweight.command import arguments, command
from kfgit.lightweight.function import ARTIFACT_TYPES, Function, Port
from kfgit.lightweight.signature import signature
from kfgit.lightweight.text import PythonText
from kfgit.lightweight.travelling import check_names
from kfgit.source import Span

__all__ = [
    "ARTIFACT_TYPES", "DEFAULT_IMAGE", "Function", "Port", "arguments", "command", "read",
]  # fmt: skip

DEFAULT_IMAGE = "python:3.11"
# Python's syntax trees take some 400 times the memory of their text.
_MAX_SOURCE = 150_000
_SYNTAX_HELP = "mend the python file: kfgit reads it with the syntax of python 3.11 or later"


def read(
    text: str, name: str, path: str, wanted_at: Span, around: Collection[str] = ()
) -> tuple[Function | None, tuple[Diagnostic, ...]]:
    """The function `name` in the python text of `path`; None where it is not there or not python.

    The names `around` are there when it runs, beside those of KFP.
    """
    if len(text) > _MAX_SOURCE:
        message = f"`{path}` has more than {_MAX_SOURCE:,} characters"
        help_ = "put the function into a module of its own: it travels alone"
        return None, (Diagnostic("python-too-large", message, wanted_at, help_),)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _read(text, name, path, wanted_at, around)


def _read(
    text: str, name: str, path: str, wanted_at: Span, around: Collection[str]
) -> tuple[Function | None, tuple[Diagnostic, ...]]:
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as fault:
        return None, (_syntax(fault, path, wanted_at),)
    functions = {
        node.name: node for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    node = functions.get(name)
    if node is None:
        message = f"there is no function `{name}` in `{path}`"
        return None, (
            Diagnostic(
                "unknown-function", message, wanted_at, did_you_mean(name, functions, what="functions")
            ),
        )
    python = PythonText(path, text)
    if isinstance(node, ast.AsyncFunctionDef):
        python.fault("python-signature", f"`{name}` is async; KFP calls plain functions", node, "write `def`")
    inputs, outputs = signature(python, node)
    check_names(python, module, node, frozenset(around))
    function = Function(name, _source(text, node), inputs, outputs, python.span(node))
    return function, tuple(python.diagnostics)


def _syntax(fault: BaseException, path: str, wanted_at: Span) -> Diagnostic:
    if isinstance(fault, SyntaxError) and fault.lineno:
        line, column = fault.lineno, max(fault.offset or 1, 1)
        span = Span(path, line, column, line, column + 1)
        return Diagnostic(
            "python-syntax",
            f"this is not python: {fault.msg}",
            span,
            _SYNTAX_HELP,
            related=(Related("used here", wanted_at),),
        )
    return Diagnostic("python-syntax", f"`{path}` cannot be read as python", wanted_at, _SYNTAX_HELP)


def _source(text: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    """The function's text as the SDK cuts it: from `def` on, without decorators, with comments in its body."""
    lines = [f"{line}\n" for line in text.removesuffix("\n").split("\n")]
    try:
        return "".join(inspect.getblock(lines[node.lineno - 1 :]))
    except (tokenize.TokenError, SyntaxError):
        return "".join(lines[node.lineno - 1 : node.end_lineno])
