"""The form of a document. What the schemas of the kinds ask for."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "The form of a document"

ENTRIES = {
    "unknown-key": Explanation(
        "a key that has no meaning here",
        "kfgit refuses keys that it does not know, since a misspelt key would otherwise be "
        "ignored in silence.",
        wrong=("tasks:\n  train: {componnt: train}"),
        right=("tasks:\n  train: {component: train}"),
    ),
    "missing-key": Explanation(
        "a key that must be there",
        "The map needs this key, or exactly one of several. The message stands at the map or at "
        "the key that holds it.",
        wrong="train: {inputs: {lr: 0.1}}",
        right="train: {component: train, inputs: {lr: 0.1}}",
    ),
    "exclusive-keys": Explanation(
        "keys that exclude each other",
        "Of these keys a map has one: a task runs a component or a pipeline, a schedule has "
        "`cron` or `every`.",
        wrong='nightly: {cron: "0 2 * * *", every: 1d}',
        right='nightly: {cron: "0 2 * * *"}',
    ),
    "misplaced-key": Explanation(
        "a key in the wrong place",
        "The key exists, but goes with others: `parallelism` with `forEach`, `timeout` with "
        "`component`, `min` with numbers.",
        wrong="features: {pipeline: features, timeout: 1h}",
        right=("# inside the pipeline `features`\nbuild: {component: build, timeout: 1h}"),
    ),
    "wrong-type": Explanation(
        "a value of the wrong type",
        "A list stands where a text belongs, or a number where a boolean does. Types are checked "
        "after templates are rendered: a scalar that is exactly one `{{ … }}` has the type of its "
        "value, anything else is a string.",
        wrong='enabled: "yes"',
        right="enabled: true",
    ),
    "bad-value": Explanation(
        "a value that is none of the allowed ones",
        "The key takes one of a few words.",
        wrong="trigger: onchange",
        right="trigger: onChange",
    ),
    "bad-format": Explanation(
        "a text that has not the right form",
        "Names, durations, quantities and the like have a form that the message shows.",
        wrong="timeout: 30 minutes",
        right="timeout: 30m",
    ),
    "out-of-range": Explanation(
        "a number outside its range",
        "The message names the bound: of the key itself, or `min` and `max` of the input.",
        wrong="maxConcurrency: 11",
        right="maxConcurrency: 10",
    ),
    "empty": Explanation(
        "something that may not be empty",
        "A pipeline without tasks, a switch without branches or an empty text would do nothing.",
        wrong="tasks: {}",
        right=("tasks:\n  train: {component: train}"),
    ),
    "reserved-name": Explanation(
        "a name that has a meaning already",
        "No task is called `outputs`, since `$(tasks.loop.outputs.x)` would have two meanings.",
        wrong=("tasks:\n  outputs: {component: collect}"),
        right=("tasks:\n  collect: {component: collect}"),
    ),
}
