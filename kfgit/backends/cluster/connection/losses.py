"""Requests without an answer: why, in few words, and whether the next try would end the same. Pure."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import BadStatusLine, HTTPException, IncompleteRead, RemoteDisconnected

from urllib3.exceptions import (
    DecodeError,
    HTTPError,
    LocationValueError,
    NewConnectionError,
    TimeoutError as TookTooLong,
)


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer. `sent` says whether the request had begun to leave, `hopeless` that asking again is in vain.

    `sort` is "absent" where nobody is at the address, "untrusted" where nobody vouches for who is; else nothing.
    """

    why: str
    sent: bool
    hopeless: bool = False
    sort: str = ""


def lost(error: HTTPError | OSError, *, sent: bool) -> Lost:
    """What an exception of urllib3 means."""
    causes = tuple(_causes(error))
    words = (word for cause in causes if (word := _word(cause)))
    hopeless = any(_is_hopeless(cause) for cause in causes)
    sorts = (sort for cause in causes if (sort := _sort(cause)))
    return Lost(next(words, "the connection was cut off"), sent, hopeless, next(sorts, ""))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came of; urllib3 wraps the one into the other in two ways."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        inner = error.args[-1] if error.args else None
        error = inner if isinstance(inner, BaseException) else error.__cause__


def _is_hopeless(cause: BaseException) -> bool:
    """A certificate that nobody trusts, a name that nobody knows, an address that is none."""
    if isinstance(cause, socket.gaierror):
        return cause.errno != socket.EAI_AGAIN
    return isinstance(cause, (ssl.SSLCertVerificationError, LocationValueError))


def _sort(cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "untrusted"
    absent = isinstance(cause, ConnectionRefusedError) or (
        isinstance(cause, socket.gaierror) and _is_hopeless(cause)
    )
    return "absent" if absent else ""


def _word(cause: BaseException) -> str | None:
    """Without the address, which stands before it. What the server said is never repeated: it may be anything."""
    match cause:
        case ssl.SSLError():
            return _word_of_tls(cause)
        case socket.gaierror():
            return "nobody knows its name" if _is_hopeless(cause) else "no name server answers"
        case NewConnectionError() | RemoteDisconnected() | IncompleteRead():
            return None
        case TimeoutError() | TookTooLong():
            return "it does not answer in time"
        case OSError(strerror=str(message)):
            return message
        case OSError():  # a proxy that does not open the way: its words have no number
            return str(cause)[:100] or None
        case BadStatusLine() | HTTPException():
            return "its answer is no HTTP"
        case DecodeError():
            return "its answer cannot be unpacked"
        case LocationValueError():
            return "its address is none"
        case _:
            return None


def _word_of_tls(cause: ssl.SSLError) -> str | None:
    match cause.reason or "":
        case "CERTIFICATE_VERIFY_FAILED":
            return f"its certificate is not trusted ({getattr(cause, 'verify_message', 'unknown')})"
        case "WRONG_VERSION_NUMBER" | "HTTP_REQUEST":
            return "it does not speak TLS"
        case "UNEXPECTED_EOF_WHILE_READING" | "":
            return None
        case reason:
            return f"TLS: {reason.replace('_', ' ').lower()}"
