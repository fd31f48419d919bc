"""Runtime references `$( … )`: the notation for what is known only when a pipeline runs.

The set of roots is closed. `scan` splits a text into literal parts and references; what each reference means is
bound by `graph`. Text that goes to a shell is read by `scan_shell`: there an unknown root such as `$(date)` belongs
to the shell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from kfgit.diagnostics import did_you_mean, is_typo

ROOTS = ("inputs", "outputs", "tasks", "item", "loops", "run", "workspace")
RUN_FIELDS = ("id", "name", "createdAt", "scheduledAt", "status")
_PARTS = ("path", "uri")
# Wider than what may be declared: a wrong name in a reference is best told as an unknown one, with the nearest.
_NAME = re.compile(r"[A-Za-z0-9_-]+\Z")


@dataclass(frozen=True, slots=True)
class InputRef:
    """`$(inputs.NAME)`, with `.path` or `.uri` for an artifact inside a component."""

    name: str
    part: str = ""


@dataclass(frozen=True, slots=True)
class OutputRef:
    """`$(outputs.NAME.path)` inside a component."""

    name: str
    part: str = ""


@dataclass(frozen=True, slots=True)
class TaskRef:
    """`$(tasks.A.outputs.NAME)`; from outside a loop `$(tasks.LOOP.A.outputs.NAME.*)`."""

    path: tuple[str, ...]
    output: str
    collected: bool = False
    part: str = ""


@dataclass(frozen=True, slots=True)
class ItemRef:
    """`$(item)`, `$(item.field)`, or of an outer loop `$(loops.NAME.item)`."""

    loop: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class RunRef:
    """`$(run.id)` and the like."""

    field: str


@dataclass(frozen=True, slots=True)
class WorkspaceRef:
    """`$(workspace.path)`."""


Ref: TypeAlias = InputRef | OutputRef | TaskRef | ItemRef | RunRef | WorkspaceRef


@dataclass(frozen=True, slots=True)
class BadReference:
    """A `$( … )` that means nothing; `severity` is a warning where it may also be meant for the shell."""

    body: str
    message: str
    help: str | None
    severity: str = "error"


@dataclass(frozen=True, slots=True)
class Text:
    """A text split at its references; `parts` are literal strings and references in order."""

    parts: tuple[str | Ref, ...]

    @property
    def whole(self) -> Ref | None:
        """The reference, where the text is exactly one."""
        match self.parts:
            case (part,) if not isinstance(part, str):
                return part
            case _:
                return None

    @property
    def references(self) -> tuple[Ref, ...]:
        """All references of the text."""
        return tuple(part for part in self.parts if not isinstance(part, str))

    @property
    def literal(self) -> str | None:
        """The text itself, where it holds no reference."""
        if any(not isinstance(part, str) for part in self.parts):
            return None
        return "".join(part for part in self.parts if isinstance(part, str))


_TOKEN = re.compile(r"\$\$\(|\$\(([^()$\n]*)\)|\$\(")


# A script has fewer, by far; and nobody reads of more mistakes in one text.
_MAX_TOKENS = 2_000
_MAX_FAULTS = 50
_SPLIT = "put the text into a file of the image, or split it"


def has_reference(text: str) -> bool:
    """Whether a text asks for a value, where it must be one itself; `$$(` is that text and asks for nothing."""
    return "$(" in text.replace("$$(", "")


# The same short texts stand everywhere in a repository; long ones are not worth their memory.
_SHORT = 100


def scan(text: str) -> tuple[Text, tuple[BadReference, ...]]:
    """Splits a structural text: every `$( … )` in it must be a reference."""
    return _known(text, in_shell=False) if len(text) <= _SHORT else _scan(text, in_shell=False)


def scan_shell(text: str) -> tuple[Text, tuple[BadReference, ...]]:
    """Splits a script, command or argument: `$( … )` with an unknown root is the shell's."""
    return _known(text, in_shell=True) if len(text) <= _SHORT else _scan(text, in_shell=True)


@lru_cache(maxsize=4096)
def _known(text: str, *, in_shell: bool) -> tuple[Text, tuple[BadReference, ...]]:
    return _scan(text, in_shell=in_shell)


def _scan(text: str, *, in_shell: bool) -> tuple[Text, tuple[BadReference, ...]]:
    parts: list[str | Ref] = []
    faults: list[BadReference] = []
    literal, position = "", 0
    for count, match in enumerate(_TOKEN.finditer(text)):
        if count >= _MAX_TOKENS or len(faults) >= _MAX_FAULTS:
            if not faults:
                faults.append(
                    BadReference(match.group(), f"more than {_MAX_TOKENS:,} `$(` in one text", _SPLIT)
                )
            break
        literal += text[position : match.start()]
        position = match.end()
        found = _token(match, in_shell=in_shell)
        if isinstance(found, str):
            literal += found
        elif isinstance(found, BadReference):
            faults.append(found)
            literal += match.group()
        else:
            parts += [literal, found] if literal else [found]
            literal = ""
    literal += text[position:]
    if literal or not parts:
        parts.append(literal)
    return Text(tuple(parts)), tuple(faults)


