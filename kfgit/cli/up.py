"""`kfgit up`: the local server of one environment."""

from __future__ import annotations

import gc
import json
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from kfgit.backend import Refused
from kfgit.cli import exits, options
from kfgit.cli.actor import who
from kfgit.cli.session import Session
from kfgit.cli.standing import retention_of, standing
from kfgit.model import Environment, Retention
from kfgit.render.envelope import envelope
from kfgit.render.style import clean, every, instant, moment

if TYPE_CHECKING:
    from kfgit.backends.local.backend import LocalBackend
    from kfgit.driver import Repository
    from kfgit.events import Holder
    from kfgit.server.serving import Voice


class _Coming(NamedTuple):
    at: datetime
    schedule: str


_LOOPBACK = "127.0.0.1"
_SHORTEST_TOKEN = 16


@click.command("up")
@options.environment
@click.option("--host", metavar="H", default=_LOOPBACK, show_default=True, help="The address to listen at.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8888,
    show_default=True,
    help="The port; 0 takes a free one.",
)
@click.option(
    "--token-file",
    type=click.Path(path_type=Path),
    help="A file with the token that callers must show; needed for other addresses than this machine's own.",
)
@click.option("--no-scheduler", is_flag=True, help="Fire no schedules.")
@click.option("--no-engine", is_flag=True, help="Execute no runs: they stay pending.")
@options.output("human", "json")
@options.session
def command(session: Session, /, env: str | None, host: str, port: int, output: str, **flags: Any) -> int:
    """Serve an environment: fire its schedules, execute its runs, answer KFP's API.

    It applies nothing. Ctrl-C ends it, cancels the runs that go on, and lets their exit tasks run; Ctrl-C again
    stops at once.

    \b
    Examples:
      kfgit up
      kfgit up -e local --port 0 -o json
      kfgit up --host 0.0.0.0 --token-file token.txt
    """
    token = _token(session, flags["token_file"])
    host = host.strip().strip("[]")
    _sheltered(host, token)
    from kfgit.server.serving import Settings, serve

    repository = session.repository()
    environment = session.environment(repository, env)
    retention = retention_of(repository, environment)
    if retention is None:
        session.warn(f"kfgit: the document of `{environment}` has mistakes, so no old runs are removed")
    elif retention != Retention():
        session.say(f"kfgit: `{environment}` keeps {_kept(retention)}")
    settings = Settings(
        host,
        port,
        token,
        scheduler=not flags["no_scheduler"],
        engine=not flags["no_engine"],
        who=who(),
        retention=retention or Retention(),
    )

    with session.local(repository, environment, _local(repository, environment)) as backend:
        voice = _voice(session, environment, backend, output, token)
        # Short commands do without; what was imported until now stays for good and need not be looked at.
        gc.collect()
        gc.freeze()
        gc.enable()
        serve(backend, settings, voice)
    return exits.DONE


def _local(repository: Repository, name: str) -> Environment:
    """An environment that a server can serve."""
    found = standing(repository, name)
    if found.cluster is not None:
        raise Refused(
            f"the target of `{name}` is a cluster, which has a server; `up` serves local environments"
        )
    return found


def _voice(
    session: Session, environment: str, backend: LocalBackend, output: str, token: bytes | None
) -> Voice:
    from kfgit.server.serving import Voice

    def ready(holder: Holder) -> None:
        coming = _next_tick(backend) if holder.scheduler else None
        if output == "json":
            session.print(json.dumps(_json(environment, holder, coming)))
        else:
            session.print(_human(session, environment, holder, coming, guarded=token is not None))

    def ending(runs: int) -> None:
        what = f"{runs} {'run is' if runs == 1 else 'runs are'} canceled, Ctrl-C again stops at once"
        session.say(f"kfgit: ending{f'; {what}' if runs else ''}")

    return Voice(
        ready,
        lambda what: session.warn(f"kfgit: {clean(what)}"),
        ending,
        session.say if session.verbose else None,
    )


def _next_tick(backend: LocalBackend) -> _Coming | None:
    """The schedule that fires first from now on; the scheduler tells of those that cannot be read."""
    from kfgit import ticks
    from kfgit.backends.local import scheduled
    from kfgit.backends.local.store import schedules

    with backend.database.read() as db:
        found = [each for each in schedules.every(db) if each.enabled]
    now, coming = datetime.now(UTC), list[_Coming]()
    for each in found:
        with suppress(ValueError, TypeError, ArithmeticError):
            rule = scheduled.rule_of(each)
            standing = ticks.settled(rule, scheduled.standing_of(each, rule), now)
            coming += [_Coming(at, each.name) for at in ticks.upcoming(rule, standing, now, 1)]
    return min(coming, default=None)


def _token(session: Session, path: Path | None) -> bytes | None:
    if path is None:
        return None
    file = session.folder / path
    try:
        token = file.read_bytes().strip()
        mode = file.stat().st_mode
    except OSError as fault:
        raise click.UsageError(
            f"the token file {path} cannot be read: {(fault.strerror or '').lower()}"
        ) from fault
    if len(token) < _SHORTEST_TOKEN or any(not 0x21 <= byte <= 0x7E for byte in token):
        raise click.UsageError(
            f"the token in {path} must be one word of at least {_SHORTEST_TOKEN} characters; "
            f"make one: openssl rand -hex 32 > {path}"
        )
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        session.warn(f"kfgit: others on this machine can read {path}; chmod 600 {path}")
    return token


def _sheltered(host: str, token: bytes | None) -> None:
    """A server runs whatever code it is sent, so nobody but this machine reaches it without a token."""
    from kfgit.server.guard import is_loopback

    if not host:
        raise click.UsageError(f"--host needs an address, such as {_LOOPBACK}")
    if token is None and not is_loopback(host):
        raise click.UsageError(
            f"others can reach {host}, and a server runs the code it is sent; give --token-file FILE, "
            f"or stay at {_LOOPBACK}"
        )


def _kept(retention: Retention) -> str:
    count = "ended runs" if retention.count is None else f"the newest {retention.count:,} ended runs"
    return count if retention.age is None else f"{count} for {every(retention.age)}"


def _json(environment: str, holder: Holder, coming: _Coming | None) -> dict[str, Any]:
    return envelope(
        "Server",
        environment=environment,
        url=holder.url,
        pid=holder.pid,
        scheduler=holder.scheduler,
        engine=holder.engine,
        next=None if coming is None else {"schedule": coming.schedule, "at": instant(coming.at)},
    )


def _human(
    session: Session, environment: str, holder: Holder, coming: _Coming | None, *, guarded: bool
) -> str:
    style = session.out
    does = [
        *(["fires schedules"] if holder.scheduler else []),
        *(["executes runs"] if holder.engine else []),
        "answers KFP's API",
    ]
    lines = [
        f"{style.green('✔')} serving {style.bold(environment)} at {style.bold(holder.url)}",
        f"  {', '.join(does)}",
        *(
            []
            if coming is None
            else [f"  next: {clean(coming.schedule)} at {moment(coming.at.astimezone())}"]
        ),
        f'  Python: kfp.Client(host="{holder.url}"{", existing_token=TOKEN" if guarded else ""})',
        "  Ctrl-C ends it",
    ]
    return "\n".join(lines)
