"""So many changed requests against one server, and what must hold of the server while they come and afterwards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.hostile.server.judging import fault_in
from tests.hostile.server.mutation import mutated
from tests.hostile.server.requests import Request, Seed, populate
from tests.hostile.server.wire import Answer, Hang, ask
from tests.killing.invariants import violations
from tests.serving import Server

API = "/apis/v2beta1"
# A request alone does not tell what became of the store, and looking costs more than asking.
LOOK_EVERY = 50
MAX_BYTES = 600 << 20


class Fault(Exception):
    """The server is not as it must be."""


@dataclass(slots=True)
class Campaign:
    """Requests against a server that is new. `answered` counts the answers by their status."""

    server: Server
    answered: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    seeds: Sequence[Seed] = ()

    def prepare(self) -> None:
        """Fills the server with the objects of the stories."""
        self.seeds = populate(self.send)

    def send(self, request: Request) -> Answer | None:
        """Sends one request as it is."""
        answer = ask(self.server.port, request.encode(self.server.host), whole=request.sound)
        self.answered[str(answer.status) if answer else "none"] += 1
        self.slowest = max(self.slowest, answer.seconds if answer else 0.0)
        return answer

    def attack(self, number: int) -> None:
        """Sends the request of that number; raises `Fault` or `Hang`."""
        request = mutated(number, tuple(self.seeds))
        try:
            fault = fault_in(request, self.send(request), str(self.server.project.root))
        except Hang as hang:
            fault = str(hang)
        if fault is not None:
            raise Fault(f"the answer to\n{request.encode(self.server.host)[:1500]!r}\n{fault}")
        if number % LOOK_EVERY == 0:
            self.look()

    def look(self) -> None:
        """Whether all that the server holds can be listed and got; raises `Fault`."""
        for collection, items, identity in COLLECTIONS:
            found = list(self._pages(f"{API}/{collection}", items))
            self._are_well_listed(collection, [one[identity] for one in found])
            for one in found[-3:]:
                self._get(f"{API}/{collection}/{quote(one[identity], safe='')}")
            if collection == "pipelines":
                for one in found[-5:]:
                    self.versions(one[identity])
        code = self.server.process.poll()
        if code is not None:
            raise Fault(f"the server has ended with {code}")

    def versions(self, pipeline: str) -> list[dict[str, Any]]:
        """The versions of a pipeline."""
        return list(self._pages(f"{API}/pipelines/{quote(pipeline, safe='')}/versions", "pipeline_versions"))

    def end(self) -> None:
        """Ends the server; raises `Fault` if it told of faults that no answer showed, or has grown."""
        self.look()
        size = self.server.bytes_of_memory()
        if size > MAX_BYTES:
            raise Fault(f"the server has grown to {size >> 20} MiB")
        code = self.server.stop()
        told = self.server.told.read_text() + self._log()
        if code or "Traceback" in told or "mistake in kfgit" in told:
            raise Fault(f"the server ended with {code} and told\n{told[-6000:]}")
        self._commands()
        broken = violations(self.server.state)
        if broken:
            raise Fault(f"the store does not hold together: {broken[:5]}")

    def _pages(self, path: str, items: str) -> Iterator[dict[str, Any]]:
        total, seen, query = None, 0, "page_size=200"
        while True:
            page = self._get(path, query)
            total = page.get("total_size", 0) if total is None else total
            yield from page.get(items, ())
            seen += len(page.get(items, ()))
            if "next_page_token" not in page:
                break
            query = f"page_size=200&page_token={quote(page['next_page_token'], safe='')}"
        if seen != total:
            raise Fault(f"{path} counts {total} and lists {seen}")

    def _get(self, path: str, query: str = "") -> dict[str, Any]:
        answer = self.send(Request("GET", path, query))
        if answer is None or answer.status != 200:
            raise Fault(f"GET {path}?{query} is answered by {answer}")
        found = json.loads(answer.body)
        assert isinstance(found, dict)
        return found

    def _are_well_listed(self, collection: str, ids: list[str]) -> None:
        if len(set(ids)) != len(ids):
            raise Fault(f"{collection} are listed twice: {[one for one, n in Counter(ids).items() if n > 1]}")

    def _log(self) -> str:
        log = self.server.state / "server.log"
        return log.read_text() if log.exists() else ""

    def _commands(self) -> None:
        """The commands read the same store, and must be able to."""
        for argv in (
            ("runs", "list"),
            ("schedules", "list"),
            ("experiments", "list"),
            ("plan",),
            ("status",),
        ):
            answer = self.server.project.kfgit(*argv, code=None)
            told = answer.out + answer.err
            if answer.code not in {0, 2} or "mistake in kfgit" in told or "\x1b" in told or "\0" in told:
                raise Fault(f"kfgit {' '.join(argv)} ends with {answer.code} and tells\n{told[-3000:]!r}")


# The path, the name of the list, and that of an id.
COLLECTIONS = (
    ("experiments", "experiments", "experiment_id"),
    ("pipelines", "pipelines", "pipeline_id"),
    ("runs", "runs", "run_id"),
    ("recurringruns", "recurringRuns", "recurring_run_id"),
)
