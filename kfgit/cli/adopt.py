"""`kfgit adopt`: objects that others made become ours, as they are."""

from __future__ import annotations
