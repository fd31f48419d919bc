"""Types and values. Types, literals and ranges."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Types and values"

ENTRIES = {
    "unknown-type": Explanation(
        "a type that does not exist",
        "Parameters are `string int float bool list dict` or `list<float>` and the like; "
        "artifacts `Artifact Dataset Model …`, `list<Model>`, or a title with a namespace such as "
        "`google.VertexModel@0.0.1`.",
        wrong="lr: {type: double}",
        right="lr: {type: float}",
    ),
    "type-mismatch": Explanation(
        "a value or reference of another type",
        "References must have exactly the type of the input, as in KFP, which converts nothing. "
        "Only a whole number that is written out may stand for a float, and `list` and `list<T>` "
        "fit each other.",
        wrong='inputs: {epochs: "3"}',
        right="inputs: {epochs: 3}",
    ),
    "value-not-allowed": Explanation(
        "a value that the input does not take",
        "The input has an `enum` or a `pattern`, and the value is not in it.",
        wrong="inputs: {tier: bronze}",
        right="inputs: {tier: silver}",
    ),
    "bad-range": Explanation(
        "a range without numbers in it",
        "`max` of an input is below its `min`.",
        wrong="lr: {type: float, min: 1, max: 0}",
        right="lr: {type: float, min: 0, max: 1}",
    ),
    "bad-default": Explanation(
        "a default that cannot be",
        "Artifacts have no defaults, since nobody made them, and a default is a value and no reference.",
        wrong='data: {type: Dataset, default: "gs://x"}',
        right="data: {type: Dataset, optional: true}",
    ),
    "missing-input": Explanation(
        "an input that is not given",
        "The input has no default and is not optional, so whoever calls gives it.",
        wrong="train: {component: train}",
        right="train: {component: train, inputs: {data: $(tasks.a.outputs.data)}}",
    ),
    "null-input": Explanation(
        "null given to an input",
        "KFP has no null. Leave an input out to take its default.",
        wrong="inputs: {text: null}",
        right="inputs: {}",
    ),
    "artifact-at-root": Explanation(
        "an artifact input that nobody can give",
        "Schedules and runs give parameters. A pipeline that they start brings its artifacts in "
        "with `import`.",
        wrong='inputs: {data: "gs://x"}   # of a Schedule',
        right=("tasks:\n  data: {import: {uri: $(inputs.uri), type: Dataset}}"),
    ),
    "bad-output": Explanation(
        "an output that cannot be given out",
        "An output of a pipeline or branch is exactly one output of a task in it, and a component "
        "gives out no lists of artifacts.",
        wrong="from: $(inputs.text)",
        right="from: $(tasks.train.outputs.text)",
    ),
}
