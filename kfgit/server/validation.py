"""What KFP allows names, descriptions and tags to be.

Lengths of names count bytes, because the rule is Go's `len` (backend/src/apiserver/validation/length.go); other texts
are the columns of its database and count characters. Tags: backend/src/apiserver/model/pipeline_tags.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kfgit.server import messages
from kfgit.server.errors import GatewayError, invalid
from kfgit.server.messages import Map, Shape

NAME_BYTES: Final = {"Experiment": 128, "Pipeline": 128, "PipelineVersion": 127}
NAMESPACE_BYTES: Final = 63
TEXT_CHARACTERS: Final = 255
MAX_TAGS, TAG_CHARACTERS = 20, 63


def check_name(kind: str, name: str, doing: str = "") -> None:
    """Raises `ApiError` for a name that is empty or too long."""
    if not name:
        raise invalid("name is required", doing)
    if len(name.encode()) > NAME_BYTES[kind]:
        raise invalid(f"{kind}.Name length cannot exceed {NAME_BYTES[kind]}", doing)


def check_namespace(namespace: str, doing: str = "") -> None:
    """Raises `ApiError` for a namespace that is too long; what it says means nothing with a single user."""
    if len(namespace.encode()) > NAMESPACE_BYTES:
        raise invalid(f"Namespace length cannot exceed {NAMESPACE_BYTES}", doing)


def check_text(field: str, text: str, doing: str = "") -> None:
    """Raises `ApiError` for a text that is too long for its column."""
    if len(text) > TEXT_CHARACTERS:
        raise invalid(f"{field} has more than {TEXT_CHARACTERS} characters", doing)


def check_tags(tags: Mapping[str, str], doing: str = "") -> None:
    """Raises `ApiError` for the first tag that KFP would not take."""
    if len(tags) > MAX_TAGS:
        raise invalid(f"number of tags ({len(tags)}) exceeds maximum of {MAX_TAGS} per entity", doing)
    if len({key.lower() for key in tags}) < len(tags):
        raise invalid("tag keys that differ in case alone are one key", doing)
    for key, value in tags.items():
        problem = _problem(key, value)
        if problem is not None:
            raise invalid(problem, doing)


def tags_of(text: str | None) -> dict[str, str]:
    """The tags in the query of an upload, which are JSON; raises `ApiError`."""
    if not text:
        return {}
    try:
        found = messages.message({"tags": messages.parse(text.encode())}, Shape({"tags": Map("string")}))
    except (GatewayError, UnicodeEncodeError) as error:
        raise invalid(
            f"Failed to parse tags query parameter. Expected JSON object with string keys and values: {error}"
        ) from None
    tags: dict[str, str] = found.get("tags", {})
    check_tags(tags)
    return tags


def _problem(key: str, value: str) -> str | None:
    if not key:
        return "tag key cannot be empty"
    if "." in key:
        return f"tag key {key!r} must not contain '.' character"
    if len(key) > TAG_CHARACTERS:
        return f"tag key {key!r} exceeds maximum length of {TAG_CHARACTERS} characters"
    if len(value) > TAG_CHARACTERS:
        return f"tag value {value!r} for key {key!r} exceeds maximum length of {TAG_CHARACTERS} characters"
    return None
