"""`kfgit agent`: keep a target equal to a branch."""

from __future__ import annotations

import hashlib
import os
import random
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from kfgit.cli import exits, options
from kfgit.cli.session import Session, cache_folder

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from kfgit.agent import Agent, Numbers, Told
    from kfgit.backend import Backend
    from kfgit.driver import Repository
    from kfgit.model import Environment
    from kfgit.project.mirror import Remote

_INTERVAL = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,6})s)?\Z")
_SHORTEST, _LONGEST = 5, 24 * 3600
# How a single turn ends, to scripts.
_CODES = {
    "unchanged": exits.DONE, "applied": exits.DONE, "held": exits.DONE, "invalid": exits.INVALID,
    "refused": exits.REFUSED, "locked": exits.LOCKED, "partly": exits.PARTLY, "fault": exits.MACHINE,
    "ended": exits.INTERRUPTED,
}  # fmt: skip


@click.command("agent")
@options.named_environment
@click.option("--url", metavar="URL", help="The git repository; default: the one around the folder.")
@click.option(
    "--branch", metavar="BRANCH", help="The branch; default: the environment's, else the repository's own."
)
@click.option(
    "--path", "path", default=".", metavar="PATH", help="The folder with kfgit.yaml in the repository."
)
@click.option(
    "--dir", "dir", type=click.Path(path_type=Path), metavar="DIR", help="Where the agent keeps its clone."
)
@click.option(
    "--username",
    default="git",
    show_default=True,
    metavar="NAME",
    help="Who asks for the repository over https.",
)
@click.option(
    "--password-file", type=click.Path(path_type=Path), metavar="FILE",
    help="A file with the password or token for that; read each time.",
)  # fmt: skip
@click.option(
    "--interval",
    default="1m",
    show_default=True,
    metavar="TIME",
    help="How often to look, such as 30s or 5m.",
)
@click.option("--report-only", is_flag=True, help="Report drift, and leave it as it is.")
@click.option("--once", is_flag=True, help="Look once and end; the exit code says how it went.")
@click.option(
    "--host", metavar="H", default="127.0.0.1", show_default=True, help="The address of the probes."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True,
    help="The port of /healthz, /readyz and /metrics; 0 takes a free one.",
)  # fmt: skip
@click.option("--no-http", is_flag=True, help="Serve no probes.")
@options.output("json", "human")
@options.session
def command(session: Session, /, env: str, output: str, **flags: Any) -> int:
    """Keep an environment as the newest commit of a branch says: fetch, plan, apply, heal.

    It tells a line of JSON for each event; `-o human` tells sentences.

    \b
    Examples:
      kfgit agent -e local --once -o human
      kfgit agent -e prod --url https://git.example.com/ml/pipelines.git --interval 30s
      kfgit agent -e prod --report-only
    """
    from kfgit.agent import Agent, Following, Numbers, Ports, Settings
    from kfgit.project.mirror import Mirror

    interval = _seconds(flags["interval"])
    place = _place(session, env, flags)
    ended, speaker = threading.Event(), _Speaker(session, output)
    mirror = Mirror(place.clone, place.remote, os.environ, ended.is_set)
    following = Following(mirror, env, place.path, flags["branch"])

    def reach(repository: Repository, environment: Environment) -> AbstractContextManager[Backend]:
        return session.reached(replace(repository, root=place.home), environment)

    numbers = Numbers(env)
    settings = Settings(
        env, interval, f"kfgit agent on {socket.gethostname()}", heal=not flags["report_only"]
    )
    ports = Ports(
        following.head, following.opened, reach, speaker.tell, time.monotonic, time.time,
        ended.wait, random.random, ended.is_set,
    )  # fmt: skip
    agent = Agent(settings, ports, numbers)
    with _signalled(ended):
        if flags["once"]:
            return _CODES[agent.turn()]
        with _probes(agent, numbers, flags) as port:
            speaker.say(
                "info",
                "started",
                _what(place, settings.heal),
                environment=env,
                url=place.remote.shown,
                port=port,
            )
            agent.run()
            speaker.say("info", "ended", "asked to end", environment=env)
    return exits.DONE


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the repository is, where its copy goes, and which folder counts as the project's own for local targets."""

    remote: Remote
    path: str
    clone: Path
    home: Path


