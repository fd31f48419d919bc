"""A KFP server that has not got all that 2.17 has: ours, with what it lacks taken out on the way.

What an earlier server does with what it does not know is read off KFP's sources: an unknown field of a message is 400,
an unknown parameter of an URL counts for nothing, an unknown method is 501.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kfgit.backends.cluster.connection.wire import Answer, Wire

TAGS, ORPHAN = "tags", "orphan"


@dataclass(eq=False)
class Older:
    """A wire to a server that lacks some features; `health` is what it says of itself."""

    wire: Wire
    lacks: frozenset[str] = frozenset()
    health: Mapping[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """As `Wire.place`."""
        return self.wire.place

    @property
    def requests(self) -> int:
        """As `Wire.requests`."""
        return self.wire.requests

    def read(self, method: str, path: str, query: Mapping[str, str] | None = None, **given: Any) -> Answer:
        """As `Wire.read`."""
        return self._ask(self.wire.read, method, path, dict(query or {}), given)

    def write(self, method: str, path: str, query: Mapping[str, str] | None = None, **given: Any) -> Answer:
        """As `Wire.write`."""
        return self._ask(self.wire.write, method, path, dict(query or {}), given)

    def _ask(self, ask: Any, method: str, path: str, query: dict[str, str], given: dict[str, Any]) -> Answer:
        self.asked.append(f"{method} {path}")
        if TAGS in self.lacks:
            if method == "PATCH":
                return _refused(501, 12, "Method Not Allowed")
            if "tags." in query.get("filter", ""):
                return _refused(400, 3, "no support for filtering on unrecognized field")
            if "tags" in (given.get("json") or {}):
                return _refused(400, 3, 'proto: (line 1:2): unknown field "tags"')
            query.pop("tags", None)
        if ORPHAN in self.lacks:
            query.pop("propagation_policy", None)
        answer: Answer = ask(method, path, query=query or None, **given)
        body = json.loads(answer.body or b"{}")
        if path.endswith("/healthz"):
            body = {**body, **self.health}
        return answer._replace(body=json.dumps(self._told(body)).encode())

    def _told(self, value: Any) -> Any:
        if TAGS in self.lacks and isinstance(value, dict) and "pipeline_id" in value:
            return {key: each for key, each in value.items() if key != "tags"}
        if isinstance(value, dict):
            return {key: self._told(each) for key, each in value.items()}
        return [self._told(each) for each in value] if isinstance(value, list) else value


def _refused(status: int, code: int, message: str) -> Answer:
    body = {"code": code, "message": message, "details": [{"code": code, "message": message}]}
    return Answer(status, {}, json.dumps(body).encode())
