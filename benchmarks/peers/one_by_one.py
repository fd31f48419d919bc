"""The naive way to know and to make what is on KFP: `one_by_one.py PORT look|make FILE`, a request for each object.

FILE has `{"pipelines": {NAME: PACKAGE}, "schedules": {NAME: PIPELINE}}`. All requests go over one connection, one after
the other. `look` asks for every object by its id or name; `make` asks whether it is there, and makes it.
"""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

_API = "/apis/v2beta1"


class _Kfp:
    def __init__(self, port: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", int(port))
        self.requests = 0

    def ask(self, method: str, path: str, body: str | None = None, kind: str = "application/json") -> Any:
        self.requests += 1
        self._connection.request(method, f"{_API}/{path}", body, {"Content-Type": kind})
        answer = self._connection.getresponse()
        told = answer.read()
        if answer.status not in {200, 404}:
            raise SystemExit(f"{method} {path}: {answer.status} {told[:300]!r}")
        return json.loads(told) if answer.status == 200 and told else None

    def upload(self, pipeline: str, package: Any) -> Any:
        head = 'Content-Disposition: form-data; name="uploadfile"; filename="p.json"'
        body = f"--f3c1\r\n{head}\r\n\r\n{json.dumps(package)}\r\n--f3c1--\r\n"
        query = urlencode({"pipelineid": pipeline, "name": "one"})
        return self.ask(
            "POST", f"pipelines/upload_version?{query}", body, "multipart/form-data; boundary=f3c1"
        )


def main(port: str, what: str, file: str) -> int:
    """Looks at everything, or makes it, and tells how many requests that took."""
    kfp, wanted = _Kfp(port), json.loads(Path(file).read_text(encoding="utf-8"))
    (_look if what == "look" else _make)(kfp, wanted)
    print(kfp.requests)
    return 0


def _look(kfp: _Kfp, wanted: dict[str, Any]) -> None:
    for name in wanted["pipelines"]:
        if kfp.ask("GET", f"pipelines/names/{quote(name)}") is None:
            raise SystemExit(f"there is no pipeline {name}")
    for name in wanted["schedules"]:
        if not _named(kfp, name):
            raise SystemExit(f"there is no schedule {name}")


def _make(kfp: _Kfp, wanted: dict[str, Any]) -> None:
    made: dict[str, tuple[str, str]] = {}
    for name, package in wanted["pipelines"].items():
        if kfp.ask("GET", f"pipelines/names/{quote(name)}") is None:
            body = json.dumps({"name": name, "display_name": name})
            pipeline = kfp.ask("POST", "pipelines", body)["pipeline_id"]
            made[name] = pipeline, kfp.upload(pipeline, package)["pipeline_version_id"]
    for name, of in wanted["schedules"].items():
        if not _named(kfp, name):
            pipeline, version = made[of]
            reference = {"pipeline_id": pipeline, "pipeline_version_id": version}
            schedule = {
                "display_name": name, "pipeline_version_reference": reference, "max_concurrency": "1",
                "mode": "ENABLE", "trigger": {"cron_schedule": {"cron": "0 0 2 * * *"}},
            }  # fmt: skip
            kfp.ask("POST", "recurringruns", json.dumps(schedule))


def _named(kfp: _Kfp, name: str) -> Any:
    equal = {"operation": "EQUALS", "key": "display_name", "string_value": name}
    query = urlencode({"filter": json.dumps({"predicates": [equal]})})
    return (kfp.ask("GET", f"recurringruns?{query}") or {}).get("recurringRuns")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
