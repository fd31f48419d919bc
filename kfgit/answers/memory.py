"""An answer and the files that it was given about, kept for the next time.

A file that has the stamp of before is not read; one with another stamp is, and compared by its digest. As in git's
index a stamp is trusted only if it was old when the file was read: a file that is written twice within one tick of the
clock has one stamp for both.
"""

from __future__ import annotations

import json
import os
import sys
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from kfgit import project
from kfgit.answers.slices import Links
from kfgit.diagnostics import Diagnostic, Related
from kfgit.project import Content, Stamp
from kfgit.source import Span

# The clock of a file system ticks every 10 ms at most; some know whole seconds only.
_TICK = 20_000_000
_SECOND = 1_000_000_000
_KEPT = 64


class Answer(NamedTuple):
    """What `validate` says: how many documents it looked at, for which environments, and what is wrong."""

    documents: int
    environments: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


class Inputs(NamedTuple):
    """All that an answer follows from. `others` are files that documents name; some cannot be read.

    `pins` are the commits that environments pin, by what is written of them: what these hold never changes.
    """

    files: Mapping[str, Content]
    others: Mapping[str, Content | Diagnostic]
    sources: tuple[str, ...] | None
    faults: tuple[Diagnostic, ...]
    git: Mapping[str, Any] | None
    pins: Mapping[str, str] = {}


class Look(NamedTuple):
    """The answer of before, and the files that changed since in place."""

    answer: Answer
    changed: frozenset[str]


@dataclass(slots=True, eq=False)
class Memory:
    """What is remembered of one repository, asked for some environments. `now` is in nanoseconds since 1970."""

    folder: Path
    root: Path
    asked: tuple[str, ...]
    now: int
    _record: dict[str, Any] = field(default_factory=dict)
    _restamped: bool = False

    def look(self) -> Look | None:
        """What was said before and what changed since; None where no answer can be made of that."""
        record = self._read("answer")
        try:
            return self._look(record) if record else None
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):  # damaged, or somebody else's
            return None
        except OSError:  # parts of kfgit, or of the project, that are going away just now
            return None

    def _look(self, record: dict[str, Any]) -> Look | None:
        if record["kfgit"] != _fingerprint():
            return None
        sources = record["sources"]
        survey = project.survey(self.root, tuple(sources) if sources is not None else None)
        if survey.stamps.keys() != record["files"].keys() or _packed(survey.diagnostics) != record["faults"]:
            return None
        if self._folders(sources) != record["folders"]:
            return None
        if record["git"] is not None and project.git_state(self.root) != record["git"]:
            return None
        if any(self._commit_at(pin) != commit for pin, commit in record["pins"].items()):
            return None
        self._record = record
        others = {path: project.stamp(self.root, path) for path in record["others"]}
        changed = {
            *self._changed(record["files"], survey.stamps),
            *self._changed(record["others"], others),
        }
        answer = Answer(
            int(record["documents"]),
            tuple(record["environments"]),
            tuple(_diagnostics(record["diagnostics"])),
        )
        if self._restamped and not changed:
            self._write("answer", record)
        return Look(answer, frozenset(changed))

    def _commit_at(self, pin: str) -> str | None:
        from kfgit.backend import MachineFault  # noqa: PLC0415 - few have pins
        from kfgit.project import pinned  # noqa: PLC0415 - as above

        try:
            return pinned.pinned(project.Folder(self.root), pin).commit
        except (pinned.Unpinnable, MachineFault):
            return None

    def _changed(self, known: dict[str, Any], stamps: Mapping[str, Stamp | None]) -> Iterator[str]:
        """The files that hold something else than before. Those that were only touched get their new stamp."""
        for path, stamp in stamps.items():
            entry = known[path]
            if stamp is not None and entry[1:] == list(stamp):
                continue
            found = project.content(self.root, path)
            if not _same(entry, found):
                yield path
            elif isinstance(found, Content):
                known[path] = self._entry(found)
                self._restamped = True

    def keep(self, answer: Answer, inputs: Inputs) -> None:
        """Remembers an answer."""
        self._record = {
            "kfgit": _fingerprint(),
            "sources": inputs.sources,
            "folders": self._folders(inputs.sources),
            "faults": _packed(inputs.faults),
            "files": {path: self._entry(content) for path, content in inputs.files.items()},
            "others": {},
            "git": inputs.git,
            "pins": dict(inputs.pins),
        }
        self._finish(answer, inputs.others)

    def renew(self, answer: Answer, inputs: Inputs) -> None:
        """Remembers an answer that was made from the one before and some of the files."""
        self._record["files"] |= {path: self._entry(content) for path, content in inputs.files.items()}
        self._finish(answer, inputs.others)

    def _folders(self, sources: Iterable[str] | None) -> list[str]:
        """The sources that are there, for one that is not is told."""
        return [source for source in sources or () if project.has_folder(self.root, source)]

    def _finish(self, answer: Answer, others: Mapping[str, Content | Diagnostic]) -> None:
        self._record["others"] |= {path: self._entry(content) for path, content in others.items()}
        self._record |= {
            "edition": f"{self.now}.{os.getpid()}",
            "documents": answer.documents,
            "environments": answer.environments,
            "diagnostics": _packed(answer.diagnostics),
        }
        self._write("answer", self._record)

    @property
    def others(self) -> tuple[str, ...]:
        """The files that documents named."""
        return tuple(self._record["others"])

    def texts(self, changed: Iterable[str]) -> Mapping[str, bytes]:
        """What the YAML among some files holds now."""
        found = {path: project.content(self.root, path) for path in changed if path in self._record["files"]}
        return {path: content.bytes for path, content in found.items() if isinstance(content, Content)}

    def expects(self, inputs: Inputs, changed: Collection[str]) -> bool:
        """Whether nothing but `changed` differs from what the answer of before was given about."""
        known = self._record["files"] | self._record["others"]
        read = {**inputs.files, **inputs.others}
        return (
            read.keys() <= known.keys()
            and inputs.git in (None, self._record["git"])
            and all(path in changed or _same(known[path], content) for path, content in read.items())
        )

    def _entry(self, content: Content | Diagnostic) -> list[Any]:
        """A file's digest, and its stamp if that can be trusted."""
        if not isinstance(content, Content):
            return [_digest(content)]
        stamp = content.stamp
        written = max(stamp.modified, stamp.changed)
        trusted = written < self.now - (_TICK if written % _SECOND else 2 * _SECOND)
        return [_digest(content), *(stamp if trusted else ())]

    def links(self) -> Links | None:
        """What `keep_links` was given last, if it belongs to the answer."""
        found = self._read("links")
        try:
            names, words = (
                {path: tuple(of) for path, of in found[key].items()} for key in ("names", "words")
            )
            mine = found["edition"] == self._record["edition"]
            return Links(names, words, frozenset(found["opaque"])) if mine else None
        except (KeyError, TypeError, AttributeError):
            return None

    def keep_links(self, links: Links) -> None:
        """Remembers how the files of the last answer hang together; another kfgit may remember one at the same time."""
        record = {**links._asdict(), "opaque": sorted(links.opaque), "edition": self._record["edition"]}
        self._write("links", record)

    def _path(self, what: str) -> Path:
        name = zlib.crc32("\0".join((str(self.root), *self.asked)).encode("utf-8", "surrogateescape"))
        return self.folder / f"{name:08x}-{what}.json"

    def _read(self, what: str) -> dict[str, Any]:
        try:
            record = json.loads(self._path(what).read_bytes())
        except (OSError, ValueError, RecursionError):
            return {}
        mine = isinstance(record, dict) and record.get("for") == [os.fspath(self.root), *self.asked]
        return record if mine else {}

    def _write(self, what: str, record: Mapping[str, Any]) -> None:
        """All or nothing; a folder that cannot be written to costs time, not the answer."""
        path = self._path(what)
        unfinished = path.with_name(f"{path.name}.{self.now}.{os.getpid()}")
        try:
            text = json.dumps({**record, "for": [os.fspath(self.root), *self.asked]}, separators=(",", ":"))
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            unfinished.write_bytes(text.encode())
            unfinished.replace(path)
            self._forget()
        except (OSError, ValueError):
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)

    def _forget(self) -> None:
        """The records used least recently go, when there are many."""
        with os.scandir(self.folder) as entries:
            found = sorted((entry.stat().st_mtime_ns, entry.path) for entry in entries)
        for _, path in found[:-_KEPT]:
            Path(path).unlink(missing_ok=True)


