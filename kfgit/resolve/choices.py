"""Choices in arguments that KFP's driver cannot make.

It resolves an `if` only flat, at most one in an argument, and without outputs in it or beside it (kubeflow/pipelines,
backend/src/v2/driver/util.go, resolveContainerArgs and resolveCondition). `packages` refuses the same of v1 components.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kfgit.model import Argument, Concat, IfPresent, TextArgument
from kfgit.references import OutputRef
from kfgit.resolve.reader import Reader
from kfgit.source import Span


def check_choices(reader: Reader, arguments: Iterable[Argument]) -> None:
    """Tells of every `if` that KFP would not resolve."""
    for argument in arguments:
        match argument:
            case IfPresent():
                _choice(reader, argument)
            case Concat():
                _concat(reader, argument)
            case TextArgument():
                pass


def _choice(reader: Reader, choice: IfPresent) -> None:
    for inner in _pieces((*choice.then, *choice.otherwise)):
        if isinstance(inner, IfPresent):
            _refuse(reader, "an `if` cannot stand inside an `if`", inner.span, "let the program decide")
        elif _is_output(inner):
            message = "KFP does not resolve an `if` that holds an output"
            _refuse(reader, message, inner.span, "pass the output outside the `if`")


def _concat(reader: Reader, concat: Concat) -> None:
    pieces = list(_pieces(concat.items))
    choices = [piece for piece in pieces if isinstance(piece, IfPresent)]
    for choice in choices:
        _choice(reader, choice)
    if len(choices) > 1:
        message = "a `concat` can hold one `if`, not several"
        _refuse(reader, message, choices[1].span, "make each of them an argument")
    elif choices and any(_is_output(piece) for piece in pieces):
        message = "KFP does not resolve an `if` beside an output in one argument"
        _refuse(reader, message, concat.span, "make the output an argument of its own")


def _refuse(reader: Reader, message: str, span: Span, help_: str) -> None:
    reader.fault("not-supported", message, span, help_)


def _pieces(arguments: Iterable[Argument]) -> Iterator[IfPresent | TextArgument]:
    """What arguments are put together from; a `concat` in a `concat` is one."""
    for argument in arguments:
        if isinstance(argument, Concat):
            yield from _pieces(argument.items)
        else:
            yield argument


def _is_output(piece: IfPresent | TextArgument) -> bool:
    return isinstance(piece, TextArgument) and any(
        isinstance(ref, OutputRef) for ref in piece.text.references
    )
