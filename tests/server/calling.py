"""The API without HTTP: a call is routed and answered in this process, with a clock that the test moves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kfgit.backend import NotFound
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.store import pipelines
from kfgit.backends.local.store.pipelines import Version
from kfgit.ir import Package
from kfgit.server import app
from kfgit.server.calls import Call, Context, Raw, Upload
from kfgit.server.errors import ApiError, missing
from kfgit.server.routing import Match, Table
from tests.backends import local_samples as samples

_TABLE = Table(app.routes())
_API = "/apis/v2beta1"


@dataclass(slots=True)
class Api:
    """A store and the calls on it. `nudges` counts how often executor and scheduler would have been woken."""

    backend: LocalBackend
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)
    nudges: list[None] = field(default_factory=list)

    def __call__(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The answer of a call; raises `ApiError`. Paths begin after the version unless they name one."""
        found = _TABLE.find(method, path if path.startswith("/apis") else _API + path)
        assert isinstance(found, Match), found
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        context = Context(self.backend, lambda: self.now, lambda: self.nudges.append(None))
        try:
            answer = found.route.handler(context, Call(found.path, query, content))
        except NotFound as fault:
            raise missing(fault.what, fault.name) from fault
        return answer.content if isinstance(answer, Raw) else json.loads(json.dumps(answer))

    def send(self, path: str, filename: str, content: bytes | str, **query: str) -> Any:
        """The answer to the upload of a file."""
        found = _TABLE.find("POST", _API + path)
        assert isinstance(found, Match), found
        assert found.route.upload
        file = Upload(filename, content.encode() if isinstance(content, str) else content)
        context = Context(self.backend, lambda: self.now, lambda: self.nudges.append(None))
        return json.loads(json.dumps(found.route.handler(context, Call(found.path, query, upload=file))))

    def refused(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, int, str]:
        """Status, code and text of a call that fails."""
        try:
            answer = self(method, path, body, **query)
        except ApiError as error:
            return error.status, int(error.code), str(error)
        raise AssertionError(f"it was answered: {answer}")

    def later(self, **span: float) -> None:
        """Time goes by."""
        self.now += timedelta(**span)

    def upload(self, package: Package, name: str = "") -> Version:
        """A version of the pipeline of that name."""
        with self.backend.database.write() as db:
            return pipelines.upload(
                db, pipelines.ensure(db, name or package.name, self.now), package, self.now
            )


def api(root: Path, **changed: Any) -> Api:
    """The API over a new store below `root`."""
    return Api(samples.backend(root, **changed))


def reference(version: Version) -> Mapping[str, Any]:
    """What names a version in a message."""
    return {"pipeline_id": version.pipeline_id, "pipeline_version_id": version.id}
