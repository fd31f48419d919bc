from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from kfgit import canonical
from kfgit.backend import MachineFault
from kfgit.backends.cluster.kubernetes.api import KubeApi
from kfgit.backends.cluster.records import codec, past
from kfgit.backends.cluster.records.codec import Place, Unreadable
from kfgit.backends.cluster.records.inventory import Entry, Intent, Inventory, Journal
from kfgit.backends.cluster.records.ledger import Ledger
from kfgit.events import FINAL, AppliedRun, ApplyRecord, ChangeFinished
from kfgit.plan import Plan
from tests.cluster.asking import asking
from tests.cluster.cluster import Cluster, User

PLACE = Place("churn", "prod")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLAN = Plan("prod", "there", (), commit="c0ffee", branch="main")

PIPELINE = Intent("create", "Pipeline", "train", None, "d1")
SCHEDULE = Intent("replace", "Schedule", "nightly", "old", "d2")
RUN = Intent("create", "Run", "once", None, "d3")


@pytest.fixture
def ledger(kube: KubeApi) -> Ledger:
    return Ledger(kube, PLACE, lambda: NOON)


@pytest.fixture
def others(cluster: Cluster, namespace: str, tmp_path: Path) -> Callable[[], Ledger]:
    """Another process each time."""
    return lambda: Ledger(asking(cluster.admin, namespace, tmp_path), PLACE)


@pytest.fixture
def maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def entry(name: str, id: str = "", kind: str = "Pipeline", **spec: Any) -> Entry:
    return Entry(kind, name, id or f"id-{name}", "d" * 64, spec or {"description": name}, {"versionId": "v"})


MANY = tuple(
    entry(f"p{number}", description=random.Random(number).randbytes(40).hex()) for number in range(100)
)


def done(intent: Intent, state: str = "done") -> ChangeFinished:
    return ChangeFinished(intent.action, intent.kind, intent.name, "id", state)


def test_nothing_is_there_before_the_first_apply_and_reading_writes_nothing(
    ledger: Ledger, admin: User, maps: str
) -> None:
    assert ledger.read() == Inventory()
    assert admin.get(maps)["items"] == []


def test_an_apply_is_written_ahead_and_its_end_after(
    ledger: Ledger, others: Callable[[], Ledger], admin: User, maps: str
) -> None:
    ledger.read()
    assert ledger.begin(PLAN, [PIPELINE, RUN], "anna") == 1
    seen = others().read()
    assert seen.journal == Journal(1, PLAN.digest, "c0ffee", "anna", NOON, (PIPELINE, RUN), "main")
    assert seen.entries == ()
    assert seen.version is not None
    ledger.put(entry("train"))
    ledger.fire("once", "k1", "run-1")
    assert others().read().entries == ()
    assert ledger.read().entries == (entry("train"),)
    ledger.checkpoint()
    assert others().read().entries == (entry("train"),)
    ledger.end([done(PIPELINE), done(RUN)])
    seen = others().read()
    assert (seen.entries, seen.fired, seen.journal) == ((entry("train"),), {"once k1": "run-1"}, None)
    (record,) = seen.history
    assert record == ApplyRecord(
        1, "churn", "c0ffee", PLAN.digest, "anna", NOON, NOON, {"done": 2, "failed": 0, "skipped": 0},
        "main", changes={"create": 2},
    )  # fmt: skip
    notes = admin.get(f"{maps}/{PLACE.name}")["metadata"]["annotations"]
    assert notes["kfgit.dev/commit"] == "c0ffee"
    assert notes["kfgit.dev/applied-by"] == "anna"
    assert notes["kfgit.dev/applied-at"] == "2026-11-23T12:00:00+00:00"
    assert (notes["kfgit.dev/state"], notes["kfgit.dev/objects"]) == ("done", "1")


