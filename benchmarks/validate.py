"""Generated repositories, validated for the first time, again, and after a change, beside the plain way to do it.

The plain way, `yaml.safe_load_all` and jsonschema, looks at each document alone, against the schema that `kfgit schema`
prints; it knows no names, types or cycles, and no line of anything. With libyaml's loader it is the quicker of the two
that people write.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import NamedTuple

from benchmarks import projects
from benchmarks.bench import Bench, Trial
from benchmarks.table import Row, at_most

_PEER = Path(__file__).with_name("peers") / "plain_validate.py"


class _Size(NamedTuple):
    """A repository, and the seconds that its validation should take for the first time and again."""

    what: str
    root: Path
    first: float | None = None
    again: float | None = None
    runs: int = 3


def measure(bench: Bench) -> Iterator[Row]:
    """Many small documents, fewer large ones, and very many."""
    schema = bench.folder("schema") / "kfgit.json"
    schema.write_text(bench.text(*bench.kfgit, "schema"), encoding="utf-8")
    sizes = (
        _Size("1,000 small", projects.small(bench.folder("small"), 1_000), 0.2, 0.06),
        _Size("100 large", projects.large(bench.folder("large"), 100)),
        _Size("10,000 small", projects.small(bench.folder("many"), 10_000), 1.5, 0.2, runs=1),
    )
    for size in sizes:
        yield from _repository(bench, size, schema)


def _repository(bench: Bench, size: _Size, schema: Path) -> Iterator[Row]:
    edits = count()

    def kfgit() -> Mapping[str, float]:
        def validate() -> float:
            return bench.seconds(*bench.kfgit, "validate", cwd=size.root)

        shutil.rmtree(bench.cache / "kfgit" / "answers", ignore_errors=True)
        first, again = validate(), validate()
        with (size.root / "pipelines" / "work-7.yaml").open("a", encoding="utf-8") as file:
            file.write(f"# edit {next(edits)}\n")
        return {"first": first, "again": again, "changed": validate()}

    def plain(loader: str) -> Trial:
        return lambda: {
            loader: bench.seconds(sys.executable, str(_PEER), loader, str(schema), str(size.root))
        }

    what = f"validate {size.what}"
    taken = bench.interleaved(what, [kfgit, plain("SafeLoader"), plain("CSafeLoader")], size.runs)
    first, again, plainly = taken["first"], taken["again"], taken["SafeLoader"]
    beside = "yaml.safe_load_all + jsonschema"
    yield Row(what, first, beside, plainly, at_most(first, size.first) if size.first else None)
    yield Row(what, first, "yaml.CSafeLoader + jsonschema", taken["CSafeLoader"])
    yield Row("… again", again, beside, plainly, at_most(again, size.again) if size.again else None)
    yield Row("… with one file changed", taken["changed"], beside, plainly)
