"""Markdown for pull requests, as GitHub and GitLab show it: text of strangers stays text, and all of it has a bound.

`inline` makes data harmless within a line, `blocks` are what pages are built of, `fields` shows values before and
after, `fitting` finds the fullest page that fits.
"""

from __future__ import annotations
