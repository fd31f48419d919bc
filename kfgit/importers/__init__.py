"""What is live, as the documents that would make it so: pure functions from values to YAML.

What the language has no words for stands in the file as a comment, with the reason, so that nothing is lost silently.
"""

from __future__ import annotations

from kfgit.importers.live import Draft, Standing, drafts, refused
from kfgit.importers.writing import files

__all__ = ["Draft", "Standing", "drafts", "files", "refused"]
