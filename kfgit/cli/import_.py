"""`kfgit import --live`: what is on a target, as documents."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kfgit import desired as wishes, driver, importers, plan as plans, project
from kfgit.backend import Refused
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.formatting import Shapes
from kfgit.importers import Draft, Standing
from kfgit.ir import DEFAULT_EXPERIMENT
from kfgit.plan import LiveObject
from kfgit.render.envelope import envelope
from kfgit.render.style import clean, one_line

if TYPE_CHECKING:
    from kfgit.backend import Backend
    from kfgit.driver import Checkout, Repository
    from kfgit.ir import Resource

_KINDS = frozenset({"Experiment", "Pipeline", "Schedule"})
_FOLDER = "imported"
# So many fields of an object that the next apply would change are told, and so many objects of somebody else's.
_SHOWN = 3


@click.command("import")
@click.argument("files", metavar="", nargs=-1, type=click.Path(path_type=Path))
@click.option("--live", is_flag=True, help="Import what is on the environment's target.")
@options.environment
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Where the documents go; default: `imported` in the first of the project's sources.",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@options.output("human", "json")
@options.session
def command(session: Session, /, files: Sequence[Path], env: str | None, output: str, **flags: Any) -> int:
    """Write what is on a target as documents, to be reviewed, committed and adopted.

    Pipelines are written as they are compiled, beside their documents. What a document wants already is left out, and
    so is what another project keeps; what cannot be said is a comment in its file, and told.

    \b
    Examples:
      kfgit import --live -e prod
      kfgit import --live -e prod --out pipelines/taken-over -o json
    """
    if files or not flags["live"]:
        raise click.UsageError("kfgit imports what is on a target, and needs --live for that")
    root = session.root()
    repository = session.repository()
    checkout = session.checkout(repository, session.environment(repository, env))
    out = _folder(session, root, flags["out"])
    if checkout.source.base is not None:
        raise Refused(
            f"the base documents of `{checkout.environment}` are those of commit {checkout.source.base.commit}, "
            "which what is imported would not be among: take `pin` out of its Environment, import, commit, and pin that"
        )
    with session.backend(repository, checkout) as backend:
        work = _Work(session, repository, checkout, backend, out)
        found, skipped = work.looked()
        drafts, texts = work.checked(list(importers.drafts(found, work.standing())))
        _write(root, texts, force=flags["force"])
        later = tuple(work.next_apply(drafts, texts))
    _tell(session, output, drafts, texts, (*skipped, *later))
    return exits.DONE


def _folder(session: Session, root: Path, out: Path | None) -> str:
    """Where files go, relative to the root; ends the command where kfgit would not read them."""
    sources = driver.sources_of(root) or project.DEFAULT_SOURCES
    if out is None:
        usual = "pipelines" if "pipelines" in sources else next(iter(sources), "pipelines")
        return f"{usual.rstrip('/')}/{_FOLDER}"
    whole = (session.folder / out).resolve()
    inside = whole.is_relative_to(root.resolve())
    path = whole.relative_to(root.resolve()).as_posix() if inside else ""
    if not inside or not any(path == each or path.startswith(f"{each}/") for each in _plain(sources)):
        raise click.UsageError(
            f"kfgit would not read what is written to {out}: choose a folder in one of the project's sources "
            f"({', '.join(sources)}), or name it in `spec.sources` of kfgit.yaml"
        )
    if path.split("/")[0] == "environments":
        raise click.UsageError(
            "what stands in `environments` is one environment's alone: choose another folder"
        )
    return path


def _plain(sources: Sequence[str]) -> list[str]:
    return [Path(each).as_posix() for each in sources]


@dataclass(frozen=True, slots=True)
class _Work:
    """One import."""

    session: Session
    repository: Repository
    checkout: Checkout
    backend: Backend
    out: str

    def desired(self) -> Sequence[Resource]:
        return driver.resources(self.checkout).value

    def looked(self) -> tuple[Sequence[LiveObject], Sequence[str]]:
        """What is there and wanted by nobody, with what pipelines are made of; and what is left out."""
        self.session.say(f"looking at what is in {clean(self.checkout.environment)} …")
        wanted = {(each.kind, each.name) for each in self.desired()}
        wanted.add(("Experiment", DEFAULT_EXPERIMENT))
        there = [
            each
            for each in self.backend.observe().objects
            if each.kind in _KINDS and (each.kind, each.name) not in wanted
        ]
        chosen = [each for each in there if not each.detail.get("owner")]
        skipped = tuple(_left_out(each for each in there if each not in chosen))
        pipelines = sum(each.kind == "Pipeline" for each in chosen)
        if pipelines:
            self.session.say(f"reading the versions of {pipelines} pipeline{'s' if pipelines > 1 else ''} …")
        ids = {(each.kind, each.id) for each in chosen}
        found = self.backend.observe(adopting=chosen).objects
        return [each for each in found if (each.kind, each.id) in ids], skipped

    def standing(self) -> Standing:
        """What is known of the project for the documents' sake."""
        checked = self.checkout.project
        environment = checked.project.environment
        kinds: Mapping[str, Mapping[str, Any]] = {
            "Pipeline": checked.project.pipelines,
            "Experiment": checked.project.experiments,
        }
        called = {
            (kind, wishes.server_name(checked, name, each.external_name)): name
            for kind, documents in kinds.items()
            for name, each in documents.items()
        }
        versions = {each.name: str(each.spec["digest"]) for each in self.desired() if each.kind == "Pipeline"}
        documents = frozenset((each.kind, each.name) for each in self.repository.documents)
        return Standing(environment.prefix, documents, called, versions)

    def checked(self, drafts: list[Draft]) -> tuple[Sequence[Draft], Mapping[str, bytes]]:
        """The documents and their files; what would be a mistake is one no more.

        One that is refused may leave others without what they name, so it is looked at again until all are right.
        """
        shapes = Shapes(driver.schemas())
        while True:
            texts = {
                f"{self.out}/{path}": text.encode() for path, text in importers.files(drafts, shapes).items()
            }
            faults = self._faults(texts)
            left = [
                importers.refused(each, why)
                if each.why is None and (why := self._why(each, faults)) is not None
                else each
                for each in drafts
            ]
            if left == drafts:
                return drafts, texts
            drafts = left

    def _why(self, draft: Draft, faults: Mapping[str, str]) -> str | None:
        return faults.get(f"{self.out}/{draft.path}") or faults.get(f"{self.out}/{draft.package_path}")

    def _faults(self, texts: Mapping[str, bytes]) -> Mapping[str, str]:
        """The first mistake of each new file, in whatever environment it is one."""
        repository = self._with(texts)
        found: dict[str, str] = {}
        checks = [driver.check(repository, name).diagnostics for name in repository.environments]
        for fault in (*repository.diagnostics, *(fault for each in checks for fault in each)):
            if fault.severity == "error" and fault.span.file in texts:
                found.setdefault(fault.span.file, fault.message)
        return found

    def _with(self, texts: Mapping[str, bytes]) -> Repository:
        return driver.load_from(project.Added(project.Folder(self.repository.root), texts))

    def next_apply(self, drafts: Sequence[Draft], texts: Mapping[str, bytes]) -> Iterator[str]:
        """What would be changed of objects that were taken over: their documents say it otherwise than the server."""
        written = [each.live for each in drafts if each.why is None]
        if not written:
            return
        checkout = driver.check(self._with(texts), self.checkout.environment).value
        desired = driver.resources(checkout).value
        live = self.backend.observe(desired, adopting=written)
        chosen = {(each.kind, each.name): each.id for each in written}
        plan = plans.adoption(self.checkout.environment, self.backend.identity, desired, live, chosen)
        for change in plan.changes:
            diff = getattr(change, "diff", ())
            if diff:
                kind, name = plans.subject(change)
                told = ", ".join(
                    f"{d.path} from {_short(d.before)} to {_short(d.after)}" for d in diff[:_SHOWN]
                )
                yield f"{kind.lower()}/{clean(name)}: once it is adopted, the next apply changes {told}"