def test_what_failed_stays_meant_until_it_is_done(ledger: Ledger, others: Callable[[], Ledger]) -> None:
    ledger.begin(PLAN, [PIPELINE, SCHEDULE, RUN], "anna")
    ledger.end([done(PIPELINE), done(SCHEDULE, "failed"), done(RUN, "skipped")])
    after = others()
    journal = after.read().journal
    assert journal is not None
    assert set(journal.intents) == {SCHEDULE, RUN}
    again = replace(SCHEDULE, digest="d9")
    assert after.begin(PLAN, [again], "bert") == 2
    journal = others().read().journal
    assert journal is not None
    assert set(journal.intents) == {again, RUN}
    after.end([done(again)])
    assert others().read().journal is None
    assert [record.id for record in others().read().history] == [2, 1]


def test_an_apply_that_was_cut_off_is_in_the_history(ledger: Ledger, others: Callable[[], Ledger]) -> None:
    ledger.begin(PLAN, [PIPELINE], "anna")
    after = others()
    assert [(each.id, each.finished_at) for each in after.past()] == [(1, None)]
    assert after.begin(PLAN, [], "bert") == 2
    after.end([])
    assert [(each.id, each.who, each.finished_at is None) for each in others().past()] == [
        (2, "bert", False),
        (1, "anna", True),
    ]


