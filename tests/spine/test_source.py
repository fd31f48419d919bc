"""Paths in documents: inside the repository, and of the commit that the document is of."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kfgit.source import at_commit, commit_of, repository_path

SHA = "1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d"
_PARTS = st.lists(st.sampled_from(["a", "b.py", ".", "..", "environments", SHA[:10] + ":x"]), max_size=5)


@pytest.mark.parametrize(
    ("document", "file", "path"),
    [
        ("components/fit.yaml", "../src/fit.py", "src/fit.py"),
        ("components/fit.yaml", "fit.py", "components/fit.py"),
        ("components/fit.yaml", "../../fit.py", None),
        ("components/fit.yaml", "/etc/passwd", None),
        ("components/fit.yaml", "a\\b.py", None),
        ("kfgit.yaml", "fit.py", "fit.py"),
        (f"{SHA[:10]}:components/fit.yaml", "../src/fit.py", f"{SHA[:10]}:src/fit.py"),
        (f"{SHA[:10]}:kfgit.yaml", "src/fit.py", f"{SHA[:10]}:src/fit.py"),
        (f"{SHA[:10]}:components/fit.yaml", "../../fit.py", None),
        (f"{SHA[:10]}:components/fit.yaml", "..", None),
        # How places are told leads to no other commit.
        ("kfgit.yaml", f"{SHA[:10]}:src/fit.py", None),
        ("components/fit.yaml", f"../{SHA[:10]}:src/fit.py", None),
    ],
)
def test_a_file_is_looked_for_from_the_document_that_names_it(
    document: str, file: str, path: str | None
) -> None:
    assert repository_path(document, file) == path


@given(home=_PARTS, file=_PARTS)
def test_what_a_document_names_is_of_its_commit_and_the_same_file(home: list[str], file: list[str]) -> None:
    document, named = "/".join(["top", *home]), "/".join(file)
    here, there = repository_path(document, named), repository_path(at_commit(SHA, document), named)
    if here is not None:
        assert there is not None
        assert commit_of(there) == (f"{SHA[:10]}:", here)
    assert there is None or there.startswith(f"{SHA[:10]}:")
