"""The house as a whole: what its documents say of it, and what every room keeps to."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOUSE = ROOT / "kfgit"
# Whose modules have a line each in the code map; other packages are one line.
MAPPED = (Path(), Path("backends"), Path("backends/local"), Path("backends/cluster"), Path("render"))
# They say nothing of what a module is for.
NO_NAMES = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "manager",
    "managers",
    "misc",
    "base",
    "core",
    "lib",
}


def name_of(path: Path) -> str | None:
    """The module at a path, be it a file or a package; None for what is neither."""
    if path.suffix == ".py":
        return None if path.stem == "__init__" else path.stem
    return path.name if path.is_dir() and any(path.rglob("*.py")) else None


def mapped_modules() -> set[str]:
    return {
        (folder / name).as_posix()
        for folder in MAPPED
        for path in (HOUSE / folder).glob("*")
        if (name := name_of(path)) is not None
    }


def top_modules() -> set[str]:
    return {name for path in HOUSE.glob("*") if (name := name_of(path)) is not None}


def contract(identity: str) -> dict[str, list[str]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    [found] = [c for c in settings["tool"]["importlinter"]["contracts"] if c["id"] == identity]
    return dict(found)


def layers() -> list[str]:
    return [name.strip(" ()") for layer in contract("layers")["layers"] for name in layer.split("|")]


def sources(*folders: Path) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_bytes())


def lacks(decorator: ast.expr, node: ast.ClassDef) -> list[str]:
    """What a dataclass should have: slots, and frozen, unless it is no value but a worker.

    A worker has an identity (`eq=False`) or is private to its module (`_Reader`). What is found out once
    (`cached_property`) is kept where slots leave no room.
    """
    arguments = decorator.keywords if isinstance(decorator, ast.Call) else []
    said = {k.arg: k.value.value for k in arguments if isinstance(k.value, ast.Constant)}
    worker = node.name.startswith("_") or said.get("eq") is False
    wanted = set() if worker else {"frozen"}
    if said.get("eq") is not False and "cached_property" not in ast.unparse(node):
        wanted.add("slots")
    return sorted(wanted - {key for key, on in said.items() if on is True})


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def apart(told: Iterable[str], there: Iterable[str]) -> dict[str, list[str]]:
    """What is told but not there, and the other way round."""
    told, there = set(told), set(there)
    return {"told, not there": sorted(told - there), "there, not told": sorted(there - told)}


NOTHING = apart([], [])


def test_the_code_map_is_the_house() -> None:
    told = re.findall(r"^\| `([^`]+)` \|", (HOUSE / "ARCHITECTURE.md").read_text(), re.MULTILINE)
    assert apart(told, mapped_modules()) == NOTHING


def test_every_layer_is_a_room() -> None:
    assert apart(layers(), top_modules()) == NOTHING


def test_the_purity_contract_covers_the_core() -> None:
    core = set(layers()[layers().index("diff") :]) & top_modules()
    assert apart(contract("purity")["source_modules"], (f"kfgit.{name}" for name in core)) == NOTHING


def test_every_package_says_that_it_is_one() -> None:
    folders = {path.parent for path in HOUSE.rglob("*.py")}
    assert [str(f.relative_to(ROOT)) for f in sorted(folders) if not (f / "__init__.py").is_file()] == []


def test_names_say_what_a_module_is_for() -> None:
    named = {path for path in HOUSE.rglob("*") if path.suffix == ".py" or path.is_dir()}
    assert sorted(str(path.relative_to(ROOT)) for path in named if path.stem in NO_NAMES) == []


def test_values_are_frozen() -> None:
    faults = [
        f"{path}:{node.lineno} {node.name} is not {lacking}"
        for path, tree in sources(HOUSE)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if ast.unparse(decorator).startswith(("dataclass", "dataclasses.dataclass"))
        for lacking in lacks(decorator, node)
    ]
    assert faults == []


def test_fakes_are_handed_in_and_never_patched() -> None:
    patching = [
        f"{path}: {name}"
        for path, tree in sources(HOUSE, ROOT / "tests")
        for name in imports(tree)
        if name.startswith(("unittest.mock", "mock.", "pytest_mock"))
    ]
    assert patching == []