def test_history_keeps_the_newest(
    ledger: Ledger, others: Callable[[], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "HISTORY", 3)
    for _ in range(5):
        ledger.begin(PLAN, [], "anna")
        ledger.end([])
    assert [each.id for each in others().past()] == [5, 4, 3]


def test_an_object_is_known_until_it_is_forgotten(ledger: Ledger) -> None:
    ledger.begin(PLAN, [], "anna")
    ledger.put(entry("nightly", "old", "Schedule"))
    ledger.put(entry("nightly", "new", "Schedule"))
    assert [each.id for each in ledger.read().entries] == ["old", "new"]
    assert ledger.read().by_name()["Schedule", "nightly"].id == "new"
    ledger.checkpoint()
    ledger.forget("Schedule", "old")
    ledger.put(entry("nightly", "new", "Schedule", cron="1"))
    assert ledger.read().entries == (entry("nightly", "new", "Schedule", cron="1"),)


def test_whoever_lost_the_lock_writes_nothing_any_more(
    ledger: Ledger, others: Callable[[], Ledger], admin: User, maps: str
) -> None:
    ledger.read()
    ledger.begin(PLAN, [PIPELINE], "anna")
    other = others()
    other.read()
    other.begin(PLAN, [], "bert")
    before = admin.get(f"{maps}/{PLACE.name}")
    ledger.put(entry("train"))
    for write in (ledger.checkpoint, lambda: ledger.end([done(PIPELINE)])):
        with pytest.raises(
            MachineFault, match=r"was changed by bert at .* since it was read: nothing more is"
        ):
            write()
    assert admin.get(f"{maps}/{PLACE.name}") == before


def test_of_two_first_applies_one_writes(ledger: Ledger, others: Callable[[], Ledger]) -> None:
    other = others()
    ledger.read()
    other.read()
    other.begin(PLAN, [PIPELINE], "bert")
    with pytest.raises(MachineFault, match="was changed by bert"):
        ledger.begin(PLAN, [PIPELINE], "anna")


def test_one_that_was_removed_meanwhile_is_not_made_again(ledger: Ledger, admin: User, maps: str) -> None:
    ledger.read()
    ledger.begin(PLAN, [PIPELINE], "anna")
    admin.delete(f"{maps}/{PLACE.name}")
    with pytest.raises(MachineFault, match="was removed since it was read"):
        ledger.checkpoint()
    assert not admin.exists(f"{maps}/{PLACE.name}")


# --- more than one object has room for


def test_a_large_inventory_is_cut_into_shards_of_which_a_change_writes_one(
    kube: KubeApi, others: Callable[[], Ledger], admin: User, maps: str
) -> None:
    room = 2000
    ledger = Ledger(kube, PLACE, lambda: NOON, room)
    ledger.begin(PLAN, [PIPELINE], "anna")
    for each in MANY:
        ledger.put(each)
    ledger.checkpoint()
    first = names(admin, maps)
    assert len(first) == 5
    seen = others().read()
    assert sorted(each.name for each in seen.entries) == sorted(each.name for each in MANY)
    assert seen.journal is not None
    assert seen.journal.intents == (PIPELINE,)
    before = kube.wire.requests
    ledger.put(entry("p7", description="changed"))
    ledger.checkpoint()
    # A shard, the head, and the old shard looked at and removed.
    assert kube.wire.requests - before == 4
    second = names(admin, maps)
    assert (len(first - second), len(second - first)) == (1, 1)
    assert others().read().by_name()["Pipeline", "p7"].spec == {"description": "changed"}
    for each in ledger.read().entries:
        ledger.forget(each.kind, each.id)
    ledger.end([])
    assert names(admin, maps) == {PLACE.name}
    assert others().read().entries == ()


def test_a_shard_that_is_there_already_is_used_where_it_is_what_its_name_says(
    kube: KubeApi, others: Callable[[], Ledger], admin: User, maps: str
) -> None:
    inventory = Inventory(MANY)
    # As after an apply that was killed before it wrote the head; another zlib squeezes otherwise.
    for name, content in codec.encoded(PLACE, inventory, 2000).shards.items():
        squeezed = gzip.compress(gzip.decompress(content), 1)
        assert squeezed != content
        kube.create(codec.config_map(name, squeezed, {}, {}))
    ledger = Ledger(kube, PLACE, lambda: NOON, 2000)
    for each in MANY:
        ledger.put(each)
    ledger.checkpoint()
    assert {each.name: each for each in others().read().entries} == {each.name: each for each in MANY}
    other = Ledger(kube, Place("churn", "dev"), lambda: NOON, 2000)
    broken = min(codec.encoded(other.place, inventory, 2000).shards)
    kube.create(codec.config_map(broken, b"broken", {}, {}))
    for each in MANY:
        other.put(each)
    with pytest.raises(MachineFault, match=broken):
        other.checkpoint()
    assert not admin.exists(f"{maps}/{other.place.name}")


def test_a_missing_or_exchanged_shard_is_told(
    kube: KubeApi, others: Callable[[], Ledger], admin: User, maps: str
) -> None:
    ledger = Ledger(kube, PLACE, lambda: NOON, 2000)
    for each in MANY:
        ledger.put(each)
    ledger.checkpoint()
    one, two = sorted(names(admin, maps) - {PLACE.name})[:2]
    admin.patch(f"{maps}/{one}", {"binaryData": admin.get(f"{maps}/{two}")["binaryData"]})
    with pytest.raises(MachineFault, match=f"`{one}` has other content than it was written with"):
        others().read()
    admin.delete(f"{maps}/{one}")
    with pytest.raises(MachineFault, match="parts of it are missing"):
        others().read()


def names(admin: User, maps: str) -> set[str]:
    return {each["metadata"]["name"] for each in admin.get(maps)["items"]}


# --- what is not as it was written


HEAD = {"format": 1, "project": "churn", "environment": "prod", "journal": None, "history": []}


def zipped(value: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(value).encode())).decode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"data": {"key": "value"}}, "has no `binaryData`"),
        ({"binaryData": {"other": "AAAA"}}, "has no `binaryData`"),
        ({"binaryData": {codec.KEY: base64.b64encode(b"text").decode()}}, "not compressed"),
        ({"binaryData": {codec.KEY: ""}}, "cut off"),
        ({"binaryData": {codec.KEY: zipped(HEAD)[:40]}}, "cut off"),
        ({"binaryData": {codec.KEY: zipped([])}}, "no JSON object"),
        ({"binaryData": {codec.KEY: zipped({})}}, "in which format"),
        ({"binaryData": {codec.KEY: zipped({**HEAD, "format": 3})}}, r"a newer kfgit wrote it \(format 3"),
        (
            {"binaryData": {codec.KEY: zipped({**HEAD, "project": "churn-prod", "environment": "x"})}},
            "that of project `churn-prod`, environment `x`.* rename one of the two environments$",
        ),
        (
            {"binaryData": {codec.KEY: zipped({"format": 1, "project": "churn", "environment": "prod"})}},
            "lacks",
        ),
        ({"binaryData": {codec.KEY: zipped({**HEAD, "entries": [{"kind": "Pipeline"}]})}}, "lacks"),
        ({"binaryData": {codec.KEY: zipped({**HEAD, "entries": 7})}}, "lacks"),
        ({"binaryData": {codec.KEY: zipped({**HEAD, "fired": [1]})}}, "lacks"),
        ({"binaryData": {codec.KEY: zipped({**HEAD, "history": [{"started_at": 5}]})}}, "lacks"),
        ({"binaryData": {codec.KEY: zipped({**HEAD, "shards": ["gone"]})}}, "parts of it are missing"),
        ({"binaryData": {codec.KEY: zipped({**HEAD, "shards": "gone"})}}, "where the rest of it is"),
    ],
)
def test_what_is_no_inventory_of_ours_is_told_with_the_way_out(
    ledger: Ledger, admin: User, maps: str, data: Mapping[str, Any], why: str
) -> None:
    admin.create(maps, {"metadata": {"name": PLACE.name}, **data})
    with pytest.raises(MachineFault, match=why) as told:
        ledger.read()
    assert f"ConfigMap `{PLACE.name}` in namespace" in str(told.value)
    of_another = "that of project" in why
    assert ("remove it: kfgit then finds by their marks" in str(told.value)) is not of_another


