"""One HTTP client for one server: asks, counts, and asks again only where an answer proves that nothing happened.

Reads are asked again after a cut, a timeout, 429 and 5xx. A write is sent again only where it did not happen for sure:
it never left this machine (no connection, no name, no TLS), the server did not know who asked (401, once, after the
credentials were read anew), or it had no time (429). Any other loss of a write is `Ambiguous`: whoever wrote looks what
became of it. urllib3's own retries and redirects are off, since they know none of this.
"""

from __future__ import annotations

import json as json_
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from urllib3 import BaseHTTPResponse, PoolManager, Timeout
from urllib3.exceptions import HTTPError

from kfgit import __version__
from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.commands import redacted
from kfgit.backends.cluster.connection.credentials import Credentials, Nobody
from kfgit.backends.cluster.connection.denials import denial, is_denial, told
from kfgit.backends.cluster.connection.losses import Lost, lost
from kfgit.backends.cluster.connection.patience import Patience, Timing, pause
from kfgit.backends.cluster.connection.pooling import sending, without_user

Query = Mapping[str, str | Sequence[str]]

MAX_BODY = 64 << 20
_CHUNK = 64 << 10

_AGAIN = frozenset({408, 429, 500, 502, 503, 504})
# What a proxy says when it lost a request that it may have passed on.
_IN_DOUBT = frozenset({408, 502, 503, 504})


class Unreachable(MachineFault):
    """No answer from a server, after all tries."""


class Unsent(Unreachable):
    """Proven: nothing reached the server."""


class Ambiguous(MachineFault):
    """A write that may or may not have happened."""


class Unauthorized(MachineFault):
    """The server does not know who asks, or wants a login."""


class Forbidden(MachineFault):
    """The server knows who asks and says no; the text names the rule that is missing."""


