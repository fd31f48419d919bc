"""What `kfgit init --gitlab` writes beside a project: a pipeline with jobs for each environment on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kfgit import __version__, driver, project
from kfgit.cli.session import Session
from kfgit.cli.standing import standing
from kfgit.render import gitlab
from kfgit.render.style import clean

FILE = ".gitlab-ci.yml"


def files(session: Session, root: Path) -> Mapping[str, str]:
    """The pipeline for the environments that a project has now, by its path."""
    repository = driver.load(root)
    found = (standing(repository, name) for name in repository.environments)
    branches = {each.name: each.branch for each in found if each.cluster is not None}
    for name, branch in branches.items():
        if not gitlab.is_plain(branch):
            session.say(
                f"  the environment `{clean(name)}` gets no jobs: its branch `{clean(str(branch))}` cannot be named "
                "in a condition of GitLab's; write them by hand, as the others are"
            )
    return {FILE: gitlab.pipeline(project.gitlab_pipeline(), __version__, branches)}
