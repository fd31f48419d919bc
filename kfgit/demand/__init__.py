"""What a run of a pipeline asks for: devices, and money where profiles say what they cost."""

from __future__ import annotations

from kfgit.demand.asking import Ask, asks, sentence
from kfgit.demand.peaks import peak
from kfgit.demand.values import Holder, Peak

__all__ = ["Ask", "Holder", "Peak", "asks", "peak", "sentence"]