def test_what_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_TEXT", 1000)
    with pytest.raises(Unreadable, match="too large"):
        codec.shards(PLACE, gzip.compress(b" " * 100_000))


def test_what_no_number_of_shards_has_room_for_is_refused() -> None:
    text = random.Random(1).randbytes(3000).hex()
    with pytest.raises(Unreadable, match="too large for any number"):
        codec.encoded(PLACE, Inventory((entry("p", description=text),)), 1000)


# --- laws of the bytes

texts = st.text(max_size=20)
times = st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001


def test_an_apply_of_nothing_is_one_write(
    ledger: Ledger, others: Callable[[], Ledger], admin: User, maps: str
) -> None:
    ledger.read()
    ledger.begin(PLAN, [], "anna")
    assert not admin.exists(f"{maps}/{PLACE.name}")
    ledger.end([])
    seen = others().read()
    assert (seen.journal, [each.id for each in seen.history]) == (None, [1])
    # Whoever wrote in between is not overwritten.
    late, quick = others(), others()
    late.read()
    quick.read()
    quick.begin(PLAN, [PIPELINE], "bert")
    late.begin(PLAN, [], "carl")
    with pytest.raises(MachineFault, match="was changed by bert"):
        late.end([])


def test_what_is_known_already_is_not_written_again(ledger: Ledger, others: Callable[[], Ledger]) -> None:
    ledger.begin(PLAN, [RUN], "anna")
    ledger.end([done(RUN)], [AppliedRun("once", "train", "d3", "run-1")])
    after = others()
    after.note({"run-1": "SUCCEEDED"})
    seen = others().read()
    assert [each.state for each in seen.history[0].runs] == ["SUCCEEDED"]
    others().note({"run-1": "SUCCEEDED", "other": "FAILED"})
    assert others().read().version == seen.version


def applied(number: int, runs: int) -> ApplyRecord:
    told = tuple(AppliedRun(f"r{n}", "train", "d", f"{number}-{n}") for n in range(runs))
    return ApplyRecord(number, "churn", None, "d", "anna", NOON, NOON, {}, runs=told)


@given(st.lists(st.integers(0, 900), max_size=past.HISTORY + 5))
def test_of_old_applies_all_runs_are_kept_or_only_their_number(runs: list[int]) -> None:
    history = [applied(number, count) for number, count in enumerate(runs)]
    kept = past.shortened(history)
    assert len(kept) == min(len(runs), past.HISTORY)
    assert sum(len(each.runs) for each in kept) <= past.MAX_RUNS
    assert [len(each.runs) + each.unlisted for each in kept] == runs[: past.HISTORY]
    assert all(not each.runs or not each.unlisted for each in kept)
    assert past.shortened(kept) == kept


