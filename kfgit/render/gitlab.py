"""The pipeline of GitLab CI that `init --gitlab` writes: what all projects have, and three jobs for each environment.

Names stand in it as they are, for GitLab expands no variables in some of these places. What a merge request could say
is in none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

# What needs no quotes in YAML, in GitLab's conditions, and in a regular expression but for its dots.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*\Z")
_DEFAULT = "$CI_DEFAULT_BRANCH"

_JOBS = """
plan {name}:
  extends: .plan
  environment: {{name: "{name}", action: access}}
  rules:
    - if: >-
        $CI_PIPELINE_SOURCE == "merge_request_event" && $CI_MERGE_REQUEST_TARGET_BRANCH_NAME == {branch}
        && $CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED == "true"
        && $KFGIT_PLAN_ENVIRONMENTS =~ {pattern}

sync {name}:
  extends: .sync
  environment: "{name}"
  resource_group: "{name}"
  rules:
    - if: >-
        $CI_COMMIT_BRANCH == {branch} && $CI_PIPELINE_SOURCE != "schedule"
        && $KFGIT_ENVIRONMENTS =~ {pattern}

drift {name}:
  extends: .drift
  environment: {{name: "{name}", action: access}}
  resource_group: "{name}"
  rules:
    - if: >-
        $CI_COMMIT_BRANCH == {branch} && $CI_PIPELINE_SOURCE == "schedule"
        && $KFGIT_ENVIRONMENTS =~ {pattern}
"""

_NONE = """
# No environment of this project is a cluster yet. Once one is: remove this file, and `kfgit init --gitlab` writes it
# with the jobs for that one.
"""


def pipeline(head: str, version: str, branches: Mapping[str, str | None]) -> str:
    """The whole file. `branches` are those of the environments on clusters; one without has the default branch."""
    jobs = "".join(_jobs(branches))
    return head.replace("kfgit==VERSION", f"kfgit=={version}") + (jobs or _NONE)


def is_plain(branch: str | None) -> bool:
    """Whether a branch can be named in a condition."""
    return branch is None or _PLAIN.match(branch) is not None


def _jobs(branches: Mapping[str, str | None]) -> Iterator[str]:
    for name, branch in branches.items():
        if is_plain(branch) and is_plain(name):
            # The variable may be a list of any sort: `staging, prod` and `["staging", "prod"]` are both read.
            pattern = "/(^|[^a-z0-9-])" + name.replace(".", "[.]") + "([^a-z0-9-]|$)/"
            quoted = _DEFAULT if branch is None else f'"{branch}"'
            yield _JOBS.format(name=name, branch=quoted, pattern=pattern)
