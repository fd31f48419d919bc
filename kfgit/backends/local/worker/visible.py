"""Which GPUs a program sees: those that it was given, and no others.

That is what a pod sees on a cluster, where who asks for none gets none. CUDA counts what it sees from 0, in a pod and
here, so the indexes that a component names are those of its own devices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CUDA = "CUDA_VISIBLE_DEVICES"
# Read by NVIDIA's container runtime; programs look at it too.
NVIDIA = "NVIDIA_VISIBLE_DEVICES"


def gpu_variables(devices: Sequence[str], declared: Mapping[str, str]) -> dict[str, str]:
    """The variables of a program of this machine that was given `devices`; `declared` are those of its component."""
    seen = list(devices) if CUDA not in declared else _chosen(devices, declared[CUDA])
    return {CUDA: ",".join(seen), NVIDIA: ",".join(devices) or "void"}


def _chosen(devices: Sequence[str], declared: str) -> list[str]:
    """As CUDA reads it: the first word that names no device ends the list."""
    chosen: list[str] = []
    for word in (part.strip() for part in declared.split(",")):
        index = int(word[:6]) if word.isascii() and word.isdigit() else -1
        named = [devices[index]] if 0 <= index < len(devices) else [each for each in devices if each == word]
        if not named:
            break
        chosen += named
    return list(dict.fromkeys(chosen))
