"""`python -m tests.hostile.server --count 5000`: as many changed requests to a local server as one has time for.

Each new server answers some hundred of them. Prints the seed it began with, and for each failure the seed that
repeats it, with the folder that the server left.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.e2e.door import Project
from tests.hostile.server.campaign import Campaign, Fault
from tests.hostile.server.wire import Hang
from tests.serving import serving

PER_SERVER = 500


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    parser.add_argument("--most", type=int, default=20, help="failures after which it stops")
    wanted = parser.parse_args()
    print(f"{wanted.count:,} requests from the seed {wanted.seed}", flush=True)
    answered: Counter[str] = Counter()
    failures, slowest, began = 0, 0.0, time.monotonic()
    numbers = range(wanted.seed, wanted.seed + wanted.count)
    for start in range(0, wanted.count, PER_SERVER):
        campaign, found = _serve(numbers[start : start + PER_SERVER], wanted.most - failures)
        failures, slowest = failures + found, max(slowest, campaign.slowest)
        answered += campaign.answered
        tried = min(start + PER_SERVER, wanted.count)
        print(f"{tried:,} tried in {time.monotonic() - began:.0f} s, {failures} failed", flush=True)
        if failures >= wanted.most:
            break
    print(f"answers: {', '.join(f'{status} {count:,}' for status, count in sorted(answered.items()))}")
    print(f"the slowest took {slowest:.2f} s; {failures} failed, in {time.monotonic() - began:.0f} s")
    return 1 if failures else 0


def _serve(numbers: range, most: int) -> tuple[Campaign, int]:
    folder = Path(tempfile.mkdtemp(prefix="kfgit-fuzz-server-"))
    failures = 0
    with serving(Project.new(folder), "--no-engine") as server:
        campaign = Campaign(server)
        campaign.prepare()
        for number in numbers:
            try:
                campaign.attack(number)
            except (Fault, Hang) as fault:
                failures += 1
                print(f"\nthe seed {number} fails at a server in {folder}: {fault}")
                print(f"again: python -m tests.hostile.server --count 1 --seed {number}", flush=True)
                print(
                    f"with what went before: --count {numbers.stop - numbers.start} --seed {numbers.start}\n"
                )
                if failures >= most or server.process.poll() is not None:
                    return campaign, failures
        try:
            campaign.end()
        except (Fault, Hang) as fault:
            failures += 1
            print(
                f"\nafter the seeds {numbers.start} to {numbers.stop - 1}, in {folder}: {fault}\n", flush=True
            )
    if not failures:
        shutil.rmtree(folder)
    return campaign, failures


if __name__ == "__main__":
    sys.exit(main())
