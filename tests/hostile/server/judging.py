"""What an answer must be like, whatever was asked: never a fault of the server, and refusals in KFP's shape.

KFP has two shapes: grpc-gateway's for the JSON API (`google.rpc.Status`), and the two texts of the upload endpoints.
"""

from __future__ import annotations

import json
from typing import Any

from tests.hostile.server.requests import Request
from tests.hostile.server.wire import Answer

# google.rpc.Code and what grpc-gateway makes of it (runtime/errors.go, HTTPStatusFromCode); 413, 415 and their like
# are what a server says of a body before anybody reads it.
STATUS_OF = {3: 400, 5: 404, 6: 409, 7: 403, 8: 429, 9: 400, 10: 409, 11: 400, 12: 501, 16: 401}
_OF_HTTP = {405, 408, 411, 413, 414, 415, 421, 431}
# What only a program that has lost its way says.
_INSIDES = (
    b"Traceback", b'File "', b"site-packages", b"sqlite3", b"UNIQUE constraint", b"FOREIGN KEY", b"object at 0x",
    b"<class '", b"NoneType", b"KeyError", b"TypeError", b"positional argument", b"codec can't",
    b"kfgit/server", b"object is not", b"bytes-like", b"has no attribute", b"unhashable", b"invalid literal for",
)  # fmt: skip


def fault_in(request: Request, answer: Answer | None, private: str) -> str | None:
    """What is wrong with the answer, None if nothing is. `private` is a text that no answer may hold."""
    if answer is None:
        return "hangs up without an answer" if request.sound else None
    told = f"{answer.status}: {answer.body[:300]!r}"
    inside = [one.decode() for one in (*_INSIDES, private.encode()) if one in answer.body]
    if inside:
        return f"tells {inside} of its insides, {told}"
    if answer.status >= 500 and not _is_unimplemented(request, answer):
        return f"is a fault of the server, {told}"
    if 300 <= answer.status < 400:
        return f"sends elsewhere, {told} {answer.headers.get('location')}"
    # What is no HTTP may be answered as something else than was meant, but a refusal is one.
    if request.method == "HEAD" or (not request.sound and answer.status < 400):
        return None
    return _shape(answer)


def _shape(answer: Answer) -> str | None:
    told = f"{answer.status}: {answer.body[:300]!r}"
    kind = answer.headers.get("content-type", "")
    if answer.status == 200 and kind.startswith("text/plain"):  # a log, the metrics
        return None
    if not kind.startswith("application/json"):
        return f"is {kind or 'without a type'}, {told}"
    try:
        document = json.loads(answer.body.decode("utf-8"), parse_constant=_refuse)
    except ValueError as fault:
        return f"is no JSON ({fault}), {told}"
    if answer.status == 200:
        return None if isinstance(document, dict) else f"is no object, {told}"
    if answer.status < 400:
        return f"is neither answer nor refusal, {told}"
    return None if _is_refusal(document, answer.status) else f"is not in KFP's shape, {told}"


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _is_refusal(document: Any, status: int) -> bool:
    match document:
        case {"error_message": str(message), "error_details": str(), **others}:
            return bool(message) and not others
        case {"code": int(code), "message": str(message), "details": [*details], **others}:
            return bool(message) and not others and _fits(code, status) and all(map(_is_detail, details))
        case {"code": int(code), "message": str(message), **others}:
            return bool(message) and not others and _fits(code, status)
        case _:
            return False


def _fits(code: int, status: int) -> bool:
    return STATUS_OF.get(code) == status or (status in _OF_HTTP and code in STATUS_OF)


def _is_detail(detail: Any) -> bool:
    match detail:
        case {"@type": str(), "code": int(), "message": str()}:
            return True
        case _:
            return False


def _is_unimplemented(request: Request, answer: Answer) -> bool:
    # grpc-gateway says 501 of a method that a path does not have.
    told = request.method == "HEAD" or b'"code":12' in answer.body.replace(b" ", b"")
    return answer.status == 501 and told
