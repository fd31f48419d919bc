"""Given values, texts and conditions: what tasks and programs are handed."""

from __future__ import annotations

from typing import Any

from kfgit import cel, references
from kfgit.diagnostics import Diagnostic, Severity, did_you_mean
from kfgit.document import Mapping, Node, Scalar, Sequence, places
from kfgit.model import Composite, Condition, Literal_, Value, Whole
from kfgit.references import BadReference, Ref, Text
from kfgit.resolve.literals import is_finite
from kfgit.resolve.reader import Reader
from kfgit.source import Span

WHEN_HELP = "a condition compares parameters, as in `$(inputs.tier) == 'gold' && $(inputs.n) > 1`"


def bad_references(reader: Reader, faults: tuple[BadReference, ...], span: Span) -> None:
    """Tells what `references.scan` found wrong."""
    for fault in faults:
        severity: Severity = "warning" if fault.severity == "warning" else "error"
        reader.faults.append(Diagnostic("bad-reference", fault.message, span, fault.help, severity))
        reader.broken = reader.broken or severity == "error"


def value(reader: Reader, node: Node) -> Value | None:
    """A value given to an input: a literal, one reference, or text and structures with references inside."""
    match node:
        case Scalar() if node.is_failed:
            reader.broken = True
            return None
        case Scalar() if isinstance(node.value, str) and "$(" in node.value:
            text, faults = references.scan(node.value)
            bad_references(reader, faults, node.span)
            if faults:
                return None
            if text.whole is not None:
                return Whole(text.whole, node.span)
            if text.literal is not None:
                return Literal_(text.literal, node.span)
            return Composite(text, text.references, node.span)
        case Scalar():
            return Literal_(node.value, node.span)
        case Sequence() | Mapping():
            found: list[tuple[Ref, Span]] = []
            before = reader.broken
            reader.broken = False
            tree = _tree(reader, node, found)
            whole, reader.broken = not reader.broken, reader.broken or before
            if whole and not found:
                return Literal_(literal(node), node.span, places(node))
            refs, where = tuple(ref for ref, _ in found), tuple(place for _, place in found)
            return Composite(tree, refs, node.span, where)


def literal(node: Node) -> Any:
    """A value without references as it is meant: `$$(` in its texts writes `$(`."""
    match node:
        case Mapping():
            return {_escaped(key): literal(entry.node) for key, entry in node.entries.items()}
        case Sequence():
            return [literal(item) for item in node.items]
        case Scalar(value=str() as text):
            return _escaped(text)
        case Scalar():
            return node.value


def _escaped(text: str) -> str:
    return text.replace("$$(", "$(")


def _check_keys(reader: Reader, node: Mapping) -> None:
    for key, entry in node.entries.items():
        if references.has_reference(key):
            help_ = "make the map in a task that gives it out; `$$(` writes the text `$(`"
            reader.fault("reference-not-allowed", "a key cannot hold a reference", entry.key_span, help_)


def literal_leaves(reader: Reader, node: Node, code: str, message: str, help_: str) -> bool:
    """Whether a value that must be a literal is one: references in it are told so, and what JSON does not have."""
    match node:
        case Mapping():
            _check_keys(reader, node)
            found = [literal_leaves(reader, e.node, code, message, help_) for e in node.entries.values()]
            return all(found)
        case Sequence():
            found = [literal_leaves(reader, item, code, message, help_) for item in node.items]
            return all(found)
        case Scalar(value=str() as text) if references.has_reference(text):
            reader.fault(code, message, node.span, help_)
            return False
        case Scalar():
            return _is_json(reader, node)


def _is_json(reader: Reader, node: Scalar) -> bool:
    if node.is_failed:
        reader.broken = True
        return False
    if is_finite(node.value):
        return True
    message = f"infinity and NaN are no values: JSON does not have `{node.value}`"
    reader.fault("type-mismatch", message, node.span, "write a number, or leave it out")
    return False


def _tree(reader: Reader, node: Node, found: list[tuple[Ref, Span]]) -> Any:
    """The value with its texts read; what is faulty is told, and nothing stands in its place."""
    match node:
        case Mapping():
            _check_keys(reader, node)
            return {_escaped(key): _tree(reader, e.node, found) for key, e in node.entries.items()}
        case Sequence():
            return [_tree(reader, item, found) for item in node.items]
        case Scalar():
            if not isinstance(node.value, str) or "$(" not in node.value:
                return node.value if _is_json(reader, node) else None
            text, faults = references.scan(node.value)
            bad_references(reader, faults, node.span)
            found.extend((ref, node.span) for ref in text.references)
            return text.literal if text.literal is not None else text


# At most 32 pages of 4 KiB (execve(2), MAX_ARG_STRLEN).
LONGEST_ARGUMENT = 131_071


def text_of(reader: Reader, node: Scalar, content: str) -> Text:
    """A script, command or argument: the shell keeps what is not ours."""
    if len(content) > LONGEST_ARGUMENT:
        message = f"a text of {len(content):,} characters cannot be passed to a program"
        help_ = "Linux passes at most 131,071 bytes in one argument: put it into a file of the image"
        reader.fault("argument-too-long", message, node.span, help_)
        return Text(("",))
    text, faults = references.scan_shell(content)
    bad_references(reader, faults, node.span)
    return text


def condition(reader: Reader, node: Node | None) -> Condition | None:
    """A `when`."""
    text = reader.string(node)
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        text = "true" if node.value else "false"
        reader.broken = False
    if text is None or node is None:
        return None
    try:
        expression = cel.parse_when(text)
    except cel.CelSyntaxError as fault:
        message = f"the condition cannot be read: {fault.message}"
        reader.fault("bad-condition", message, node.span, fault.help or WHEN_HELP)
        return None
    refs: dict[str, Ref] = {}
    for leaf in cel.references(expression):
        found = references.parse(leaf.text.strip())
        if isinstance(found, BadReference):
            root = leaf.text.split(".")[0].strip()
            help_ = (
                found.help if root in references.ROOTS else did_you_mean(root, references.ROOTS, what="roots")
            )
            reader.fault("bad-reference", found.message, node.span, help_)
            return None
        refs[leaf.text] = found
    return Condition(text, expression, refs, node.span)
