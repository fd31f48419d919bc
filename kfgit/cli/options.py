"""Options that several commands share, and the names that completion offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from kfgit.cli.door import Door
from kfgit.cli.names import Choice
from kfgit.cli.session import Session, make_session

if TYPE_CHECKING:
    from kfgit.backend import Backend
    from kfgit.driver import Repository
    from kfgit.model import Environment

F = TypeVar("F", bound=Callable[..., Any])
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

# What a shell may be kept waiting for names.
_PATIENCE_SECONDS = 5.0

session = click.make_pass_decorator(Session)


def offering(names: Callable[[click.Context], Iterable[str]]) -> Complete:
    """A completion that offers names. Whatever is broken, it stays silent: a shell is no place for complaints."""

    def complete(context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            found = sorted({name for name in names(context) if name.startswith(incomplete)})
        except Exception:  # noqa: BLE001 - see above
            found = []
        return [CompletionItem(name) for name in found]

    return complete


def _session(context: click.Context) -> Session:
    directory = context.find_root().params.get("directory")
    return make_session(Door(), directory, "never", quiet=True, verbose=False)


def _repository(context: click.Context) -> Repository:
    return _session(context).repository()


def _environments(context: click.Context) -> Iterable[str]:
    return {*_repository(context).environments, "local"}


def _documents(*kinds: str) -> Callable[[click.Context], Iterable[str]]:
    return lambda context: {d.name for d in _repository(context).documents if d.kind in kinds}


def _resources(context: click.Context) -> Iterable[str]:
    return {f"{d.kind.lower()}/{d.name}" for d in _repository(context).documents}


def _live(look: Callable[[Backend], Iterable[str]]) -> Callable[[click.Context], Iterable[str]]:
    """Names from the target. A store is not made for this, and a server may take no longer than people wait."""

    def names(context: click.Context) -> Iterable[str]:
        from kfgit.cli.standing import standing

        found = _session(context)
        repository = found.repository()
        target = standing(repository, context.params.get("env") or repository.default_environment)
        made = repository.root / ".kfgit" / target.name / "state.db"
        return _soon(found, repository, target, look) if target.cluster or made.is_file() else ()

    return names


def _soon(
    found: Session, repository: Repository, target: Environment, look: Callable[[Backend], Iterable[str]]
) -> Iterable[str]:
    """What is seen there; nothing where that takes too long."""
    from concurrent.futures import Future
    from threading import Thread

    future: Future[tuple[str, ...]] = Future()

    def ask() -> None:
        try:
            with found.reached(repository, target) as backend:
                future.set_result(tuple(look(backend)))
        except Exception as fault:  # noqa: BLE001 - for whoever waits
            future.set_exception(fault)

    Thread(target=ask, daemon=True).start()
    return future.result(_PATIENCE_SECONDS)


def _profiles(context: click.Context) -> Iterable[str]:
    """What tasks may write: the profiles, and what any environment maps."""
    from kfgit.document import Mapping, at

    found = set(_documents("ResourceProfile")(context))
    for each in _repository(context).documents:
        mapped = at(each.node, ("spec", "profiles")) if each.kind == "Environment" else None
        found |= set(mapped.entries) if isinstance(mapped, Mapping) else set()
    return found


def _run_documents(context: click.Context) -> Iterable[str]:
    return {f"run/{name}" for name in _documents("Run")(context)} | set(_documents("Pipeline")(context))


def _required(context: click.Context) -> Iterable[str]:
    """What a promotion may ask for."""
    from kfgit.promotion import LEVELS

    return {*LEVELS, *(f"pipeline/{name}" for name in _documents("Pipeline")(context))}


def _foreign(backend: Backend) -> Iterable[str]:
    return (f"{each.kind.lower()}/{each.name}" for each in backend.observe().objects if not each.owned)


def _revisions(context: click.Context) -> Iterable[str]:
    """Branches and tags."""
    from kfgit.project import plumbing

    places = ("refs/heads", "refs/tags", "refs/remotes")
    told = plumbing.ask(_session(context).root(), "for-each-ref", "--format=%(refname:lstrip=2)", *places)
    return {"HEAD", *told.out.decode("utf-8", "replace").split()}


def complete_revisions(
    context: click.Context, option: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """One revision, or two with `..` or `...` between them."""
    before, dots, last = incomplete.rpartition("..")
    return [
        CompletionItem(f"{before}{dots}{each.value}") for each in complete_revision(context, option, last)
    ]


complete_revision = offering(_revisions)
complete_environment = offering(_environments)
complete_foreign = offering(_live(_foreign))
complete_pipeline = offering(_documents("Pipeline"))
complete_runnable = offering(_run_documents)
complete_profile = offering(_profiles)
complete_required = offering(_required)
complete_resource = offering(_resources)
complete_run = offering(_live(lambda backend: (run.id for run in backend.runs.newest(50))))
complete_artifact = offering(_live(lambda backend: (a.artifact.id for a in backend.runs.artifacts(None, 50))))
complete_schedule = offering(_live(lambda backend: (one.name for one in backend.schedules.all())))

environment = click.option(
    "-e",
    "--env",
    "env",
    metavar="ENV",
    envvar="KFGIT_ENV",
    shell_complete=offering(_environments),
    help="The environment; default: KFGIT_ENV, the project's default, or local.",
)
environments = click.option(
    "-e",
    "--env",
    "envs",
    metavar="ENV",
    multiple=True,
    allow_from_autoenv=False,
    shell_complete=offering(_environments),
    help="Only this environment; may be given several times.",
)
named_environment = click.option(
    "-e",
    "--env",
    "env",
    metavar="ENV",
    required=True,
    allow_from_autoenv=False,
    shell_complete=offering(_environments),
    help="The environment; must be named.",
)


def output(*formats: str) -> Callable[[F], F]:
    """`-o FORMAT`. The first is the default; `human` is a word for it where the first has a name of its own."""
    words = formats if "human" in formats else ("human", *formats)

    def chosen(context: click.Context, _option: click.Parameter, value: str) -> str:
        asked = context.get_parameter_source("output") is not click.core.ParameterSource.DEFAULT
        if isinstance(context.obj, Session) and asked:
            context.obj.door.output = value
        return formats[0] if value == "human" and "human" not in formats else value

    return click.option(
        "-o",
        "--output",
        "output",
        type=Choice(*words),
        default=formats[0],
        show_default=True,
        envvar="KFGIT_OUTPUT",
        is_eager=True,
        callback=chosen,
        help="How to show it.",
    )
