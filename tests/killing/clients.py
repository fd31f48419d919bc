"""Clients that go on whatever happens to the server, and remember what they were told.

What was acknowledged must be there afterwards. What was asked and never answered may be there, once and whole. A run's
id is chosen by its client, who asks again until he knows: so it exists once.
"""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

_BOUNDARY = "f3c1"
# A client waits for an answer no longer than this; the server is then dead, or as good as dead.
_SECONDS = 120.0


class Unanswered(Exception):
    """Nobody knows what became of the request."""


@dataclass(slots=True)
class Client:
    """One client of the server that is at `port`; None while there is none."""

    port: int | None = None

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        """The status and the answer; raises `Unanswered`."""
        data = None if body is None else json.dumps(body).encode()
        return self._send(method, path, data, "application/json")

    def upload(self, path: str, query: Mapping[str, str], content: bytes) -> tuple[int, dict[str, Any]]:
        """Uploads a package."""
        head = 'Content-Disposition: form-data; name="uploadfile"; filename="p.json"\r\n\r\n'
        data = f"--{_BOUNDARY}\r\n{head}".encode() + content + f"\r\n--{_BOUNDARY}--\r\n".encode()
        return self._send(
            "POST", f"{path}?{urlencode(query)}", data, f"multipart/form-data; boundary={_BOUNDARY}"
        )

    def _send(self, method: str, path: str, data: bytes | None, kind: str) -> tuple[int, dict[str, Any]]:
        if self.port is None:
            raise Unanswered
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_SECONDS)
        try:
            connection.request(method, f"/apis/v2beta1/{path}", data, {"Content-Type": kind})
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException) as fault:
            if isinstance(fault, TimeoutError):
                raise
            raise Unanswered from fault
        finally:
            connection.close()


