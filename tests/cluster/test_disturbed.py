"""Applies that meet others: another apply, people who edit, servers that fail half-way, and an end that comes early."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.cluster import faults
from tests.cluster.cases import Prepared, Theatre
from tests.cluster.cluster import Cluster
from tests.cluster.forks import Forks
from tests.cluster.proxy import Proxy, Record, Treatment
from tests.cluster.requests import Answer, Request
from tests.cluster.scenarios import SCENARIOS
from tests.cluster.stand import stand

# Longer than a lock holds that nobody renews.
_LEASE = 100


@pytest.fixture(scope="module")
def theatre(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with stand(cluster, tmp_path_factory.mktemp("stand")) as own, own.forks() as forks:
        yield Theatre(own, forks)


@pytest.fixture(scope="module")
def other(theatre: Theatre) -> Iterator[Forks]:
    """Another machine's kfgit, or another terminal's."""
    with theatre.stand.forks() as forks:
        yield forks


@pytest.fixture(scope="module")
def creating(theatre: Theatre) -> Prepared:
    return theatre.prepare("create", SCENARIOS["create"])


@pytest.fixture(scope="module")
def pruning(theatre: Theatre) -> Prepared:
    return theatre.prepare("prune", SCENARIOS["prune"])


class Hold:
    """Keeps a request back until somebody lets it go."""

    def __init__(self) -> None:
        self._here, self._go = threading.Event(), threading.Event()

    async def __call__(self, proxy: Proxy, request: Request) -> Answer:
        self._here.set()
        await asyncio.to_thread(self._go.wait, 2 * _LEASE)
        return await proxy.forward(request)

    def wait(self) -> None:
        assert self._here.wait(_LEASE), "the request never came"

    def go(self) -> None:
        self._go.set()


def writes(records: list[Record]) -> list[str]:
    """What changed something, the lock aside."""
    return [
        record.request.name
        for record in records
        if not record.request.reads and record.forwarded and "/leases/" not in record.request.path + "/"
    ]


def start(theatre: Theatre, prepared: Prepared, name: str, treatment: Treatment) -> int:
    theatre.stand.put(prepared.state)
    proxy = theatre.stand.proxy
    proxy.begin(faults.once(name, treatment))
    pid = theatre.forks.start(prepared.folder, prepared.command)
    proxy.meet(pid)
    return pid


def test_of_two_applies_one_wins_and_the_other_hears_who(
    theatre: Theatre, other: Forks, creating: Prepared
) -> None:
    hold = Hold()
    pid = start(theatre, creating, "kfp POST /apis/v2beta1/experiments (1)", hold)
    hold.wait()
    (told,) = other.run(creating.folder, creating.command)
    assert (told.code, f"process {pid}" in told.err, "Traceback" in told.err) == (4, True, False)
    hold.go()
    assert [each.code for each in theatre.forks.end()] == [0]
    assert [each.code for each in other.run(creating.folder, creating.command)] == [0]


def test_who_takes_a_field_meanwhile_is_named_with_the_field(theatre: Theatre, creating: Prepared) -> None:
    place = "/apis/scheduling.k8s.io/v1/priorityclasses"
    own = theatre.stand

    async def quicker(proxy: Proxy, request: Request) -> Answer:
        own.kube.create(place, {"metadata": {"name": f"gold-{own.name}"}, "value": 7})
        return await proxy.forward(request)

    name = next(
        record.request.name
        for record in creating.records
        if record.request.method == "PATCH" and place in record.request.path and not record.request.reads
    )
    start(theatre, creating, name, quicker)
    (told,) = theatre.forks.end()
    theatre.stand.proxy.settle()
    assert told.code == 6
    said = told.out + told.err
    assert "somebody" in said, said
    assert "value" in said, said
    found = own.kube.get(f"{place}/gold-{own.name}")
    assert (found["value"], {field["manager"] for field in found["metadata"]["managedFields"]}) == (
        7,
        {"somebody"},
    )


@pytest.mark.parametrize(
    ("collection", "status"), [("experiments", 400), ("pipelines", 400), ("recurringruns", 500)]
)
def test_a_list_that_fails_half_way_deletes_and_writes_nothing(
    theatre: Theatre, pruning: Prepared, collection: str, status: int
) -> None:
    async def short(proxy: Proxy, request: Request) -> Answer:
        return await proxy.forward(
            dataclasses.replace(request, target=request.target.replace("page_size=200", "page_size=1"))
        )

    async def fails(_proxy: Proxy, request: Request) -> Answer:
        return Answer.of(request.owner, status, "the list ends here")

    def decide(request: Request) -> Treatment | None:
        if request.method != "GET" or not request.path.endswith(f"/{collection}"):
            return None
        return fails if request.next_page else short

    theatre.stand.put(pruning.state)
    theatre.stand.proxy.begin(decide)
    (told,) = theatre.forks.run(pruning.folder, pruning.command)
    records = theatre.stand.proxy.settle()
    assert told.code == 8, told.err
    assert any(record.status == status for record in records)
    assert writes(records) == []


def test_credentials_that_stay_refused_end_it_with_a_word(theatre: Theatre, creating: Prepared) -> None:
    async def locked_out(proxy: Proxy, request: Request) -> Answer:
        proxy.tokens = {"kfp": {"another"}, "kube": proxy.tokens["kube"]}
        return proxy.refusal(request) or await proxy.forward(request)

    start(theatre, creating, "kfp POST /apis/v2beta1/experiments (1)", locked_out)
    (told,) = theatre.forks.end()
    theatre.stand.proxy.settle()
    theatre.stand.renew()
    assert (told.code in {6, 8}, "401" in told.out + told.err) == (True, True), told
    assert [each.code for each in theatre.forks.run(creating.folder, creating.command)] == [0]


def test_a_signal_lets_what_was_begun_be_finished_and_begins_nothing_else(
    theatre: Theatre, creating: Prepared
) -> None:
    start(theatre, creating, "kfp POST /apis/v2beta1/experiments (1)", faults.asked_to_end)
    (told,) = theatre.forks.end()
    done = writes(theatre.stand.proxy.settle())
    assert told.code == 130
    assert "kfp POST /apis/v2beta1/experiments (1)" in done
    assert not any(
        "/recurringruns" in name or name.startswith("kfp POST /apis/v2beta1/runs") for name in done
    )
    assert [each.code for each in theatre.forks.run(creating.folder, creating.command)] == [0]


def test_a_holder_that_sleeps_beyond_its_lock_writes_nothing_more(
    theatre: Theatre, other: Forks, creating: Prepared
) -> None:
    """A stopped process, as a machine that was suspended: it cannot know how long it slept before it looks."""
    hold = Hold()
    theatre.stand.put(creating.state)
    proxy = theatre.stand.proxy
    name = next(
        record.request.name
        for record in creating.records
        if record.request.owner == "kfp" and "/runs/" in record.request.path and record.request.reads
    )
    proxy.begin(faults.once(name, hold))
    pid = theatre.forks.start(creating.folder, creating.command)
    hold.wait()
    os.kill(pid, signal.SIGSTOP)
    try:
        deadline = time.monotonic() + _LEASE
        while (told := other.run(creating.folder, creating.command)[0]).code == 4:
            assert time.monotonic() < deadline, told.err
            time.sleep(1)
        assert told.code == 0, told.err
        hold.go()
        before = len(proxy.settle())
    finally:
        os.kill(pid, signal.SIGCONT)
    (told,) = theatre.forks.end()
    after = writes(proxy.settle()[before:])
    assert (told.code in {6, 8}, after) == (True, []), told.err
    assert "lock was lost" in told.out + told.err
    assert [each.code for each in other.run(creating.folder, ("plan", "-e", "prod", "--exit-code"))] == [0]
