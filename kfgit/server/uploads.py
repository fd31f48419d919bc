"""Uploaded files: YAML and JSON by the ending of their name, zip and tar.gz by their first bytes, as KFP reads them.

In an archive it is the file `pipeline.yaml`, or else the first one (backend/src/apiserver/server/util.go). Whatever an
archive claims of itself, no more is unpacked than a package may have, and no more of its members are looked at than any
package has; a tar is read by hand, because that is all it takes.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from kfgit.server.calls import Upload
from kfgit.server.errors import ApiError, Code, UploadError, invalid
from kfgit.server.specs import MAX_BYTES

MAX_MEMBERS = 1_000

_YAML = (".yaml", ".yml")
_WANTED = "pipeline.yaml"
_BLOCK = 512


def base(upload: Upload) -> str:
    """The name of the file without folders: what an upload without a name is called."""
    return upload.filename.rpartition("/")[2]


def fault(error: ApiError, summary: str) -> UploadError:
    """An error as the upload endpoints tell it: a name that is taken in general words, a mistake in its own."""
    told = error.detail if error.code == Code.INVALID_ARGUMENT else summary
    return UploadError(error.code, told, error.detail)


def content(upload: Upload) -> bytes:
    """The file, or the file in the archive; raises `ApiError`."""
    if len(upload.content) > MAX_BYTES:
        raise invalid(f"File size too large. Maximum supported size: {MAX_BYTES}")
    if upload.filename.endswith((*_YAML, ".json")):
        return upload.content
    if upload.content.startswith(b"PK"):
        return _from_zip(upload.content)
    if upload.content.startswith(b"\x1f\x8b"):
        return _from_tar(upload.content)
    raise invalid("Unexpected pipeline file format. Support .zip, .tar.gz, .json or YAML")


def _from_zip(archive: bytes) -> bytes:
    # One signature for each entry of the central directory, which is read as a whole.
    if archive.count(b"PK\x01\x02") > MAX_MEMBERS:
        raise _broken("zip", f"it has more than {MAX_MEMBERS} files")
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            names = opened.infolist()
            if not names:
                raise _broken("zip", "it is empty")
            found = next((info for info in names if info.filename == _WANTED), names[0])
            _check_yaml("zip", found.filename)
            if found.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise _broken("zip", f"{found.filename} is compressed in a way that is not supported")
            with opened.open(found) as stream:
                text = stream.read(MAX_BYTES + 1)
    except ApiError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        NotImplementedError,
    ) as error:
        raise _broken("zip", str(error)) from None
    return _bounded("zip", text)


class _Member(NamedTuple):
    name: str
    content: bytes


def _from_tar(archive: bytes) -> bytes:
    try:
        unpacked = zlib.decompressobj(wbits=31).decompress(archive, MAX_BYTES + 1)
    except zlib.error as error:
        raise _broken("tarball", str(error)) from None
    first: _Member | None = None
    for member in _members(_bounded("tarball", unpacked)):
        if member.name == _WANTED:
            return member.content
        first = first or member
    if first is None:
        raise _broken("tarball", "it is empty")
    _check_yaml("tarball", first.name)
    return first.content


def _members(tar: bytes) -> Iterator[_Member]:
    """The members of a tar by their short names (POSIX ustar); ends where the archive does."""
    at, seen = 0, 0
    while at + _BLOCK <= len(tar) and any(header := tar[at : at + _BLOCK]):
        seen += 1
        if seen > MAX_MEMBERS:
            raise _broken("tarball", f"it has more than {MAX_MEMBERS} files")
        size = _size(header[124:136])
        at += _BLOCK
        if at + size > len(tar):
            raise _broken("tarball", "it ends within a file")
        # Extended headers (x, g, L, K) describe the member that follows, and nothing of that is needed here.
        if header[156:157] not in b"xgLK":
            yield _Member(_text(header[:100]), tar[at : at + size])
        at += -(-size // _BLOCK) * _BLOCK


def _size(field: bytes) -> int:
    digits = field.strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise _broken("tarball", "a header has no size")
    return int(digits, 8)


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def _check_yaml(kind: str, name: str) -> None:
    if not name.endswith(_YAML):
        raise _broken(kind, f"Expecting a pipeline.yaml file inside. Got: {name[:200]}")


def _bounded(kind: str, text: bytes) -> bytes:
    if len(text) > MAX_BYTES:
        raise _broken(kind, f"it holds more than {MAX_BYTES} bytes")
    return text


def _broken(kind: str, problem: str) -> ApiError:
    return invalid(f"Error extracting pipeline from the {kind} file. Not a valid {kind} file: {problem}")