def _same(entry: list[Any], content: Content | Diagnostic) -> bool:
    return bool(_digest(content) == entry[0])


def _digest(content: Content | Diagnostic) -> str:
    """Of a file's bytes; of one that cannot be read the reason."""
    import hashlib  # noqa: PLC0415 - where no stamp changed there is nothing to compare

    if isinstance(content, Diagnostic):
        return f"{content.code}: {content.message}"
    return hashlib.blake2b(content.bytes, digest_size=16).hexdigest()


def _fingerprint() -> list[Any]:
    """This very kfgit: an answer of another one is not its answer. Editable installs change without a new version."""
    own = 0
    waiting = [str(folder) for folder in project.code_folders()]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False) and entry.name != "__pycache__":
                    waiting.append(entry.path)
                elif entry.name.endswith((".py", ".json")):
                    found = entry.stat()
                    stamp = f"{entry.path} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
                    own += zlib.crc32(os.fsencode(stamp))  # in any order
    libraries = [
        Path(path).stat().st_mtime_ns
        for path in sys.path
        if path.endswith("-packages") and os.path.isdir(path)  # noqa: PTH112 - asked at every start
    ]
    return [sys.version, own, libraries]


def _packed(diagnostics: tuple[Diagnostic, ...]) -> list[Any]:
    return [_one(diagnostic) for diagnostic in diagnostics]


def _one(d: Diagnostic) -> list[Any]:
    related = [[other.message, list(other.span)] for other in d.related]
    return [d.code, d.message, list(d.span), d.help, d.severity, related, d.environment, list(d.also)]


def _diagnostics(packed: list[Any]) -> Iterator[Diagnostic]:
    for code, message, span, help_, severity, related, environment, also in packed:
        others = tuple(Related(text, Span(*place)) for text, place in related)
        yield Diagnostic(code, message, Span(*span), help_, severity, others, environment, tuple(also))