def _place(session: Session, env: str, flags: dict[str, Any]) -> _Place:
    from kfgit.project import mirror

    username, password = flags["username"], flags["password_file"]
    url = flags["url"]
    if url is None:
        root = session.root().resolve()
        around = mirror.where(root)
        if not around:
            raise click.UsageError(f"{root} is in no git repository; name one with --url")
        url, path = around
    else:
        root, path = None, _inner(flags["path"])
        if not mirror.is_address(url):
            raise click.UsageError(f"`{url}` is no address of a git repository: https://, ssh:// or a folder")
        if (near := (session.folder / url)).is_dir():
            url = str(near.resolve())
    if password is not None:
        password = session.folder / password
        if not url.startswith(("https://", "http://")):
            raise click.UsageError("--password-file is for addresses that begin with https://")
        if not password.is_file():
            raise click.UsageError(f"there is no file {password}")
    remote = mirror.Remote(url, username, password)
    own = hashlib.sha256(f"{remote.shown} {env}".encode()).hexdigest()[:16]
    folder = flags["dir"]
    clone = session.folder / folder if folder is not None else cache_folder() / "agents" / own
    return _Place(remote, path, clone.absolute(), root if root is not None else clone.absolute() / path)


def _inner(path: str) -> str:
    clean = os.path.normpath(path)
    if Path(clean).is_absolute() or Path(clean).parts[:1] in {("..",), (".git",)}:
        raise click.UsageError(f"--path is a folder in the repository, and `{path}` is none")
    return clean


def _seconds(text: str) -> float:
    found = _INTERVAL.match(text)
    if found is None or not any(found.groups()):
        raise click.UsageError(f"`{text}` is no interval; write 30s, 5m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if not _SHORTEST <= total <= _LONGEST:
        raise click.UsageError(f"an interval is from {_SHORTEST}s to 24h long, and `{text}` is not")
    return float(total)


@dataclass(frozen=True, slots=True)
class _Speaker:
    """Prints events; `debug` only where more was asked for, and of a quiet one only what is wrong."""

    session: Session
    output: str

    def say(self, level: Any, event: str, message: str, **fields: Any) -> None:
        """Something of the command's own."""
        from kfgit.agent import Told

        self.tell(Told(level, event, message, fields))

    def tell(self, told: Told) -> None:
        """One event."""
        from kfgit.render import agent as show

        if told.level == "info" and self.session.quiet:
            return
        at = datetime.now(UTC)
        if self.output == "json":
            self.session.print(show.as_json(at, told.level, told.event, told.message, told.fields))
        else:
            self.session.print(show.human(at, told.level, told.event, told.message, self.session.out))


def _what(place: _Place, heal: bool) -> str:  # noqa: FBT001 - it is data here
    drift = "heals drift" if heal else "only reports drift"
    return f"follows {place.remote.shown} and {drift}"


def _probes(agent: Agent, numbers: Numbers, flags: dict[str, Any]) -> AbstractContextManager[int | None]:
    if flags["no_http"]:
        return nullcontext()
    from kfgit.server.probes import Probes, served

    probes = Probes(agent.alive, agent.ready, numbers.page)
    return served(probes, flags["host"].strip().strip("[]"), flags["port"])


@contextmanager
def _signalled(ended: threading.Event) -> Iterator[None]:
    """The first signal lets the change under way be finished; a second one interrupts."""

    def hear(_number: int, _frame: FrameType | None) -> None:
        if ended.is_set():
            raise KeyboardInterrupt
        ended.set()

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
