"""The official clients, each a process in an environment of its own, and the server that they speak to."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import pytest

from tests import apart

HERE = Path(__file__).parent
# The newest for servers of 2.17; the SDK's environment has the one that pip finds for it.
SERVER_API = ("kfp-server-api==2.17.3",)


def server_api_python() -> Path:
    """An interpreter that has kfp-server-api and nothing of the SDK. Raises `apart.Unavailable`."""
    return apart.python("server-api", SERVER_API, "import kfp_server_api")


def checks(script: str) -> list[str]:
    """The names of a script's checks, read and not imported: only its own environment has what it imports."""
    body = ast.parse((HERE / f"{script}.py").read_text()).body
    functions = [statement.name for statement in body if isinstance(statement, ast.FunctionDef)]
    return [name for name in functions if name.startswith("check_")]


class Client(apart.Asked):
    """A script of this folder in the environment of a client."""

    def __init__(self, interpreter: Path, script: str, url: str, home: Path) -> None:
        # The SDK reads ~/.config/kfp and KF_PIPELINES_…; proxies are not for a server of this machine.
        kept = {
            n: v
            for n, v in os.environ.items()
            if not n.startswith(("KF", "PYTHON")) and "proxy" not in n.lower()
        }
        command = [str(interpreter), "-W", "ignore", "-m", f"tests.clients.{script}", url]
        super().__init__(command, {**kept, "HOME": str(home)})

    def ask(self, do: str, **given: Any) -> Any:
        """The answer. What goes wrong over there fails the test, with the traceback of over there."""
        answer = self.answer({"do": do, **given})
        if "error" in answer:
            pytest.fail(answer["error"], pytrace=False)
        return answer["answer"]
