"""Plays recorded exchanges against a server, and says where it answers otherwise. The rules are told in
`tests/conformance/kfp-api/README.md`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

STORIES = Path(__file__).parents[1] / "conformance" / "kfp-api"
NAMES = tuple(sorted(path.stem for path in STORIES.glob("*.json")))

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_VARIABLE = re.compile(r"\$\{(\w+)\}")
# What says something about the installation alone, or about how a cluster executes.
_FREE = frozenset(("namespace", "service_account", "commit_sha", "run_details", "plugins_output"))
_OF_THE_CALLER = (400, 409)


@dataclass(slots=True)
class Player:
    """One story against one server; `misses` are the steps that were answered otherwise."""

    client: httpx.Client
    values: dict[str, str] = field(default_factory=lambda: {"chosen": "0f0f0f0f-1111-5222-8333-444444444444"})
    misses: list[str] = field(default_factory=list)
    played: int = 0

    def play(self, story: str) -> None:
        """Every step up to the first that the engine did."""
        for step in json.loads((STORIES / f"{story}.json").read_text())["steps"]:
            if "request" not in step:
                return
            time.sleep(step.get("sleep", 0))
            self.played += 1
            self.misses += [f"{step['step']}: {miss}" for miss in self._step(step)]

    def _step(self, step: Mapping[str, Any]) -> Iterator[str]:
        asked, wanted = self._filled(step["request"]), step["response"]
        answer = self._send(asked)
        body = answer.json()
        for name, place in step.get("capture", {}).items():
            self.values[name] = _at(body, place)
        if answer.status_code != wanted["status"]:
            if wanted["status"] < 500 or answer.status_code not in _OF_THE_CALLER:
                yield f"status {answer.status_code} instead of {wanted['status']}: {answer.text}"
        elif answer.is_success:
            yield from differences(self._filled(wanted["body"]), body, "body")
        else:
            yield from _otherwise(wanted["body"], body, _texts(asked))

    def _send(self, asked: Mapping[str, Any]) -> httpx.Response:
        upload = asked.get("upload")
        files = None
        if upload is not None:
            packages = STORIES / "packages"
            content = (
                (packages / upload["file"]).read_bytes() if "file" in upload else upload["text"].encode()
            )
            files = {"uploadfile": (upload["filename"], content)}
        content = asked["raw"].encode() if "raw" in asked else None
        return self.client.request(
            asked["method"],
            asked["path"],
            params=asked.get("query"),
            json=asked.get("json"),
            content=content,
            files=files,
        )

    def _filled(self, value: Any) -> Any:
        match value:
            case str():
                return _VARIABLE.sub(lambda found: str(self.values.get(found[1], found[0])), value)
            case dict():
                return {key: self._filled(item) for key, item in value.items()}
            case list():
                return [self._filled(item) for item in value]
            case _:
                return value


def differences(wanted: Any, got: Any, place: str) -> Iterator[str]:
    """Where a body is another than the recorded one."""
    match wanted, got:
        case dict(), dict():
            for key in sorted(wanted.keys() | got.keys()):
                if key not in wanted or key not in got:
                    if key not in _FREE:
                        yield f"{place}.{key} is {'missing' if key in wanted else 'too much'}"
                elif key not in _FREE:
                    yield from differences(wanted[key], got[key], f"{place}.{key}")
        case list(), list() if len(wanted) == len(got):
            for index, pair in enumerate(zip(wanted, got, strict=True)):
                yield from differences(*pair, f"{place}[{index}]")
        case _:
            if not _same(wanted, got):
                yield f"{place} is {got!r} instead of {wanted!r}"


def _same(wanted: Any, got: Any) -> bool:
    match wanted:
        case "<id>":
            return isinstance(got, str) and _ID.fullmatch(got) is not None
        case "<time>":
            return isinstance(got, str) and _TIME.fullmatch(got) is not None
        case "<token>":
            return isinstance(got, str) and got != ""
        case _:
            return type(wanted) is type(got) and bool(wanted == got)


def _otherwise(wanted: Mapping[str, Any], got: Mapping[str, Any], asked: set[str]) -> Iterator[str]:
    """How an error differs."""
    if wanted.keys() != got.keys():
        yield f"the error has {sorted(got)} instead of {sorted(wanted)}"
        return
    for place in ("code", "details.0.code", "details.0.@type"):
        if _at(wanted, place) != _at(got, place):
            yield f"{place} is {_at(got, place)} instead of {_at(wanted, place)}"
    told, repeated = json.dumps(got), json.dumps(wanted)
    for text in asked:
        if text in repeated and text not in told:
            yield f"the error does not name {text!r}: {told}"


def _texts(asked: Mapping[str, Any]) -> set[str]:
    """The words of a request that an error may repeat."""
    words = re.findall(r"[\w.-]{3,}", json.dumps([asked.get("query"), asked.get("json"), asked.get("raw")]))
    return {word for word in words if not word.startswith("x.")} | set(_ID.findall(asked["path"]))


def _at(value: Any, place: str) -> Any:
    for part in place.split("."):
        if isinstance(value, list):
            value = value[int(part)] if int(part) < len(value) else None
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value
