"""The pull loop: fetch, plan, apply, heal, and again; on the newest commit of one branch, for one environment.

Level-triggered: each turn looks at what is wanted and at what is live, and remembers nothing that it could not do
without. What a turn decides is as `kfgit apply --yes` would; what that refuses, the agent reports and leaves to people.
Time, sleep, git and the way to the target are handed in. It neither prints nor exits.
"""

from __future__ import annotations

from kfgit.agent.following import Following
from kfgit.agent.loop import Agent, Ports, Settings
from kfgit.agent.numbers import Numbers
from kfgit.agent.telling import Level, Told

__all__ = ["Agent", "Following", "Level", "Numbers", "Ports", "Settings", "Told"]
