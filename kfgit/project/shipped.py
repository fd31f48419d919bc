"""What comes with kfgit: in the package, or beside it in a checkout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parent.parent


@lru_cache(maxsize=1)
def schema_files() -> Mapping[str, Any]:
    """Kfgit's own JSON Schemas by file name."""
    return {path.name: json.loads(path.read_bytes()) for path in sorted(_schemas().glob("*.schema.json"))}


def code_folders() -> tuple[Path, ...]:
    """What kfgit is made of: its answers may change when anything there does."""
    return _PACKAGE, _schemas()


def _schemas() -> Path:
    return _PACKAGE / "schemas" if (_PACKAGE / "schemas").is_dir() else _PACKAGE.parent / "schemas"


def examples_folder() -> Path:
    """The example project that `kfgit init --template examples` writes."""
    return _PACKAGE / "examples" if (_PACKAGE / "examples").is_dir() else _PACKAGE.parent


def github_files(version: str) -> Mapping[str, str]:
    """What `kfgit init --github` writes: workflows that install this version."""
    folder = _PACKAGE / "starter" / "github"
    return {
        f".github/{path.relative_to(folder).as_posix()}": path.read_text("utf-8").replace(
            "kfgit==VERSION", f"kfgit=={version}"
        )
        for path in sorted(folder.rglob("*.y*ml"))
    }


def gitlab_pipeline() -> str:
    """What the pipeline of `kfgit init --gitlab` has for all projects."""
    return (_PACKAGE / "starter" / "gitlab" / "gitlab-ci.yml").read_text("utf-8")


def starter_readme() -> str:
    """The first page of a repository that began with the example project and its workflows."""
    return (_PACKAGE / "starter" / "README.md").read_text("utf-8")
