"""Cache, retries, timeouts, and what a task may do wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.door import Project, alive, until

COUNT = """
inputs: {{text: {{type: string, default: a}}, data: {{type: Dataset, optional: true}}}}
outputs: {{made: {{type: Dataset}}, text: {{type: string}}}}
container:
  image: alpine
  script: |
    echo ran >> {notes}
    printf %s "$(inputs.text)" > $(outputs.made.path)
    printf %s "$(inputs.text)" > $(outputs.text.path)
"""


@pytest.fixture
def notes(project: Project) -> Path:
    """A file that gets a line for each time the component `count` really ran."""
    file = project.root / ".kfgit" / "notes"
    file.parent.mkdir()
    file.touch()
    project.component("count", COUNT.format(notes=file))
    return file


def times(notes: Path) -> int:
    return len(notes.read_text().splitlines())


CACHED = """
inputs: {text: {type: string, default: a}}
tasks:
  first: {component: count, inputs: {text: $(inputs.text)}}
  second: {component: count, inputs: {data: $(tasks.first.outputs.made), text: $(tasks.first.outputs.text)}}
"""


def test_what_was_done_is_not_done_again(project: Project, notes: Path) -> None:
    project.pipeline("cached", CACHED)
    first = project.run("cached")
    again = project.run("cached")
    assert [task["cached"] for task in (*first.tasks.values(), *again.tasks.values())] == [
        False,
        False,
        True,
        True,
    ]
    assert again.out("second", "made") == first.out("second", "made")
    assert (again.tasks["first"]["attempts"], again.states["first"], times(notes)) == (0, "SUCCEEDED", 2)
    other = project.run("cached", "-p", "text=b")
    assert [task["cached"] for task in other.tasks.values()] == [False, False]
    fresh = project.run("cached", "--no-cache")
    assert [task["cached"] for task in fresh.tasks.values()] == [False, False]
    assert times(notes) == 6
    # The fresh artifact is another thing than the first one, and what was learned last counts.
    assert all(task["cached"] for task in project.run("cached").tasks.values())


def test_the_cache_forgets_what_is_gone(project: Project, notes: Path) -> None:
    project.pipeline("cached", CACHED)
    first = project.run("cached")
    project.artifact(first.out("first", "made")).unlink()
    again = project.run("cached")
    # A new artifact is a new input, so what read it runs too.
    assert [task["cached"] for task in again.tasks.values()] == [False, False]
    project.kfgit("runs", "delete", first.id)
    third = project.run("cached")
    assert all(task["cached"] for task in third.tasks.values())
    # What the third run was given stays with it.
    project.kfgit("runs", "delete", again.id)
    fourth = project.run("cached")
    assert all(task["cached"] for task in fourth.tasks.values())
    project.kfgit("runs", "delete", third.id, fourth.id)
    assert [task["cached"] for task in project.run("cached").tasks.values()] == [False, False]
    assert times(notes) == 6


def test_cache_keys_and_switches(project: Project, notes: Path) -> None:
    project.pipeline(
        "keys",
        """
        inputs: {text: {type: string, default: a}}
        tasks:
          keyed: {component: count, inputs: {text: $(inputs.text)}, cache: {key: mine}}
          never: {component: count, cache: false}
          usual: {component: count, inputs: {text: u}}
        """,
    )
    project.run("keys")
    second = project.run("keys", "-p", "text=b")
    assert {path: task["cached"] for path, task in second.tasks.items()} == {
        "keyed": True,
        "never": False,
        "usual": True,
    }
    assert second.out("keyed", "text") == "a"
    assert times(notes) == 4


def test_a_failure_is_never_remembered(project: Project, tmp_path: Path) -> None:
    project.component("flag", f"container: {{image: alpine, script: 'test -e {tmp_path}/flag'}}")
    project.pipeline("flags", "tasks: {flag: {component: flag}}")
    assert project.run("flags", code=7).tasks["flag"]["error"] == "it ended with exit code 1"
    (tmp_path / "flag").touch()
    assert not project.run("flags").tasks["flag"]["cached"]


def test_it_succeeds_at_the_third_attempt(project: Project) -> None:
    project.component(
        "flaky",
        """
        outputs: {data: {type: Dataset}}
        container:
          image: alpine
          script: |
            echo "attempt $KFP_RETRY_INDEX"
            ls -A . | wc -l
            test -e $(outputs.data.path) && exit 9
            echo $KFP_RETRY_INDEX > $(outputs.data.path)
            test "$KFP_RETRY_INDEX" = 2
        """,
    )
    project.pipeline(
        "retrying",
        """
        tasks:
          flaky: {component: flaky, retry: {max: 3, backoff: 1s, factor: 1}}
          hopeless:
            component: {container: {image: alpine, script: exit 4}}
            retry: {max: 1}
            ignoreUpstreamFailure: true
            after: [flaky]
        """,
    )
    run = project.run("retrying", code=7)
    flaky = run.tasks["flaky"]
    assert (flaky["state"], flaky["attempts"], flaky["error"]) == ("SUCCEEDED", 3, None)
    assert project.artifact(run.out("flaky", "data")).read_text() == "2\n"
    start, end = run.span("flaky")
    assert (end - start).total_seconds() >= 2
    assert project.log(run, "flaky") == "attempt 2\n0\n"
    assert project.kfgit("runs", "logs", run.id, "flaky", "--attempt", "0").out == "attempt 0\n0\n"
    assert (run.states["hopeless"], run.tasks["hopeless"]["attempts"]) == ("FAILED", 2)
    folder = next((project.root / ".kfgit" / "local" / "runs").glob("*-retrying-*"))
    assert sorted(each.name for each in (folder / "flaky").glob("attempt-*")) == [
        "attempt-0",
        "attempt-1",
        "attempt-2",
    ]


def test_a_timeout_kills_everything_that_was_started(project: Project, tmp_path: Path) -> None:
    project.component(
        "slow",
        f"""
        container:
          image: alpine
          script: |
            echo begun
            (trap '' TERM; sleep 1000 & echo $! >> {tmp_path}/pids; wait) &
            setsid sleep 1000 &
            echo $! >> {tmp_path}/pids
            echo $$ >> {tmp_path}/pids
            sleep 1000
        """,
    )
    project.pipeline("slow", "tasks: {slow: {component: slow, timeout: 3s, retry: {max: 1}}}")
    run = project.run("slow", code=7)
    assert (run.tasks["slow"]["attempts"], run.states["slow"]) == (2, "FAILED")
    assert "timeout of 3 seconds" in run.tasks["slow"]["error"]
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 6
    until(lambda: not any(alive(pid) for pid in pids), "every process to be gone")


def test_what_a_finished_task_left_running_is_ended(project: Project, tmp_path: Path) -> None:
    project.component(
        "leaves",
        f"container: {{image: alpine, script: 'setsid sleep 1000 & sleep 1000 & echo $! > {tmp_path}/pid'}}",
    )
    project.pipeline("leaving", "tasks: {leaves: {component: leaves}}")
    run = project.run("leaving")
    assert run.state == "SUCCEEDED"
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not alive(pid), "the sleeper to be gone")


@pytest.mark.parametrize(
    ("type_", "script", "told"),
    [
        ("int", "true", "did not write its output parameter `x`"),
        ("int", "printf 1.5 > $(outputs.x.path)", "should be a whole number, but is '1.5'"),
        ("float", "printf nan > $(outputs.x.path)", "should be a finite number"),
        ("bool", "printf yes > $(outputs.x.path)", "`true` or `false`"),
        ("list", "printf '{}' > $(outputs.x.path)", "a JSON list"),
        ("dict", "printf '[' > $(outputs.x.path)", "a JSON object"),
        ("string", r"printf '\377' > $(outputs.x.path)", "UTF-8"),
        ("string", "head -c 2000000 /dev/zero > $(outputs.x.path)", "larger than 1 MiB"),
        ("string", "mkdir $(outputs.x.path)", "did not write"),
    ],
)
def test_a_wrong_output_fails_the_task(project: Project, type_: str, script: str, told: str) -> None:
    project.component(
        "wrong", f"outputs: {{x: {{type: {type_}}}}}\ncontainer:\n  image: alpine\n  script: |\n    {script}"
    )
    project.pipeline("wrong", "tasks: {wrong: {component: wrong}}")
    run = project.run("wrong", code=7)
    assert told in run.tasks["wrong"]["error"]
    assert (run.states["wrong"], run.tasks["wrong"]["outputs"]) == ("FAILED", {})


def test_the_end_of_the_log_and_the_exit_code_are_told(project: Project) -> None:
    project.component(
        "broken",
        """
        python:
          function: broken
          source: |
            def broken(n: int) -> int:
                print("some", "output")
                raise ValueError(f"n is {n}, which is no good")
        """,
    )
    project.component(
        "loud",
        """
        container:
          image: alpine
          script: |
            i=0
            while [ $i -lt 40 ]; do i=$((i+1)); echo "line $i"; done
            echo "the last words" >&2
            kill -SEGV $$
        """,
    )
    project.pipeline(
        "failing", "tasks: {broken: {component: broken, inputs: {n: 3}}, loud: {component: loud}}"
    )
    run = project.run("failing", code=7)
    assert run.tasks["broken"]["error"] == "it ended with exit code 1"
    assert run.tasks["loud"]["error"] == "it was killed by SIGSEGV (exit code 139)"
    for expected in ("n is 3, which is no good", "the last words", "line 40", "log.txt"):
        assert expected in run.err
    assert "line 1\n" not in run.err
    assert "line 1\n" in project.log(run, "loud")
    assert "ValueError: n is 3, which is no good" in project.log(run, "broken")


def test_megabytes_of_output_and_binary_noise(project: Project) -> None:
    project.secret("creds", "token=s3cr3t-value\n")
    project.component(
        "loud",
        """
        outputs: {done: {type: bool}}
        container:
          image: alpine
          script: |
            i=0; while [ $i -lt 40000 ]; do i=$((i+1)); echo "s3cr3t-value and a long line that fills the log $i"; done
            head -c 5000000 /dev/zero
            printf '\\377\\376\\033[31m'
            printf true > $(outputs.done.path)
        """,
    )
    project.pipeline(
        "loud",
        "tasks: {masked: {component: loud, env: {T: {secret: creds, key: token}}}, plain: {component: loud}}",
    )
    run = project.run("loud")
    assert run.out("masked", "done") is True
    folder = next((project.root / ".kfgit" / "local" / "runs").glob("*-loud-*"))
    masked = (folder / "masked" / "attempt-0" / "log.txt").read_bytes()
    assert masked.count(b"***") == 40000
    assert b"s3cr3t" not in masked
    assert len(masked) > 5_000_000
    assert (folder / "plain" / "attempt-0" / "log.txt").read_bytes().count(b"s3cr3t-value") == 40000
    assert len(project.log(run, "plain")) > 5_000_000


def test_folders_as_artifacts(project: Project) -> None:
    project.component(
        "make",
        """
        outputs: {folder: {type: Artifact}, none: {type: Model}}
        container:
          image: alpine
          script: |
            mkdir -p $(outputs.folder.path)/deep/er
            echo 1 > "$(outputs.folder.path)/deep/er/one file"
            ln -s deep $(outputs.folder.path)/link
        """,
    )
    project.component(
        "read",
        """
        inputs: {folder: {type: Artifact}, none: {type: Model}}
        outputs: {found: {type: string}}
        container:
          image: alpine
          script: |
            cat "$(inputs.folder.path)/link/er/one file" > $(outputs.found.path)
            ! test -e $(inputs.none.path)
        """,
    )
    project.pipeline(
        "folders",
        """
        tasks:
          make: {component: make}
          read: {component: read, inputs: {folder: $(tasks.make.outputs.folder), none: $(tasks.make.outputs.none)}}
        """,
    )
    run = project.run("folders")
    assert run.out("read", "found") == "1\n"
    # An artifact that the task did not write is tolerated, as on a cluster.
    assert not project.artifact(run.out("make", "none")).exists()
    shutil.rmtree(project.artifact(run.out("make", "folder")))
    assert not project.run("folders").tasks["make"]["cached"]


def test_a_program_that_is_not_there_is_told(project: Project) -> None:
    project.pipeline(
        "absent",
        "tasks: {absent: {component: {container: {image: 'registry/train:1', command: [no-such-program, now]}}}}",
    )
    run = project.run("absent", code=7)
    assert run.tasks["absent"]["error"] == "`no-such-program` is not a program of this machine"


def test_packages_that_cannot_be_installed_are_told(project: Project) -> None:
    project.component(
        "absent",
        """
        python:
          function: absent
          packages: ["kfp==2.17.0", "./no-such-folder-anywhere"]
          source: |
            def absent() -> int:
                return 1
        """,
    )
    project.pipeline("absent", "tasks: {absent: {component: absent}}")
    run = project.run("absent", code=7)
    assert "packages cannot be installed" in run.tasks["absent"]["error"]
    assert "no-such-folder-anywhere" in run.tasks["absent"]["error"]