def test_what_an_earlier_kfgit_wrote_is_read() -> None:
    told = {
        "id": 3, "project": "churn", "commit": "c0ffee", "digest": "d", "who": "anna",
        "started_at": NOON.isoformat(), "finished_at": None, "result": {},
    }  # fmt: skip
    journal = {
        "number": 4, "digest": "e", "commit": None, "who": "bert", "started_at": NOON.isoformat(),
    }  # fmt: skip
    head = {**HEAD, "history": [told], "journal": journal}
    found = codec.decoded(PLACE, gzip.compress(json.dumps(head).encode()), {}, "7")
    assert found.history == (ApplyRecord(3, "churn", "c0ffee", "d", "anna", NOON, None, {}),)
    assert found.journal == Journal(4, "e", None, "bert", NOON)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
specs = st.dictionaries(texts, values, max_size=4)
entries = st.builds(Entry, texts, texts, texts, texts, specs, specs)
intents = st.builds(Intent, texts, texts, texts, st.none() | texts, st.none() | texts)
verbs = st.sampled_from(["apply", "adopt", "destroy"])
ended = st.builds(AppliedRun, texts, texts, texts, texts, st.none() | st.sampled_from(sorted(FINAL)))
journals = st.builds(
    Journal,
    st.integers(1, 999),
    texts,
    st.none() | texts,
    texts,
    times,
    st.lists(intents, max_size=4).map(tuple),
    st.none() | texts,
    verbs,
)
applies = st.builds(
    ApplyRecord, st.integers(1, 999), texts, st.none() | texts, texts, texts, times, st.none() | times,
    st.dictionaries(texts, st.integers(), max_size=3), st.none() | texts, st.lists(ended, max_size=3).map(tuple),
    st.booleans(), verbs, st.dictionaries(texts, st.integers(), max_size=3), st.integers(0, 9),
)  # fmt: skip
inventories = st.builds(
    Inventory,
    st.lists(entries, max_size=8, unique_by=lambda each: (each.kind, each.name, each.id)).map(tuple),
    st.dictionaries(texts, texts, max_size=4),
    st.none() | journals,
    st.lists(applies, max_size=3).map(tuple),
    kfp=st.none() | texts,
)


@given(inventories, st.sampled_from([300, 1000, codec.ROOM]))
def test_an_inventory_comes_back_whatever_its_shards(inventory: Inventory, room: int) -> None:
    try:
        written = codec.encoded(PLACE, inventory, room)
    except Unreadable:
        assert room < codec.ROOM
        return
    assert all(len(each) <= room for each in written.shards.values())
    assert set(codec.shards(PLACE, written.head)) == set(written.shards)
    found = codec.decoded(PLACE, written.head, written.shards, "7")
    assert found.version == "7"
    assert normal(found) == normal(inventory)
    # The same again, from another order and another day.
    assert codec.encoded(PLACE, replace(found, version=None), room) == written


def normal(inventory: Inventory) -> Any:
    journal = inventory.journal
    return (
        sorted(canonical.dumps(asdict(each)) for each in inventory.entries),
        dict(inventory.fired),
        journal and replace(journal, intents=()),
        sorted(canonical.dumps(asdict(each)) for each in journal.intents) if journal else None,
        inventory.history,
        inventory.kfp,
    )


def test_gunzip_reads_it() -> None:
    head = json.loads(gzip.decompress(codec.encoded(PLACE, Inventory(MANY[:1])).head))
    assert head["entries"][0]["name"] == "p0"


def test_an_ordinary_inventory_is_one_small_object() -> None:
    many = tuple(
        entry(f"pipeline-{number}", random.Random(number).randbytes(16).hex()) for number in range(4000)
    )
    journal = Journal(1, "d", None, "anna", NOON, tuple(replace(PIPELINE, name=e.name) for e in many))
    written = codec.encoded(PLACE, Inventory(many, {}, journal))
    assert written.shards == {}
