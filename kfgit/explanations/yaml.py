"""YAML. How a file is read."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "YAML"

ENTRIES = {
    "duplicate-key": Explanation(
        "a key is written twice",
        "YAML readers disagree about which of two equal keys counts, so kfgit takes neither side. "
        "Remove or rename one of them.",
        wrong=("tasks:\n  train: {component: a}\n  train: {component: b}"),
        right=("tasks:\n  train-a: {component: a}\n  train-b: {component: b}"),
    ),
    "unquoted-template": Explanation(
        "a template without quotes",
        "A value that begins with `{` is a map for YAML, so `{{ x }}` never arrives as text. Put "
        "the whole value in quotes; one that is exactly one `{{ … }}` keeps the type of its "
        "variable all the same.",
        wrong="image: {{ vars.registry }}/train:1",
        right='image: "{{ vars.registry }}/train:1"',
    ),
    "yaml-1.1": Explanation(
        "a word that older YAML readers take for something else",
        "kfgit reads YAML 1.2, where `no` is a string and `012` is twelve. Many tools still read "
        "YAML 1.1, where they are a boolean and ten. Write what you mean so that nobody can "
        "misread it.",
        wrong="answer: no",
        right='answer: "no"   # or: answer: false',
    ),
    "yaml-alias": Explanation(
        "an alias that cannot be followed",
        "The anchor is missing, contains itself, or its aliases expand to more values than kfgit "
        "reads from one file.",
        wrong="a: *nobody",
        right=("a: &base {max: 2}\nb: *base"),
    ),
    "yaml-character": Explanation(
        "a character that YAML forbids",
        "Control characters and lone surrogates may not stand in YAML. Write them as an escape in "
        "double quotes.",
        wrong="name: a<U+0007>b",
        right='name: "a\\x07b"',
    ),
    "yaml-complex-key": Explanation(
        "a key that is no text",
        "Keys are plain words or strings. YAML also allows lists and maps as keys; kfgit does not.",
        wrong=("? [a, b]\n: 1"),
        right="a-b: 1",
    ),
    "yaml-encoding": Explanation(
        "the file is not UTF-8",
        "kfgit reads UTF-8, with or without a byte order mark. Save the file as UTF-8 in your editor.",
        wrong="caf\\xe9   # Latin-1",
        right="café   # UTF-8",
    ),
    "yaml-merge-key": Explanation(
        "a YAML 1.1 merge key",
        "`<<` is not part of YAML 1.2. Write the keys out, use a pipeline's `defaults`, or let an "
        "environment lay an overlay over the document.",
        wrong="train: {<<: *base, cache: false}",
        right=("defaults: {retry: {max: 2}}\ntasks:\n  train: {component: train, cache: false}"),
    ),
    "yaml-syntax": Explanation(
        "the YAML cannot be read",
        "The document breaks YAML's own rules: an open bracket or quote, a colon too many, an "
        "indentation that fits nothing. Only this document is left out; the others of the file "
        "are checked.",
        wrong="args: [a, b",
        right="args: [a, b]",
    ),
    "yaml-tab": Explanation(
        "a tab where YAML wants blanks",
        "YAML is indented with blanks only. Let your editor insert them.",
        wrong=("spec:\n<tab>tasks: {}"),
        right=("spec:\n  tasks: {}"),
    ),
    "yaml-tag": Explanation(
        "a YAML tag",
        "Tags such as `!!str` or `!include` have no meaning in kfgit: the form of a value decides "
        "its type, and files are not included.",
        wrong="port: !!str 8080",
        right='port: "8080"',
    ),
    "yaml-too-deep": Explanation(
        "a document is nested too deep",
        "kfgit reads 100 levels. Real documents stay far below.",
        wrong="[[[[…]]]]",
        right="[]",
    ),
    "yaml-too-large": Explanation(
        "a file is too large",
        "One file may have 2 MiB and 100,000 values. Split it into several files; they may stand "
        "in any folder of the sources.",
        wrong="components/all.yaml   # 3 MiB",
        right=("components/train.yaml\ncomponents/deploy.yaml"),
    ),
}
