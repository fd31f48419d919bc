"""Where a local environment keeps its things, and what its document lets it have of this machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from kfgit.cli.session import cache_folder

if TYPE_CHECKING:
    from kfgit.backends.local.backend import LocalSettings
    from kfgit.driver import Repository
    from kfgit.model import Environment

# Below `.kfgit/`, beside the environments.
_TAKEN = {"secrets", "configmaps"}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")


def local_settings(repository: Repository, name: str, wanted: Environment | None = None) -> LocalSettings:
    """The settings of a local environment's backend; ends the command for a name that no folder can have.

    Without `wanted` they are those of somebody who only looks at what is there.
    """
    from kfgit.backends.local.backend import LocalSettings

    if name in _TAKEN or not _NAME.match(name):
        why = "keeps something else there" if name in _TAKEN else "cannot make a folder of that name"
        raise click.UsageError(
            f"a local environment cannot be called `{name}`: kfgit {why}, in .kfgit/; rename it"
        )
    state = repository.root / ".kfgit"
    return LocalSettings(
        state=state / name,
        secrets=state / "secrets",
        configmaps=state / "configmaps",
        environments=cache_folder() / "environments",
        environment=name,
        project=repository.name,
        executor="auto" if wanted is None else wanted.executor,  # type: ignore[arg-type] # the schema's enum
        capacity={} if wanted is None else wanted.capacity,
        gpu="emulate" if wanted is None else wanted.gpu,
    )
