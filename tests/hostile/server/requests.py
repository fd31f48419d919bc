"""A request before it is bytes, and the recorded ones to begin with, with ids of objects that a live server has.

The stories of `tests/conformance/kfp-api/` were played against KFP's own server. Here each is played once against a
new server, without what would delete the objects again; its requests are then what is changed by chance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from tests.hostile.server.wire import Answer

ROOT = Path(__file__).parents[3]
STORIES = ROOT / "tests/conformance/kfp-api"
BOUNDARY = "b2f1d8c0"
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_IN_PATHS = "/:%!$&'()*+,;=@~"


@dataclass(frozen=True, slots=True)
class Request:
    """A request; `sound` as far as HTTP goes, so that it must be answered, and in KFP's shape if it is refused.

    `path` and `query` are as they go over the wire, but for characters that cannot.
    """

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    sound: bool = True

    def encode(self, host: str) -> bytes:
        """The bytes of it; what it does not say of host and length is added."""
        target = quote(self.path.encode("utf-8", "surrogatepass"), safe=_IN_PATHS)
        if self.query:
            target += "?" + quote(self.query.encode("utf-8", "surrogatepass"), safe=_IN_PATHS + "?#")
        given = {name.lower() for name, _ in self.headers}
        lines = [f"{self.method} {target} HTTP/1.1"]
        if "host" not in given:
            lines.append(f"Host: {host}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body is not None and not given & {"content-length", "transfer-encoding"}:
            lines.append(f"Content-Length: {len(self.body)}")
        head = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass")
        return head + (self.body or b"")


@dataclass(frozen=True, slots=True)
class Step:
    """A recorded request, with `${name}` for what an earlier answer brings."""

    story: str
    method: str
    path: str
    query: Mapping[str, str]
    json: Any
    raw: str | None
    upload: tuple[str, bytes] | None
    capture: Mapping[str, str]

    @property
    def keeps(self) -> bool:
        """Whether the objects of its story are there afterwards, and can be used."""
        return self.method != "DELETE" and not self.path.endswith(":archive")


@dataclass(frozen=True, slots=True)
class Seed:
    """A request to begin with: the step, with living ids in it."""

    step: Step
    variables: Mapping[str, str]

    def filled(self, value: Any) -> Any:
        """The value with the ids in it."""
        match value:
            case str():
                return _VARIABLE.sub(lambda found: self.variables.get(found[1], found[0]), value)
            case dict():
                return {self.filled(name): self.filled(inner) for name, inner in value.items()}
            case list():
                return [self.filled(inner) for inner in value]
            case _:
                return value


# What no story asks for.
_VERSION = {
    "package_url": {"pipeline_url": "https://127.0.0.1:1/p.yaml"},
    "name": "v7",
    "pipeline_id": "${a}",
}
_UNRECORDED = (
    ("pipelines", "POST", "pipelines/create", {"pipeline": {"name": "made"}, "pipeline_version": _VERSION}),
    ("pipelines", "POST", "pipelines/${a}/versions", _VERSION),
    ("runs", "GET", "runs/${r1}/nodes/say/artifacts/out:read", None),
    ("runs", "GET", "../v1alpha1/runs/${r1}/nodes/say/log", None),
)


@lru_cache(maxsize=1)
def steps() -> tuple[Step, ...]:
    """Every recorded request, and some for the rest of the API."""
    more = (
        Step(story, method, f"/apis/v2beta1/{path}".replace("v2beta1/../", ""), {}, body, None, None, {})
        for story, method, path, body in _UNRECORDED
    )
    return (*_steps(), *more)


def request(seed: Seed) -> Request:
    """The recorded request itself."""
    step = seed.step
    plain = Request(step.method, seed.filled(step.path), urlencode(seed.filled(dict(step.query))))
    if step.upload is not None:
        return multipart(plain, [part(*step.upload)])
    if step.raw is not None:
        return with_json(plain, step.raw)
    return plain if step.json is None else with_json(plain, json.dumps(seed.filled(step.json)))


def with_json(base: Request, text: str) -> Request:
    """The request with a JSON body."""
    body = text.encode("utf-8", "surrogatepass")
    return replace(base, headers=(("Content-Type", "application/json"),), body=body)


def part(filename: str, content: bytes, name: str = "uploadfile") -> bytes:
    """One part of a multipart body."""
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
    kind = "Content-Type: application/octet-stream\r\n\r\n"
    return (head + kind).encode("utf-8", "surrogatepass") + content


def multipart(base: Request, parts: list[bytes], boundary: str = BOUNDARY) -> Request:
    """The request with a multipart body."""
    dashes = b"--" + boundary.encode()
    body = b"".join(dashes + b"\r\n" + one + b"\r\n" for one in parts) + dashes + b"--\r\n"
    return replace(base, headers=(("Content-Type", f"multipart/form-data; boundary={boundary}"),), body=body)


def populate(send: Callable[[Request], Answer | None]) -> tuple[Seed, ...]:
    """Plays the stories against a new server, and returns their requests with the ids it gave."""
    variables: dict[str, dict[str, str]] = {}
    for step in steps():
        known = variables.setdefault(step.story, {"chosen": f"0f0f0f0f-1111-5222-8333-{len(variables):012}"})
        if not step.keeps:
            continue
        answer = send(request(Seed(step, known)))
        assert answer is not None, step
        if answer.status == 200:
            document = json.loads(answer.body)
            known |= {name: _captured(document, path) for name, path in step.capture.items()}
    return tuple(Seed(step, variables[step.story]) for step in steps())


def _captured(document: Any, path: str) -> str:
    for piece in path.split("."):
        document = document[int(piece)] if piece.isdigit() else document[piece]
    return str(document)


def _steps() -> list[Step]:
    found = []
    for file in sorted(STORIES.glob("*.json")):
        story = json.loads(file.read_text(encoding="utf-8"))
        for told in story["steps"]:
            if "request" not in told:  # what Argo did to a workflow
                continue
            asked = told["request"]
            upload = asked.get("upload")
            found.append(
                Step(
                    story=story["story"],
                    method=asked["method"],
                    path=asked["path"],
                    query=asked.get("query") or {},
                    json=asked.get("json"),
                    raw=asked.get("raw"),
                    upload=(upload["filename"], _uploaded(upload)) if upload else None,
                    capture=told.get("capture") or {},
                )
            )
    return found


def _uploaded(upload: Mapping[str, str]) -> bytes:
    if "file" in upload:
        return (STORIES / "packages" / upload["file"]).read_bytes()
    return upload["text"].encode()
