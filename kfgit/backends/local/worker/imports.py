"""Imports: an outside thing becomes an artifact, and nothing is fetched."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kfgit.backends.local.launcher import TaskFailure
from kfgit.backends.local.protocol import Import, Outputs
from kfgit.events import Artifact


def run_import(command: Import, say: Callable[[str], None] = lambda _: None) -> Outputs:
    """Records an outside thing as the artifact `artifact`. Raises `TaskFailure`.

    What is on this machine must exist and be named by an absolute path or `file://`: a relative path would mean
    another thing for each process. What is elsewhere is recorded as it stands and never fetched.
    """
    uri = _local_uri(command.uri)
    if uri.startswith("/") and not Path(uri).exists():
        raise TaskFailure(f"`{command.uri}` does not exist on this machine")
    if not uri.startswith("/"):
        say(f"`{uri}` is recorded but not fetched: a task that opens it by its path finds nothing here")
    made = Artifact(uuid.uuid4().hex, "artifact", command.type, uri, dict(command.metadata), command.version)
    return Outputs(artifacts={"artifact": (made,)})


def _local_uri(uri: str) -> str:
    if uri.startswith("file:"):
        parts = urlsplit(uri)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise TaskFailure(f"`{uri}` does not name a file of this machine: write file:///absolute/path")
        return os.path.normpath(unquote(parts.path))
    if uri.startswith("/"):
        return os.path.normpath(uri)
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", uri):
        raise TaskFailure(
            f"`{uri}` is neither an absolute path nor a URI, so what it means would depend on the folder"
        )
    return uri
