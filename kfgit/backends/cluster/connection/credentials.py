"""How kfgit shows a server who it is, and where it finds that: read again when it changes, and after a 401.

A repository only names places (a variable, a file), never a program: a command stands in a variable whose name ends in
`_COMMAND`, so that no document can turn an ordinary one into something that is executed. No secret is in any message or
`repr`; what a file or a variable holds must look like a token before it is shown to anybody.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.commands import Issued, issue
from kfgit.model import KfpAuth

# Where KFP's own client looks (sdk/python/kfp/client/set_volume_credentials.py).
SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubeflow/pipelines/token"  # noqa: S105 # a path
SERVICE_ACCOUNT_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"
MAX_TOKEN = 16 << 10
# A command's token is asked for anew when it would end within this time.
_EARLY_SECONDS = 60.0


class Credentials(Protocol):
    """What goes into the head of each request. Thread-safe."""

    def headers(self) -> Mapping[str, str]:
        """The headers to show now; raises `MachineFault` where there is nothing to show."""

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Looks again after `refused` was refused; False where there is nothing to try again with."""

    def remark(self) -> str:
        """What may be wrong with them, to stand behind a sentence; empty where nothing is known."""


class Nobody:
    """Shows nothing."""

    def headers(self) -> Mapping[str, str]:
        """None."""
        return {}

    def renew(self, refused: Mapping[str, str]) -> bool:  # noqa: ARG002 # there is nothing to find
        """Never."""
        return False

    def remark(self) -> str:
        """What to do."""
        return ": kfgit showed no credentials (`target.kfp.auth`)"


class Source(Protocol):
    """Where a secret is found. `name` is what people are told of it."""

    @property
    def name(self) -> str:
        """As in `the variable KFP_TOKEN`."""

    def read(self) -> str:
        """The secret as it is now."""

    def forget(self) -> None:
        """The next `read` must not rest on what was found before."""


class Variable:
    """An environment variable."""

    def __init__(self, variable: str, environ: Mapping[str, str]) -> None:
        self.name = f"the variable {variable}"
        self._variable, self._environ = variable, environ

    def read(self) -> str:
        """Its value."""
        found = self._environ.get(self._variable, "").strip()
        if not found:
            raise MachineFault(f"{self.name} is not set: it must hold the credentials of the KFP server")
        return found

    def forget(self) -> None:
        """Nothing is remembered."""


class File:
    """A file, read again when it was written or replaced; Kubernetes replaces projected tokens before they end."""

    def __init__(self, path: str) -> None:
        self.name = path
        self._path = Path(path).expanduser()
        self._state: tuple[int, int, int] | None = None
        self._text = ""

    def read(self) -> str:
        """Its content."""
        try:
            found = self._path.stat()
            state = (found.st_mtime_ns, found.st_size, found.st_ino)
            if state != self._state:
                self._text = _content(self._path).decode().strip()
                self._state = state
        except UnicodeDecodeError:
            self._text = ""
        except OSError as error:
            raise MachineFault(f"the token file {self.name} cannot be read: {error.strerror}") from error
        return self._text

    def forget(self) -> None:
        """The file is read again even where it looks the same."""
        self._state = None


def _content(path: Path) -> bytes:
    """The begin of a regular file: anything else, such as a pipe that nobody writes to, could be waited for forever."""
    # A link is followed: those of projected tokens are links.
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        return os.read(opened, MAX_TOKEN + 1)
    finally:
        os.close(opened)


class Command:
    """What a command prints, until it ends or is refused."""

    def __init__(
        self, variable: str, environ: Mapping[str, str], now: Callable[[], float] = time.time
    ) -> None:
        self.name = f"the command in {variable}"
        self._variable, self._environ, self._now = variable, environ, now
        self._issued: Issued | None = None

    def read(self) -> str:
        """The token; the command is only run where none is known that still holds."""
        known = self._issued
        if known is None or (known.ends_at is not None and self._now() > known.ends_at - _EARLY_SECONDS):
            line = self._environ.get(self._variable, "").strip()
            if not line:
                raise MachineFault(
                    f"the variable {self._variable} is not set: it must hold the command that prints a token"
                )
            known = self._issued = issue(line, self.name, self._environ)
        return known.token

    def forget(self) -> None:
        """It is run again."""
        self._issued = None


class Bearer:
    """`Authorization: Bearer` with a token. `audience` is whom the token should be for, where that is known."""

    def __init__(
        self, source: Source, audience: str | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._source, self._audience, self._now = source, audience, now
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """The token as it is now."""
        with self._lock:
            return {"Authorization": f"Bearer {self._token()}"}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Reads it again, unless another thread has done so since."""
        with self._lock:
            if refused == {"Authorization": f"Bearer {self._token()}"}:
                self._source.forget()
            return True

    def remark(self) -> str:
        """What the token itself says: when it ended, and whom it is for."""
        with self._lock:
            claims = _claims(self._token())
        ends = claims.get("exp")
        if isinstance(ends, (int, float)) and not isinstance(ends, bool) and 0 < ends < self._now():
            return f": the token of {self._source.name} ended {datetime.fromtimestamp(ends, UTC):%Y-%m-%d %H:%M} UTC"
        meant = claims.get("aud")
        audiences = [meant] if isinstance(meant, str) else meant
        if self._audience and isinstance(audiences, list) and audiences and self._audience not in audiences:
            return f": the token of {self._source.name} is not for the audience `{self._audience}`"
        return f": the token of {self._source.name} was refused"

    def _token(self) -> str:
        return _like_a_token(self._source.read(), self._source.name)


class Cookie:
    """`Cookie`, as a browser has it after a login."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def headers(self) -> Mapping[str, str]:
        """The cookie as it is now."""
        text = self._source.read()
        if "=" not in text or len(text) > MAX_TOKEN or not (text.isascii() and text.isprintable()):
            raise MachineFault(f"{self._source.name} does not hold a cookie, such as `authservice_session=…`")
        return {"Cookie": text}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Only where it is another one by now."""
        return self.headers() != refused

    def remark(self) -> str:
        """Sessions end."""
        return f": the session in {self._source.name} was refused, perhaps it ended"


def credentials(auth: KfpAuth, environ: Mapping[str, str], kube: Credentials) -> Credentials:
    """The credentials for a KFP server; those of the Kubernetes API server are `kube`."""
    match auth.type:
        case "none":
            return Nobody()
        case "kubeconfig":
            return kube
        case "serviceAccount":
            path = environ.get(SERVICE_ACCOUNT_VARIABLE) or SERVICE_ACCOUNT_TOKEN
            return Bearer(File(path), auth.audience)
        case "cookie":
            return Cookie(Variable(auth.cookie_env or "", environ))
        case "bearer":
            return Bearer(_source(auth, environ))


def _source(auth: KfpAuth, environ: Mapping[str, str]) -> Source:
    if auth.command_env is not None:
        return Command(auth.command_env, environ)
    if auth.token_file is not None:
        return File(auth.token_file)
    return Variable(auth.token_env or "", environ)


def _like_a_token(text: str, name: str) -> str:
    """The text, if it may be a token: one word of printable ASCII. A private key or a password file is none."""
    if not text or len(text) > MAX_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        word = "nothing" if not text else "something else"
        raise MachineFault(f"{name} must hold a token, one line without spaces, and holds {word}")
    return text


def _claims(token: str) -> Mapping[str, Any]:
    """What a JSON Web Token says of itself, unverified: only to explain a refusal."""
    parts = token.split(".")
    if len(parts) != 3:
        return {}
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
