"""Profiles that tasks get something else by: another mapping of the environment, or another profile of that name."""

from __future__ import annotations

from kfgit.compiler.uses import uses
from kfgit.diff.meaning import alike
from kfgit.diff.sides import Seen
from kfgit.ir import Use
from kfgit.model import Project
from kfgit.plan import Remap, between


def remaps(before: Seen, after: Seen) -> tuple[Remap, ...]:
    """What profiles mean otherwise for the tasks that both sides have, by the pipelines of these."""
    one, other = before.checked.project, after.checked.project
    if alike(one.profiles, other.profiles) and alike(one.environment.profiles, other.environment.profiles):
        return ()
    both = before.checked.pipelines.keys() & after.checked.pipelines.keys()
    return between({name: (_uses(before, name), _uses(after, name)) for name in both})


def _uses(seen: Seen, pipeline: str) -> tuple[Use, ...]:
    """What a pipeline uses, without profiles with mistakes: nobody knows what these mean."""
    found = uses(seen.checked.pipelines[pipeline])
    return tuple(use for use in found if _is_sound(seen.checked.project, use.profile))


def _is_sound(project: Project, profile: str | None) -> bool:
    """Whether neither a profile nor any that it extends has mistakes."""
    while profile is not None and profile in project.profiles:
        if ("ResourceProfile", profile) in project.faulty:
            return False
        profile = project.profiles[profile].extends
    return True
