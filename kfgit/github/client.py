"""One HTTP client for one repository: asks, waits where GitHub wants that, and says which permission is missing.

Reads, changes and deletions are asked again after a cut or a 5xx, for twice comes to the same. What makes something new
is sent again only where GitHub surely did not take it: no connection, or a rate limit. The token is in no message.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlencode, urlsplit

from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError
from urllib3.util import make_headers, parse_url

from kfgit import __version__
from kfgit.backend import MachineFault
from kfgit.github.refusals import said_in, way_out
from kfgit.github.waiting import is_limit, wait

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}\Z")
_TOKEN = re.compile(r"[!-~]{1,4096}\Z")
_OBJECTS = re.compile(r"^(?:<?\w+(?:Connection|Pool)(?:\([^)]*\)| object at \w+>)?: )+")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_PLAIN = frozenset({"https", "http"})
_LARGEST_ANSWER = 16 << 20
_PAGE = 100
_PAGES = 50
_TRIES = 4
# Seconds that all rests of one request may take together.
_PATIENCE = 180.0
_VERSION = "2022-11-28"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the API is, which repository (`owner/name`), and the token that says who asks.

    `login` is the user of a token that may not ask for its own, as an app's; without it that of workflows.
    """

    api: str
    repository: str
    token: str = field(repr=False)
    proxy: str | None = field(default=None, repr=False)
    login: str | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """The clock (seconds since 1970, as GitHub tells its limits) and sleep; tests hand in others."""

    clock: Callable[[], float] = time.time  # noqa: TID251 - see above
    sleep: Callable[[float], None] = time.sleep


class Rejected(MachineFault):
    """GitHub answered, and it was no; `said` is its own sentence."""

    def __init__(self, text: str, status: int, said: str) -> None:
        super().__init__(text)
        self.status, self.said = status, said


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Lost(NamedTuple):
    """No answer; `sent` is false where nothing can have arrived."""

    why: str
    sent: bool


