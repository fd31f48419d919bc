"""Names and references. What names and `$( … )` mean."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Names and references"

ENTRIES = {
    "bad-reference": Explanation(
        "a `$( … )` that is no reference",
        "References begin with one of `inputs`, `outputs`, `tasks`, `item`, `loops`, `run` and "
        "`workspace`. In scripts, commands and arguments anything else is left to the shell, with "
        "a warning where it is one letter away from a root. `$$(` writes the text `$(`.",
        wrong="text: $(input.text)",
        right="text: $(inputs.text)",
    ),
    "reference-not-allowed": Explanation(
        "a reference where none may stand",
        "References are known only when a pipeline runs, so they stand in inputs, conditions, "
        "loops, outputs, commands, scripts and imports. What decides a task before it runs, such "
        "as its image, is chosen with `{{ vars.… }}`.",
        wrong='image: "train:$(inputs.version)"',
        right='image: "train:{{ vars.version }}"',
    ),
    "reference-not-expanded": Explanation(
        "a reference where a shell expands nothing",
        "In single quotes and quoted here-documents the shell takes everything literally, and in "
        "backticks inside double quotes it would take it apart. Use double quotes or none: a "
        "value is one word either way.",
        wrong="script: echo '$(inputs.text)'",
        right='script: echo "$(inputs.text)"',
    ),
    "unknown-component": Explanation(
        "a component that does not exist",
        "No Component has this name in this environment.",
        wrong="train: {component: trian}",
        right="train: {component: train}",
    ),
    "unknown-pipeline": Explanation(
        "a pipeline that does not exist",
        "No Pipeline has this name in this environment.",
        wrong="spec: {pipeline: trian}",
        right="spec: {pipeline: train}",
    ),
    "unknown-task": Explanation(
        "a task that does not exist",
        "References and `after` name tasks of the same pipeline: of the same loop or branch, or "
        "of one around it.",
        wrong="inputs: {x: $(tasks.trian.outputs.x)}",
        right="inputs: {x: $(tasks.train.outputs.x)}",
    ),
    "unknown-input": Explanation(
        "an input that does not exist",
        "What is called, or the document itself, declares no input of this name.",
        wrong="inputs: {learning-rate: 0.1}",
        right="inputs: {learning_rate: 0.1}",
    ),
    "unknown-output": Explanation(
        "an output that does not exist",
        "The task's component or pipeline declares no output of this name. Loops have none of "
        "their own, and a switch has those that all its branches give out, if it has an else.",
        wrong="$(tasks.train.outputs.modl)",
        right="$(tasks.train.outputs.model)",
    ),
    "unknown-loop": Explanation(
        "a loop that is not around this task",
        "`$(loops.NAME.item)` reads the item of a loop that the task stands in.",
        wrong="$(loops.swep.item)",
        right="$(loops.sweep.item)",
    ),
    "unknown-item-field": Explanation(
        "a field that not every item has",
        "Every item of the list must have a field that the loop's tasks read.",
        wrong="forEach: [{lr: 1, n: 2}, {lr: 3}]   # $(item.n)",
        right="forEach: [{lr: 1, n: 2}, {lr: 3, n: 4}]",
    ),
    "item-has-no-fields": Explanation(
        "a field of an item that is no map",
        "`$(item.NAME)` reads a field of a map. An item that is a number or a text is `$(item)`.",
        wrong="forEach: [1, 2]   # $(item.lr)",
        right="forEach: [{lr: 1}, {lr: 2}]   # $(item.lr)",
    ),
    "item-outside-loop": Explanation(
        "an item where there is no loop",
        "`$(item)` and `$(loops.NAME.item)` have a meaning inside a `forEach` only.",
        wrong=("tasks:\n  a: {component: use, inputs: {x: $(item)}}"),
        right=(
            "tasks:\n  l:\n    forEach: [1, 2]\n    tasks:\n      a: {component: use, inputs: {x: $(item)}}"
        ),
    ),
    "not-a-loop": Explanation(
        "a task that is no loop",
        "`.*` and longer paths lead into loops. A task that runs once has its outputs directly.",
        wrong="$(tasks.train.outputs.model.*)   # train runs once",
        right="$(tasks.train.outputs.model)",
    ),
    "reference-into-loop": Explanation(
        "a reference into a loop",
        "A loop's tasks run many times, so from outside one reads the list of all with `.*`. In "
        "the same iteration the task's own name is enough.",
        wrong="$(tasks.sweep.train.outputs.auc)",
        right="$(tasks.sweep.train.outputs.auc.*)",
    ),
    "reference-into-branch": Explanation(
        "a reference into a branch",
        "Nobody knows which branch of a switch will run. What others read is given out of every "
        "branch with `outputs`.",
        wrong="$(tasks.full.outputs.endpoint)   # in the switch `gate`",
        right="$(tasks.gate.outputs.endpoint)",
    ),
    "reference-into-pipeline": Explanation(
        "a reference into a nested pipeline",
        "A nested pipeline shows its `outputs` and nothing else.",
        wrong="$(tasks.features.build.outputs.out.*)",
        right="$(tasks.features.outputs.train_set)",
    ),
    "part-outside-component": Explanation(
        "the path of an artifact outside a component",
        "A file has a path only where it was brought: inside the component. Pass the artifact itself.",
        wrong="inputs: {file: $(tasks.a.outputs.data.path)}",
        right="inputs: {data: $(tasks.a.outputs.data)}",
    ),
    "parameter-part": Explanation(
        "the path of a parameter",
        "An input parameter is its value, `$(inputs.x)`. An output parameter is a file to write, "
        "`$(outputs.x.path)`.",
        wrong="args: [$(outputs.score)]",
        right="args: [$(outputs.score.path)]",
    ),
    "artifact-needs-part": Explanation(
        "an artifact without `.path` or `.uri`",
        "Inside a component an artifact is a file: say whether its local path or its address is meant.",
        wrong="args: [$(inputs.data)]",
        right="args: [$(inputs.data.path)]",
    ),
    "artifact-in-text": Explanation(
        "an artifact in a text",
        "Only parameters can be put into a text. Pass the artifact as an input of its own.",
        wrong='text: "see $(tasks.a.outputs.model)"',
        right="model: $(tasks.a.outputs.model)",
    ),
    "status-in-text": Explanation(
        "the final status in a text",
        "`$(run.status)` is a structure. Give it whole to an input of type `TaskFinalStatus`.",
        wrong='text: "ended $(run.status)"',
        right="status: $(run.status)",
    ),
}