def _left_out(others: Iterable[LiveObject]) -> Iterator[str]:
    """A line for each other set of kfgit."""
    by_owner: dict[str, list[str]] = {}
    for each in others:
        by_owner.setdefault(str(each.detail["owner"]), []).append(_word(each))
    for owner, names in list(by_owner.items())[:_SHOWN]:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        verb = "belongs" if len(names) == 1 else "belong"
        yield f"{', '.join(names[:_SHOWN])}{more} {verb} to {clean(owner)}: left out"
    rest = list(by_owner.values())[_SHOWN:]
    if rest:
        yield f"{sum(map(len, rest))} more objects belong to {len(rest)} other sets of kfgit: left out"


def _write(root: Path, texts: Mapping[str, bytes], *, force: bool) -> None:
    """Writes all files, or none: raises `Refused` where some are there."""
    there = [path for path in sorted(texts) if (root / path).exists() or (root / path).is_symlink()]
    if there and not force:
        raise Refused(
            f"nothing is written over: {', '.join(there[:5])}{', …' if len(there) > 5 else ''} "
            f"{'is' if len(there) == 1 else 'are'} there already; choose another --out, or say --force"
        )
    for path, text in texts.items():
        target = root / path
        if not target.parent.resolve().is_relative_to(root.resolve()) or target.is_symlink():
            raise Refused(f"{path} leads out of the project, or is a link: choose another --out")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)


def _tell(
    session: Session, output: str, drafts: Sequence[Draft], texts: Mapping[str, bytes], words: Sequence[str]
) -> None:
    refused = [(each, each.why) for each in drafts if each.why is not None]
    remarked = [(each, remark) for each in drafts if each.why is None for remark in each.remarks]
    for draft, why in refused:
        session.warn(f"{_word(draft.live)} cannot be a document, and is a comment: {clean(why)}")
    for draft, remark in remarked:
        session.warn(f"{_word(draft.live)}: {clean(remark)}")
    for word in words:
        session.warn(word)
    made = [each for each in drafts if each.why is None]
    if output == "json":
        told = [
            {"kind": each.live.kind, "name": each.name, "file": path, "externalName": each.live.name,
             "id": each.live.id, "error": each.why}
            for each in drafts
            for path in texts
            if path.endswith(f"/{each.path}")
        ]  # fmt: skip
        session.json(envelope("Import", files=sorted(texts), documents=told))
        return
    session.print("".join(f"{path}\n" for path in sorted(texts)))
    if not drafts:
        session.say("nothing is there that no document wants")
        return
    session.say(
        f"{len(made)} document{'' if len(made) == 1 else 's'} written; look at them, commit them, then:"
    )
    foreign = [shlex.quote(_word(each.live)) for each in made if not each.live.applied]
    session.say(f"  kfgit adopt {' '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}")


def _word(live: LiveObject) -> str:
    return f"{live.kind.lower()}/{clean(live.name)}"


def _short(value: Any) -> str:
    return "nothing" if value is None else one_line(str(value), 40)
