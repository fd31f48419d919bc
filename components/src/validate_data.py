"""Validate: tells whether a table is fit to train on."""

from typing import NamedTuple

from kfp.dsl import Dataset, Input, Markdown, Output


def validate_data(
    dataset: Input[Dataset],
    min_rows: int,
    max_missing: float,
    report: Output[Markdown],
) -> NamedTuple("Verdict", [("valid", bool), ("rows", int)]):
    """Check size, missing values and labels; a fault is a verdict, not a failure of the task."""
    from pathlib import Path

    import numpy as np

    table = np.loadtxt(dataset.path, delimiter=",", skiprows=1, dtype=str, comments=None, ndmin=2)
    missing = float(np.mean(np.char.strip(table) == "")) if table.size else 0.0
    classes = len(set(table[:, -1])) if table.size else 0
    checks = [
        (f"at least {min_rows} rows", f"{len(table)}", len(table) >= min_rows),
        (f"at most {max_missing:.1%} missing values", f"{missing:.1%}", missing <= max_missing),
        ("at least 2 classes", f"{classes}", classes > 1),
    ]

    lines = [f"| {wanted} | {found} | {'yes' if passed else '**no**'} |" for wanted, found, passed in checks]
    text = "\n".join(["# Data report", "", "| wanted | found | passed |", "|---|---|---|", *lines, ""])
    Path(report.path).write_text(text, encoding="utf-8")
    print(text)
    return all(passed for _, _, passed in checks), len(table)