def _token(match: re.Match[str], *, in_shell: bool) -> str | Ref | BadReference:
    whole, body = match.group(), match.group(1)
    if whole == "$$(":
        return "$("
    if body is None:
        rest = match.string[match.end() : match.end() + 40]
        root = re.match(r"\s*([A-Za-z]+)", rest)
        if in_shell and not (
            root and root.group(1) in ROOTS and rest[root.end() : root.end() + 1] in {".", ""}
        ):
            return whole
        return BadReference(
            rest, "a `$(` is not closed", "close it with `)`, or write `$$(` for the text itself"
        )
    name = re.match(r"[A-Za-z0-9_-]*", body.strip())
    root_name = name.group() if name else ""
    if root_name in ROOTS and (not in_shell or body == body.strip()):
        return parse(body.strip())
    if not in_shell:
        return BadReference(
            body,
            f"`$({body})` has an unknown root `{root_name}`" if body.strip() else "`$()` is empty",
            did_you_mean(root_name, ROOTS, what="roots"),
        )
    close = next((root for root in ROOTS if is_typo(root_name, root)), None) if " " not in body else None
    if close is not None and ("." in body or close == "item"):
        message = f"`$({body})` is left to the shell; `{root_name}` is one typo away from `{close}`"
        return BadReference(
            body, message, f"did you mean `$({body.replace(root_name, close, 1)})`?", "warning"
        )
    return whole


def parse(body: str) -> Ref | BadReference:
    """Reads what stands between `$(` and `)`."""
    steps = body.replace("[*]", ".*").split(".")
    match steps:
        case ["inputs" | "outputs" as root, name, *rest] if _NAME.match(name):
            return _port(root, name, rest, body)
        case ["tasks", *path]:
            return _task(path, body)
        case ["item"]:
            return ItemRef()
        case ["item", field] if field:
            return ItemRef(field=field)
        case ["loops", loop, "item"] if loop:
            return ItemRef(loop=loop)
        case ["loops", loop, "item", field] if loop and field:
            return ItemRef(loop=loop, field=field)
        case ["run", field]:
            if field in RUN_FIELDS:
                return RunRef(field)
            return _bad(
                body, f"a run has no `{field}`", did_you_mean(field, RUN_FIELDS, what="fields of a run")
            )
        case ["workspace", "path"]:
            return WorkspaceRef()
        case _:
            return _bad(body, None, _FORMS.get(steps[0]))


_FORMS = {
    "inputs": "write `$(inputs.NAME)`, with `.path` or `.uri` for an artifact inside a component",
    "outputs": "write `$(outputs.NAME.path)`",
    "tasks": "write `$(tasks.TASK.outputs.NAME)`, or `$(tasks.LOOP.TASK.outputs.NAME.*)` for what a loop made",
    "item": "write `$(item)` or `$(item.FIELD)`",
    "loops": "write `$(loops.LOOP.item)`",
    "run": f"fields of a run: {', '.join(f'`{f}`' for f in RUN_FIELDS)}",
    "workspace": "write `$(workspace.path)`",
}


def _bad(body: str, message: str | None, help_: str | None) -> BadReference:
    return BadReference(body, message or f"`$({body})` is not a reference", help_)


def _port(root: str, name: str, rest: list[str], body: str) -> Ref | BadReference:
    make = InputRef if root == "inputs" else OutputRef
    match rest:
        case []:
            return make(name)
        case [part] if part in _PARTS:
            return make(name, part)
        case [part]:
            return _bad(
                body,
                f"`$({body})` asks for `{part}`",
                did_you_mean(part, _PARTS, what="parts of an artifact"),
            )
        case _:
            return _bad(body, None, _FORMS[root])


def _task(path: list[str], body: str) -> Ref | BadReference:
    if "outputs" not in path:
        return _bad(body, None, _with_outputs(path) or _FORMS["tasks"])
    at = path.index("outputs")
    names, rest = path[:at], path[at + 1 :]
    if not names or not rest or not _NAME.match(rest[0]) or not all(_NAME.match(n) for n in names):
        return _bad(body, None, _FORMS["tasks"])
    match rest[1:]:
        case []:
            return TaskRef(tuple(names), rest[0])
        case ["*"]:
            return TaskRef(tuple(names), rest[0], collected=True)
        case [part] if part in _PARTS:
            return TaskRef(tuple(names), rest[0], part=part)
        case _:
            return _bad(body, None, _FORMS["tasks"])


def _with_outputs(path: list[str]) -> str | None:
    """The reference that `$(tasks.a.output.x)` or `$(tasks.a.x)` was meant to be."""
    if not all(map(_NAME.match, path)) or not 1 < len(path) < 4:
        return None
    task, *rest = path
    if len(rest) == 1:
        return f"did you mean `$(tasks.{task}.outputs.{rest[0]})`?"
    return f"did you mean `$(tasks.{task}.outputs.{rest[1]})`?" if is_typo(rest[0], "outputs") else None


def show(ref: Ref) -> str:
    """The reference as it is written."""
    match ref:
        case InputRef(name, part):
            return _written("inputs", name, part)
        case OutputRef(name, part):
            return _written("outputs", name, part)
        case TaskRef(path, output, collected, part):
            return _written("tasks", *path, "outputs", output, "*" if collected else part)
        case ItemRef(None, field):
            return _written("item", field or "")
        case ItemRef(loop, field):
            return _written("loops", loop or "", "item", field or "")
        case RunRef(field):
            return _written("run", field)
        case WorkspaceRef():
            return _written("workspace", "path")


def _written(*steps: str) -> str:
    return f"$({'.'.join(step for step in steps if step)})"
