"""Compiled packages and notebooks. What others wrote, used as it stands."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Packages and notebooks"

ENTRIES = {
    "not-a-package": Explanation(
        "a file that is no compiled package",
        "`package` names what KFP's compiler wrote: one document with `pipelineInfo`, `root` and `schemaVersion`, and "
        "perhaps a second one with `platforms`. A component of KFP v1 is no pipeline; a task uses it by its name.",
        wrong="package: components/train.yaml   # a Component document",
        right="package: packages/train.yaml   # what `kfp dsl compile` wrote",
    ),
    "unknown-executor": Explanation(
        "an executor that is not there",
        "In a compiled package each component that runs something names an executor under "
        "`deploymentSpec.executors`, and what a platform adds is added to one of them.",
        wrong="comp-train: {executorLabel: exec-trian}",
        right="comp-train: {executorLabel: exec-train}",
    ),
    "bad-notebook": Explanation(
        "a notebook that cannot be run",
        "A notebook is a JSON file of Jupyter's format 4 with cells, and KFP runs it with a Python kernel. It is read "
        "here, and run by tasks only.",
        wrong='notebook: {file: report.ipynb}   # "kernelspec": {"language": "R"}',
        right='notebook: {file: report.ipynb}   # "kernelspec": {"language": "python"}',
    ),
    "notebook-too-large": Explanation(
        "a notebook that is too large to be passed on",
        "KFP passes the notebook, packed, inside the text of a program, and Linux passes at most 131,071 bytes in one "
        "argument, so a container with a larger one cannot start. The most of it are the outputs of its cells.",
        wrong="notebook: {file: report.ipynb}   # saved with all of its plots",
        right="notebook: {file: report.ipynb}   # saved after `Clear All Outputs`",
    ),
    "notebook-packages": Explanation(
        "packages without those that run a notebook",
        "As in KFP's SDK, `packages` replaces the packages that run notebooks, and KFP's default image has none "
        "of them.",
        wrong="notebook: {file: report.ipynb, packages: [pandas]}",
        right="notebook: {file: report.ipynb, packages: [nbclient, ipykernel, jupyter_client, pandas]}",
    ),
}
