"""The command line of a v1 component: its placeholders in kfgit's notation.

`{inputValue: x}` is `$(inputs.x)`, `{inputPath: x}` is `$(inputs.x.path)`, and so on; `concat` is `concat`, and
`{if: {cond: {isPresent: x}}}` is `{if: {present: x}}`. What KFP 2 cannot carry out is an error here, where the file
says it: its driver resolves an `if` only as a whole argument, flat, and without outputs in it (kubeflow/pipelines,
backend/src/v2/driver/util.go, resolveContainerArgs and resolveCondition), and no stage of it knows `Concat`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from kfgit.diagnostics import did_you_mean
from kfgit.document import Mapping, Node, Scalar, Sequence
from kfgit.packages.faults import Faults, is_empty, mark
from kfgit.packages.ports import Port, Ports
from kfgit.packages.text import argument_pieces, mapping, warn_of_argo, whole, words
from kfgit.packages.types import truth
from kfgit.source import Span

_PORTS = {
    "inputValue": ("inputs", ""), "inputPath": ("inputs", ".path"), "inputUri": ("inputs", ".uri"),
    "outputPath": ("outputs", ".path"), "outputUri": ("outputs", ".uri"),
}  # fmt: skip
_EXECUTOR_INPUT = "{{$}}"
_KNOWN = (*_PORTS, "executorInput", "concat", "if")
_LOST = {
    "inputMetadata": "pass what it needs as an input",
    "inputOutputPortName": "pass the name as an input",
    "outputMetadata": "write the outputs with `outputPath`",
}
_OUTPUT = "$(outputs."
_FORM = "write `if: {cond: {isPresent: x}, then: […]}`"
_Read = Callable[[Node], Iterator[Node]]


@dataclass(frozen=True, slots=True)
class CommandLine:
    """Reads `command` and `args`; `conditional` is set within an `if`."""

    faults: Faults
    inputs: Ports
    outputs: Ports
    conditional: bool = False

    def arguments(self, node: Node | None, subject: str) -> Sequence | None:
        """A list of arguments; lists in it are laid out flat, as v1 did."""
        if node is None or is_empty(node):
            return None
        items = self.faults.items(node, subject)
        return Sequence(tuple(made for item in items for made in self._argument(item)), node.span)

    def _argument(self, node: Node) -> Iterator[Node]:
        match node:
            case Sequence(items=items):
                for item in items:
                    yield from self._argument(item)
            case Mapping() if tuple(node.entries) == ("if",):
                yield from self._if(node, self._argument)
            case _:
                pieces = list(self._pieces(node))
                yield self._whole_choice(pieces, node.span) or whole(pieces, node.span)

    def _whole_choice(self, pieces: list[Node], span: Span) -> Node | None:
        """The mark, where a choice within a text is none that KFP's driver can make."""
        choices = [piece for piece in pieces if isinstance(piece, Mapping)]
        if len(choices) > 1:
            message = "a `concat` can hold one `if`, not several"
            return self.faults.error(
                "not-supported", message, choices[1].span, "make each of them an argument"
            )
        if choices and any(_is_output(piece) for piece in pieces):
            message = "KFP does not resolve an `if` beside an output in one argument"
            return self.faults.error("not-supported", message, span, "make the output an argument of its own")
        return None

    def _pieces(self, node: Node) -> Iterator[Node]:
        """What an argument is put together from: texts, and choices between texts."""
        match node:
            case Scalar():
                yield from self._text(node)
            case Sequence(items=items):
                for item in items:
                    yield from self._pieces(item)
            case Mapping():
                yield from self._placeholder(node)

    def _text(self, node: Scalar) -> Iterator[Node]:
        text = words(node)
        if text is None:
            help_ = "write a value, or remove the line"
            yield self.faults.wrong_type(node, "an argument", "a string or a placeholder", help_)
            return
        warn_of_argo(self.faults, text, node.span)
        yield from argument_pieces(text, node.span)

    def _placeholder(self, node: Mapping) -> Iterator[Node]:
        if len(node.entries) != 1:
            message = f"a placeholder has one key, not {len(node.entries)}"
            yield self.faults.error("bad-placeholder", message, node.span, "quote it if it is meant as text")
            return
        ((key, entry),) = node.entries.items()
        if key in _PORTS:
            yield self._port(key, entry.node)
        elif key == "executorInput":
            yield from argument_pieces(_EXECUTOR_INPUT, node.span)
        elif key == "concat":
            for item in self.faults.items(entry.node, "`concat`"):
                yield from self._pieces(item)
        elif key == "if":
            yield from self._if(node, self._pieces)
        elif key in _LOST:
            message = f"KFP 2 fills in no placeholder `{key}`"
            yield self.faults.error("not-supported", message, entry.key_span, _LOST[key])
        else:
            help_ = did_you_mean(key, _KNOWN, what="placeholders")
            yield self.faults.error(
                "bad-placeholder", f"there is no placeholder `{key}`", entry.key_span, help_
            )

    def _port(self, key: str, node: Node) -> Node:
        root, part = _PORTS[key]
        port = self._found(root, node, f"`{key}`")
        if not isinstance(port, Port):
            return port
        if port.type is None:
            return mark(node.span)
        fault = self._misuse(key, port)
        if fault is not None:
            message, help_ = fault
            return self.faults.error("not-supported", message, node.span, help_)
        return Scalar(f"$({root}.{port.name}{part})", node.span)

    def _found(self, root: str, node: Node, subject: str) -> Port | Node:
        """The port, or a mark after a fault."""
        name = self.faults.text(node, subject)
        if name is None:
            return self.faults.wrong_type(node, subject, "a name") if is_empty(node) else mark(node.span)
        known = self.inputs if root == "inputs" else self.outputs
        what = root.removesuffix("s")
        if name in known:
            return known[name]
        help_ = did_you_mean(name, known, what=root)
        return self.faults.error(f"unknown-{what}", f"there is no {what} `{name}`", node.span, help_)

    def _misuse(self, key: str, port: Port) -> tuple[str, str] | None:
        """Why KFP cannot fill a placeholder. What is used in one way only has the type for it already."""
        match key:
            case "inputValue" if not port.is_value:
                return (
                    f"`{port.name}` is read as a file and by value; KFP 2 passes an input as the one or the other",
                    "make two inputs of it, or read the file in the program",
                )
            case "inputPath" | "inputUri" if port.is_value:
                return (
                    f"`{port.name}` is a parameter, which KFP 2 passes by value and not as a file",
                    "read it with `inputValue` only, or make two inputs of it",
                )
            case "outputUri" if port.is_value:
                return f"`{port.name}` is a parameter, which has no URI", "write it with `outputPath` only"
            case _ if key.startswith("output") and self.conditional:
                return "KFP does not resolve an `if` that holds an output", "pass the output outside the `if`"
            case _:
                return None

    def _if(self, node: Mapping, read: _Read) -> Iterator[Node]:
        """A choice; `read` reads what it comes to where the file itself decides it."""
        entry = node.entries["if"]
        if not isinstance(entry.node, Mapping):
            yield self.faults.wrong_type(entry.node, "`if`", "a map", _FORM)
            return
        choice = entry.node
        self.faults.known_keys(choice, ("cond", "then", "else"), "`if`")
        missing = [key for key in ("cond", "then") if key not in choice.entries]
        if missing:
            message = f"`{missing[0]}` is missing in `if`"
            yield self.faults.error("missing-key", message, entry.key_span, _FORM)
            return
        match choice.entries["cond"].node:
            case Scalar(value=value) if truth(value) is not None:
                branch = choice.get("then" if truth(value) else "else")
                if branch is not None and not is_empty(branch):
                    yield from read(branch)
            case Mapping(entries=entries) if tuple(entries) == ("isPresent",):
                yield self._presence(choice, entries["isPresent"].node)
            case other:
                message = "KFP 2 can ask only whether an input is given"
                yield self.faults.error("not-supported", message, other.span, _FORM)

    def _presence(self, choice: Mapping, name: Node) -> Node:
        port = self._found("inputs", name, "`isPresent`")
        if not isinstance(port, Port):
            return port
        if self.conditional:
            message = "an `if` cannot stand inside an `if`"
            return self.faults.error("not-supported", message, choice.span, "let the program decide")
        inside = replace(self, conditional=True)
        written = ((key, choice.get(key)) for key in ("then", "else"))
        branches = {key: inside.branch(node) for key, node in written if node is not None}
        present = Scalar(port.name, name.span) if port.name else mark(name.span)
        return mapping(choice.span, if_=mapping(choice.span, present=present, **branches))

    def branch(self, node: Node) -> Sequence:
        """The arguments of one side of an `if`: a list, or one argument."""
        return Sequence(() if is_empty(node) else tuple(self._argument(node)), node.span)


def _is_output(node: Node) -> bool:
    return isinstance(node, Scalar) and isinstance(node.value, str) and node.value.startswith(_OUTPUT)
