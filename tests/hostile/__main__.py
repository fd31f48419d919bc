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
    failures, sound, passed, began = 0, 0, 0, time.monotonic()
    for tried, seed in enumerate(range(wanted.seed, wanted.seed + wanted.count)):
        if tried and tried % _TELL_EVERY == 0:
            print(f"{tried:,} tried in {time.monotonic() - began:.0f} s, {failures} failed", flush=True)
        folder = Path(tempfile.mkdtemp(prefix="kfgit-fuzz-"))
        try:
            told = examine(folder, repository(seed))
        except Exception:  # noqa: BLE001 - to find any is what this is for
            failures += 1
            print(f"\nthe seed {seed} fails; its files are in {folder}\n{traceback.format_exc(limit=-4)}")
            print(f"again: python -m tests.hostile --count 1 --seed {seed}\n", flush=True)
            if failures >= wanted.most:
                break
            continue
        shutil.rmtree(folder)
        codes.update({one.code for one in told})
        passed, sound = passed + 1, sound + (not told)
    print(f"{sound:,} have no mistake; {len(codes)} codes were told of the others")
    print(f"{passed:,} passed, {failures} failed, in {time.monotonic() - began:.0f} s")
    return 1 if failures else 0


_TELL_EVERY = 1_000


if __name__ == "__main__":
    sys.exit(main())
