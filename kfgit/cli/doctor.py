"""`kfgit doctor`: what this machine has, what the project needs, and what to do about the difference."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator

import click

from kfgit import __version__, driver, project
from kfgit.backend import Finding, MachineFault
from kfgit.cli import exits, machine, options
from kfgit.cli.session import Session, cache_folder
from kfgit.cli.status import served
from kfgit.diagnostics import has_errors
from kfgit.driver import Checkout, Repository
from kfgit.model import (
    Component,
    EnvValue,
    KeySource,
    Literal_,
    Pipeline,
    SecretKey,
    UseComponent,
)
from kfgit.render.envelope import envelope
from kfgit.render.style import clean, pad


@click.command("doctor")
@options.environment
@options.output("human", "json")
@options.session
def command(session: Session, env: str | None, output: str) -> int:
    """Look at this machine, and at the environment's cluster, and say what is missing.

    Of a cluster: whether it can be reached and as whom, which rights are lacking, what KFP there can, the time zone of
    its controller, what pipelines name and nobody has, kfgit's own inventory and lock, and for each resource profile
    on how many of its nodes tasks could run, and how many at once. Of this machine: its GPUs, and what the tasks of a
    local environment may hold of it together. Exits with 7 where something is in the way.

    \b
    Examples:
      kfgit doctor
      kfgit doctor -e prod
    """
    findings = [*_machine(), *_project(session, env)]
    if output == "json":
        items = [{"name": f.name, "state": f.state, "message": f.message, "help": f.help} for f in findings]
        session.json(envelope("Doctor", version=__version__, findings=items))
    else:
        style = session.out
        signs = {"ok": style.green("✔"), "note": style.yellow("•"), "problem": style.red("✘")}
        for found in findings:
            session.print(f"{signs[found.state]} {pad(found.name, 12)} {clean(found.message)}")
            if found.help:
                session.print(f"  {'':<12} {style.dim(found.help)}")
    return exits.FAILED if any(f.state == "problem" for f in findings) else exits.DONE


def _machine() -> list[Finding]:
    findings = [
        Finding(
            "kfgit",
            "ok",
            f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        ),
        _tool("git", "the commit is noted in plans", "install git"),
        _uv(),
        _engine(),
        machine.gpus(),
    ]
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free / 1e9
    except OSError as fault:
        findings.append(
            Finding(
                "cache",
                "problem",
                f"{folder} cannot be written: {fault.strerror}",
                "set KFGIT_CACHE to a folder of yours",
            )
        )
    else:
        findings.append(Finding("cache", "ok" if free > 1 else "problem", f"{folder}, {free:.0f} GB free"))
    return findings


def _tool(name: str, use: str, help_: str) -> Finding:
    path = shutil.which(name)
    return Finding(name, "ok", f"{path}") if path else Finding(name, "note", f"not found; {use}", help_)


def _uv() -> Finding:
    from kfgit.backends.local.environments import find_uv

    path = find_uv()
    if path is not None:
        return Finding("uv", "ok", str(path))
    return Finding(
        "uv",
        "note",
        "not found; environments are made by pip, which is slower",
        f"{sys.executable} -m pip install uv",
    )


def _engine() -> Finding:
    for name in ("docker", "podman"):
        path = shutil.which(name)
        if path is None:
            continue
        try:
            answer = subprocess.run(  # noqa: S603 - a program that was found on the PATH
                [path, "version", "--format", "{{.Server.Version}}"],
                capture_output=True,
                timeout=5,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        if answer.returncode == 0:
            return Finding("containers", "ok", f"{name} {answer.stdout.decode('utf-8', 'replace').strip()}")
    return Finding(
        "containers",
        "note",
        "neither docker nor podman answers; container components run as processes of this machine",
    )


def _project(session: Session, env: str | None) -> list[Finding]:
    root = project.find_root(session.folder)
    if root is None:
        return [
            Finding("project", "note", f"no kfgit.yaml in {session.folder} or above it", "kfgit init DIR")
        ]
    repository = driver.load(root)
    name = session.environment(repository, env)
    checked = driver.check(repository, name)
    bad = has_errors(driver.mistakes(checked))
    found = [
        Finding("project", "problem", f"{root} has mistakes in {name}", "kfgit validate")
        if bad
        else Finding("project", "ok", f"{root} ({name})")
    ]
    if checked.value.project.project.environment.cluster is not None:
        found += _cluster(session, repository, checked.value, sound=not bad)
    else:
        found += machine.room(repository, checked.value, sound=not bad)
        found += _state(session, repository, name)
        found += _secrets(
            repository,
            checked.value.project.project.pipelines.values(),
            checked.value.project.project.components.values(),
        )
    return found


def _cluster(
    session: Session, repository: Repository, checkout: Checkout, *, sound: bool
) -> Iterator[Finding]:
    desired = driver.resources(checkout).value if sound else ()
    environment = checkout.project.project.environment
    try:
        with session.cluster(repository, environment) as backend:
            from kfgit.backends.cluster.examining import examine

            known = checkout.project.project if sound else None
            yield from examine(backend, desired, known, secrets=bool(os.environ.get("KFGIT_CHECK_SECRETS")))
    except MachineFault as fault:
        yield Finding("cluster", "problem", str(fault))


def _state(session: Session, repository: Repository, name: str) -> list[Finding]:
    if not (repository.root / ".kfgit" / name).is_dir():
        return [Finding("store", "ok", "nothing was applied here yet")]
    try:
        with session.local(repository, name) as backend:
            count, server = len(backend.runs.page(1000).items), backend.holder()
    except MachineFault as fault:
        return [Finding("store", "problem", str(fault))]
    store = Finding("store", "ok", f"{repository.root / '.kfgit' / name}, {count} runs")
    if server is None:
        return [
            store,
            Finding("server", "ok", f"none; `kfgit up -e {name}` fires schedules and answers KFP's API"),
        ]
    return [store, Finding("server", "ok", served(server))]


def _secrets(
    repository: Repository, pipelines: Iterable[Pipeline], components: Iterable[Component]
) -> list[Finding]:
    """Secrets that tasks want and that are not on this machine."""
    wanted: dict[tuple[str, str], bool] = {}
    for component in components:
        for value in component.env.values():
            _want(wanted, value)
    for pipeline in pipelines:
        for task in pipeline.all_tasks():
            inline = task.action.inline if isinstance(task.action, UseComponent) else None
            own = inline.env if inline is not None else {}
            for value in (*own.values(), *(task.settings.env or {}).values()):
                _want(wanted, value)
            for source in task.settings.kubernetes.secrets if task.settings.kubernetes is not None else ():
                _want_source(wanted, source)
    findings = []
    for (name, key), optional in sorted(wanted.items()):
        path = repository.root / ".kfgit" / "secrets" / f"{name}.env"
        if not path.is_file() and not optional:
            findings.append(
                Finding(
                    "secret",
                    "problem",
                    f"tasks want `{key}` of the secret `{name}`",
                    f"write {key}=… into {path}",
                )
            )
    return findings


def _want(wanted: dict[tuple[str, str], bool], value: EnvValue) -> None:
    if isinstance(value, SecretKey):
        key = value.name, value.key
        wanted[key] = wanted.get(key, True) and value.optional


def _want_source(wanted: dict[tuple[str, str], bool], source: KeySource) -> None:
    """A Secret of a `kubernetes` block, where the run does not choose its name; mounted, any key will do."""
    if isinstance(source.name, Literal_):
        for key in [key for _, key in source.variables] or ["…"]:
            _want(wanted, SecretKey(str(source.name.value), key, source.optional))
