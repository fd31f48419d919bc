"""yaml-language-server with what `kfgit init` writes: it completes, explains, and underlines mistakes only."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.apart import ROOT
from tests.docs import test_pages as pages
from tests.editor.server import Editor, Problem
from tests.spine.test_schema import BEYOND, FAULTY, TEMPLATED, VALID, document

HEAD = "apiVersion: kfgit.dev/v1\nkind: {}\nmetadata:\n  name: a\nspec:\n"
TASK = HEAD.format("Pipeline") + "  tasks:\n    a:\n      component: b\n"
INPUT = HEAD.format("Component") + "  container: {image: a}\n  inputs:\n    x:\n"


def without_comment(text: str) -> str:
    """A document that leaves it to the settings which schema it has."""
    return re.sub(r"# yaml-language-server: .*\n", "", text)


# --- nothing is underlined that is right


def wrong(found: dict[str, list[Problem]]) -> dict[str, list[Problem]]:
    return {path: problems for path, problems in found.items() if problems}


def test_nothing_in_the_examples_is_underlined(editor: Editor, project: Path) -> None:
    texts = {path.relative_to(project).as_posix(): path.read_text() for path in project.rglob("*.yaml")}
    assert len(texts) > 15
    by_settings = {f"copies/{path}": without_comment(text) for path, text in texts.items()}
    assert {path.split("/")[1] for path in by_settings} >= {"components", "environments", "kfgit.yaml"}
    assert wrong(editor.problems({**texts, **by_settings})) == {}


@pytest.mark.usefixtures("editor")  # which skips where there is no server
def test_nothing_in_the_repository_is_underlined() -> None:
    """There a comment in each document leads to `schemas/`."""
    folders = ("components", "pipelines", "environments")
    paths = [ROOT / "kfgit.yaml", *(path for folder in folders for path in (ROOT / folder).rglob("*.yaml"))]
    with Editor(ROOT) as opened:
        assert wrong(opened.problems({str(path.relative_to(ROOT)): path.read_text() for path in paths})) == {}


def test_nothing_that_compiles_is_underlined(editor: Editor) -> None:
    pairs = (ROOT / "tests" / "sdk" / "pairs").glob("*.yaml")
    cases = (ROOT / "tests" / "cases" / "compile").glob("*/project/*.yaml")
    texts = {f"pipelines/{path.parts[-3]}/{path.name}": path.read_text() for path in (*pairs, *cases)}
    texts |= {f"pipelines/valid/{name}.yaml": text for name, text in VALID.items()}
    texts["pipelines/valid/several.yaml"] = "---".join(f"\n{text}" for text in VALID.values())
    assert wrong(editor.problems(texts)) == {}


def test_nothing_in_the_docs_is_underlined(editor: Editor) -> None:
    texts = {}
    for section, (name, fences) in enumerate(pages.PROJECTS.items()):
        for number, fence in enumerate(fences):
            path = pages.where(fence, number)
            if path.endswith(".yaml") and not re.search(r"# (error|warning)\[", fence.text):
                texts[f"docs/{section}-{name[:4]}/{path}"] = fence.text
    assert len(texts) > 30
    assert wrong(editor.problems(texts)) == {}


def test_a_template_may_stand_for_any_value(editor: Editor) -> None:
    texts = {f"pipelines/templated/{number}.yaml": text for number, text in enumerate(TEMPLATED)}
    texts["pipelines/templated/more.yaml"] = (
        TASK + '      cache: "{{ vars.c }}"\n      retry: {max: "{{ vars.n }}", factor: "{{ vars.f }}"}\n'
    )
    for key in ("retry", "inputs", "env", "resources", "kubernetes"):
        texts[f"pipelines/templated/{key}.yaml"] = TASK + f'      {key}: "{{{{ vars.{key} }}}}"\n'
    assert wrong(editor.problems(texts)) == {}


def test_kfps_own_files_may_stand_beside(editor: Editor) -> None:
    v1 = "name: Old\ninputs: [{name: x}]\nimplementation:\n  container: {image: alpine, command: [a]}\n"
    package = "pipelineInfo: {name: a}\nroot: {dag: {tasks: {}}}\nschemaVersion: 2.1.0\n---\nplatforms: {}\n"
    assert wrong(editor.problems({"components/old.yaml": v1, "pipelines/compiled.yaml": package})) == {}


def test_an_overlay_is_known_by_its_folder(editor: Editor) -> None:
    overlay = "kind: Schedule\nmetadata: {name: a}\nspec: {enabled: false, inputs: null}\n"
    found = editor.problems(
        {f"environments/prod/{name}": overlay for name in ("a.yaml", "b.yml", "pipelines/c.yaml")}
        | {"pipelines/no-overlay.yml": overlay}
    )
    assert [path for path, problems in found.items() if problems] == ["pipelines/no-overlay.yml"]


# --- what is wrong is underlined once, and said


# Two mistakes, for an editor: a key that is none, and one that is missing. And a cron that `resolve` reads.
TWICE = {"`image`?", "`spec`", "here: `cron` and"}


def test_one_mistake_is_underlined_once(editor: Editor) -> None:
    paths = {f"pipelines/faulty/{number}.yaml": case for number, case in enumerate(FAULTY)}
    found = editor.problems({path: case[0] for path, case in paths.items()})
    for path, (text, _, line, _, said) in paths.items():
        if not any(part in said for part in (*BEYOND, *TWICE)):
            assert [problem.line for problem in found[path]] == [line], (text, found[path])


def test_what_is_underlined_is_wrong(editor: Editor) -> None:
    """The case files say what is wrong. An editor may show it elsewhere, but not in a document that is right."""
    texts = {}
    for path in sorted((ROOT / "tests" / "cases" / "diagnostics").glob("*.yaml")):
        for part in re.split(r"(?m)^(?=# --- file: )", path.read_text()):
            named = re.match(r"# --- file: (\S+)\n", part)
            name = named[1] if named else "pipelines/first.yaml"
            if part and name.endswith(".yaml") and not re.search(r"error\[(yaml-|unquoted|nesting)", part):
                texts[f"{path.stem}/{name}"] = part
    assert len(texts) > 40
    found = editor.problems(texts)
    beside = [
        (path, problem)
        for path, problems in found.items()
        for problem in problems
        if not re.search(r"# (error|warning)\[", document_around(texts[path], problem.line))
    ]
    assert beside == []
    assert sum(map(len, found.values())) > 100


def document_around(text: str, line: int) -> str:
    before, after = text.split("\n")[:line], text.split("\n")[line:]
    return "\n".join(before).rpartition("\n---\n")[2] + "\n".join(["", *after]).partition("\n---\n")[0]


SAID = (
    (TASK + "      retrys: {max: 1}\n", 9, "Property retrys is not allowed."),
    (TASK + "      retry: {max: many}\n", 9, 'Incorrect type. Expected "integer".'),
    (TASK + "      retry: {backoff: 5s}\n", 9, 'Missing property "max".'),
    (TASK + "      timeout: 30\n", 9, "Expected a duration such as `30m`."),
    (TASK + "      cache: yes\n", 9, 'Incorrect type. Expected "boolean".'),
    (TASK + "      pipeline: c\n", 9, "A task has exactly one of `component`, `pipeline`, `import`"),
    (TASK + "      parallelism: 2\n", 9, "`parallelism` is allowed only beside `forEach`."),
    (TASK.replace("component", "componnet"), 8, "Property componnet is not allowed."),
    (TASK.replace("component: b", "inputs: {}"), 7, "A task needs exactly one of `component`, `pipeline`, `import`"),
    (INPUT + "      type: flot\n", 9, "Expected a type such as `float`"),
    (HEAD.format("Run") + "  pipeline: a\n  trigger: sometimes\n", 7,
     'Value is not accepted. Valid values: "manual", "once"'),
    (HEAD.format("Pipelin"), 2, 'Value is not accepted. Valid values: "Component", "Pipeline"'),
    (document("Schedule", "  pipeline: a\n  cron: daily\n"), 6, "Expected a cron expression such as `0 2 * * *`."),
    (document("Schedule", "  pipeline: a\n  every: 1h\n  maxConcurrency: 11\n"), 7, "above the maximum of 10"),
    (HEAD.format("Project").replace("kfgit.dev/v1", "v1") + "  vars: {}\n", 1, "Expected `kfgit.dev/v1`."),
    (HEAD.format("Pipeline") + "  tasks: {a: train}\n", 6, 'Incorrect type. Expected "Task".'),
    (HEAD.format("Pipeline") + "  inputs: {a: int}\n  tasks: {a: {component: b}}\n", 6,
     'Incorrect type. Expected "Input or output".'),
    ("metadata: {name: a}\n", 1, 'Missing property "kind".'),
)  # fmt: skip


def test_the_message_says_what_is_wrong(editor: Editor) -> None:
    found = editor.problems({f"pipelines/said/{n}.yaml": text for n, (text, _, _) in enumerate(SAID)})
    for problems, (_, line, said) in zip(found.values(), SAID, strict=True):
        assert len(problems) == 1, problems
        problem = problems[0]
        assert problem.line == line
        assert said in problem.message


# --- completion

SPEC = {
    "Component": {"inputs", "outputs", "python", "container", "notebook"},
    "Pipeline": {"inputs", "outputs", "defaults", "tasks", "onExit", "package"},
    "Schedule": {"pipeline", "cron", "every", "timezone", "enabled", "maxConcurrency"},
    "Run": {"pipeline", "inputs", "trigger", "wait"},
    "Experiment": {"description", "externalName"},
    "ResourceProfile": {"extends", "requests", "limits", "accelerator", "queue"},
    "Environment": {"mode", "target", "vars", "policies", "patches"},
    "Project": {"sources", "vars", "environments", "defaultEnvironment"},
}
VALUES = {
    "apiVersion: kfgit.dev/v1\nkind: ‸\n": set(SPEC),
    "apiVersion: kfgit.dev/v1\nkind: Pi‸\n": {"Pipeline"},
    "‸\n": {"apiVersion", "kind", "metadata", "spec"},
    **{HEAD.format(kind) + "  ‸\n": fields for kind, fields in SPEC.items()},
    "kind: Run\nmetadata:\n  ‸\n": {"name", "description", "labels", "annotations"},
    TASK + "      ‸\n": {"pipeline", "forEach", "switch", "inputs", "when", "after", "retry", "timeout", "kubernetes"},
    TASK + "      retry:\n        ‸\n": {"max", "backoff", "factor", "maxDuration"},
    TASK + "      resources:\n        requests:\n          ‸\n": {"cpu", "memory"},
    TASK + "      kubernetes:\n        ‸\n": {"nodeSelector", "tolerations", "securityContext"},
    TASK + "      cache: ‸\n": {"true", "false"},
    TASK + "      ignoreUpstreamFailure: ‸\n": {"true", "false"},
    TASK.replace("component: b", "component:\n        ‸"): {"inputs", "python", "container"},
    TASK.replace("component: b", "forEach: [1]\n      tasks:\n        t:\n          ‸"): {"component", "forEach"},
    TASK.replace("component: b", "import:\n        ‸"): {"uri", "type", "metadata", "reimport"},
    TASK.replace("component: b", "switch:\n        - ‸"): {"when", "tasks", "outputs"},
    HEAD.format("Pipeline") + "  onExit:\n    ‸\n": {"component", "inputs"},
    HEAD.format("Component") + "  container:\n    ‸\n": {"image", "command", "args", "script", "env"},
    HEAD.format("Component") + "  python:\n    ‸\n": {"file", "function", "packages", "baseImage"},
    INPUT + "      ‸\n": {"type", "default", "optional", "enum", "min", "max"},
    INPUT + "      type: ‸\n": {"string", "int", "float", "bool", "Dataset", "Model", "TaskFinalStatus"},
    HEAD.format("Run") + "  pipeline: a\n  trigger: ‸\n": {"manual", "once", "onChange", "onApply"},
    HEAD.format("Schedule") + "  enabled: ‸\n": {"true", "false"},
    HEAD.format("Environment") + "  mode: ‸\n": {"production", "development"},
    HEAD.format("Environment") + "  target:\n    type: ‸\n": {"local", "cluster"},
    HEAD.format("Environment") + "  target:\n    executor: ‸\n": {"auto", "process", "docker", "podman"},
    HEAD.format("Environment") + "  prune:\n    pipelines: ‸\n": {"delete", "keep"},
}  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_what_may_stand_there_is_offered(text: str, editor: Editor) -> None:
    assert VALUES[text] <= set(editor.completions("pipelines/completed.yaml", text))


def test_an_overlay_is_completed_too(editor: Editor) -> None:
    path = "environments/prod/completed.yaml"
    assert {"max", "backoff"} <= set(editor.completions(path, TASK + "      retry:\n        ‸\n"))
    assert {"manual", "once"} <= set(editor.completions(path, HEAD.format("Run") + "  trigger: ‸\n"))


# --- hover

HOVERS = {
    "apiVersion: kfgit.dev/v1\nki‸nd: Pipeline\n": ("Kind", "What the document is"),
    TASK + "      ret‸ry: {max: 3}\n": ("Retry", "How often and when a failed task is tried again"),
    TASK + "      retry: {ma‸x: 3}\n": ("Most retries", "How often at most"),
    TASK + "      time‸out: 1h\n": ("Timeout", "How long each attempt may take"),
    TASK.replace("component", "compo‸nent"): ("Component", "The name of a component"),
    HEAD.format("Component") + "  container:\n    ima‸ge: x\n": ("Image", "The container image"),
    HEAD.format("Component") + "  container:\n    image: x\n    scr‸ipt: y\n": ("Script", "A shell script"),
    INPUT + "      ty‸pe: int\n": ("Type", "A parameter type"),
    INPUT + "      type: bool\n      opti‸onal: true\n": ("Optional", "May be left out"),
    HEAD.format("Run") + "  pipeline: a\n  trig‸ger: once\n": ("Trigger", "What starts it"),
    HEAD.format("Schedule") + "  cr‸on: 0 2 * * *\n": ("Cron", "Five fields"),
    HEAD.format("Environment") + "  mo‸de: production\n": ("Mode", "prefixes names"),
    HEAD.format("Project") + "  defaultEnv‸ironment: dev\n": ("Default environment", "commands without"),
}


@pytest.mark.parametrize("text", HOVERS)
def test_a_field_is_explained(text: str, editor: Editor) -> None:
    title, description = HOVERS[text]
    told = editor.hover("pipelines/hovered.yaml", text)
    assert told.startswith(f"#### {title}\n")
    assert description in told
