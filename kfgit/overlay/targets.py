"""Which documents a patch means: one by its name, or those that have some labels."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import Any

from kfgit.document import Mapping, at, plain
from kfgit.overlay.located import Located

Key = tuple[str, str]


class Targets:
    """The documents as the patches so far have made them.

    Labels are read once, since very many patches may select by them.
    """

    def __init__(self, documents: MappingOf[Key, Located]) -> None:
        self.documents = dict(documents)
        self._labels: dict[Key, dict[str, Any] | None] = {}

    def of(self, target: Mapping) -> list[Key]:
        """The documents that the target of a patch names or selects, in their order."""
        wanted = plain(target)
        kind, name = wanted.get("kind"), wanted.get("name")
        if "name" in wanted:
            keys = [(kind, name)] if isinstance(name, str) and (kind, name) in self.documents else []
        else:
            keys = [key for key in self.documents if key[0] == kind]
        selector = _read(wanted.get("selector"))
        if selector is None:
            return keys if "name" in wanted else []
        return [key for key in keys if self._has(key, selector)]

    def put(self, key: Key, document: Located) -> None:
        """What a patch has made of a document."""
        self.documents[key] = document
        self._labels.pop(key, None)

    def _has(self, key: Key, selector: MappingOf[str, Any]) -> bool:
        if key not in self._labels:
            node = at(self.documents[key].node, ("metadata", "labels"))
            found = plain(node) if node is not None else {}
            self._labels[key] = found if isinstance(found, dict) else None
        labels = self._labels[key]
        return labels is not None and all(labels.get(label) == value for label, value in selector.items())


def _read(selector: Any) -> dict[str, Any] | None:
    """The labels that are asked for, also where they are written as `a=b,c=d`."""
    if isinstance(selector, str):
        return dict(pair.split("=", 1) for pair in selector.replace(" ", "").split(",") if "=" in pair)
    return selector if isinstance(selector, dict) else None
