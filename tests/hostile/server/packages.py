"""Files to upload: packages that are nearly right, and archives made to hurt."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import yaml

from tests.hostile.server.requests import ROOT, STORIES
from tests.hostile.server.values import changed

FILENAMES = (
    "p.yaml", "p.yml", "p.json", "p.YAML", "p.txt", "p", "", ".yaml", "p.yaml.zip", "p.zip", "p.tar.gz", "p.tgz",
    "../../p.yaml", "/etc/p.yaml", "p\\q.yaml", 'p".yaml', "p.yaml; filename=q.txt", "é.yaml", "\u202e.yaml",
    "x" * 5000 + ".yaml", "a\rb.yaml", "p\0.yaml",
)  # fmt: skip
_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)
TEXTS = (
    _BOMB, "", "\0", "a: [1, 2", "a: &a [*a]", "!!python/object/apply:os.system [x]", "---\n---\n---\n",
    "[" * 5_000, "{a: " * 5_000, "- " * 5_000, "? " * 5_000, "%YAML 9.9\n---\na: 1", "a: *b", "\ufeffa: 1",
    "a: !!binary x", "a: !!timestamp 2026-99-99", "1: 2", "null", "2026-01-01", "a: 1\na: 2", "<<: {a: 1}",
    "'" * 1_000, "\t", "a: |\n" + "  x\n" * 10_000, "{}", "[]", "a: 1e999", "a: .nan", "x" * 500_000,
    "a: " + "9" * 10_000, "a:\n" * 3_000, "&" * 5_000, "\x85a: 1\u2028b: 2", "!" * 3_000 + " x",
    "a: !<tag:yaml.org,2002:python/name:os.system> x",
)  # fmt: skip


@lru_cache(maxsize=1)
def specs() -> tuple[Any, ...]:
    """Sound packages: those of the stories, and what kfgit's compiler is expected to write."""
    stories = sorted((STORIES / "packages").glob("*.yaml"))
    compiled = sorted((ROOT / "tests/cases/compile").rglob("expected/**/*.yaml"))
    loaded = (one for file in [*stories, *compiled] for one in yaml.safe_load_all(file.read_bytes()))
    return tuple(json.loads(json.dumps(one, default=str)) for one in loaded if "root" in (one or {}))


def hostile(chance: random.Random) -> tuple[str, bytes]:
    """A file name, and what is in the file."""
    spec = chance.choice(specs())
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        spec = changed(chance, spec, specs())
    content = json.dumps(spec).encode() if chance.random() < 0.4 else _yaml(spec)
    if chance.random() < 0.3:
        content = chance.choice(TEXTS).encode()
    if chance.random() < 0.2:
        content = damaged(chance, content)
    name = chance.choice(FILENAMES) if chance.random() < 0.3 else "package.yaml"
    if chance.random() < 0.35:
        content = chance.choice(_ARCHIVES)(content)
        if chance.random() < 0.3:
            content = damaged(chance, content)
    return name, content


def damaged(chance: random.Random, content: bytes) -> bytes:
    """Some bytes changed, put in or left out."""
    result = bytearray(content or b" ")
    for _ in range(chance.choice((1, 1, 3, 20))):
        at = chance.randrange(len(result))
        match chance.randrange(4):
            case 0:
                result[at] = chance.randrange(256)
            case 1:
                result.insert(at, chance.randrange(256))
            case 2:
                result[at : at + chance.randint(1, 9)] = b""
            case _:
                result = result[: max(1, at)]
        result = result or bytearray(b" ")
    return bytes(result)


def _yaml(spec: Any) -> bytes:
    return yaml.safe_dump(spec, sort_keys=False).encode("utf-8", "surrogatepass")


def zipped(content: bytes, *names: str) -> bytes:
    """A zip archive with the content under each name."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, content)
    return file.getvalue()


def tarred(content: bytes, *members: tuple[str, bytes, str], mode: Any = "w:gz") -> bytes:
    """A tar archive; a member is a name, its type (see `tarfile`), and where a link leads."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, type_, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = type_, link
            info.size = len(content) if type_ == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


@lru_cache(maxsize=1)
def bomb() -> bytes:
    """A zip archive of 200 KB that is 200 MB."""
    return zipped(b" " * (200 << 20), "bomb.yaml")


def _lying(content: bytes) -> bytes:
    """A zip archive that says its content is small."""
    archive = bytearray(zipped(content * 200, "p.yaml"))
    for mark, at in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        start = archive.find(mark)
        archive[start + at : start + at + 4] = struct.pack("<I", 1)
    return bytes(archive)


def _encrypted(content: bytes) -> bytes:
    archive = bytearray(zipped(content, "p.yaml"))
    for mark, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        archive[archive.find(mark) + at] |= 1
    return bytes(archive)


_REGULAR, _LINK, _HARD, _DEVICE = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE
_ARCHIVES: tuple[Callable[[bytes], bytes], ...] = (
    lambda content: zipped(content, "p.yaml"),
    lambda content: zipped(content, "a.txt", "p.yaml", "q.yaml"),
    lambda content: zipped(content, "../../p.yaml"),
    lambda content: zipped(content, "folder/"),
    lambda content: zipped(content, *(f"p{n}.yaml" for n in range(2_000))),
    lambda content: zipped(zipped(content, "p.yaml"), "p.zip"),
    lambda _: zipped(b""),
    lambda _: bomb(),
    _lying,
    _encrypted,
    lambda content: b"PK\x03\x04" + content,
    lambda _: b"PK\x05\x06" + bytes(18),
    lambda content: content + zipped(content, "p.yaml"),
    lambda content: tarred(content, ("p.yaml", _REGULAR, "")),
    lambda content: tarred(content, ("../p.yaml", _REGULAR, ""), ("/etc/p.yaml", _REGULAR, "")),
    lambda content: tarred(content, ("p.yaml", _LINK, "/etc/passwd")),
    lambda content: tarred(content, ("p.yaml", _HARD, "/etc/passwd")),
    lambda content: tarred(content, ("p.yaml", _DEVICE, "")),
    lambda content: tarred(content, ("p.yaml", _LINK, "p.yaml")),
    lambda content: tarred(content, ("p.yaml", _REGULAR, ""), mode="w"),
    lambda content: tarred(content, ("p.yaml", _REGULAR, ""), mode="w:xz"),
    lambda content: tarred(content, ("p.yaml", _REGULAR, ""))[:-20],
    lambda _: tarred(b""),
    lambda _: gzip.compress(b" " * (100 << 20)),
    gzip.compress,
    bz2.compress,
    lambda content: b"\x1f\x8b" + content,
)