@dataclass(frozen=True, slots=True)
class Client:
    """The way to one repository. Paths stand below it; one that begins with `/` is GitHub's own."""

    settings: Settings
    pool: PoolManager = field(repr=False)
    timing: Timing = field(default_factory=Timing, repr=False)

    @staticmethod
    def of(settings: Settings, timing: Timing) -> Client:
        """A client, once the settings make sense. Raises `MachineFault` where they do not."""
        _check(settings)
        return Client(settings, _pool(settings.proxy), timing)

    def get(self, path: str, needs: str, **query: str) -> Any:
        """What stands there. `needs` is the permission that a workflow must have to see it."""
        return self._judged("GET", path, self._ask("GET", self._url(path, query)), needs)

    def pages(self, path: str, needs: str, **query: str) -> Iterator[Mapping[str, Any]]:
        """A list, page by page, at most so many."""
        for page in range(1, _PAGES + 1):
            found = self.get(path, needs, **query, per_page=str(_PAGE), page=str(page))
            if not isinstance(found, list):
                raise MachineFault(f"{self._place()} answers with something where a list belongs")
            yield from (each for each in found if isinstance(each, dict))
            if len(found) < _PAGE:
                return

    def send(self, method: str, path: str, needs: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """Makes or changes something, and returns what there is then."""
        body = json.dumps(payload, ensure_ascii=True).encode()
        made = self._judged(method, path, self._ask(method, self._url(path, {}), body), needs)
        if isinstance(made, dict):
            return made
        raise MachineFault(f"{self._place()} answers {method} {path} with something where an object belongs")

    def delete(self, path: str, needs: str) -> None:
        """Removes something."""
        self._judged("DELETE", path, self._ask("DELETE", self._url(path, {})), needs)

    def _url(self, path: str, query: Mapping[str, str]) -> str:
        below = path if path.startswith("/") else f"/repos/{self.settings.repository}/{path}"
        return self.settings.api.rstrip("/") + below + (f"?{urlencode(query)}" if query else "")

    def _place(self) -> str:
        return f"GitHub ({urlsplit(self.settings.api).hostname})"

    def _ask(self, method: str, url: str, body: bytes | None = None) -> _Answer:
        """Asks until an answer stands."""
        rested = 0.0
        for tried in range(1, _TRIES + 1):
            outcome = self._attempt(method, url, body)
            rest = self._rest(outcome, tried)
            if tried == _TRIES or rested + rest > _PATIENCE or not _again(method, outcome):
                return self._answered(method, url, outcome)
            self.timing.sleep(rest)
            rested += rest
        raise AssertionError("the last try returns")

    def _rest(self, outcome: _Answer | _Lost, tried: int) -> float:
        if not isinstance(outcome, _Answer):
            return tried
        limited = is_limit(outcome.status, outcome.headers, said_in(outcome.body))
        return wait(outcome.headers, self.timing.clock(), tried, limited=limited)

    def _answered(self, method: str, url: str, outcome: _Answer | _Lost) -> _Answer:
        match outcome:
            case _Answer():
                return outcome
            case _Lost(why=why, sent=sent) if sent and method != "GET":
                what = f"{method} {urlsplit(url).path}"
                raise MachineFault(f"{self._place()} may or may not have carried out {what}: {why}")
            case _Lost(why=why):
                raise MachineFault(f"{self._place()} cannot be reached: {why}")

    def _attempt(self, method: str, url: str, body: bytes | None) -> _Answer | _Lost:
        try:
            response = self.pool.urlopen(
                method,
                url,
                body=body,
                headers=self._headers(typed=body is not None),
                retries=False,
                redirect=False,
                preload_content=False,
                timeout=Timeout(connect=10.0, read=30.0),
            )
            return _taken_in(response)
        except (NewConnectionError, ConnectTimeoutError, SSLError) as error:
            return _Lost(_reason(error), sent=False)
        except (HTTPError, OSError) as error:
            return _Lost(_reason(error), sent=True)

    def _headers(self, *, typed: bool) -> dict[str, str]:
        usual = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {self.settings.token}",
            "User-Agent": f"kfgit/{__version__}",
            "X-GitHub-Api-Version": _VERSION,
        }
        return {**usual, "Content-Type": "application/json"} if typed else usual

    def _judged(self, method: str, path: str, answer: _Answer, needs: str) -> Any:
        if 200 <= answer.status < 300:
            return self._json(answer.body)
        self._reject(f"{method} {path}", answer, needs)

    def _json(self, body: bytes) -> Any:
        try:
            return json.loads(body) if body else None
        except (ValueError, RecursionError):
            raise MachineFault(f"{self._place()} answers with something where JSON belongs") from None

    def _reject(self, call: str, answer: _Answer, needs: str) -> NoReturn:
        said = said_in(answer.body)
        limited = is_limit(answer.status, answer.headers, said)
        why = f" ({said})" if said else ""
        told = f"{self._place()} answers {call} with {answer.status}{why}"
        advice = way_out(answer.status, said, needs, limited=limited)
        raise Rejected(f"{told}; {advice}", answer.status, said)


def _check(settings: Settings) -> None:
    parts = urlsplit(settings.api)
    if not parts.hostname or parts.scheme not in (_PLAIN if parts.hostname in _LOOPBACK else {"https"}):
        raise MachineFault(f"GITHUB_API_URL must be an https address, and not `{settings.api}`")
    if not _REPOSITORY.match(settings.repository):
        raise MachineFault(f"GITHUB_REPOSITORY must be `owner/name`, and not `{settings.repository}`")
    if not _TOKEN.match(settings.token):
        raise MachineFault("GITHUB_TOKEN is no token: it is empty, or has spaces or line ends in it")


def _pool(proxy: str | None) -> PoolManager:
    if proxy is None:
        return PoolManager(maxsize=2)
    auth = parse_url(proxy).auth
    return ProxyManager(proxy, maxsize=2, proxy_headers=make_headers(proxy_basic_auth=auth) if auth else None)


def _taken_in(response: BaseHTTPResponse) -> _Answer:
    body = bytearray()
    while chunk := response.read1(64 << 10):
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            response.close()
            raise MachineFault(f"GitHub's answer has more than {_LARGEST_ANSWER >> 20} MiB")
    response.release_conn()
    return _Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, bytes(body))


def _again(method: str, outcome: _Answer | _Lost) -> bool:
    """Whether the same may be asked once more."""
    match outcome:
        case _Lost(sent=sent):
            return not sent or method != "POST"
        case _Answer(status=status, headers=headers, body=body):
            return is_limit(status, headers, said_in(body)) or (status >= 500 and method != "POST")


def _reason(error: Exception) -> str:
    """What happened, without the names of urllib3's own objects before it."""
    return _OBJECTS.sub("", str(getattr(error, "reason", None) or error))
