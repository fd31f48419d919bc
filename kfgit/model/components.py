"""What a task runs: its ports, and a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from kfgit.model.names import CLEAR, Name, Unclear
from kfgit.model.types import StatusType, Type
from kfgit.references import RunRef, Text, WorkspaceRef
from kfgit.source import Span

RunFact: TypeAlias = RunRef | WorkspaceRef


class Allowed(tuple[Any, ...]):  # noqa: SLOT001 - keeps what it makes once
    """The values that an input may have, in their order; there may be many, and each literal asks for its own."""

    def __contains__(self, value: object) -> bool:
        try:
            return value in self._known
        except TypeError:  # lists and maps have no hash
            return super().__contains__(value)

    @cached_property
    def _known(self) -> frozenset[Any]:
        return frozenset(self)


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a component or pipeline. `type` is None where the type itself was faulty."""

    name: str
    type: Type | None
    span: Span
    default: Any = None
    has_default: bool = False
    optional: bool = False
    description: str = ""
    enum: Allowed = field(default_factory=Allowed)
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    type_span: Span | None = None

    @property
    def place(self) -> Span:
        """Where its type is written; its name, where that is all there is."""
        return self.type_span or self.span

    @property
    def required(self) -> bool:
        """Whether a caller must give it."""
        return not (self.has_default or self.optional or isinstance(self.type, StatusType))


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a component."""

    name: str
    type: Type | None
    span: Span
    description: str = ""
    type_span: Span | None = None

    @property
    def place(self) -> Span:
        """Where its type is written; its name, where that is all there is."""
        return self.type_span or self.span


@dataclass(frozen=True, slots=True)
class SecretKey:
    """An environment value out of a Secret."""

    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ConfigMapKey:
    """An environment value out of a ConfigMap."""

    name: str
    key: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class FieldPath:
    """An environment value out of the pod itself."""

    path: str


EnvValue: TypeAlias = str | SecretKey | ConfigMapKey | FieldPath


@dataclass(frozen=True, slots=True)
class IfPresent:
    """An argument that is there only when the optional input was given."""

    input: Name
    then: tuple[Argument, ...]
    otherwise: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Concat:
    """Pieces that make one argument."""

    items: tuple[Argument, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class TextArgument:
    """An argument with references."""

    text: Text
    span: Span


Argument: TypeAlias = TextArgument | IfPresent | Concat


@dataclass(frozen=True, slots=True)
class Container:
    """A container component: `command` and `args`, or a `script` for `sh -ec`.

    `run_facts` is what its texts read of the run itself, and where; each is there once for each time it is read.
    """

    image: str
    command: tuple[Argument, ...]
    args: tuple[Argument, ...]
    env: Mapping[str, EnvValue]
    span: Span
    image_span: Span
    script: TextArgument | None = None
    run_facts: tuple[tuple[RunFact, Span], ...] = ()


@dataclass(frozen=True, slots=True)
class Python:
    """A python component: the text of one function and what its environment needs.

    The `helper` stands before the function and carries what it needs beside itself, such as a notebook.
    """

    function: str
    source: str
    base_image: str
    packages: tuple[str, ...]
    index_urls: tuple[str, ...]
    span: Span
    image_span: Span | None = None
    helper: str = ""


Implementation: TypeAlias = Container | Python


@dataclass(frozen=True, slots=True)
class Component:
    """A component; `implementation` is None where it is faulty or not supported, which was told.

    `unclear`, here and below: a key is misspelt or a part faulty, which was told, so nobody knows about these names.
    """

    name: str
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Output]
    implementation: Implementation | None
    span: Span
    description: str = ""
    whole: bool = True
    unclear: Unclear = CLEAR

    @property
    def env(self) -> Mapping[str, EnvValue]:
        """The variables that the component itself sets; only a container does."""
        return self.implementation.env if isinstance(self.implementation, Container) else {}

    @property
    def run_facts(self) -> tuple[tuple[RunFact, Span], ...]:
        """What it reads of the run, and where; only the texts of a container do."""
        return self.implementation.run_facts if isinstance(self.implementation, Container) else ()
