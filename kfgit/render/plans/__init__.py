"""A plan and what came of it, as people read them on a terminal and in a pull request."""

from kfgit.render.plans.human import human, outcome, result
from kfgit.render.plans.markdown import markdown
from kfgit.render.plans.words import Notes, sentence, strangers

__all__ = ["Notes", "human", "markdown", "outcome", "result", "sentence", "strangers"]
