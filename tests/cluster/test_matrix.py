"""A sample of the fault matrix, the same each time; `make test-faults` plays all of it."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.cluster.cases import Theatre
from tests.cluster.cluster import Cluster
from tests.cluster.matrix import stormy
from tests.cluster.scenarios import SCENARIOS
from tests.cluster.stand import stand

_SEED = 1
_CASES = 6


@pytest.fixture(scope="module")
def theatre(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Theatre]:
    with stand(cluster, tmp_path_factory.mktemp("stand")) as own, own.forks() as forks:
        yield Theatre(own, forks)


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_goes_wrong_with_one_request_changes_nothing_in_the_end(theatre: Theatre, name: str) -> None:
    prepared = theatre.prepare(name, SCENARIOS[name])
    cases = list(prepared.cases())
    played = [theatre.play(prepared, case) for case in random.Random(f"{_SEED} {name}").sample(cases, _CASES)]
    assert [(str(each.case), each.wrong) for each in played if each.wrong] == []
    assert any(each.hit for each in played)


def test_storms_pass(theatre: Theatre) -> None:
    ready = [theatre.prepare(name, SCENARIOS[name]) for name in ("create", "trigger")]
    played = [stormy(theatre, ready, f"{_SEED}/{number}") for number in range(4)]
    assert [(str(each.case), each.wrong) for each in played if each.wrong] == []
