"""Validates the documents of a repository the plain way: `plain_validate.py LOADER SCHEMA ROOT`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import yaml


def main(loader: str, schema: str, root: str) -> int:
    """Loads every file and holds every document against the schema; 1 when any of them is wrong."""
    validator = jsonschema.Draft202012Validator(json.loads(Path(schema).read_text(encoding="utf-8")))
    faults = 0
    for path in sorted(Path(root).rglob("*.yaml")):
        with path.open(encoding="utf-8") as file:
            for document in yaml.load_all(file, Loader=getattr(yaml, loader)):
                faults += sum(1 for _ in validator.iter_errors(document))
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
