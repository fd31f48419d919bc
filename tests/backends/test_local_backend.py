from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kfgit import canonical
from kfgit.backend import Ambiguous, Locked, MachineFault, NotFound, Refused
from kfgit.backends.local.backend import LocalBackend
from kfgit.backends.local.store import pipelines
from kfgit.events import ChangeFinished
from kfgit.ir import Package, Resource
from kfgit.plan import Adopt, Create, Delete, LiveObject, Plan, Update
from tests.backends import local_samples as samples

ONE = samples.package({"a": ([], ())})
TWO = samples.package({"a": ([], ()), "b": ([], ("a",))})


def resource(kind: str, name: str, package: Package | None = None, **spec: Any) -> Resource:
    return Resource(kind, name, spec, canonical.digest([kind, name, spec]), package)


def experiment(description: str | None = "tests") -> Resource:
    return resource("Experiment", "exp", description=description)


def pipeline(package: Package = ONE) -> Resource:
    return resource("Pipeline", "demo", package, displayName="Demo", description=None, digest=package.digest)


def schedule(**changed: Any) -> Resource:
    spec: dict[str, Any] = {
        "pipeline": "demo",
        "cron": "0 0 2 * * *",
        "every": None,
        "enabled": True,
        "inputs": {},
    }
    return resource("Schedule", "nightly", **(spec | changed))


def live(backend: LocalBackend, kind: str, name: str) -> LiveObject:
    (found,) = (each for each in backend.observe().objects if (each.kind, each.name) == (kind, name))
    return found


MAKERS: dict[str, Callable[[], Resource]] = {
    "Experiment": experiment,
    "Pipeline": pipeline,
    "Schedule": schedule,
}
CHANGED: dict[str, Callable[[], Resource]] = {
    "Experiment": lambda: experiment("other"),
    "Pipeline": lambda: pipeline(TWO),
    "Schedule": lambda: schedule(cron="0 0 3 * * *"),
}


@pytest.mark.parametrize("kind", ["Experiment", "Pipeline", "Schedule"])
def test_a_foreign_object_is_touched_only_by_adopt(tmp_path: Path, kind: str) -> None:
    theirs = samples.backend(tmp_path, project="other")
    ours = samples.backend(tmp_path)
    id_ = theirs.perform(Create(MAKERS[kind]()))
    desired = CHANGED[kind]()
    found = live(ours, kind, desired.name)
    assert (found.owned, found.applied) == (False, None)
    for change in (Create(desired), Update(desired, found, "source", ()), Delete(found)):
        with pytest.raises(Refused, match=r"this project did not make it|not made by this project"):
            ours.perform(change)
    assert live(ours, kind, desired.name) == found
    adopt = Adopt(desired, found, ())
    assert ours.perform(adopt) == ours.perform(adopt) == id_
    adopted = live(ours, kind, desired.name)
    assert (adopted.owned, adopted.applied, adopted.spec) == (True, None, found.spec)
    assert ours.perform(Update(desired, adopted, "adoption", ())) == id_
    assert live(ours, kind, desired.name).spec == desired.spec


