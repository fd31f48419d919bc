"""Documents against the JSON Schemas of their kinds, told with spans.

One set of files serves editors and this validator. Editors see documents before Jinja has rendered them, so
the files say of a typed field: a template (`if`), or else the type. `validate` runs after rendering and is
strict: it drops the template branch when a schema is loaded. jsonschema decides what is wrong; this package
decides how it is said: one mistake, one diagnostic, at the smallest span, and none for what merely follows
from another one. Nothing is read from disk: `project` hands the parsed files in.

The schemas have notes of our own. `x-kfgit-form` and `x-kfgit-help` name a form for people, `x-kfgit-aliases`
says what other tools call a key, `x-kfgit-hints` where keys that match stand instead, `x-kfgit-fix` how a name is
mended. Rules about keys are `x-kfgit-choice`,
`-exclusive`, `-only-with`, `-needs`, `-refused`, `-else-last` and `-reserved`. Editors are told the same by `allOf`,
`errorMessage` and `defaultSnippets`, which `tests/editor` holds equal to the notes and which are dropped here. By hand
stands an `allOf` that says of types, crons and times what `resolve` tells better.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from kfgit.diagnostics import MAX_PER_FILE, Diagnostic, ordered
from kfgit.document import Node, plain
from kfgit.schema.accepting import Accepts, compiled
from kfgit.schema.bundles import COMBINED, Schema, bundle, tighten
from kfgit.schema.cascades import fault_of, without_cascades
from kfgit.schema.case import Case
from kfgit.schema.partial import partial
from kfgit.schema.refusing import build

__all__ = ["COMBINED", "Schema", "Schemas", "bundled", "overlay", "strict", "validate"]


@dataclass(frozen=True, slots=True)
class Schemas:
    """The parsed schema files by file name, such as `pipeline.schema.json`."""

    files: MappingOf[str, Schema]
    # By kind; they are costly to make, and follow from `files` alone.
    _strict: dict[str, Schema] = field(default_factory=dict, repr=False, compare=False)
    _validators: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    _accepting: dict[str, Accepts | None] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(cls, files: MappingOf[str, Schema]) -> Schemas:
        """The schemas in files that someone else has read."""
        return cls(dict(files))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind of the language, in the order of the combined schema."""
        return tuple(self.files[f"{COMBINED}.schema.json"]["properties"]["kind"]["enum"])

    def strict(self, kind: str) -> Schema:
        """The schema of a kind for rendered documents, made once."""
        if kind not in self._strict:
            self._strict[kind] = tighten(self.files, kind)
        return self._strict[kind]

    def validator(self, kind: str) -> Any:
        """The strict jsonschema validator of a kind, made once."""
        if kind not in self._validators:
            self._validators[kind] = build(self.strict(kind))
        return self._validators[kind]

    def accepts(self, instance: Any, kind: str) -> bool:
        """Whether a document is valid."""
        if kind not in self._accepting:
            self._accepting[kind] = compiled(self.strict(kind))
        fast = self._accepting[kind]
        return fast(instance) if fast is not None else bool(self.validator(kind).is_valid(instance))


def validate(document: Node, kind: str, schemas: Schemas) -> tuple[Diagnostic, ...]:
    """What is wrong with the form of a rendered document, by place. KeyError for an unknown kind."""
    instance = plain(document)
    if schemas.accepts(instance, kind):
        return ()
    errors = islice(schemas.validator(kind).iter_errors(instance), 2 * MAX_PER_FILE)
    cases = (_case(error, document) for error in errors)
    faults = [fault_of(name, case) for name, case in cases if not case.is_told]
    return ordered(fault.diagnostic for fault in without_cascades(faults))


def _case(error: Any, document: Node) -> tuple[str, Case]:
    path = tuple(error.absolute_path)
    return str(error.validator), Case(document, path, error.instance, error.validator_value, error.schema)


def bundled(schemas: Schemas, kind: str | None = None) -> Schema:
    """The schema of a kind, or the combined one, in one piece: what other files define stands in `$defs`."""
    return bundle(schemas.files, kind)


def overlay(schemas: Schemas) -> Schema:
    """The combined schema in one piece for documents that may leave out what their base says."""
    return partial(schemas.files)


def strict(schemas: Schemas, kind: str) -> Schema:
    """The schema of a kind for rendered documents: real types only, references inlined unless they recur."""
    return schemas.strict(kind)
