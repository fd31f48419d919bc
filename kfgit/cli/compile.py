"""`kfgit compile`: KFP packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from kfgit import compiler, driver
from kfgit.backend import NotFound
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.diagnostics import has_errors
from kfgit.ir import Package
from kfgit.render.as_json import envelope


@click.command("compile")
@click.argument("pipelines", nargs=-1, shell_complete=options.complete_pipeline)
@options.environment
@click.option("--out", type=click.Path(path_type=Path), help="A file for one pipeline, or a folder.")
@options.output("yaml", "json")
@options.session
def command(session: Session, pipelines: Sequence[str], env: str | None, out: Path | None, output: str) -> int:
    """Write KFP packages (IR), byte-stable.

    One pipeline goes to stdout without --out; all of them need a folder.

    \b
    Examples:
      kfgit compile first-steps
      kfgit compile -e prod --out build/
    """
    repository = session.repository()
    environment = session.environment(repository, env)
    checked = driver.check(repository, environment)
    found = checked.value.project
    for name in pipelines:
        if name.removeprefix("pipeline/") not in found.project.pipelines:
            raise NotFound("pipeline", name, list(found.project.pipelines))
    names = [name.removeprefix("pipeline/") for name in pipelines] or list(found.project.pipelines)
    diagnostics = (*repository.diagnostics, *checked.diagnostics)
    if any(name not in found.pipelines for name in names) or (not pipelines and has_errors(diagnostics)):
        session.diagnose(diagnostics, repository)
        return exits.INVALID
    packages = {name: compiler.compile_pipeline(found.pipelines[name]) for name in names}
    if out is None and len(packages) != 1 and output != "json":
        raise click.UsageError(f"{len(packages)} pipelines: name one, or give a folder with --out")
    _write(session, packages, out, output)
    return exits.DONE


def _write(session: Session, packages: Mapping[str, Package], out: Path | None, output: str) -> None:
    if out is None:
        if output == "json":
            shown = [{"name": p.name, "digest": p.digest, "spec": p.spec, "platform": p.platform} for p in packages.values()]
            session.json(envelope("PackageList", items=shown))
        else:
            session.print(next(iter(packages.values())).to_yaml())
        return
    target = session.folder / out
    single = len(packages) == 1 and target.suffix in {".yaml", ".yml"} and not target.is_dir()
    for name, package in packages.items():
        path = target if single else target / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(package.to_yaml(), encoding="utf-8")
        session.say(f"{path}  {package.digest[:12]}")
