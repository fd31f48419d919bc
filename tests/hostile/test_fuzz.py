"""Repositories that are nearly right, by the hundred; `make fuzz` tries them by the thousand."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from tests.hostile.examining import Escape, examine, watched
from tests.hostile.mutation import PROJECT, repository


@given(st.integers(0, 2**40))
@settings(max_examples=100)
def test_what_is_nearly_right_is_told(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        examine(Path(folder), repository(seed))


@given(
    st.binary(max_size=300) | st.text(max_size=300).map(str.encode), st.sampled_from(["x.yaml", "x.yaml.j2"])
)
@settings(max_examples=100)
def test_any_bytes_are_told(content: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        examine(Path(folder), {"kfgit.yaml": PROJECT.encode(), f"pipelines/{name}": content})


def test_an_escape_would_be_noticed(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "outside").write_text("x")
    for escape in ((tmp_path / "outside").read_text, lambda: (tmp_path / "project/new").write_text("x")):
        with watched(tmp_path / "project"), pytest.raises(Escape):
            escape()
