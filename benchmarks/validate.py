"""Generated repositories, validated cold, beside the plain way to do it: `yaml.safe_load_all` and jsonschema.

The plain way looks at each document alone, against the schema that `kfgit schema` prints; it knows no names, types or
cycles, and no line of anything. With libyaml's loader it is the quicker of the two that people write.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks import projects
from benchmarks.bench import Bench, Trial
from benchmarks.table import Row

_PEER = Path(__file__).with_name("peers") / "plain_validate.py"


def measure(bench: Bench) -> Iterator[Row]:
    """Many small documents, and fewer large ones."""
    schema = bench.folder("schema") / "kfgit.json"
    schema.write_text(bench.text(*bench.kfgit, "schema"), encoding="utf-8")
    yield from _repository(
        bench, "1,000 small documents", projects.small(bench.folder("small"), 1000), schema
    )
    yield from _repository(bench, "100 large documents", projects.large(bench.folder("large"), 100), schema)


def _repository(bench: Bench, what: str, root: Path, schema: Path) -> Iterator[Row]:
    def plain(loader: str) -> Trial:
        return lambda: {loader: bench.seconds(sys.executable, str(_PEER), loader, str(schema), str(root))}

    kfgit: Trial = lambda: {"kfgit": bench.seconds(*bench.kfgit, "validate", cwd=root)}  # noqa: E731 - as its neighbours
    taken = bench.interleaved(f"validate, {what}", [kfgit, plain("SafeLoader"), plain("CSafeLoader")], 3)
    yield Row(f"validate {what}", taken["kfgit"], "yaml.safe_load_all + jsonschema", taken["SafeLoader"])
    yield Row(f"validate {what}", taken["kfgit"], "yaml.CSafeLoader + jsonschema", taken["CSafeLoader"])
