"""A request that kfgit makes, and an answer, as values; and how requests of different cases are known again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, urlsplit

# Ids that a server chose, and what follows from them, which are others in every case.
_IDS = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{16}\b|\bstand-[0-9a-z]+\b"
)
_PAGE = re.compile(r"((?:page_token|continue)=)[^&]+")
_KFP_CODES = {400: 3, 401: 16, 409: 6, 429: 8, 500: 13, 503: 14}
_KUBE_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


def shape(owner: str, method: str, target: str) -> str:
    """What is the same of a request in every case: no ids of servers, no page tokens."""
    told = _PAGE.sub(r"\1…", _IDS.sub("ID", target))
    return f"{owner} {method} {told}"


@dataclass(frozen=True)
class Request:
    """One request: `number` in the common order, and the `occurrence` among those of its shape."""

    number: int
    owner: Any
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    shape: str
    occurrence: int

    def __str__(self) -> str:
        return f"#{self.number} {self.name}"

    @property
    def name(self) -> str:
        """What the same request is called in every case."""
        return f"{self.shape} ({self.occurrence})"

    @cached_property
    def path(self) -> str:
        return urlsplit(self.target).path

    @cached_property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)

    @cached_property
    def token(self) -> str | None:
        """The bearer token that came with it."""
        found = next((value for name, value in self.headers if name.lower() == "authorization"), "")
        return found.removeprefix("Bearer ") if found.startswith("Bearer ") else None

    @property
    def reads(self) -> bool:
        """Whether it changes nothing."""
        return self.method in {"GET", "HEAD"} or "dryRun" in self.query

    @property
    def next_page(self) -> bool:
        """Whether it asks for more of a list."""
        return "page_token" in self.query or "continue" in self.query

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client is told."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def of(cls, owner: str, status: int, message: str, *headers: tuple[str, str]) -> Answer:
        """A refusal in the words of a server."""
        if owner == "kfp":
            code = _KFP_CODES[status]
            detail = {"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": message}
            told: dict[str, Any] = {"code": code, "message": message, "details": [detail]}
        else:
            told = {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                "reason": _KUBE_REASONS[status], "code": status,
            }  # fmt: skip
        return cls(status, (("Content-Type", "application/json"), *headers), json.dumps(told).encode())

    def raw(self) -> bytes:
        """As it goes over the wire."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        head = f"HTTP/1.1 {self.status} told\r\n{lines}Content-Length: {len(self.body)}\r\n\r\n"
        return head.encode("latin-1") + (b"" if self.status == 204 else self.body)
