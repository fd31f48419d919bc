"""Pipelines. Tasks, groups and how they run."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Pipelines"

ENTRIES = {
    "cycle": Explanation(
        "tasks that wait for each other",
        "References and `after` make edges. Around a circle of them nothing could ever start; the "
        "message shows it closed, with the place of each edge.",
        wrong=("a: {component: use, after: [b]}\nb: {component: use, after: [a]}"),
        right=("a: {component: use}\nb: {component: use, after: [a]}"),
    ),
    "pipeline-cycle": Explanation(
        "pipelines that contain each other",
        "A nested pipeline is a part of the outer one, so none can contain itself.",
        wrong=("# pipeline a\ntasks: {x: {pipeline: a}}"),
        right=("# pipeline a\ntasks: {x: {pipeline: b}}"),
    ),
    "pipeline-too-large": Explanation(
        "a pipeline that nesting makes too large",
        "A nested pipeline is compiled as often as it is used, with all that it nests in turn. kfgit "
        "compiles 5,000 tasks in one pipeline, and pipelines 50 deep; the message stands at the use that "
        "goes beyond. A loop counts its tasks once, however many items it has. All pipelines of a project together run "
        "200,000 tasks by way of others and of packages.",
        wrong=(
            "# each uses the one before twice: 2, 4, 8, …\ntasks: {a: {pipeline: before}, b: {pipeline: before}}"
        ),
        right="tasks: {all: {forEach: $(inputs.parts), tasks: {a: {pipeline: before}}}}",
    ),
    "no-upstream": Explanation(
        "no failure that could be ignored",
        "`ignoreUpstreamFailure` lets a task run although what it waits for failed. This one waits for no "
        "task of its own loop, branch or pipeline; what stands outside of a group is waited for by the "
        "whole group.",
        wrong="clean-up: {component: clean, ignoreUpstreamFailure: true}",
        right="clean-up: {component: clean, after: [train], ignoreUpstreamFailure: true}",
    ),
    "after-into-group": Explanation(
        "`after` a task inside a group",
        "From outside, a loop or switch is one thing. Wait for the whole of it.",
        wrong="late: {component: use, after: [train]}   # train is in sweep",
        right="late: {component: use, after: [sweep]}",
    ),
    "duplicate-task": Explanation(
        "two branches with a task of one name",
        "Task names are unique across the branches of a switch, since they share a place in the run.",
        wrong=("switch:\n  - {when: …, tasks: {deploy: …}}\n  - {tasks: {deploy: …}}"),
        right=("switch:\n  - {when: …, tasks: {deploy-full: …}}\n  - {tasks: {deploy-none: …}}"),
    ),
    "unequal-outputs": Explanation(
        "branches that give out different things",
        "The outputs of a switch are those that all its branches give out with the same type. "
        "Others are nobody's outputs.",
        wrong=("- {when: …, tasks: …, outputs: {model: …}}\n- {tasks: …}"),
        right=("- {when: …, tasks: …, outputs: {model: …}}\n- {tasks: …, outputs: {model: …}}"),
    ),
    "outputs-without-else": Explanation(
        "outputs of a switch without an else",
        "Without an else it may be that no branch runs, so the switch has no outputs.",
        wrong="- {when: …, tasks: …, outputs: {model: …}}",
        right=("- {when: …, tasks: …, outputs: {model: …}}\n- {tasks: …, outputs: {model: …}}"),
    ),
    "bad-condition": Explanation(
        "a condition that cannot be",
        "`when` is CEL cut down to comparisons, `&& || !`, `in`, literals and typed references. "
        "There is no arithmetic, no functions and nothing inside quotes is replaced.",
        wrong="when: \"'$(inputs.tier)' == 'gold'\"",
        right='when: $(inputs.tier) == "gold"',
    ),
    "untyped-item": Explanation(
        "an item without a type in a condition",
        "What goes into an input without a known type is a string for KFP, so the items of a plain `list` are "
        "never more than a number. Say what the list holds. A field of an item takes the type of what it is "
        "compared with.",
        wrong="rates: {type: list}   # when: $(item) > 0.1",
        right="rates: {type: list<float>}",
    ),
    "artifact-in-condition": Explanation(
        "an artifact in a condition",
        "A condition compares parameters. Let a task read the artifact and give out a number.",
        wrong='when: $(tasks.a.outputs.model) == "x"',
        right="when: $(tasks.a.outputs.auc) > 0.9",
    ),
    "bad-exit-task": Explanation(
        "an exit task that cannot be one",
        "The exit task always runs, whatever happened, so it has no `when`.",
        wrong='onExit: {component: report, when: "true"}',
        right="onExit: {component: report}",
    ),
    "exit-reads-task": Explanation(
        "the exit task reads another task",
        "When the exit task runs, the others may have failed or never begun. It reads pipeline "
        "inputs and `$(run.status)`.",
        wrong="onExit: {component: report, inputs: {x: $(tasks.a.outputs.x)}}",
        right="onExit: {component: report, inputs: {status: $(run.status)}}",
    ),
    "status-outside-exit": Explanation(
        "the final status outside the exit task",
        "How tasks ended is known at their end only, so `TaskFinalStatus` and `$(run.status)` are "
        "for `onExit`. A pipeline with such an input is an exit task, and no run of its own.",
        wrong=("tasks:\n  a: {component: report, inputs: {status: $(run.status)}}"),
        right="onExit: {component: report, inputs: {status: $(run.status)}}",
    ),
    "no-fallback": Explanation(
        "an input that would have no value",
        "With `ignoreUpstreamFailure` a task runs although its producer failed. An input that it "
        "read from there needs a default.",
        wrong="a: {component: need, ignoreUpstreamFailure: true, inputs: {text: $(tasks.b.outputs.text)}}",
        right=('# in the component\ninputs: {text: {type: string, default: ""}}'),
    ),
    "empty-loop": Explanation(
        "a loop without items",
        "The list is empty, so the loop runs nothing. That is allowed, but rarely meant.",
        wrong="forEach: []",
        right="forEach: [1, 2]",
    ),
    "loop-over-artifacts": Explanation(
        "a loop over artifacts on a cluster",
        "KFP's backend cannot loop over a list of artifacts; local targets can.",
        wrong="forEach: $(tasks.sweep.train.outputs.model.*)",
        right="forEach: $(inputs.rates)",
    ),
    "bad-import": Explanation(
        "an import of what is no artifact",
        "`import` brings in one artifact; its type is an artifact type.",
        wrong='import: {uri: "gs://x", type: float}',
        right='import: {uri: "gs://x", type: Dataset}',
    ),
    "setting-not-possible": Explanation(
        "a setting that this task cannot have",
        "Loops, switches and nested pipelines only hold tasks. How something runs is said of the tasks inside, or "
        "in `defaults`. `ignoreUpstreamFailure` is for tasks that run a component or a pipeline.",
        wrong="sweep: {forEach: [1], retry: {max: 2}, tasks: {a: {component: make}}}",
        right="sweep: {forEach: [1], tasks: {a: {component: make, retry: {max: 2}}}}",
    ),
    "retry-shorter-than-timeout": Explanation(
        "retries that end before one attempt",
        "`retry.maxDuration` bounds all attempts together, `timeout` each of them. With a longer "
        "timeout there may be no second attempt.",
        wrong=("timeout: 1h\nretry: {max: 3, maxDuration: 30m}"),
        right=("timeout: 1h\nretry: {max: 3, maxDuration: 4h}"),
    ),
    "metadata-as-text": Explanation(
        "a reference in an import's metadata that a cluster does not read",
        "KFP's importer keeps the metadata as it is written in the package: a reference in it arrives as the "
        "text of a placeholder. Local targets put the value in.",
        wrong='import: {uri: "s3://data/train.csv", metadata: {day: $(inputs.day)}}',
        right='import: {uri: "s3://data/train.csv", metadata: {day: "{{ vars.day }}"}}',
    ),
    "text-into-pipeline": Explanation(
        "a text for a nested pipeline that a cluster does not fill in",
        "KFP puts values into a text, list or map where a component's program is given it. A nested pipeline is "
        "handed the text with the placeholder in it, and hands it on. Local targets put the value in.",
        wrong='part: {pipeline: part, inputs: {title: "model of $(inputs.day)"}}',
        right="part: {pipeline: part, inputs: {day: $(inputs.day)}}",
    ),
    "not-supported": Explanation(
        "something that KFP cannot do",
        "KFP has no form for it, or its server does not do what the form says; the help names a way out. It is an "
        "error, so that nothing is dropped in silence. What only a server cannot do is an error for cluster "
        "targets alone.",
        wrong="forEach: [$(inputs.first), other]",
        right="forEach: $(tasks.list.outputs.names)",
    ),
}
