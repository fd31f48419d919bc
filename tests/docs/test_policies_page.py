"""docs/policies.md: what its commands print is what they print for the project of their section."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, Fence, fences
from tests.docs.test_pages import PROJECTS, compare_shown, kfgit, write

PAGE = ROOT / "docs" / "policies.md"
SHOWN = [fence for fence in fences(PAGE) if fence.language == "console"]


@pytest.mark.parametrize("fence", SHOWN, ids=lambda fence: fence.place)
def test_shown_output_is_real(fence: Fence, tmp_path: Path, *, accept: bool) -> None:
    compare_shown(fence, tmp_path, accept=accept)


def test_the_widest_moment_of_the_example_is_what_the_text_says(tmp_path: Path) -> None:
    write(PROJECTS[f"{PAGE.name}: GPUs of a run"], tmp_path)
    told = kfgit("validate", root=tmp_path)
    assert "a run of `wide` holds at most 12 GPUs at once: first 2, sweep/fit 5 × 2" in told
    assert "`first` 2, `sweep/fit` 5 × 2" in PAGE.read_text()
