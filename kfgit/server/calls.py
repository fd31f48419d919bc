"""What a handler is given, and how it stands in the table of routes. The way in and out is `answering`.

Each module of a resource exports `ROUTES`; a handler is a plain function that reads and writes the store. It runs on a
worker thread, with a body that is whole and bounded, and knows nothing of HTTP but the words of KFP's API.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from kfgit.backends.local.backend import LocalBackend


@dataclass(frozen=True, slots=True)
class Context:
    """What every handler has. `nudge` says that a run is pending or a schedule changed: executor and scheduler wake."""

    backend: LocalBackend
    now: Callable[[], datetime]
    nudge: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Upload:
    """The multipart field `uploadfile`: the name that the client gave the file, and what is in it."""

    filename: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """One request: the ids in its path (decoded), the first value of each query parameter, and what it brought."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes = b""
    upload: Upload | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is no JSON, such as the log of a task."""

    content: bytes
    media_type: str = "text/plain; charset=utf-8"


Answer: TypeAlias = Mapping[str, Any] | Raw
Handler: TypeAlias = Callable[[Context, Call], Answer]


class Route(NamedTuple):
    """One row of the table. `path` has names in braces and may end in a verb: `/apis/v2beta1/runs/{run_id}:retry`."""

    method: str
    path: str
    handler: Handler
    upload: bool = False
