"""What differs between two commits or environments of a repository, in resources: offline, no target is asked."""

from __future__ import annotations
