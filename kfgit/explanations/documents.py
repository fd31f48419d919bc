"""Documents and files. Which documents there are."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Documents and files"

ENTRIES = {
    "bad-name": Explanation(
        "a name that Kubernetes could not use",
        "`metadata.name` has small letters, digits and `-`, at most 63 characters, and begins and "
        "ends with a letter or digit. It is the same in every environment, so it holds no "
        "template.",
        wrong="metadata: {name: My_Model}",
        right="metadata: {name: my-model}",
    ),
    "missing-name": Explanation(
        "a document without a name",
        "Every document has `metadata.name`, by which others refer to it.",
        wrong=("kind: Pipeline\nspec: {…}"),
        right=("kind: Pipeline\nmetadata: {name: train}\nspec: {…}"),
    ),
    "unknown-kind": Explanation(
        "a kind that kfgit does not have",
        "With kfgit's `apiVersion` the kind is one of Component, Pipeline, Schedule, Run, "
        "Experiment, ResourceProfile, Environment and Project.",
        wrong=("apiVersion: kfgit.dev/v1\nkind: Pipelin"),
        right=("apiVersion: kfgit.dev/v1\nkind: Pipeline"),
    ),
    "wrong-api-version": Explanation(
        "a wrong or missing apiVersion",
        "A document with one of kfgit's kinds begins with `apiVersion: kfgit.dev/v1`. Only "
        "overlays below `environments/NAME/` may leave it out.",
        wrong="kind: Pipeline",
        right=("apiVersion: kfgit.dev/v1\nkind: Pipeline"),
    ),
    "missing-source": Explanation(
        "a source that is not there",
        "`spec.sources` names the folders that documents are read from. One that does not exist holds nothing.",
        wrong="spec: {sources: [component, pipelines]}",
        right="spec: {sources: [components, pipelines]}",
    ),
    "foreign-document": Explanation(
        "a document that is not kfgit's",
        "The file stands in the sources, but is neither a kfgit document nor a component of KFP "
        "v1, and nothing refers to it. Move it out of the sources, or begin it as a kfgit "
        "document.",
        wrong=("apiVersion: v1\nkind: ConfigMap"),
        right=("apiVersion: kfgit.dev/v1\nkind: Pipeline"),
    ),
    "duplicate-document": Explanation(
        "two documents of one kind and name",
        "Names are unique for each kind. Below `environments/NAME/` an equal name is an overlay, "
        "but two overlays of one document are a mistake.",
        wrong=("kind: Run, name: smoke\n---\nkind: Run, name: smoke"),
        right=("kind: Run, name: smoke\n---\nkind: Run, name: smoke-again"),
    ),
    "duplicate-name": Explanation(
        "two things with one name",
        "Two objects would have the same name on the server, whose database does not tell capital "
        "letters from small ones; or two ports of a v1 component become the same name in KFP. "
        "Choose another name, or another `externalName`.",
        wrong="externalName: Train   # and a pipeline named train",
        right="externalName: Train (old)",
    ),
    "missing-project": Explanation(
        "kfgit.yaml holds no Project",
        "`kfgit.yaml` at the root is the one Project document; all it needs is a name.",
        wrong="# an empty kfgit.yaml",
        right=("apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: shop}"),
    ),
    "misplaced-project": Explanation(
        "a Project outside kfgit.yaml",
        "There is one Project, and it stands in `kfgit.yaml`.",
        wrong="pipelines/project.yaml",
        right="kfgit.yaml",
    ),
    "path-outside": Explanation(
        "a path that leads out of the repository",
        "Nothing outside the repository is ever read, also not through symbolic links. Copy what "
        "is needed into it.",
        wrong="python: {file: ../../lib/train.py, function: f}",
        right="python: {file: src/train.py, function: f}",
    ),
    "symlink": Explanation(
        "a folder that is a symbolic link",
        "Folders that are symbolic links are not followed, so that what is read is what git holds.",
        wrong="pipelines/shared -> ../other",
        right="pipelines/shared/",
    ),
    "unreadable-file": Explanation(
        "a file that cannot be read",
        "The file is no regular file, or its permissions forbid reading it.",
        wrong="chmod 000 pipelines/train.yaml",
        right="chmod 644 pipelines/train.yaml",
    ),
    "submodule": Explanation(
        "a submodule among the sources",
        "What is applied to a cluster is read from a commit of this repository. A submodule is another repository, "
        "of which the commit has nothing but a name, so its documents cannot be read. Copy them, or leave the "
        "folder out of `spec.sources`.",
        wrong="git submodule add https://example.com/pipelines.git pipelines/shared",
        right="git subtree add --prefix pipelines/shared https://example.com/pipelines.git main",
    ),
    "lfs-pointer": Explanation(
        "a file that Git LFS keeps elsewhere",
        "In place of the file there are three lines that say where Git LFS has it. Large data may be there; documents, "
        "Python sources, notebooks and packages belong into the commit itself.",
        wrong="*.yaml filter=lfs diff=lfs merge=lfs -text   # in .gitattributes",
        right="*.parquet filter=lfs diff=lfs merge=lfs -text",
    ),
    "too-many-mistakes": Explanation(
        "more mistakes in one file than anybody reads",
        "Of a file with more than 500 mistakes the first 500 are told, errors before warnings. So many have one "
        "cause as a rule, such as a file of another program, or a key that is written wrong everywhere.",
        wrong="a dump of 10,000 documents whose `apiVersion` is wrong",
        right="the same documents with `apiVersion: kfgit.dev/v1`",
    ),
    "too-many-files": Explanation(
        "more files than kfgit reads",
        "A project may have 100 sources with 20,000 YAML files and 64 MiB in them. Narrow `spec.sources` to the "
        "folders with kfgit documents.",
        wrong="sources: [.]",
        right="sources: [components, pipelines, environments]",
    ),
}
