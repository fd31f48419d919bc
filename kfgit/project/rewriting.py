"""A file of the project replaced in one step: whatever happens, it holds the old text or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from pathlib import Path


def rewrite(root: Path, path: str, before: bytes, after: bytes) -> bool:
    """Whether the file that held `before` now holds `after`; False if it changed meanwhile. Raises OSError.

    A link stays one: what it points at is replaced. Mode and owner stay, too.
    """
    target = (root / path).resolve()
    if not target.is_relative_to(root.resolve()):
        return False
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))
    found = target.stat()
    opened, name = tempfile.mkstemp(prefix=".kfgit-", suffix=".tmp", dir=target.parent)
    beside = Path(name)
    try:
        with os.fdopen(opened, "wb") as stream:
            stream.write(after)
        beside.chmod(stat.S_IMODE(found.st_mode))
        with contextlib.suppress(PermissionError):  # only root may give files away
            os.chown(beside, found.st_uid, found.st_gid)
        if target.read_bytes() != before:
            return False
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)
    return True
