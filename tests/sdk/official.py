"""KFP's SDK, kept apart: an environment of its own, and one process in it that answers for the whole session.

kfgit never imports the SDK, and the SDK must not decide which versions of protobuf or kubernetes the tests have.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests import apart

REQUIREMENT = ("kfp==2.17.0", "kfp-kubernetes==2.17.0")
OVERRIDE = "KFGIT_SDK_PYTHON"


class Refused(Exception):
    """What the SDK said of a program or a package that it does not take."""


def python() -> Path:
    """The interpreter that has the SDK. Raises `apart.Unavailable`."""
    given = os.environ.get(OVERRIDE)
    if given:
        return Path(given)
    return apart.python("sdk", REQUIREMENT, "import kfp, kfp.kubernetes")


class Sdk(apart.Asked):
    """The process that has the SDK."""

    def __init__(self, interpreter: Path) -> None:
        server = Path(__file__).with_name("official_server.py")
        # No variable of the caller's may change what it compiles (KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT does).
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("KFP", "PYTHON"))}
        super().__init__([interpreter, "-W", "ignore", server], kept)

    def compile(self, program: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The pipeline spec and platform spec of the function `pipeline` in a DSL program. Raises Refused."""
        answer = self._ask({"do": "compile", "path": str(program)})
        return answer["spec"], answer["platform"] or None

    def load(self, package: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """Both documents of a package as the SDK read them. Raises Refused."""
        answer = self._ask({"do": "load", "text": package})
        return answer["spec"], answer["platform"] or None

    def surface(self) -> dict[str, list[str]]:
        """What a program can say: public names with their parameters, methods of tasks as `task.NAME`."""
        return self._ask({"do": "surface"})

    def _ask(self, question: dict[str, str]) -> dict[str, Any]:
        answer = self.answer(question)
        if "error" in answer:
            raise Refused(answer["error"])
        return answer
