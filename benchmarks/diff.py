"""What differs between two commits, beside git's own word on it, which is about lines, and beside `validate`.

`validate` checks one state of a repository; `diff` checks two, as far as they differ, and compares them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks import projects
from benchmarks.bench import Bench, Trial
from benchmarks.table import Row


def measure(bench: Bench) -> Iterator[Row]:
    """1,000 documents: one pipeline of 500 changed, then all of them."""
    root = projects.small(bench.folder("small"), 1_000)
    projects.committed(root, "all of it")
    _edit(root / "pipelines" / "work-7.yaml")
    projects.committed(root, "one")
    for path in sorted((root / "pipelines").iterdir()):
        _edit(path)
    projects.committed(root, "every one")

    def kfgit(what: str, *words: str) -> Trial:
        return lambda: {what: bench.seconds(*bench.kfgit, *words, cwd=root)}

    def git() -> Mapping[str, float]:
        return {"git": bench.seconds("git", "diff", "--stat", "HEAD~1", "HEAD", cwd=root)}

    trials = [
        kfgit("one", "diff", "HEAD~2", "HEAD~1"),
        kfgit("all", "diff", "HEAD~1", "HEAD"),
        kfgit("validate", "validate", "--no-cache"),
        git,
    ]
    taken = bench.interleaved("diff", trials, 3)
    what = "diff of 1,000 documents"
    yield Row(f"{what}, one pipeline changed", taken["one"], "validate --no-cache", taken["validate"])
    yield Row(f"{what}, all 500 pipelines changed", taken["all"], "validate --no-cache", taken["validate"])
    yield Row("…", taken["all"], "git diff --stat", taken["git"])


def _edit(path: Path) -> None:
    """Another number where the pipeline begins."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("default: ", "default: 1", 1), encoding="utf-8")