class Answer(NamedTuple):
    """What a server said. `place` is the server as people know it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    place: str = "the server"

    def json(self) -> Any:
        """The body; raises `MachineFault` where it is no JSON, as the page of a login is."""
        try:
            return json_.loads(self.body)
        except (ValueError, RecursionError) as error:
            page = self.body.lstrip()[:1] == b"<"
            reason = "with a web page, perhaps that of a login," if page else "with something"
            raise MachineFault(f"{self.place} answers {reason} where JSON belongs") from error


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None

    @property
    def words(self) -> str:
        """As people are told of it: without the query, which may be long."""
        return f"{self.method} {urlsplit(self.url).path}"


def _nothing() -> None:
    """No lock stands behind what is written."""


@dataclass(slots=True, eq=False)
class Wire:
    """The way to one server at `base`, an URL whose path stands before that of every request. Thread-safe.

    `headers` go with every request. `place` is what people are told. `guard` is asked before a write is sent again,
    which may be long after the first time: what it raises (that a lock was lost) ends the write. `advice` says what to
    look at for each sort of loss (`Lost.sort`).
    """

    base: str
    pool: PoolManager = field(repr=False)
    credentials: Credentials = field(default_factory=Nobody, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    place: str = ""
    timing: Timing = field(default_factory=Timing, repr=False)
    patience: Patience = field(default_factory=Patience, repr=False)
    guard: Callable[[], None] = field(default=_nothing, repr=False)
    advice: Mapping[str, str] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _requests: int = field(default=0, repr=False)
    _met: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        self.base = without_user(self.base.rstrip("/"))
        self.place = self.place or self.base

    @property
    def requests(self) -> int:
        """How many requests were made so far, each try counted."""
        return self._requests

    def read(  # noqa: PLR0913 # all that a request may have
        self,
        method: str,
        path: str,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        json: Any = None,
        body: bytes | None = None,
        content_type: str | None = None,
    ) -> Answer:
        """What changes nothing: GET, and dry runs. Raises `Unreachable` where no try brought an answer."""
        call = self._call(method, path, query, headers, _content(json, body, content_type))
        match self._ask(call, _proves_nothing_for_reads):
            case Answer() as answer:
                return self._judged(call, answer)
            case Lost(sent=False) as loss:
                raise Unsent(self._unreachable(loss))
            case Lost() as loss:
                raise Unreachable(self._unreachable(loss))

    def write(  # noqa: PLR0913 # all that a request may have
        self,
        method: str,
        path: str,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        json: Any = None,
        body: bytes | None = None,
        content_type: str | None = None,
    ) -> Answer:
        """What changes something: sent again only where it did not happen for sure. Raises `Unsent` and `Ambiguous`."""
        call = self._call(method, path, query, headers, _content(json, body, content_type))
        match self._ask(call, _did_not_happen, self.guard):
            case Answer(status=status) if status in _IN_DOUBT:
                why = f"it answered {status}"
                raise Ambiguous(self._ambiguous(call, why))
            case Answer() as answer:
                return self._judged(call, answer)
            case Lost(sent=False) as loss:
                raise Unsent(self._unreachable(loss))
            case Lost(why=why):
                raise Ambiguous(self._ambiguous(call, why))

    def _call(
        self,
        method: str,
        path: str,
        query: Query | None,
        headers: Mapping[str, str] | None,
        content: tuple[bytes | None, Mapping[str, str]],
    ) -> _Call:
        url = self.base + path
        if query:
            url += "?" + urlencode(query, doseq=True, quote_via=quote)
        usual = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": f"kfgit/{__version__}",
        }
        body, typed = content
        return _Call(method, url, {**usual, **self.headers, **typed, **(headers or {})}, body)

    def _ask(
        self, call: _Call, again: Callable[[Answer | Lost], bool], guard: Callable[[], None] = _nothing
    ) -> Answer | Lost:
        """Asks until there is an answer that stands."""
        deadline = self.timing.clock() + self.patience.total
        renewed = False
        tries = 0
        while True:
            shown = self.credentials.headers()
            outcome = self._attempt(call, shown)
            tries += 1
            if isinstance(outcome, Answer):
                self._met = True
                if outcome.status == 401 and not renewed and self.credentials.renew(shown):
                    renewed = True
                    guard()
                    continue
            if not again(outcome) or tries >= self._tries():
                return outcome
            rest = pause(tries, outcome.headers if isinstance(outcome, Answer) else {}, self.timing.chance())
            if self.timing.clock() + rest > deadline:
                return outcome
            self.timing.sleep(rest)
            guard()

    def _tries(self) -> int:
        return self.patience.tries if self._met else self.patience.first_tries

    def _attempt(self, call: _Call, shown: Mapping[str, str]) -> Answer | Lost:
        with self._lock:
            self._requests += 1
        sending.begun = False
        try:
            response = self.pool.urlopen(
                call.method,
                call.url,
                body=call.body,
                headers={**call.headers, **shown},
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=Timeout(connect=self.patience.connect, read=self.patience.silence),
            )
        except HTTPError as error:
            return lost(error, sent=sending.begun)
        try:
            return self._taken_in(response)
        except (HTTPError, OSError) as error:
            response.close()
            return lost(error, sent=True)

    def _taken_in(self, response: BaseHTTPResponse) -> Answer | Lost:
        """The whole answer, in bounded memory and time; the connection goes back when its last byte is read."""
        deadline = self.timing.clock() + self.patience.answer
        body = bytearray()
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > MAX_BODY or self.timing.clock() > deadline:
                response.close()
                why = (
                    f"the answer has more than {MAX_BODY >> 20} MiB"
                    if len(body) > MAX_BODY
                    else "it took too long"
                )
                return Lost(why, sent=True, hopeless=True)
        response.release_conn()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers, bytes(body), self.place)

    def _judged(self, call: _Call, answer: Answer) -> Answer:
        """The answer, unless it is about who asks."""
        match answer.status:
            case 401:
                said = redacted(told(answer.body))
                reason = f" (401: {said})" if said else " (401)"
                raise Unauthorized(f"{self.place} does not know who asks{reason}{self.credentials.remark()}")
            case 403 | 400 if answer.status == 403 or is_denial(answer.body):
                raise Forbidden(f"{self.place}: {denial(answer.body, call.words)}")
            case status if 300 <= status < 400 and status != 304:
                raise Unauthorized(f"{self.place} {_redirected(call, answer)}")
            case _:
                return answer

    def _unreachable(self, loss: Lost) -> str:
        advice = self.advice.get(loss.sort)
        return f"{self.place} cannot be reached: {loss.why}" + (f"; {advice}" if advice else "")

    def _ambiguous(self, call: _Call, why: str) -> str:
        return f"{self.place} may or may not have carried out {call.words}: {why}"


def _content(
    json: Any, body: bytes | None, content_type: str | None
) -> tuple[bytes | None, Mapping[str, str]]:
    if json is not None:
        body = json_.dumps(json, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        content_type = content_type or "application/json"
    return body, {"Content-Type": content_type} if body is not None and content_type else {}


def _proves_nothing_for_reads(outcome: Answer | Lost) -> bool:
    match outcome:
        case Answer(status=status):
            return status in _AGAIN
        case Lost(hopeless=hopeless):
            return not hopeless


def _did_not_happen(outcome: Answer | Lost) -> bool:
    match outcome:
        case Answer(status=status):
            return status == 429
        case Lost(sent=sent, hopeless=hopeless):
            return not sent and not hopeless


def _redirected(call: _Call, answer: Answer) -> str:
    target, here = urlsplit(answer.headers.get("location", "")), urlsplit(call.url)
    if target.scheme == "https" and here.scheme == "http" and target.hostname == here.hostname:
        return "wants to be asked over https: write `https://` in `endpoint`"
    where = f" at {target.hostname}" if target.hostname and target.hostname != here.hostname else ""
    return f"sends kfgit to another page{where}, as for a login: see `target.kfp.auth`"
