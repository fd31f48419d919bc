"""Which documents patches find, also where earlier ones have changed them, and how much they may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kfgit import driver
from kfgit.document import at, plain
from tests.hostile.repositories import documents, with_selectors, write

_HEAD = "apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {name: dev}\nspec:\n  patches:\n"


def patched(root: Path, patches: str, profiles: str) -> dict[str, Any]:
    """The descriptions of profiles, as the environment `dev` sees them."""
    write(root, {"environments/dev.yaml": _HEAD + patches, "pipelines/p.yaml": profiles})
    checked = driver.check(driver.load(root), "dev")
    assert checked.ok, checked.diagnostics
    found = ((d.name, at(d.node, ("metadata", "description"))) for d in checked.value.view.documents)
    return {name: plain(node) for name, node in found if node is not None}


def patch(target: str, merge: str) -> str:
    return f"  - {{target: {{kind: ResourceProfile, {target}}}, merge: {merge}}}\n"


def test_a_selector_sees_the_labels_that_an_earlier_patch_has_set(tmp_path: Path) -> None:
    profiles = documents("ResourceProfile", 3, "").replace("name: x", "labels: {a: b}, name: x")
    patches = [
        patch("selector: {a: b}", "{metadata: {description: first}}"),
        patch("name: x1", "{metadata: {labels: {a: c}}}"),
        patch("selector: 'a = c'", "{metadata: {description: second}}"),
        patch("selector: {a: b}", "{metadata: {labels: {d: e}}}"),
        patch("selector: {a: b, d: e}", "{metadata: {description: third}}"),
    ]
    assert patched(tmp_path, "".join(patches), profiles) == {"x0": "third", "x1": "second", "x2": "third"}


def test_patches_of_very_many_documents_have_an_end(tmp_path: Path) -> None:
    write(tmp_path / "few", with_selectors(40, 1_000))
    write(tmp_path / "many", with_selectors(60, 1_000))
    few, many = (driver.check(driver.load(tmp_path / name), "dev").diagnostics for name in ("few", "many"))
    assert few == ()
    (told,) = many
    assert (told.code, told.span.file, told.span.line) == ("patch-failed", "environments/dev.yaml", 56)
    assert "more than 50,000 changes to make" in told.message
