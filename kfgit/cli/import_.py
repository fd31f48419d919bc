"""`kfgit import --live`: what is on a target, as documents."""

from __future__ import annotations
