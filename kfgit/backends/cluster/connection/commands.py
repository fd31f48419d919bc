"""Runs the command that prints a token: no shell, a time limit, and nothing secret in what is told of a failure."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kfgit.backend import MachineFault

LIMIT_SECONDS = 60.0
_MAX_OUTPUT = 256 << 10
_MAX_TOLD = 200
# What kubectl tells its plugins, which answer in that version of the format.
# https://kubernetes.io/docs/reference/access-authn-authz/authentication/#input-and-output-formats
_PLUGIN = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "kind": "ExecCredential",
    "spec": {"interactive": False},
}
# A JSON Web Token, or another long word that is no path.
_SECRET = re.compile(r"eyJ[\w.=-]+|(?<![\w/.])[A-Za-z0-9+_=-]{24,}(?![\w/])")


@dataclass(frozen=True, slots=True)
class Issued:
    """A token, and when it ends in seconds since 1970, where that is known."""

    token: str = field(repr=False)
    ends_at: float | None = None


def issue(line: str, name: str, environ: Mapping[str, str], limit: float = LIMIT_SECONDS) -> Issued:
    """The token that a command line prints, bare or as an ExecCredential; `name` is what people are told of it."""
    try:
        arguments = shlex.split(line)
    except ValueError as error:
        raise MachineFault(f"{name} is no command line: {str(error).lower()}") from error
    output = _output(arguments, name, {**environ, "KUBERNETES_EXEC_INFO": json.dumps(_PLUGIN)}, limit)
    if len(output) > _MAX_OUTPUT:
        raise MachineFault(f"{name} printed more than {_MAX_OUTPUT >> 10} KiB instead of a token")
    text = output.decode(errors="replace").strip()
    return _credential(text, name) if text.startswith("{") else Issued(text)


def redacted(text: str) -> str:
    """The last line of what a program complained, short, without what may be a secret."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    last = _SECRET.sub("…", lines[-1]) if lines else ""
    return last if len(last) <= _MAX_TOLD else last[: _MAX_TOLD - 1] + "…"


def _output(arguments: list[str], name: str, environ: Mapping[str, str], limit: float) -> bytes:
    try:
        process = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it cannot be started"
        raise MachineFault(f"{name} cannot be run: {why}") from error
    try:
        output, complaint = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired as error:
        # Its children too: they hold the pipes.
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise MachineFault(f"{name} did not end within {limit:.0f} s") from error
    if process.returncode != 0:
        said = redacted(complaint.decode(errors="replace"))
        raise MachineFault(
            f"{name} failed with exit code {process.returncode}" + (f": {said}" if said else "")
        )
    return output


def _credential(text: str, name: str) -> Issued:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MachineFault(f"{name} printed neither a token nor JSON") from error
    status = found.get("status") if found.get("kind") == "ExecCredential" else None
    token = status.get("token") if isinstance(status, dict) else None
    if not isinstance(token, str):
        raise MachineFault(f"{name} printed JSON without `status.token` of an ExecCredential")
    assert isinstance(status, dict)
    return Issued(token.strip(), _ends_at(status.get("expirationTimestamp")))


def _ends_at(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None