@dataclass(slots=True)
class Journal:
    """What the clients asked for by name or id, and what they know: the answer's id, or that it is gone."""

    asked: dict[str, set[str]] = field(default_factory=dict)
    known: dict[str, dict[str, str]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    terminated: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def asks(self, kind: str, name: str) -> None:
        """Before it is asked."""
        with self.guard:
            self.asked.setdefault(kind, set()).add(name)

    def knows(self, kind: str, name: str, id_: str) -> None:
        """After it was answered."""
        with self.guard:
            before = self.known.setdefault(kind, {}).setdefault(name, id_)
            if before != id_:
                self.faults.append(f"the {kind} {name} is {before}, and then {id_}")


class Busy:
    """Clients on threads of their own, each with its chances."""

    def __init__(self, seed: int, spec: dict[str, Any], count: int = 3) -> None:
        self.journal = Journal()
        self._client = Client()
        self._spec = spec
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(random.Random(f"{seed}/{n}"), n), daemon=True)
            for n in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def meet(self, port: int | None) -> None:
        """There is a server at this port, or none."""
        self._client.port = port

    def stop(self) -> None:
        """Lets them finish what they do."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_SECONDS * 2)
            assert not thread.is_alive(), "a client hangs"

    def _work(self, chance: random.Random, number: int) -> None:
        """Does one thing after the other; a fault ends it and is told."""
        try:
            count = 0
            deeds: tuple[Callable[[random.Random, str], Any], ...] = (
                self._run, self._run, self._experiment, self._pipeline, self._recurring, self._terminate, self._retry,
                self._delete, self._list,
            )  # fmt: skip
            while not self._stop.is_set():
                count += 1
                try:
                    chance.choice(deeds)(chance, f"c{number}-{count}")
                except Unanswered:
                    time.sleep(0.02)
                time.sleep(chance.uniform(0.02, 0.2))
        except Exception as fault:  # noqa: BLE001 - told by whoever reads the journal
            self.journal.faults.append(f"{type(fault).__name__}: {fault}")

    def _until_known(self, send: Callable[[], tuple[int, dict[str, Any]]]) -> tuple[int, dict[str, Any]]:
        """Asks again until there is an answer."""
        while True:
            try:
                return send()
            except Unanswered:
                if self._stop.is_set():
                    raise
                time.sleep(0.02)

    def _run(self, chance: random.Random, name: str) -> str:
        id_ = str(UUID(int=chance.getrandbits(128), version=4))
        body = {"run_id": id_, "display_name": name, "pipeline_spec": self._spec}
        self.journal.asks("run", id_)
        status, answer = self._until_known(lambda: self._client.call("POST", "runs", body))
        self._expect(status in {200, 400, 409}, "POST runs", status, answer)
        if status != 200:  # it was taken before its server died
            status, answer = self._until_known(lambda: self._client.call("GET", f"runs/{id_}"))
            self._expect(status == 200, "GET runs", status, answer)
        self.journal.knows("run", id_, answer["run_id"])
        return id_

    def _experiment(self, _: random.Random, name: str) -> None:
        self.journal.asks("experiment", name)
        status, answer = self._client.call("POST", "experiments", {"display_name": name})
        self._expect(status == 200, "POST experiments", status, answer)
        self.journal.knows("experiment", name, answer["experiment_id"])

    def _pipeline(self, chance: random.Random, name: str) -> None:
        self.journal.asks("pipeline", name)
        status, answer = self._client.upload("pipelines/upload", {"name": name}, self._content(name))
        self._expect(status == 200, "upload", status, answer)
        self.journal.knows("pipeline", name, answer["pipeline_id"])
        for number in range(chance.randint(0, 2)):
            version = f"{name}-v{number}"
            self.journal.asks("version", version)
            query = {"pipelineid": answer["pipeline_id"], "name": version}
            status, told = self._client.upload("pipelines/upload_version", query, self._content(version))
            self._expect(status == 200, "upload_version", status, told)
            self.journal.knows("version", version, told["pipeline_version_id"])

    def _terminate(self, chance: random.Random, name: str) -> None:
        id_ = self._run(chance, name)
        time.sleep(chance.choice((0.0, 0.05, 0.2)))
        status, answer = self._client.call("POST", f"runs/{id_}:terminate")
        self._expect(status in {200, 400}, "terminate", status, answer)  # 400: it has ended
        if status == 200:
            self.journal.terminated.add(id_)

    def _retry(self, chance: random.Random, name: str) -> None:
        id_ = self._run(chance, name)
        self._until_known(lambda: self._client.call("POST", f"runs/{id_}:terminate"))
        time.sleep(chance.choice((0.0, 0.3)))
        status, answer = self._client.call("POST", f"runs/{id_}:retry")
        self._expect(status in {200, 409}, "retry", status, answer)  # 409: it goes on still, or has succeeded

    def _recurring(self, chance: random.Random, name: str) -> None:
        self.journal.asks("schedule", name)
        body = {
            "display_name": name, "pipeline_spec": self._spec, "mode": "ENABLE", "max_concurrency": "2",
            "trigger": {"periodic_schedule": {"interval_second": chance.choice(("1", "2"))}},
        }  # fmt: skip
        status, answer = self._client.call("POST", "recurringruns", body)
        self._expect(status == 200, "POST recurringruns", status, answer)
        id_ = answer["recurring_run_id"]
        self.journal.knows("schedule", name, id_)
        time.sleep(chance.uniform(0.0, 2.0))
        for verb in chance.sample((":disable", ":enable"), chance.randint(0, 2)):
            ask = partial(self._client.call, "POST", f"recurringruns/{id_}{verb}")
            status, answer = self._until_known(ask)
            self._expect(status == 200, verb, status, answer)
        # Too many of them, and nothing else would happen.
        self.journal.asks("deleted", name)
        status, answer = self._until_known(lambda: self._client.call("DELETE", f"recurringruns/{id_}"))
        self._expect(status in {200, 404}, "DELETE recurringruns", status, answer)  # 404: asked twice
        self.journal.deleted.add(name)

    def _delete(self, chance: random.Random, name: str) -> None:
        id_ = self._run(chance, name)
        self._until_known(lambda: self._client.call("POST", f"runs/{id_}:terminate"))
        self.journal.asks("deleted", id_)
        status, answer = self._client.call("DELETE", f"runs/{id_}")
        if status == 200:
            self.journal.deleted.add(id_)
        else:  # it may still be executed
            self._expect(status in {400, 409}, "DELETE runs", status, answer)

    def _list(self, chance: random.Random, _: str) -> None:
        collection = chance.choice(("runs", "recurringruns", "pipelines", "experiments"))
        status, answer = self._client.call("GET", f"{collection}?page_size=5&sort_by=created_at%20desc")
        self._expect(status == 200, f"GET {collection}", status, answer)

    def _content(self, name: str) -> bytes:
        info = {**self._spec["pipelineInfo"], "description": name}
        return json.dumps({**self._spec, "pipelineInfo": info}).encode()

    def _expect(self, holds: bool, what: str, status: int, answer: Any) -> None:  # noqa: FBT001 - a claim
        if not holds:
            self.journal.faults.append(f"{what} is answered with {status}: {answer}")
