"""What travels with a function: its own text, and nothing of the module around it."""

from __future__ import annotations

import ast
import builtins
import symtable
import typing
from collections.abc import Iterator

from kfgit.lightweight.function import ARTIFACT_TYPES
from kfgit.lightweight.text import PythonText

# What `from kfp.dsl import *` and `from typing import *` put around the function.
_GIVEN = (
    frozenset(ARTIFACT_TYPES)
    | frozenset(
        "kfp dsl Input Output InputPath OutputPath PipelineTaskFinalStatus TaskConfig get_uri ContainerSpec"
        " ConcatPlaceholder IfPresentPlaceholder If Elif Else OneOf Condition ExitHandler ParallelFor Collected"
        " PipelineTask component container_component pipeline importer __name__ __doc__ __file__ __builtins__".split()
    )
    | frozenset(typing.__all__)
)


def check_names(
    text: PythonText, module: ast.Module, node: ast.FunctionDef | ast.AsyncFunctionDef, given: frozenset[str]
) -> None:
    """A name that only the module around the function binds is not there at run time."""
    try:
        tables = symtable.symtable(text.content, text.path, "exec").get_children()
    except (SyntaxError, ValueError, RecursionError):
        return
    table = next((t for t in tables if t.get_type() == "function" and t.get_name() == node.name), None)
    if table is None:
        return
    uses = {name.id: name for name in reversed(list(_uses(node)))}
    around = _bound(module)
    for name in sorted((set(_globals(table)) & uses.keys()) - given):
        if name in _GIVEN or hasattr(builtins, name) or name == node.name:
            continue
        message = f"`{name}` belongs to the module around `{node.name}`, and only the function travels"
        help_ = f"define `{name}` inside the function"
        if name not in around:
            message = f"`{name}` is not defined in `{node.name}`, and only the function travels"
            help_ = f"import or define `{name}` inside the function"
        elif around[name] == "import":
            help_ = f"move the import of `{name}` into the function"
        text.fault("python-outer-name", message, uses[name], help_)


def _uses(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.Name]:
    """The names that the body reads; python does not evaluate the annotation of a local variable."""
    pending: list[ast.AST] = [*reversed(node.body)]
    while pending:
        here = pending.pop()
        if isinstance(here, ast.Name) and isinstance(here.ctx, ast.Load):
            yield here
        annotation = here.annotation if isinstance(here, ast.AnnAssign) else None
        pending.extend(
            child for child in reversed(list(ast.iter_child_nodes(here))) if child is not annotation
        )


def _globals(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        if symbol.is_global() and symbol.is_referenced() and not symbol.is_assigned():
            yield symbol.get_name()
    for child in table.get_children():
        yield from _globals(child)


def _bound(module: ast.Module) -> dict[str, str]:
    bound: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.setdefault(node.name, "definition")
    for statement in module.body:
        for node in ast.walk(statement) if isinstance(statement, ast.If | ast.Try) else [statement]:
            if isinstance(node, ast.Import | ast.ImportFrom):
                bound.update({(a.asname or a.name).split(".")[0]: "import" for a in node.names})
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                bound.update(
                    {n.id: "definition" for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
                )
    return bound
