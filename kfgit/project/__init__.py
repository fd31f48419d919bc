"""The only reader of the user's files, and for `fmt` and `promote` their writer: a folder, python sources and commits.

Nothing outside the repository is read, also not through symbolic links, and what is read is bounded in number and
size. What cannot be read is a diagnostic; nothing here runs code of the repository.
"""

from __future__ import annotations

from kfgit.project.adding import Added
from kfgit.project.files import Folder, Survey, content, find_root, has_folder, read, stamp, survey
from kfgit.project.git import commit, git_state
from kfgit.project.rewriting import rewrite
from kfgit.project.shipped import (
    code_folders,
    examples_folder,
    github_files,
    gitlab_pipeline,
    schema_files,
    starter_readme,
)
from kfgit.project.tree import (
    DEFAULT_SOURCES,
    MAX_FILES,
    MAX_TOTAL,
    PROJECT_FILE,
    Content,
    Origin,
    Stamp,
    Tree,
    is_outside,
    is_pointer,
)

__all__ = [
    "DEFAULT_SOURCES",
    "MAX_FILES",
    "MAX_TOTAL",
    "PROJECT_FILE",
    "Added",
    "Content",
    "Folder",
    "Origin",
    "Stamp",
    "Survey",
    "Tree",
    "code_folders",
    "commit",
    "content",
    "examples_folder",
    "find_root",
    "git_state",
    "github_files",
    "gitlab_pipeline",
    "has_folder",
    "is_outside",
    "is_pointer",
    "read",
    "rewrite",
    "schema_files",
    "stamp",
    "starter_readme",
    "survey",
]
