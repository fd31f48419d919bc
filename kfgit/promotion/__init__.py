"""Promotion: exactly a commit that ran green in one environment comes to the next.

With a branch per environment it becomes a merge into the next one's branch that has the commit's files and no others;
with one branch for all it becomes the next one's `spec.pin.commit`. Going back is promoting an earlier commit, as a
new one. What asks a person, reads variables and prints is in `cli`.
"""

from __future__ import annotations

from kfgit.promotion.choosing import Candidate
from kfgit.promotion.layouts import Branches, Layout, OneBranch
from kfgit.promotion.making import Made, Move
from kfgit.promotion.preparing import Asked, Prepared, prepare
from kfgit.promotion.publishing import Published, publish
from kfgit.promotion.requirements import LEVELS, Level, Requirement, Wanted

__all__ = [
    "LEVELS",
    "Asked",
    "Branches",
    "Candidate",
    "Layout",
    "Level",
    "Made",
    "Move",
    "OneBranch",
    "Prepared",
    "Published",
    "Requirement",
    "Wanted",
    "prepare",
    "publish",
]
