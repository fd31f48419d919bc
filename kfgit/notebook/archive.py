"""A file as a `.tar.gz` with the same bytes on every machine.

A gzip stream says when it was made and its bytes depend on the library that compresses, so a small file is only
stored (RFC 1951, 3.2.4; RFC 1952). A large one is compressed, since Linux passes no more than 128 KiB in one argument;
then the bytes are those of zlib.
"""

from __future__ import annotations

import struct
import tarfile
import zlib
from collections.abc import Iterator

# Larger than this when stored, base64 makes an argument of it that is too long.
_STORED = 64 * 1024
_BLOCK = 65_535
# No time, no flags; made on Unix.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"


def tar_gz(name: str, content: bytes) -> bytes:
    """An archive with one file, which anybody may read."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    padding = b"\0" * (-len(content) % tarfile.BLOCKSIZE)
    blocks = entry.tobuf(tarfile.PAX_FORMAT) + content + padding + b"\0" * (2 * tarfile.BLOCKSIZE)
    body = b"".join(_stored(blocks)) if len(blocks) <= _STORED else _compressed(blocks)
    return _HEADER + body + struct.pack("<II", zlib.crc32(blocks), len(blocks) & 0xFFFFFFFF)


def _stored(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _BLOCK):
        part = content[start : start + _BLOCK]
        is_last = start + _BLOCK >= len(content)
        yield struct.pack("<BHH", is_last, len(part), len(part) ^ 0xFFFF) + part


def _compressed(content: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()
