"""A plan and what came of it, as people read them on a terminal and in a pull request."""

from kfgit.render.plans.costs import cost_notes
from kfgit.render.plans.human import human, outcome, result
from kfgit.render.plans.markdown import markdown
from kfgit.render.plans.remaps import notes
from kfgit.render.plans.words import Notes, sentence, strangers

__all__ = ["Notes", "cost_notes", "human", "markdown", "notes", "outcome", "result", "sentence", "strangers"]
