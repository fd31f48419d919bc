"""Signatures: the inputs and outputs of a function."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kfgit import docstrings
from kfgit.diagnostics import Diagnostic
from kfgit.lightweight.annotations import in_quotes, last, of_parameter, of_returned
from kfgit.lightweight.function import Port
from kfgit.lightweight.text import PythonText

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def signature(
    text: PythonText, node: ast.FunctionDef | ast.AsyncFunctionDef
) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The inputs and the outputs of a function; what KFP cannot take is left out and told."""
    inputs: list[Port] = []
    outputs: list[Port] = []
    arguments = node.args
    for stars, extra in (("*", arguments.vararg), ("**", arguments.kwarg)):
        if extra is not None:
            text.fault(
                "python-signature", f"`{stars}{extra.arg}` cannot be an input", extra, "name each input"
            )
    for argument, default in _defaults(arguments):
        _argument(text, argument, default, inputs, outputs)
    outputs.extend(_returns(text, node.returns))
    _names(text, inputs, outputs)
    told = docstrings.descriptions(ast.get_docstring(node, clean=False))
    return _described(inputs, told.inputs), _described(outputs, told.outputs)


def _names(text: PythonText, inputs: Sequence[Port], outputs: Sequence[Port]) -> None:
    """An input and an output may share a name, two outputs may not; KFP keeps `Output` for the returned value."""
    for port in inputs:
        if port.name == "Output":
            message = "KFP takes `Output` as the name of a returned value"
            text.diagnostics.append(
                Diagnostic("python-signature", message, port.span, "rename the parameter")
            )
    seen: set[str] = set()
    for port in outputs:
        if port.name in seen:
            message = f"two outputs are called `{port.name}`"
            text.diagnostics.append(Diagnostic("python-signature", message, port.span, "rename one of them"))
        seen.add(port.name)


def _argument(
    text: PythonText, node: ast.arg, default: ast.expr | None, inputs: list[Port], outputs: list[Port]
) -> None:
    if node.annotation is None:
        help_ = "write its type, such as `x: int` or `data: Input[Dataset]`"
        text.fault("python-annotation", f"the parameter `{node.arg}` has no annotation", node, help_)
        return
    found = of_parameter(text, node.annotation)
    if found is None:
        return
    if not _NAME.fullmatch(node.arg):
        help_ = "in names of inputs and outputs are letters without accents, digits and `_`"
        text.fault("python-signature", f"`{node.arg}` is no name for an input", node, help_)
    direction, type_ = found
    value, has_default, optional = _default(text, default)
    span = text.span(node)
    if direction == "output":
        outputs.append(Port(node.arg, type_, span))
    else:
        inputs.append(Port(node.arg, type_, span, value, has_default, optional))


def _default(text: PythonText, node: ast.expr | None) -> tuple[Any, bool, bool]:
    if node is None:
        return None, False, False
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        text.fault("python-signature", "a default must be a literal", node, "write the value itself")
        return None, False, True
    if isinstance(value, int | list | dict) and not _is_json(value):
        help_ = "write lists, maps with texts as keys, texts, numbers, True and False"
        text.fault("python-signature", "a default must be a value that JSON has", node, help_)
        return None, False, True
    return value, value is not None, True


# Python refuses to print longer numbers, and a double holds none of 1,024 bits.
_MOST_BITS = 1_024


def _is_json(value: object) -> bool:
    match value:
        case int():
            return value.bit_length() <= _MOST_BITS
        case None | str() | float():
            return True
        case list():
            return all(_is_json(item) for item in value)
        case dict():
            return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
        case _:
            return False


def _returns(text: PythonText, node: ast.expr | None) -> Iterator[Port]:
    if node is None or (isinstance(node, ast.Constant) and node.value is None):
        return
    if isinstance(node, ast.Call) and last(node.func) == "NamedTuple":
        yield from _fields(text, node)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        in_quotes(text, node)
        return
    type_ = of_returned(text, node)
    if type_:
        yield Port("Output", type_, text.span(node))


def _fields(text: PythonText, node: ast.Call) -> Iterator[Port]:
    pairs: list[tuple[str, ast.expr]] = [(k.arg, k.value) for k in node.keywords if k.arg]
    if len(node.args) > 1 and isinstance(node.args[1], ast.List | ast.Tuple):
        for item in node.args[1].elts:
            match item:
                case ast.Tuple(elts=[ast.Constant(value=str() as name), kind]):
                    pairs.append((name, kind))
                case _:
                    help_ = "write the name in quotes and its type: `('rows', int)`"
                    text.fault("python-signature", "a field is `('name', type)`", item, help_)
    for name, kind in pairs:
        type_ = of_returned(text, kind)
        if type_:
            yield Port(name, type_, text.span(kind))


def _described(ports: Sequence[Port], texts: Mapping[str, str]) -> tuple[Port, ...]:
    return tuple(replace(port, description=texts.get(port.name, "")) for port in ports)


def _defaults(arguments: ast.arguments) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    gap = len(positional) - len(arguments.defaults)
    for index, argument in enumerate(positional):
        yield argument, arguments.defaults[index - gap] if index >= gap else None
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
