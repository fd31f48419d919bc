"""What a pipeline says of its whole run, for real: a workspace, a deadline, and what tasks know of their run."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.door import Project


def folder(project: Project, run_id: str) -> Path:
    (found,) = (project.root / ".kfgit" / "local" / "runs").glob(f"*-{run_id[:8]}")
    return found


def test_tasks_share_a_workspace_that_goes_with_a_run_that_succeeds(project: Project) -> None:
    project.component(
        "put",
        """
        inputs: {word: {type: string}}
        outputs: {path: {type: string}, run: {type: string}}
        container:
          image: alpine
          script: |
            echo $(inputs.word) >> "$(workspace.path)/a b"; printf %s $(workspace.path) > $(outputs.path.path)
            printf '%s' "$(run.id)|$(run.name)" > $(outputs.run.path)
        """,
    )
    project.component(
        "look",
        """
        inputs: {dir: {type: string}, facts: {type: list}}
        outputs: {seen: {type: string}, facts: {type: list}}
        container:
          image: alpine
          command: [sh, -ec, 'cat "$1/a b" > $2; printf %s "$3" > $4; test "$5" = "id=$6"', sh]
          args: [$(inputs.dir), $(outputs.seen.path), $(inputs.facts), $(outputs.facts.path), "id=$(run.id)", $(run.id)]
        """,
    )
    project.pipeline(
        "share",
        """
        workspace: {size: 10Mi}
        outputs:
          seen: {type: string, from: $(tasks.look.outputs.seen)}
          path: {type: string, from: $(tasks.first.outputs.path)}
          run: {type: string, from: $(tasks.first.outputs.run)}
          facts: {type: list, from: $(tasks.look.outputs.facts)}
        tasks:
          first: {component: put, inputs: {word: "it's $5 `one` $(workspace.path)"}}
          each:
            forEach: [1]
            tasks: {second: {component: put, inputs: {word: two}}}
            after: [first]
          look:
            component: look
            after: [each]
            when: $(workspace.path) != "" && $(run.id) != "x"
            inputs: {dir: $(workspace.path), facts: ["$(run.name) of $(run.id)", $(workspace.path), {x: $(run.id)}]}
        """,
    )
    run = project.run("share")
    place = run.outputs["path"]
    assert run.state == "SUCCEEDED", run.err
    assert run.outputs["seen"] == f"it's $5 `one` {place}\ntwo\n"
    name = run.document["name"]
    assert run.outputs["run"] == f"{run.id}|{name}"
    assert run.outputs["facts"] == [f"{name} of {run.id}", place, {"x": run.id}]
    assert Path(place).parent == folder(project, run.id)
    assert not Path(place).exists()
    assert run.tasks["first"]["inputs"] == {"word": f"it's $5 `one` {place}"}
    assert "the workspace is a folder of this machine, whose size has no limit" in run.err

    again = project.run("share")
    assert not any(task["cached"] for task in again.tasks.values())


def test_a_deadline_ends_a_run_and_its_workspace_stays_for_a_look(project: Project) -> None:
    project.component(
        "nap", 'container: {image: alpine, script: "echo began > $(workspace.path)/log; sleep 600"}'
    )
    project.component(
        "tell",
        """
        inputs: {status: {type: TaskFinalStatus}}
        outputs: {told: {type: dict}}
        container: {image: alpine, script: 'printf %s $(inputs.status) > $(outputs.told.path)'}
        """,
    )
    project.pipeline(
        "slow",
        """
        workspace: {size: 10Mi}
        ttl: {success: 1d}
        activeDeadline: 6s
        tasks:
          nap: {component: nap, retry: {max: 3}}
          never: {component: nap, after: [nap]}
        onExit: {component: tell, inputs: {status: $(run.status)}}
        """,
    )
    run = project.run("slow", code=7)
    assert (run.state, run.error) == ("FAILED", "it took longer than its active deadline of 6s")
    assert run.states == {"nap": "FAILED", "never": "SKIPPED", "onExit": "SUCCEEDED"}
    assert run.tasks["nap"]["attempts"] == 1
    assert run.tasks["onExit"]["outputs"]["told"]["state"] == "FAILED"
    assert (folder(project, run.id) / "workspace" / "log").read_text() == "began\n"
    assert "`ttl` has no effect: how long runs are kept says `retention` of the environment" in run.err
