"""`kfgit artifacts`: what runs produced and where it lies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from kfgit.backend import Refused
from kfgit.cli import exits, options
from kfgit.cli.names import Group
from kfgit.cli.session import Session
from kfgit.render.envelope import envelope, items
from kfgit.render.style import ago, clean, instant, one_line, table

if TYPE_CHECKING:
    from kfgit.events import StoredArtifact


@click.group("artifacts", cls=Group)
def command() -> None:
    """List, show and fetch what runs produced.

    \b
    Examples:
      kfgit artifacts list
      kfgit artifacts get 9c1e --out model.joblib
    """


def _json(stored: StoredArtifact) -> dict[str, Any]:
    found = stored.artifact
    return envelope(
        "Artifact",
        id=found.id,
        name=found.name,
        type=found.type,
        uri=found.uri,
        metadata=dict(found.metadata),
        run=stored.run_id,
        task=stored.task,
        createdAt=instant(stored.created_at),
    )


@command.command("list")
@click.option("--run", metavar="RUN", shell_complete=options.complete_run, help="Only those of this run.")
@click.option(
    "--limit", type=click.IntRange(1), default=30, show_default=True, help="At most so many, newest first."
)
@options.environment
@options.output("human", "json")
@options.session
def list_(session: Session, run: str | None, limit: int, env: str | None, output: str) -> int:
    """List artifacts, newest first.

    \b
    Example:
      kfgit artifacts list --run 1f3a
    """
    with session.target(env) as backend:
        found = backend.runs.artifacts(run, limit)
    if output == "json":
        session.json(items("Artifact", [_json(each) for each in found]))
        return exits.DONE
    now = datetime.now(UTC)
    if found:
        rows = [_row(each, session, now) for each in found]
        session.print(table(rows, ("ID", "TYPE", "TASK", "NAME", "MADE", "WHERE"), session.out))
    else:
        session.say("no artifacts yet; runs make them")
    return exits.DONE


def _row(stored: StoredArtifact, session: Session, now: datetime) -> list[str]:
    found = stored.artifact
    type_ = found.type.removeprefix("system.")
    run_id, _, rest = found.id.partition("/")
    return [
        f"{run_id[:8]}/{rest}" if rest else found.id[:8],
        type_,
        stored.task,
        found.name,
        ago(stored.created_at, now),
        session.near(found.uri),
    ]


@command.command("show")
@click.argument("artifact", shell_complete=options.complete_artifact)
@options.environment
@options.output("human", "json")
@options.session
def show(session: Session, artifact: str, env: str | None, output: str) -> int:
    """Show one artifact with its metadata.

    \b
    Example:
      kfgit artifacts show 9c1e
    """
    with session.target(env) as backend:
        found = backend.runs.artifact(artifact)
    if output == "json":
        session.json(_json(found))
        return exits.DONE
    facts = [("artifact", found.artifact.id), ("name", found.artifact.name), ("type", found.artifact.type),
             ("task", found.task), ("run", found.run_id), ("where", found.artifact.uri)]  # fmt: skip
    session.print(table([(session.out.dim(name), value) for name, value in facts], style=session.out))
    for key, value in found.artifact.metadata.items():
        session.print(f"  {clean(str(key))} = {one_line(value, 100)}")
    return exits.DONE


@command.command("get")
@click.argument("artifact", shell_complete=options.complete_artifact)
@click.option("--out", type=click.Path(path_type=Path), help="Where to put it; default: its name, here.")
@options.environment
@options.output("human", "json")
@options.session
def get(session: Session, /, artifact: str, out: Path | None, env: str | None, output: str) -> int:
    """Copy an artifact out of the store.

    \b
    Example:
      kfgit artifacts get 9c1e --out model.joblib
    """
    with session.target(env) as backend:
        found = backend.runs.artifact(artifact)
        name = PurePosixPath(found.artifact.custom_path or found.artifact.uri).name or found.output
        target = session.folder / (out or name)
        if target.is_dir() and out is not None:
            target = target / name
        if target.exists():
            raise Refused(f"{target} is there already; choose another place with --out")
        backend.runs.copy(found, target)
    if output == "json":
        session.json({**_json(found), "path": str(target)})
    else:
        session.print(str(target))
    return exits.DONE
