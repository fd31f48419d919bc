"""`kfgit compile`: KFP packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from kfgit import compiler, driver
from kfgit.backend import NotFound
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.cli.standing import touching
from kfgit.diagnostics import has_errors
from kfgit.ir import Package
from kfgit.render.envelope import envelope, items
from kfgit.render.style import clean


@click.command("compile")
@click.argument("pipelines", nargs=-1, shell_complete=options.complete_pipeline)
@options.environment
@click.option("--out", type=click.Path(path_type=Path), help="A file for one pipeline, or a folder.")
@options.output("yaml", "json")
@options.session
def command(
    session: Session, /, pipelines: Sequence[str], env: str | None, out: Path | None, output: str
) -> int:
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
    wanted = list(dict.fromkeys(name.removeprefix("pipeline/") for name in pipelines))
    for name in wanted:
        if name not in found.project.pipelines and ("*", name) not in checked.value.source.broken:
            raise NotFound("pipeline", name, list(found.project.pipelines))
    names = wanted or list(found.project.pipelines)
    diagnostics = driver.mistakes(checked)
    if not wanted and has_errors(diagnostics):
        return session.invalid(repository, diagnostics)
    if faulty := [("Pipeline", name) for name in names if name not in found.pipelines]:
        return session.invalid(repository, touching(checked.value.view.documents, faulty, diagnostics))
    packages = {name: compiler.compile_pipeline(found.pipelines[name]) for name in names}
    if out is None and len(packages) != 1 and output != "json":
        raise click.UsageError(f"{len(packages)} pipelines: name one, or give a folder with --out")
    if out is None:
        _show(session, packages, output)
    else:
        _write(session, packages, out, output)
    return exits.DONE


def _show(session: Session, packages: Mapping[str, Package], output: str) -> None:
    if output == "json":
        session.json(items("Package", [_json(package) for package in packages.values()]))
    else:
        session.print(next(iter(packages.values())).to_yaml())


def _json(package: Package, **more: str) -> dict[str, Any]:
    spec, platform = package.spec, package.platform
    return envelope("Package", name=package.name, digest=package.digest, spec=spec, platform=platform, **more)


def _write(session: Session, packages: Mapping[str, Package], out: Path, output: str) -> None:
    target = session.folder / out
    written = []
    single = len(packages) == 1 and target.suffix in {".yaml", ".yml"} and not target.is_dir()
    for name, package in packages.items():
        path = target if single else target / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(package.to_yaml(), encoding="utf-8")
        written.append(_json(package, file=str(path)))
        session.say(f"{clean(str(path))}  {package.digest[:12]}")
    if output == "json":
        session.json(items("Package", written))
