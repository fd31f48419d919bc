"""A pipeline in KFP's Python DSL and the same one in YAML compile to the same thing.

Each pair is `pairs/NAME.py`, whose `pipeline` the official SDK compiles, and `pairs/NAME.yaml`, whose pipeline of the
same name kfgit compiles; both take python components from the `.py`. They are compared in the normal form of
`normal.py`. Where kfgit differs on purpose the pairs leave it out:

- a `Concat` is carried out by kfgit, since KFP's backend knows none (issue #9486), and an `if` in a command stands
  in the arguments, where the backend looks for it;
- `$(NAME)` and `$$` in a command, argument or variable are escaped for kubelet, which the SDK leaves to the author;
- the display name of a loop or switch is its name in the source, where the SDK says `for-loop-1`;
- quotes in conditions are escaped, and conditions may be joined; the SDK writes broken CEL or drops one side;
- no retry policy is written for `retry: {max: 0}`, and nothing ignores failures where there is no upstream;
- an output of a guarded task may be read outside its guard, and one of what an exit task follows by the pipeline;
- `cache: false` of a nested pipeline holds for the tasks in it; the SDK writes it where it has no effect;
- a package of a single component is a pipeline with one task; the SDK takes it for the component;
- descriptions in a v1 component stay; the SDK drops them;
- the text that runs a notebook is kfgit's own, names the cell that fails, and packs the notebook without a time;
- an artifact type may be in any namespace, and a given list or map may hold null, which the SDK refuses.

And where SDK 2.17.0 compiles something wrong or not at all, which `tests/cases/compile` shows of kfgit alone:

- fields of items in f-strings, and items of an outer loop in them, become inputs of the pipeline that it has not;
- the items of two loops over the same list, one in the other, get one name, and a list in an item is lost two loops in;
- what follows an `If` and `Elif` without an `Else` lands inside their group;
- all fields of a literal item take the type of the first, and a condition on one and a use of another do not compile;
- executors of a nested pipeline that uses a component twice overwrite each other where the outer one uses it, too;
- so do groups of a nested pipeline and of the outer one with one name: what is in the one lands in the other;
- what Kubernetes adds to an executor of a nested pipeline goes to the outer one with its name as well.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kfgit.ir import Package
from tests import compiling
from tests.sdk.normal import normal
from tests.sdk.official import Sdk

PAIRS = Path(__file__).with_name("pairs")
NAMES = sorted(path.stem for path in PAIRS.glob("*.yaml"))


def lines(spec: object) -> list[str]:
    return json.dumps(spec, indent=1, sort_keys=True, ensure_ascii=False).split("\n")


def difference(ours: Package, spec: Mapping[str, Any], platform: Mapping[str, Any] | None) -> str:
    """What kfgit compiled otherwise than the SDK, as a diff."""
    mine, theirs = lines(normal(ours.spec, ours.platform, ours.labels)), lines(normal(spec, platform))
    return "\n".join(difflib.unified_diff(theirs, mine, "kfp", "kfgit", n=12, lineterm=""))


@pytest.mark.parametrize("name", NAMES)
def test_yaml_compiles_as_the_dsl(name: str, sdk: Sdk) -> None:
    ours = compiling.texts({f"{name}.yaml": (PAIRS / f"{name}.yaml").read_text()}, PAIRS)[
        name.replace("_", "-")
    ]
    told = difference(ours, *sdk.compile(PAIRS / f"{name}.py"))
    assert not told, told


def test_every_program_has_its_yaml() -> None:
    assert sorted(path.stem for path in PAIRS.glob("*.py")) == NAMES
