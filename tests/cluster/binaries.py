"""Kubernetes' own servers, built from their Go modules: once for a machine, by whoever needs them first.

The two modules beside this file have no code of ours, only versions; `go.sum` pins every byte of what is built. What
was built lies outside the checkout, under a name made of the modules' content: no other checkout builds it again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.apart import Unavailable

HERE = Path(__file__).parent
# Seconds for one program on a slow machine with empty caches, its sources' download included.
PATIENCE = 2400
OLDEST_GO = (1, 26)


@dataclass(frozen=True, slots=True)
class Program:
    """A program of one of the modules."""

    name: str
    module: str
    package: str


PROGRAMS = (
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    Program("kube-apiserver", "kubernetes", "k8s.io/kubernetes/cmd/kube-apiserver"),
    Program("kube-controller-manager", "kubernetes", "k8s.io/kubernetes/cmd/kube-controller-manager"),
)


def folder() -> Path:
    """The folder with the built programs, which are built now where they are not there yet. Raises Unavailable."""
    made = _cache() / f"kubernetes-{key()}"
    if not made.is_dir():
        made.parent.mkdir(parents=True, exist_ok=True)
        with made.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.is_dir():
                _build(made)
    return made


def key() -> str:
    """What decides which bytes are built, as a few hex digits."""
    parts = [str(PROGRAMS), *(_flags(program) for program in PROGRAMS)]
    for module in ("etcd", "kubernetes"):
        parts += [(HERE / module / name).read_text() for name in ("go.mod", "go.sum")]
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    # As the XDG Base Directory Specification says, a relative path there counts as none.
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "kfgit-tests"


def _flags(program: Program) -> list[str]:
    """Without the version, clients see v0.0.0 (k8s.io/component-base/version/base.go)."""
    if program.module != "kubernetes":
        return ["-s -w"]
    text = (HERE / "kubernetes" / "go.mod").read_text()
    version = re.search(r"k8s\.io/kubernetes (v(\d+)\.(\d+)\S*)", text)
    assert version is not None
    place = "k8s.io/component-base/version"
    told = {"gitVersion": version[1], "gitMajor": version[2], "gitMinor": version[3]}
    return [" ".join(["-s -w", *(f"-X {place}.{name}={value}" for name, value in told.items())])]


def _build(made: Path) -> None:
    go = _go()
    scratches = f"{made.name}-building-"
    for left in made.parent.glob(f"{scratches}*"):  # by a build that was killed
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=scratches) as scratch:
        for program in PROGRAMS:
            target = Path(scratch) / "bin" / program.name
            command = [go, "build", "-mod=readonly", "-trimpath", "-ldflags", *_flags(program)]
            _run([*command, "-o", str(target), program.package], HERE / program.module)
        (Path(scratch) / "bin").rename(made)


def _go() -> str:
    """The Go command, new enough or able to get a newer one. Raises Unavailable."""
    go = shutil.which("go")
    if go is None:
        raise Unavailable("there is no Go, which builds the Kubernetes API server")
    # Run beside go.mod, an older Go (since 1.21) fetches the version that go.mod wants, as Go does by itself.
    version = _run([go, "env", "GOVERSION"], HERE / "kubernetes")
    found = re.match(r"go(\d+)\.(\d+)", version)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_GO:
        oldest = ".".join(map(str, OLDEST_GO))
        raise Unavailable(f"Go {oldest} builds the Kubernetes API server, and {version.strip()} is too old")
    return go


def _run(command: list[str], where: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=where, env=_environment(), capture_output=True, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise Unavailable(f"Go cannot build the Kubernetes API server: {fault}") from fault
    if done.returncode:
        raise Unavailable(f"Go cannot build the Kubernetes API server: {done.stderr.strip()[-500:]}")
    return done.stdout


def _environment() -> Mapping[str, str]:
    """Nothing of the caller's that changes what is built."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in {"GOFLAGS", "GOOS", "GOARCH", "GOWORK"}
    }
    return {**kept, "CGO_ENABLED": "0", "GOWORK": "off"}


def main() -> int:
    """Builds before the tests begin, which measure their patience by a machine that does nothing else."""
    try:
        print(f"Kubernetes' servers for the tests: {folder()}")
    except Unavailable as reason:
        print(f"{reason}: the tests with a Kubernetes API server are skipped")
        return 1 if is_required() else 0
    return 0


def is_required() -> bool:
    """Whether somebody wants to know that those tests were not skipped (`.ci/run` does, where there is Go)."""
    return bool(os.environ.get("KFGIT_REQUIRE_CLUSTER"))


if __name__ == "__main__":
    sys.exit(main())
