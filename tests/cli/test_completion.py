"""Completion in a real shell: what a Tab makes of a begun line. The answers alone are tested in `test_looking`."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import BASE, STAGING, MakeProject

PATIENCE = 120.0
RUN = "apiVersion: kfgit.dev/v1\nkind: Run\nmetadata: {name: smoke}\nspec: {pipeline: hello}\n"


class Bash:
    """An interactive bash that has read `kfgit completion bash`."""

    def __init__(self, folder: Path) -> None:
        program = folder / "bin" / "kfgit"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m kfgit "$@"\n')
        program.chmod(0o755)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("KFGIT_", "PS1"))}
        ours = {
            **kept,
            "PATH": f"{program.parent}:{kept['PATH']}",
            "TERM": "dumb",
            "HISTFILE": "",
            "INPUTRC": os.devnull,
        }
        self._terminal, inner = pty.openpty()
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"], cwd=folder, env=ours,
            stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
        )  # fmt: skip
        os.close(inner)
        self.say(
            "PS1=; bind 'set enable-bracketed-paste off'; stty -echo; eval \"$(kfgit completion bash)\"; echo re''ady\n"
        )
        self.hear("ready")

    def say(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def hear(self, last: str) -> str:
        """What the terminal shows, up to a text."""
        heard, end = "", time.monotonic() + PATIENCE
        while last not in heard:
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"waited for {last!r}, heard {heard!r}"
            heard += os.read(self._terminal, 4096).decode(errors="replace")
        return heard

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


@pytest.fixture
def bash(project: MakeProject) -> Iterator[Bash]:
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    root = project({**BASE, "environments/staging.yaml": STAGING, "pipelines/run.yaml": RUN})
    opened = Bash(root)
    yield opened
    opened.close()


def test_a_tab_completes_what_was_begun(bash: Bash) -> None:
    for begun, whole in (
        ("kfgit valid", "kfgit validate"),
        ("kfgit plan --ex", "kfgit plan --exit-code"),
        ("kfgit plan -e stag", "kfgit plan -e staging"),
        ("kfgit run run/s", "kfgit run run/smoke"),
        ("kfgit render pipeline/h", "kfgit render pipeline/hello"),
        ("kfgit explain pipeline.spec.tasks.ret", "kfgit explain pipeline.spec.tasks.retry"),
        ("kfgit schema Sch", "kfgit schema Schedule"),
    ):
        # The line is echoed, not run: that is how the test sees what became of it.
        bash.say(f'{begun}\t\x01echo "[\x05]"\n')
        line = re.sub(r"[\r\n\x07]", "", bash.hear("]\r\n"))
        assert f"[{whole} ]" in line


def test_two_tabs_list_what_may_follow(bash: Bash) -> None:
    bash.say("kfgit run \t\t")
    heard = bash.hear("smoke")
    assert "hello" in heard
