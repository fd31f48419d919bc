"""What differs between two commits or environments, as people read it on a terminal and in a pull request."""

from kfgit.render.diffs.human import human
from kfgit.render.diffs.markdown import markdown

__all__ = ["human", "markdown"]
