"""Components. What a task runs."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Components"

ENTRIES = {
    "always-present": Explanation(
        "a question whose answer is known",
        "`present` asks whether an optional input was given; this one always is.",
        wrong="lr: {type: float}   # {if: {present: lr, …}}",
        right="lr: {type: float, optional: true}",
    ),
    "literal-secret": Explanation(
        "a secret written out",
        "A literal value of an environment variable stands in git, in the compiled package and in KFP's database. "
        "Variables count as secret by their last word (`DB_PASSWORD`, `HF_TOKEN`, `OPENAI_API_KEY`), unless the value "
        "plainly is none (a switch, a number, a path, an address), and values by the forms that services give "
        "their keys.",
        wrong="env: {DB_PASSWORD: hunter2}",
        right="env: {DB_PASSWORD: {secret: db, key: password}}",
    ),
    "file-not-found": Explanation(
        "a file that is not there",
        "A python file, a notebook or a compiled package is named relative to the document that names it. Nothing "
        "outside the repository is read, also not through symbolic links.",
        wrong=("# pipelines/train.yaml\npython: {file: pipelines/src/train.py, function: f}"),
        right=("# pipelines/train.yaml\npython: {file: src/train.py, function: f}"),
    ),
    "unknown-function": Explanation(
        "a function that is not in the file",
        "`python.function` is a function at the top level of the file.",
        wrong="python: {file: src/train.py, function: trian}",
        right="python: {file: src/train.py, function: train}",
    ),
    "argument-too-long": Explanation(
        "a script or an argument that is too long",
        "A script is one argument of a shell, and Linux passes at most 131,071 bytes in one argument; a container "
        "with a longer one cannot start.",
        wrong="script: |   # 200,000 characters",
        right="script: sh /work/script.sh   # a file of the image",
    ),
    "python-too-large": Explanation(
        "a python file that is too large",
        "A file with a function has at most 150,000 characters. The function travels alone, so it needs no large "
        "module around it; what it uses comes with `packages`.",
        wrong="python: {file: src/everything.py, function: train}   # 200,000 characters",
        right="python: {file: src/train.py, function: train}",
    ),
    "python-syntax": Explanation(
        "python that cannot be read",
        "The file is read with python's own parser, and never executed.",
        wrong=("def f(x: int)\n    return x"),
        right=("def f(x: int):\n    return x"),
    ),
    "python-annotation": Explanation(
        "a parameter without a type that KFP knows",
        "KFP takes an interface from annotations: `str int float bool list dict`, "
        "`Input[Dataset]`, `Output[Model]`, `OutputPath(str)`.",
        wrong="def train(data, lr: number): …",
        right="def train(data: Input[Dataset], lr: float): …",
    ),
    "python-signature": Explanation(
        "a signature that KFP cannot call",
        "Each input is one named parameter, defaults are literals, and the function is a plain `def`.",
        wrong="def train(*args: int, n: int = LIMIT): …",
        right="def train(n: int = 3): …",
    ),
    "python-outer-name": Explanation(
        "a name that does not travel",
        "A lightweight component carries the text of one function. Imports and helpers of the "
        "module around it do not exist where it runs.",
        wrong=("import json\ndef f(x: str) -> str:\n    return json.dumps(x)"),
        right=("def f(x: str) -> str:\n    import json\n    return json.dumps(x)"),
    ),
    "signature-mismatch": Explanation(
        "inputs or outputs that differ from the function's",
        "Declared inputs and outputs agree with the signature. Leave them out to take them from "
        "the annotations.",
        wrong="inputs: {rate: {type: int}}   # def f(rate: float)",
        right="inputs: {rate: {type: float}}",
    ),
    "argo-placeholder": Explanation(
        "an Argo placeholder in a v1 component",
        "KFP v2 does not replace Argo's `{{workflow.…}}` and `{{inputs.…}}`; the text stays as it is.",
        wrong='args: ["{{workflow.uid}}"]',
        right="args: [{inputValue: run_id}]",
    ),
    "bad-placeholder": Explanation(
        "a placeholder that v1 does not have",
        "Arguments of a v1 component are texts or one of `inputValue`, `inputPath`, `outputPath`, "
        "`concat`, `if` and the like.",
        wrong="args: [{inputVal: x}]",
        right="args: [{inputValue: x}]",
    ),
    "default-left-out": Explanation(
        "a default that is left out",
        "KFP v2 has no defaults for artifacts, so the default of this v1 input is not taken over.",
        wrong='{name: data, type: CSV, default: "gs://x"}',
        right="{name: data, type: CSV, optional: true}",
    ),
    "name-from-file": Explanation(
        "a v1 component without a name",
        "A v1 component may leave its name out; kfgit takes the name of the file.",
        wrong=("# train.yaml\nimplementation: {container: …}"),
        right=("# train.yaml\nname: train\nimplementation: {container: …}"),
    ),
    "type-by-use": Explanation(
        "a v1 type that its use decides",
        "KFP v1 did not tell parameters from artifacts by type. kfgit looks at how the port is "
        "used, and says so where the two disagree.",
        wrong="{name: x, type: Integer}   # read with inputPath",
        right="{name: x, type: Integer}   # read with inputValue",
    ),
}
