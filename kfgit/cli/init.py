"""`kfgit init`: a working repository in a new or empty folder."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from kfgit import __version__, project
from kfgit.backend import Refused
from kfgit.cli import exits, options
from kfgit.cli.names import Choice
from kfgit.cli.session import Session
from kfgit.render.envelope import envelope
from kfgit.render.style import clean

_PROJECT = """apiVersion: kfgit.dev/v1
kind: Project
metadata: {{name: {name}}}
spec:
  vars:
    greeting: Hello
"""

_COMPONENT = """# A component: what runs, and what goes in and out of it.
apiVersion: kfgit.dev/v1
kind: Component
metadata:
  name: greet
  description: Say hello to somebody.
spec:
  inputs:
    name: {type: string, description: Who is greeted.}
  outputs:
    text: {type: string, description: What was said.}
  container:
    image: docker.io/library/alpine:3.20
    script: |
      printf '%s, %s!' "{{ vars.greeting }}" "$(inputs.name)" > $(outputs.text.path)
      cat $(outputs.text.path)
"""

_PIPELINE = """# A pipeline: tasks that use components. References make the graph.
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata:
  name: hello
  description: Greet somebody, then greet the greeting.
spec:
  inputs:
    name: {type: string, default: world, description: Who is greeted.}
  outputs:
    text: {type: string, from: $(tasks.again.outputs.text)}
  tasks:
    first:
      component: greet
      inputs: {name: $(inputs.name)}
    again:
      component: greet
      inputs: {name: $(tasks.first.outputs.text)}
"""

_ENVIRONMENT = """# Where the repository is applied: here, to this machine.
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: local}
spec:
  target: {type: local}
"""

_GITIGNORE = ".kfgit/\n"
# What a repository may have before it becomes kfgit's: it is left as it is.
_THEIRS = {".gitignore", ".vscode/settings.json", "README.md", ".github/dependabot.yml"}
_EDITOR = {
    "yaml.schemas": {
        # An editor takes a pattern at any depth, so folders called so inside an environment are taken out.
        ".vscode/kfgit.schema.json": [
            "kfgit.yaml",
            *(
                f"{folder}/**/*.{ending}"
                for folder in ("components", "pipelines")
                for ending in ("yaml", "yml")
            ),
            "!environments/**",
        ],
        ".vscode/kfgit-overlay.schema.json": ["environments/**/*.yaml", "environments/**/*.yml"],
    }
}


@click.command("init")
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(path_type=Path))
@click.option(
    "--template",
    type=Choice("minimal", "examples"),
    default="minimal",
    show_default=True,
    help="What to begin with.",
)
@click.option(
    "--github",
    is_flag=True,
    help="With workflows for GitHub Actions; a project that is there gets only those.",
)
@click.option(
    "--gitlab", is_flag=True, help="With a pipeline for GitLab CI; a project that is there gets only that."
)
@options.output("human", "json")
@options.session
def command(
    session: Session, /, folder: Path, template: str, output: str, *, github: bool, gitlab: bool
) -> int:
    """Make a working repository.

    Nothing that is there is overwritten. --github and --gitlab bring checks of what is proposed, syncs on merges and
    checks for drift, --github also comments and promotions.

    \b
    Examples:
      kfgit init demo
      kfgit init demo --template examples --github
      kfgit init --github
      kfgit init --gitlab
    """
    target = Path(os.path.abspath(session.folder / folder))  # noqa: PTH100 - the name counts, and `..` is no name
    if target.exists() and not target.is_dir():
        raise click.UsageError(f"{folder} is a file")
    automation = project.github_files(__version__) if github else {}
    if (github or gitlab) and (target / project.PROJECT_FILE).exists():
        automation = {**automation, **(_pipeline(session, target) if gitlab else {})}
        return _add(session, folder, target, automation, output)
    files = _minimal(target) if template == "minimal" else _examples()
    files[".gitignore"] = _GITIGNORE
    files[".vscode/settings.json"] = json.dumps(_EDITOR, indent=2) + "\n"
    files |= {**_schemas(), **automation}
    if github and template == "examples":
        files["README.md"] = project.starter_readme()
    there = sorted(path for path in files if path not in _THEIRS and (target / path).exists())
    if there:
        raise Refused(f"{clean(str(target / there[0]))} is there already; nothing was written")
    written = [path for path in files if _write(target / path, files[path])]
    if gitlab:
        # It has jobs for the environments that are there now.
        more = _pipeline(session, target)
        added = [path for path in more if _write(target / path, more[path])]
        for path in more.keys() - set(added):
            session.say(f"  {clean(str(folder / path))} is there already, and left as it is")
        written += added
    if output == "json":
        session.json(envelope("Init", folder=str(target), files=written))
        return exits.DONE
    session.print("".join(f"  {session.out.green('+')} {clean(str(folder / path))}\n" for path in written))
    name = "hello" if template == "minimal" else "first-steps"
    where = "" if str(folder) == "." else f"cd {shlex.quote(clean(str(folder)))} && "
    if ".vscode/settings.json" not in written:
        session.say(f"\nFor editors, .vscode/settings.json needs: {json.dumps(_EDITOR)[1:-1]}")
    session.say(f"\nNext: {where}kfgit validate && kfgit run {name}")
    return exits.DONE


def _add(session: Session, folder: Path, target: Path, files: Mapping[str, str], output: str) -> int:
    """Adds to a project what it does not have, and says what it has already."""
    written = [path for path in files if _write(target / path, files[path])]
    if output == "json":
        session.json(envelope("Init", folder=str(target), files=written))
        return exits.DONE
    session.print("".join(f"  {session.out.green('+')} {clean(str(folder / path))}\n" for path in written))
    for path in files:
        if path not in written:
            session.say(f"  {clean(str(folder / path))} is there already, and left as it is")
    return exits.DONE


def _pipeline(session: Session, target: Path) -> Mapping[str, str]:
    from kfgit.cli import gitlab

    return gitlab.files(session, target)


def _schemas() -> dict[str, str]:
    from kfgit import driver, schema

    found = {"kfgit": schema.bundled(driver.schemas()), "kfgit-overlay": schema.overlay(driver.schemas())}
    return {
        f".vscode/{name}.schema.json": json.dumps(text, indent=1, ensure_ascii=False) + "\n"
        for name, text in found.items()
    }


def _minimal(target: Path) -> dict[str, str]:
    name = re.sub(r"[^a-z0-9]+", "-", target.name.lower()).strip("-") or "project"
    return {
        "kfgit.yaml": _PROJECT.format(name=name[:63].strip("-")),
        "components/greet.yaml": _COMPONENT,
        "pipelines/hello.yaml": _PIPELINE,
        "environments/local.yaml": _ENVIRONMENT,
    }


def _examples() -> dict[str, str]:
    """The example project, its schema comments pointing at the copy that comes with it."""
    root = project.examples_folder()
    files = {"kfgit.yaml": (root / "kfgit.yaml").read_text(encoding="utf-8")}
    for folder in project.DEFAULT_SOURCES:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and path.suffix in {".yaml", ".py"} and "__pycache__" not in path.parts:
                files[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    comment = re.compile(r"(# yaml-language-server: \$schema=(?:\.\./)*)(?:\./)?schemas/kfgit\.schema\.json")
    return {path: comment.sub(r"\1.vscode/kfgit.schema.json", text) for path, text in files.items()}


def _write(path: Path, text: str) -> bool:
    if path.exists() or path.is_symlink():  # also a link that leads nowhere yet
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True
