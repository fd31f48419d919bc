"""docs/from-kfp.md: what stands there side by side compiles to the same thing, with KFP's SDK and with kfgit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from kfgit.ir import Package
from tests import compiling
from tests.docs import markdown, test_pages as pages
from tests.sdk.official import Sdk
from tests.sdk.test_pairs import difference

PAGE = markdown.ROOT / "docs" / "from-kfp.md"
SECTION = "Side by side"
FENCES = [fence for fence in markdown.fences(PAGE) if fence.section == SECTION]
PARTS = next(fence.text for fence in FENCES if fence.text.startswith("# file: components/parts.py"))
_PIPELINE = re.compile(r'@dsl\.pipeline\(name="([a-z-]+)".*?^def (\w+)', re.DOTALL | re.MULTILINE)
# The pipeline of a block, with a nested one's before it, by its name: the block and the function's name.
PROGRAMS = {
    found[-1][0]: (fence.text, found[-1][1])
    for fence in FENCES
    if fence.language == "python" and (found := _PIPELINE.findall(fence.text))
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Package]:
    root = tmp_path_factory.mktemp("from-kfp")
    pages.write([fence for fence in FENCES if pages.is_document(fence)], root)
    return compiling.folder(root)


@pytest.mark.parametrize("name", PROGRAMS)
def test_both_say_the_same(name: str, sdk: Sdk, compiled: Mapping[str, Package], tmp_path: Path) -> None:
    block, function = PROGRAMS[name]
    program = tmp_path / "program.py"
    program.write_text(f"{PARTS}\n\n{block}\n\npipeline = {function}\n")
    told = difference(compiled[name], *sdk.compile(program))
    assert not told, told


def test_every_heading_has_both() -> None:
    headings = {title for level, title in markdown.headings(PAGE) if level == 3}
    assert len(PROGRAMS) == len(headings) - 1, "one pipeline for each, but for that with the components"
