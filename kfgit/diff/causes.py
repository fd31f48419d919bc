"""Why a resource means something else though its document is the same: what it names has changed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from kfgit.diff.meaning import alike, code, used
from kfgit.diff.sides import Key, Seen
from kfgit.model import Pipeline


class Causes:
    """The causes of everything that two sides have both; `texts` are the documents that differ as they are written."""

    def __init__(self, before: Seen, after: Seen, texts: frozenset[Key]) -> None:
        self._before, self._after, self._texts = before, after, texts
        self._one, self._other = before.checked.project, after.checked.project
        self._known: set[tuple[str, ...]] = set()

    def of(self, key: Key) -> tuple[str, ...]:
        """The causes that lie outside of a document, none for most."""
        match key:
            case "Component", name:
                return tuple(self._code(name))
            case "ResourceProfile", _ if key in self._moved and key not in self._texts:
                return ("a profile that it extends changed",)
            case "Pipeline", name:
                return self._below(name)
            case _:
                return ()

    def _code(self, name: str) -> Iterator[str]:
        """A component's files. What its document says by itself is told as a field."""
        key = ("Component", name)
        if key not in self._moved:
            return
        one, other = self._one.components[name], self._other.components[name]
        if key not in self._texts:
            yield from tuple(code(one, other)) or ("what it is made of changed",)
        elif not self._after.says(key, "spec", "python", "source"):
            yield from (cause for cause in code(one, other) if not cause.startswith("its "))

    @cached_property
    def _moved(self) -> frozenset[Key]:
        """The components and profiles of both sides that are not what they were."""
        tables = (
            ("Component", self._one.components, self._other.components),
            ("ResourceProfile", self._one.profiles, self._other.profiles),
        )
        return frozenset(
            (kind, name)
            for kind, old, new in tables
            for name in old.keys() & new.keys()
            if self._is_sound(kind, name) and not alike(old[name], new[name])
        )

    def _is_sound(self, kind: str, name: str) -> bool:
        """Of what is faulty nobody knows what it means."""
        return all((kind, name) not in side.faulty for side in (self._one, self._other))

    def _below(self, name: str) -> tuple[str, ...]:
        """What a pipeline stands on; nothing where it compiles to the same all the same, or to nothing."""
        one, other = self._one.pipelines.get(name), self._other.pipelines.get(name)
        if one is None or other is None or not self._before.pipeline(name) or not self._after.pipeline(name):
            return ()
        found = tuple(self._reasons(one, other))
        return found if found and self._is_changed(name, found) else ()

    def _is_changed(self, name: str, reasons: tuple[str, ...]) -> bool:
        """Whether a pipeline compiles to something else.

        Components that changed the first pipeline which stands on them change the others as well: with many pipelines
        on one component, two are compiled and not all.
        """
        if reasons in self._known or self._before.digest(name) != self._after.digest(name):
            if all(reason.startswith("component/") for reason in reasons):
                self._known.add(reasons)
            return True
        return False

    def _reasons(self, one: Pipeline, other: Pipeline) -> Iterator[str]:
        if one.package is not None and other.package is not None and not alike(one.package, other.package):
            yield f"the package `{other.package.file}` changed"
        old, new = used(one, self._one), used(other, self._other)
        for kind, name in sorted(old & new):
            if (kind, name) in self._moved or (kind == "Pipeline" and self._is_another(name)):
                yield f"{kind.lower()}/{name} changed"
        yield from self._mapped(old ^ new)

    def _is_another(self, name: str) -> bool:
        """Whether a nested pipeline itself changed; what it stands on is told by its own name."""
        one, other = self._one.pipelines.get(name), self._other.pipelines.get(name)
        packages = [each.package for each in (one, other) if each is not None]
        return ("Pipeline", name) in self._texts or (len(packages) == 2 and not alike(*packages))

    def _mapped(self, apart: frozenset[Key]) -> Iterator[str]:
        """Profiles that the environment takes for others than before."""
        one, other = self._one.environment.profiles, self._other.environment.profiles
        for name in sorted({*one, *other}):
            was, now = (side[name].text if name in side else name for side in (one, other))
            if was != now and {("ResourceProfile", was), ("ResourceProfile", now)} & apart:
                yield f"profile {name} is {now} now, it was {was}"
