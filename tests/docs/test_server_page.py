"""What docs/local-server.md shows happens: its server is started, its programs run with KFP's SDK, its commands typed.

Only the port is another one than is shown, since 8888 may be somebody's.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, fences
from tests.docs.test_transcripts import happened, pattern, steps
from tests.e2e.door import Project, until
from tests.serving import serving

SHOWN = "http://127.0.0.1:8888"


def test_it_happens_as_it_is_shown(sdk_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    home = tmp_path / "home"
    (home / "bin").mkdir(parents=True)
    python = home / "bin" / "python"
    python.write_text(f'#!/bin/sh\nHOME={home} exec {sdk_python} "$@"\n')
    python.chmod(0o755)
    with serving(Project.new(tmp_path / "project")) as server:
        folder, commands = server.project.root, 0
        for fence in fences(ROOT / "docs" / "local-server.md"):
            if fence.language == "python":
                name = re.match(r"# (\w+\.py)\n", fence.text)
                assert name is not None, fence.place
                (folder / name[1]).write_text(fence.text.replace(SHOWN, server.url))
            for step in steps(fence) if fence.language == "console" else ():
                if step.command == "kfgit up":
                    until(lambda: "Ctrl-C" in server.told.read_text(), "its last line")
                    output = server.told.read_text()
                else:
                    output = happened(step.command.replace(SHOWN, server.url), folder, home)
                shown = output.replace(server.url, SHOWN)
                assert re.fullmatch(pattern(step.output), shown), f"$ {step.command}\n{shown}"
                commands += 1
    assert commands > 5
