"""`python -m tests.hostile --count 20000`: as many repositories changed by chance as one has time for.

Prints the seed it began with, and for each failure the seed that repeats it, with the files below a folder.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.hostile.examining import examine
from tests.hostile.mutation import repository


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    parser.add_argument("--most", type=int, default=20, help="failures after which it stops")
    wanted = parser.parse_args()
    print(f"{wanted.count:,} inputs from the seed {wanted.seed}", flush=True)
    codes: Counter[str] = Counter()
    failures, sound, began = 0, 0, time.monotonic()
    for seed in range(wanted.seed, wanted.seed + wanted.count):
        folder = Path(tempfile.mkdtemp(prefix="kfgit-fuzz-"))
        try:
            told = examine(folder, repository(seed))
        except Exception:  # noqa: BLE001 - to find any is what this is for
            failures += 1
            print(
                f"\nseed {seed} fails; its files are in {folder}\n{traceback.format_exc(limit=-4)}",
                flush=True,
            )
            if failures >= wanted.most:
                break
            continue
        shutil.rmtree(folder)
        codes.update({one.code for one in told})
        sound += not told
    seconds = time.monotonic() - began
    counts = f"{failures} failures, {sound} without a mistake, {len(codes)} codes told"
    print(f"{wanted.count:,} inputs in {seconds:.0f} s: {counts}")
    print(f"again: python -m tests.hostile --count {wanted.count} --seed {wanted.seed}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
