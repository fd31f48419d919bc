"""What is wrong with a v1 file, and the mark that a faulty value leaves in the document made from it."""

from __future__ import annotations

from collections.abc import Iterable

from kfgit.diagnostics import Diagnostic, Related, did_you_mean, has_errors
from kfgit.document import Mapping, Node, Origin, Scalar, Sequence
from kfgit.source import Span

_WAY_OUT = "mend the file, or write it anew with the tool that made it"


class Faults:
    """Collects what is found while one file is read."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    @property
    def fatal(self) -> bool:
        """Whether an error is among them."""
        return has_errors(self.found)

    def error(
        self, code: str, message: str, span: Span, help_: str | None = None, *related: Related
    ) -> Scalar:
        """Tells an error; gives the mark for the place of the faulty value."""
        self.found.append(Diagnostic(code, message, span, help_ or _WAY_OUT, related=related))
        return mark(span)

    def warn(self, code: str, message: str, span: Span, help_: str | None = None) -> None:
        """Tells a warning."""
        self.found.append(Diagnostic(code, message, span, help_, severity="warning"))

    def known_keys(self, node: Mapping, known: Iterable[str], what: str) -> None:
        """Warns of keys that v1 does not have; KFP refuses the whole file for them."""
        free = [key for key in known if key not in node.entries]
        for key, entry in node.entries.items():
            if key not in known:
                help_ = did_you_mean(key, free, what="keys that may stand here")
                self.warn("unknown-key", f"unknown key `{key}` in {what}", entry.key_span, help_)

    def wrong_type(self, node: Node, subject: str, expected: str, help_: str | None = None) -> Scalar:
        """Tells that a value has the wrong form."""
        return self.error(
            "wrong-type",
            f"{subject} must be {expected}, not {kind_of(node)}",
            node.span,
            help_ or f"write {expected}",
        )

    def text(self, node: Node | None, subject: str) -> str | None:
        """The text, if it is one; a missing or empty value is none, and told by who needs it."""
        match node:
            case None | Scalar(value=None):
                return None
            case Scalar(value=str() as text):
                return text
            case _:
                help_ = f'quote it: "{node.value}"' if isinstance(node, Scalar) else None
                self.wrong_type(node, subject, "a string", help_)
                return None

    def items(self, node: Node | None, subject: str, help_: str | None = None) -> tuple[Node, ...]:
        """The items, if it is a list; a missing or empty value is an empty one."""
        match node:
            case None | Scalar(value=None):
                return ()
            case Sequence(items=items):
                return items
            case _:
                self.wrong_type(node, subject, "a list", help_)
                return ()

    def mapping(self, node: Node | None, subject: str) -> Mapping | None:
        """The map, if it is one; a missing or empty value is none."""
        match node:
            case None | Scalar(value=None):
                return None
            case Mapping():
                return node
            case _:
                self.wrong_type(node, subject, "a map")
                return None


def is_empty(node: Node | None) -> bool:
    """Whether nothing is written there."""
    return node is None or (isinstance(node, Scalar) and node.value is None)


def mark(span: Span) -> Scalar:
    """Stands for a value whose fault was told: later stages take the document for broken and say nothing more."""
    return Scalar(None, span, plain=True, origins=(Origin("a v1 component", span),))


def kind_of(node: Node) -> str:
    """What a value is, in words."""
    match node:
        case Mapping():
            return "a map"
        case Sequence():
            return "a list"
        case Scalar(value=None):
            return "empty"
        case Scalar(value=bool()):
            return "a boolean"
        case Scalar(value=int() | float()):
            return "a number"
        case Scalar():
            return "a string"
