"""Plan and apply against a cluster: a real Kubernetes API server, built from its Go modules, and `kfgit up` as KFP.

Beside it the naive way, a request for each object after the other. Both servers share the processors with their client.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from benchmarks import projects, serving
from benchmarks.bench import Bench, Broken, Samples
from benchmarks.table import Aim, Row
from tests.apart import Unavailable
from tests.cluster import binaries
from tests.cluster.cluster import Cluster, joined

_SIZES = (10, 100, 1_000)
_THOROUGH = (*_SIZES, 4_000)
_REQUESTS = 20
_PEER = Path(__file__).with_name("peers") / "one_by_one.py"


def measure(bench: Bench) -> Iterator[Row]:
    """The apply that makes everything, and the plan that finds nothing to do, with their requests."""
    try:
        programs = binaries.folder()
    except Unavailable as reason:
        raise Broken(str(reason)) from reason
    with joined(bench.folder("cluster"), programs) as cluster:
        for size in _THOROUGH if bench.thorough else _SIZES:
            yield from _rows(bench, cluster, size)


def _rows(bench: Bench, cluster: Cluster, size: int) -> Iterator[Row]:
    root, namespace = bench.folder("project"), cluster.namespace()
    store = bench.folder("kfp"), bench.folder("naive")
    with (
        serving.kfgit(bench, projects.empty(store[0]), "--no-engine", "--no-scheduler") as ours,
        serving.kfgit(bench, projects.empty(store[1]), "--no-engine", "--no-scheduler") as theirs,
    ):
        kubeconfig = cluster.admin.kubeconfig(root.parent / f"{namespace}.yaml", namespace)
        wanted = projects.deployed(root, size, ours.port)
        projects.committed(root, "all of it")
        file = root.parent / f"{namespace}.json"
        file.write_text(json.dumps(_packages(bench, root, wanted)), encoding="utf-8")
        variables = {**bench.environment, "KUBECONFIG": str(kubeconfig)}
        bench.say(f"cluster: making {size:,} objects")
        apply, _ = _timed((*bench.kfgit, "apply", "-e", "prod", "--yes"), root, variables)
        make, made = _timed(
            (sys.executable, str(_PEER), str(theirs.port), "make", str(file)), root, variables
        )
        what = f"{size:,} objects"
        yield Row(f"apply: {what} made", apply, f"one after the other ({int(made):,} requests)", make)
        plans: dict[str, list[float]] = {"plan": [], "look": []}
        requests = looked = 0
        for number in range((bench.asked_runs or 3) + 1):
            bench.say(f"cluster: looking at {size:,} objects, round {number}")
            took, told = _timed(
                (*bench.kfgit, "plan", "-e", "prod", "-o", "json", "--exit-code"), root, variables
            )
            requests = json.loads(told)["requests"]
            naive, count = _timed(
                (sys.executable, str(_PEER), str(theirs.port), "look", str(file)), root, variables
            )
            looked = int(count)
            if number:
                plans["plan"].append(took.least)
                plans["look"].append(naive.least)
        aim = Aim(f"≤ {_REQUESTS} requests", requests <= _REQUESTS)
        beside = f"a GET for each ({looked:,} requests)"
        yield Row(
            f"plan: {what}, nothing to do ({requests} requests)",
            Samples.of(plans["plan"]),
            beside,
            Samples.of(plans["look"]),
            aim,
        )


def _timed(argv: tuple[str, ...], root: Path, variables: Mapping[str, str]) -> tuple[Samples, str]:
    """The wall time of a whole process, and what it prints."""
    began = time.perf_counter()
    done = subprocess.run(argv, cwd=root, env=dict(variables), capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise Broken(
            f"`{' '.join(argv)}` ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
        )
    return Samples(took, took), done.stdout


def _packages(bench: Bench, root: Path, wanted: Mapping[str, str]) -> Mapping[str, object]:
    """What the naive way uploads: the same packages."""
    folder = bench.folder("compiled")
    bench.text(*bench.kfgit, "compile", "-e", "prod", "--out", str(folder), cwd=root)
    packages = {
        file.stem: next(iter(yaml.load_all(file.read_text(encoding="utf-8"), yaml.CSafeLoader)))
        for file in folder.rglob("*.yaml")
    }
    return {"pipelines": packages, "schedules": wanted}
