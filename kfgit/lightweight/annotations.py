"""Annotations: which type of kfgit's an expression of python names, and whether it is given or made."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from kfgit.diagnostics import did_you_mean
from kfgit.lightweight.function import ARTIFACT_TYPES, PARAMETER_TYPES
from kfgit.lightweight.text import PythonText

_PATHS = ("InputPath", "OutputPath")
# The words of `OutputPath('Integer')` that the SDK knows (kfp 2.17.0, dsl/component_factory.py), and those that it
# takes for parameters and then has no type for. Any other word is an artifact.
_WORDS = {
    "String": "string", "Integer": "int", "Float": "float", "Boolean": "bool", "List": "list", "Dict": "dict",
}  # fmt: skip
_NO_WORDS = {
    "str": "str", "string": "str", "text": "str", "int": "int", "integer": "int", "float": "float",
    "double": "float", "bool": "bool", "boolean": "bool", "list": "list", "jsonarray": "list", "dict": "dict",
    "jsonobject": "dict",
}  # fmt: skip
_ARTIFACT_WORDS = {title.lower(): title for title in ARTIFACT_TYPES}


def of_parameter(text: PythonText, node: ast.expr) -> tuple[str, str] | None:
    """('input' or 'output', type) of a parameter; None where KFP knows no such type, which is told."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        bare = _unquoted(node.value, node) or node
        if isinstance(bare, ast.Subscript | ast.Call) or last(bare) in (*ARTIFACT_TYPES, *_PATHS):
            in_quotes(text, node)
            return None
        node = bare
    node = _given(node)
    match node:
        case ast.Subscript(value=head, slice=inner) if last(head) in {"Input", "Output"}:
            type_ = type_of(text, inner)
            return (str(last(head)).lower(), type_) if type_ else None
        case ast.Call(func=head, args=args) if last(head) in _PATHS:
            type_ = _path_type(text, args)
            return ("output" if last(head) == "OutputPath" else "input", type_)
        case ast.Name() | ast.Attribute() if last(node) in _PATHS:
            # Without brackets the executor does not see that it is one, and gives the function nothing.
            message = f"`{last(node)}` without a type"
            text.fault(
                "python-annotation", message, node, f"write `{last(node)}(str)` or `{last(node)}('Dataset')`"
            )
            return None
        case _:
            type_ = type_of(text, node)
            return ("input", type_) if type_ else None


def in_quotes(text: PythonText, node: ast.expr) -> None:
    """The executor looks at annotations as they are, and in a text it sees no artifact (dsl/executor.py)."""
    text.fault("python-annotation", "KFP does not read an annotation in quotes", node, "remove the quotes")


def _path_type(text: PythonText, args: Sequence[ast.expr]) -> str:
    match list(args):
        case [ast.Constant(value=str() as word) as node]:
            if word in _WORDS:
                return _WORDS[word]
            meant = _NO_WORDS.get(word.lower())
            if meant is not None:
                message = f"KFP does not know `{word}` as the type of a path"
                text.fault("python-annotation", message, node, f"write `{meant}`, without quotes")
            return _ARTIFACT_WORDS.get(word.lower(), "Artifact")
        case [node]:
            return type_of(text, node) or "Artifact"
        case _:
            return "Artifact"


def type_of(text: PythonText, node: ast.expr) -> str | None:
    """The type that an annotation names; None where KFP knows none, which is told."""
    name = last(node)
    if name in PARAMETER_TYPES:
        return PARAMETER_TYPES[name]
    if name in ARTIFACT_TYPES:
        return name
    if name == "PipelineTaskFinalStatus":
        return "TaskFinalStatus"
    match node:
        case ast.Constant(value=str() as quoted):
            return _quoted(text, quoted, node)
        case _ if (given := _given(node)) is not node:
            return type_of(text, given)
        case ast.Subscript(value=head, slice=inner) if last(head) in {"List", "list"}:
            # Of `List[Dict[str, int]]` it is `Dict` that counts.
            kind = last(inner.value if isinstance(inner, ast.Subscript) else inner) or ""
            item = PARAMETER_TYPES.get(kind) or (kind if kind in ARTIFACT_TYPES else None)
            return f"list<{item}>" if item else "list"
        case ast.Subscript(value=head) if last(head) in {"Dict", "dict"}:
            return "dict"
        case _:
            known = ("str", "int", "float", "bool", "list", "dict", *ARTIFACT_TYPES)
            shown = ast.unparse(node)
            text.fault(
                "python-annotation",
                f"`{shown}` is no type that KFP knows",
                node,
                did_you_mean(shown, known, what="types"),
            )
            return None


def of_returned(text: PythonText, node: ast.expr) -> str | None:
    """The type of what a function gives back; the executor sees none in `Optional` and `Output` (dsl/executor.py)."""
    wrapped = isinstance(node, ast.Subscript) and last(node.value) in {"Input", "Output"}
    bare = node.slice if wrapped and isinstance(node, ast.Subscript) else _given(node)
    if bare is node:
        return type_of(text, node)
    message = f"a function cannot return `{ast.unparse(node)}`"
    text.fault("python-annotation", message, node, f"write `{ast.unparse(bare)}`")
    return None


def _quoted(text: PythonText, quoted: str, node: ast.expr) -> str | None:
    found = _unquoted(quoted, node)
    if found is None or isinstance(found, ast.Constant):
        help_ = "write the type itself, such as `int` or `Input[Dataset]`"
        text.fault("python-annotation", f"`{quoted}` is no type that KFP knows", node, help_)
        return None
    return type_of(text, found)


def _unquoted(text: str, node: ast.expr) -> ast.expr | None:
    """An annotation in quotes as an expression that stands where the quotes stand."""
    try:
        found = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for part in ast.walk(found):
        ast.copy_location(part, node)
    return found


def _given(node: ast.expr) -> ast.expr:
    """What an annotation is where a value is given: `Optional[X]`, `Union[X, None]` and `X | None` are X."""
    match node:
        case ast.Subscript(value=head, slice=inner) if last(head) == "Optional":
            return inner
        case ast.Subscript(value=head, slice=ast.Tuple(elts=[inner, ast.Constant(value=None)])) if (
            last(head) == "Union"
        ):
            return inner
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return left
        case _:
            return node


def last(node: ast.expr) -> str | None:
    """`C` of `a.b.C`."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case _:
            return None
