"""Values of the engine as texts for the tables, and back.

A task's inputs and outputs mix JSON with artifacts, and user data may look like anything; so each value is tagged
(`["v", json]`, `["a", artifact]`, `["t", [tagged…]]`) instead of being recognised by its shape.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from kfgit import canonical
from kfgit.backends.local.protocol import Outputs
from kfgit.events import Artifact
from kfgit.ir import Package


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds: always 27 characters, so that texts sort as times."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"


def stamp_or_none(at: datetime | None) -> str | None:
    """`stamp` where there is a time."""
    return None if at is None else stamp(at)


def moment(text: str | None) -> datetime | None:
    """The time that `stamp` wrote."""
    return None if text is None else datetime.fromisoformat(text)


def text(value: str | None) -> str | None:
    """The text as UTF-8 can hold it; SQLite refuses lone surrogates, which undecodable file names and logs bring."""
    return None if value is None else value.encode("utf-8", "replace").decode("utf-8")


def encode(values: Mapping[str, Any]) -> str:
    """Inputs or outputs of a task or run."""
    return json.dumps({name: _tagged(value) for name, value in values.items()}, separators=(",", ":"))


def decode(document: str) -> dict[str, Any]:
    """What `encode` wrote."""
    return {name: _plain(tag, value) for name, (tag, value) in json.loads(document).items()}


def encode_outputs(outputs: Outputs) -> str:
    """The outputs of a task for the cache."""
    return encode(
        {"parameters": dict(outputs.parameters)} | {f"a:{k}": v for k, v in outputs.artifacts.items()}
    )


def decode_outputs(document: str) -> Outputs:
    """What `encode_outputs` wrote."""
    values = decode(document)
    parameters = values.pop("parameters")
    return Outputs(parameters, {name.removeprefix("a:"): artifacts for name, artifacts in values.items()})


def encode_package(package: Package) -> tuple[str, str]:
    """The digest of the whole document, labels and SDK version included, and the document."""
    document = canonical.dumps(
        {
            "name": package.name,
            "spec": package.spec,
            "platform": package.platform,
            "labels": dict(package.labels),
        }
    )
    document = document.encode("utf-8", "replace").decode("utf-8")
    return hashlib.sha256(document.encode()).hexdigest(), document


def decode_package(document: str) -> Package:
    """What `encode_package` wrote."""
    return Package(**json.loads(document))


def _tagged(value: Any) -> list[Any]:
    match value:
        case Artifact():
            return ["a", asdict(value)]
        case tuple():
            return ["t", [_tagged(item) for item in value]]
        case _:
            return ["v", value]


def _plain(tag: str, value: Any) -> Any:
    match tag:
        case "a":
            return Artifact(**value)
        case "t":
            return tuple(_plain(*item) for item in value)
        case _:
            return value
