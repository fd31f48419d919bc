"""Whole runs. What a root pipeline says of its run: workspace, deadline, time to live."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Whole runs"

ENTRIES = {
    "no-workspace": Explanation(
        "a workspace that is not there",
        "`$(workspace.path)`, in a pipeline or in a component that it uses, needs a pipeline with a "
        "`workspace`. Only the pipeline that is run can have one: a nested pipeline takes the path as an "
        "input.",
        wrong="tasks:\n  clone: {component: clone, inputs: {dir: $(workspace.path)}}",
        right="workspace: {size: 10Gi}\ntasks:\n  clone: {component: clone, inputs: {dir: $(workspace.path)}}",
    ),
    "nested-run-policy": Explanation(
        "a nested pipeline that speaks for the whole run",
        "`workspace`, `pipelineRoot`, `ttl` and `activeDeadline` hold for a run as a whole. KFP reads them of "
        "the pipeline that is run, and would drop those of a pipeline in it without a word.",
        wrong="# pipeline inner\nworkspace: {size: 10Gi}\n# pipeline outer\ntasks:\n  a: {pipeline: inner}",
        right="# pipeline outer\nworkspace: {size: 10Gi}\n"
        "tasks:\n  a: {pipeline: inner, inputs: {dir: $(workspace.path)}}",
    ),
    "bad-duration": Explanation(
        "a time that KFP cannot hold",
        "The deadline and the time to live of a run are whole seconds. KFP takes 0 for not given, and counts "
        "no further than 68 years.",
        wrong="activeDeadline: 0s",
        right="activeDeadline: 6h",
    ),
    "no-access-modes": Explanation(
        "a workspace without access modes",
        "A KFP server whose administrator set no default for workspaces refuses a claim that names no access "
        "modes, when the run begins. `ReadWriteMany` lets tasks on different nodes use the volume at the same "
        "time; with `ReadWriteOnce` they wait for each other.",
        wrong="workspace: {size: 10Gi}",
        right="workspace:\n  size: 10Gi\n  kubernetes: {pvcSpecPatch: {accessModes: [ReadWriteMany]}}",
    ),
}