def test_an_older_content_comes_back_as_its_old_version(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    backend.perform(Create(pipeline(ONE)))
    first = live(backend, "Pipeline", "demo")
    backend.perform(Update(pipeline(TWO), first, "source", ()))
    second = live(backend, "Pipeline", "demo")
    backend.perform(Update(pipeline(ONE), second, "source", ()))
    again = live(backend, "Pipeline", "demo")
    assert second.detail["version"] == TWO.digest[:12]
    assert again == first
    with backend.database.read() as db:
        assert len(pipelines.versions(db, first.id)) == 2


def test_a_run_makes_its_experiment_which_nobody_owns(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    backend.start(samples.request(ONE, experiment="somebodys"))
    assert not live(backend, "Experiment", "somebodys").owned


def test_a_kind_that_lives_on_clusters_only_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="no PriorityClass objects"):
        samples.backend(tmp_path).perform(Create(resource("PriorityClass", "gold")))


def test_a_run_that_cannot_run_is_refused_with_every_problem(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    package = samples.package({"a": ([], ())}, inputs={"x": "NUMBER_INTEGER", "y": "STRING"})
    with pytest.raises(Refused, match=r"`y`.*`zz`|`zz`.*`y`"):
        backend.start(samples.request(package, parameters={"x": 1, "zz": 2}))
    with pytest.raises(Refused, match="cannot run"):
        backend.start(samples.request(Package("demo", {"root": {}})))
    assert backend.runs.newest(3) == ()


def test_inputs_are_kept(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    package = samples.package({"a": ([], ())}, inputs={"x": "NUMBER_INTEGER"})
    record = backend.start(samples.request(package, parameters={"x": 1}))
    assert record.inputs == {"x": 1}
    assert record.state == "PENDING"


def test_ids_are_found_by_a_prefix_that_is_not_ambiguous(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    for id_ in ("abc1", "abc2", "abc"):
        backend.start(samples.request(ONE, id_))
    assert backend.runs.get("abc").id == "abc"
    assert backend.runs.get("abc1").id == "abc1"
    with pytest.raises(Ambiguous, match="several runs begin with `ab`: abc, abc1, abc2"):
        backend.runs.get("ab")
    with pytest.raises(NotFound, match="no run `x`") as missing:
        backend.runs.get("x")
    assert set(missing.value.known) == {"abc", "abc1", "abc2"}
    for nothing in ("", "%", "_"):
        with pytest.raises(NotFound):
            backend.runs.get(nothing)


def test_ids_of_any_shape_get_folders_of_their_own(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    ids = ["../../x", "my-long-run-1", "my-long-run-2", "a b"]
    for id_ in ids:
        backend.start(samples.request(ONE, id_))
    found = {backend.runs.folder(id_) for id_ in ids}
    assert len(found) == 4
    assert {folder.parent for folder in found} == {tmp_path / ".kfgit" / "local" / "runs"}


def test_a_forged_folder_is_not_deleted(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    record = backend.start(samples.request(ONE))
    (tmp_path / "precious").mkdir()
    with backend.database.write() as db:
        db.execute("UPDATE runs SET folder = '../../../precious'")
    with pytest.raises(MachineFault):
        backend.runs.delete(record.id)
    assert (tmp_path / "precious").exists()


def test_a_running_run_is_not_deleted(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    record = backend.start(samples.request(samples.package({"a": (["hang"], ())})))
    events: Any = backend.watch(record.id)
    next(events)
    with pytest.raises(Refused, match="is running"):
        backend.runs.delete(record.id)
    events.close()
    backend.runs.delete(record.id)
    assert backend.runs.newest(3) == ()


def test_artifacts_are_listed_and_found(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    record = backend.start(samples.request(TWO))
    list(backend.watch(record.id))
    found = backend.runs.artifacts(record.id)
    assert {each.task for each in found} <= {"a", "b"}
    assert backend.runs.artifact(found[0].artifact.id[:10]) == found[0]
    assert backend.runs.artifacts() == found
    with pytest.raises(NotFound):
        backend.runs.artifact("nothing")


def test_a_given_file_is_another_thing_once_it_is_edited(tmp_path: Path) -> None:
    package = samples.package({"a": ([], ())})
    root = {
        **package.spec["root"],
        "inputDefinitions": {
            "artifacts": {
                "data": {"artifactType": {"schemaTitle": "system.Dataset", "schemaVersion": "0.0.1"}}
            }
        },
    }
    package = replace(package, spec={**package.spec, "root": root})
    backend, file = samples.backend(tmp_path), tmp_path / "data.csv"
    file.write_text("1")
    ids = []
    for text in ("1", None, "22"):
        if text is not None:
            file.write_text(text)
        record = backend.start(samples.request(package, artifacts={"data": str(file)}))
        ids.append(record.inputs["data"].id)
    assert ids[0] == ids[1] != ids[2]
    with pytest.raises(Refused, match="does not exist"):
        backend.start(samples.request(package, artifacts={"data": str(tmp_path / "none")}))


def test_unknown_logs_say_what_there_is(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    record = backend.start(samples.request(ONE))
    list(backend.watch(record.id))
    assert backend.runs.log(record.id, "a", 0).endswith("line 39\n")
    with pytest.raises(NotFound) as missing:
        backend.runs.log(record.id, "b")
    assert missing.value.known == ("a",)
    with pytest.raises(NotFound) as attempts:
        backend.runs.log(record.id, "a", 7)
    assert attempts.value.known == ("0",)


def test_git_never_sees_the_state(tmp_path: Path) -> None:
    samples.backend(tmp_path)
    assert (tmp_path / ".kfgit" / ".gitignore").read_text() == "*\n"


def test_a_place_that_cannot_be_written_is_a_machine_fault(tmp_path: Path) -> None:
    (tmp_path / ".kfgit").write_text("a file")
    with pytest.raises(MachineFault, match="cannot be used"):
        samples.backend(tmp_path)


def test_the_lock_names_its_holder(tmp_path: Path) -> None:
    one, two = samples.backend(tmp_path), samples.backend(tmp_path)
    with one.lock("ann"), pytest.raises(Locked, match=rf"ann \(process {os.getpid()}\)"), two.lock("bob"):
        pass
    with two.lock("bob"):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.backends import local_samples as s\n"
        "with s.backend(Path(sys.argv[1])).lock('eve'): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        backend = samples.backend(tmp_path)
        with pytest.raises(Locked, match="eve"), backend.lock("ann"):
            pass
        process.kill()
    with backend.lock("ann"):
        pass


def test_applies_are_remembered_also_when_cut_off(tmp_path: Path) -> None:
    backend = samples.backend(tmp_path)
    assert backend.last_apply() is None
    first = backend.begin_apply(Plan("local", "local", (), "c0ffee"), "ann")
    backend.end_apply(first, [ChangeFinished("create", "Pipeline", name, "1", "done") for name in "abc"])
    backend.begin_apply(Plan("local", "local", ()), "bob")
    newest, older = backend.applies()
    assert (newest.who, newest.finished_at, newest.commit) == ("bob", None, None)
    assert (older.who, older.result, older.commit) == (
        "ann",
        {"done": 3, "failed": 0, "skipped": 0},
        "c0ffee",
    )
    assert older.finished_at is not None
    assert backend.last_apply() == newest
