"""Templates. Jinja in values."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Templates"

ENTRIES = {
    "unknown-variable": Explanation(
        "a variable that is not there",
        "Templates see `vars` (the project's, and the environment's over them), `env`, `git` and "
        "`project`. There are no environment variables and no secrets, on purpose.",
        wrong='image: "{{ vars.registy }}/train:1"',
        right='image: "{{ vars.registry }}/train:1"',
    ),
    "template-syntax": Explanation(
        "a template that cannot be read",
        "The text between `{{` and `}}` is no expression, or a brace is missing.",
        wrong='"{{ vars.registry }"',
        right='"{{ vars.registry }}"',
    ),
    "template-failed": Explanation(
        "a template that cannot be rendered",
        "The expression can be read, but fails with these values: a division by zero, a "
        "comparison of a text and a number.",
        wrong='"{{ 1 / 0 }}"',
        right='"{{ 1 / 2 }}"',
    ),
    "template-not-allowed": Explanation(
        "something that templates cannot do here",
        "A value holds expressions, pure filters and `{% if %}`. Loops, includes and calls are "
        "left out. Variables hold no templates, and neither does the commit that an environment pins.",
        wrong='"{% for x in vars.xs %}{{ x }}{% endfor %}"',
        right="\"{{ vars.xs | join(',') }}\"",
    ),
    "template-too-large": Explanation(
        "a template that would make too much",
        "What one template may make is bounded, in characters and in size of numbers.",
        wrong='"{{ 10000000000 * 10000000000 * 10000000000000 }}"',
        right='"{{ 10000000000 }}"',
    ),
    "template-in-key": Explanation(
        "a template in a key",
        "Templates fill in values; they never change the structure of a document. Overlays and "
        "patches do that.",
        wrong=('tasks:\n  "{{ vars.task }}": {component: train}'),
        right=('tasks:\n  train: {component: "{{ vars.component }}"}'),
    ),
    "generated-environment": Explanation(
        "an environment or a project that a template makes",
        "A file named `*.yaml.j2` is filled with the variables of the project and the environment, so it cannot "
        "make these documents themselves.",
        wrong="environments/prod.yaml.j2",
        right="environments/prod.yaml",
    ),
}
