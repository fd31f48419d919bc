"""A pipeline in KFP's Python DSL and the same one in YAML compile to the same thing.

Each pair is `pairs/NAME.py`, whose `pipeline` the official SDK compiles, and `pairs/NAME.yaml`, whose pipeline of the
same name kfgit compiles; both take python components from the `.py`. They are compared in the normal form of
`normal.py`. Where kfgit differs on purpose the pairs leave it out:

- a `Concat` is carried out by kfgit, since KFP's backend does not know it (issue #9486);
- `$(NAME)` and `$$` in a command or argument are escaped for kubelet, which the SDK leaves to the author;
- the display name of a loop or switch is its name in the source, where the SDK says `for-loop-1`;
- quotes in conditions are escaped, and conditions may be joined; the SDK writes broken CEL or drops one side;
- no retry policy is written for `retry: {max: 0}`.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pytest

from tests import compiling
from tests.sdk.normal import normal
from tests.sdk.official import Sdk

PAIRS = Path(__file__).with_name("pairs")
NAMES = sorted(path.stem for path in PAIRS.glob("*.yaml"))


def lines(spec: object) -> list[str]:
    return json.dumps(spec, indent=1, sort_keys=True, ensure_ascii=False).split("\n")


@pytest.mark.parametrize("name", NAMES)
def test_yaml_compiles_as_the_dsl(name: str, sdk: Sdk) -> None:
    ours = compiling.texts({f"{name}.yaml": (PAIRS / f"{name}.yaml").read_text()}, PAIRS)[
        name.replace("_", "-")
    ]
    spec, platform = sdk.compile(PAIRS / f"{name}.py")
    mine, theirs = lines(normal(ours.spec, ours.platform)), lines(normal(spec, platform))
    difference = "\n".join(difflib.unified_diff(theirs, mine, "kfp", "kfgit", n=12, lineterm=""))
    assert not difference, difference


def test_every_program_has_its_yaml() -> None:
    assert sorted(path.stem for path in PAIRS.glob("*.py")) == NAMES
