"""The order of keys: that of the schemas' `properties`. Names that users choose keep the order they were written in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping as MappingOf

from kfgit.formatting.syntax import Item
from kfgit.schema import Schema, Schemas, bundled


class Shapes:
    """The shapes of all kinds, each made when it is first asked for."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas
        self._made: dict[str, Shape | None] = {}

    def of(self, kind: str) -> Shape | None:
        """The shape of the documents of a kind; None for an unknown one."""
        if kind not in self._made:
            whole = bundled(self._schemas, kind) if kind in self._schemas.kinds else None
            self._made[kind] = Shape(whole, whole["$defs"]) if whole is not None else None
        return self._made[kind]


class Shape:
    """What the schemas say of the keys of one place of a document."""

    def __init__(self, schema: Schema, definitions: MappingOf[str, Schema]) -> None:
        self._definitions = definitions
        self._parts = tuple(_parts(schema, definitions))
        keys = dict.fromkeys(key for part in self._parts for key in part.get("properties", ()))
        self._ranks = {key: rank for rank, key in enumerate(keys)}
        self._below: dict[tuple[str, str], Shape | None] = {}

    def ordered(self, entries: list[Item]) -> list[Item]:
        """The entries of a map in their order; keys that the schemas do not know come last."""
        ranks, last = self._ranks, len(self._ranks)
        return sorted(entries, key=lambda entry: ranks.get(_name(entry), last)) if ranks else entries

    def below(self, item: Item) -> Shape | None:
        """The shape of an item's value; None where users choose the keys."""
        name = _name(item)
        if item.key is None:
            slot = ("items", "")
        elif name in self._ranks:
            slot = ("properties", name)
        else:
            slot = ("additionalProperties", "")
        if slot not in self._below:
            self._below[slot] = self._made(*slot)
        return self._below[slot]

    def _made(self, word: str, key: str) -> Shape | None:
        found = [part.get(word) for part in self._parts]
        forms = [form.get(key) if key and isinstance(form, dict) else form for form in found]
        schemas = [form for form in forms if isinstance(form, dict)]
        return Shape({"allOf": schemas}, self._definitions) if schemas else None


def _name(item: Item) -> str:
    return item.key.value if item.key is not None else ""


def _parts(schema: Schema, definitions: MappingOf[str, Schema]) -> Iterator[Schema]:
    """The schema and all that it says or refers to of the same value."""
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        yield from _parts(definitions[reference.removeprefix("#/$defs/")], definitions)
    for form in _forms(schema):
        yield from _parts(form, definitions)


def _forms(schema: Schema) -> Iterable[Schema]:
    """The forms that a value may have; the keys of all of them count."""
    several = [form for word in ("allOf", "anyOf", "oneOf") for form in schema.get(word, ())]
    one = [schema[word] for word in ("then", "else") if word in schema]
    return (form for form in (*several, *one) if isinstance(form, dict))
