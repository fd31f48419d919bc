"""`kfgit explain`: more about a diagnostic's code or a field of the language."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from kfgit import driver, explanations, schema
from kfgit.backend import NotFound
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.render.envelope import envelope, items
from kfgit.render.style import Style, pad, table


@click.command("explain")
@click.argument(
    "subject", metavar="[CODE|FIELD]", required=False, shell_complete=options.offering(lambda _: _subjects())
)
@options.output("human", "json")
@options.session
def command(session: Session, /, subject: str | None, output: str) -> int:
    """Explain a diagnostic's code, or a field such as `pipeline.spec.tasks`.

    Without a subject all codes are listed.

    \b
    Examples:
      kfgit explain unknown-component
      kfgit explain Pipeline.spec.defaults.retry
    """
    if subject is None:
        _list(session, output)
        return exits.DONE
    if subject in explanations.EXPLANATIONS:
        _code(session, subject, output)
        return exits.DONE
    kind, *path = subject.split(".")
    kinds = {name.lower(): name for name in driver.schemas().kinds}
    if kind.lower() not in kinds:
        raise NotFound("code or kind", subject, _subjects())
    found = _field(schema.strict(driver.schemas(), kinds[kind.lower()]), path, subject)
    _tell(session, subject, found, output)
    return exits.DONE


def _subjects() -> list[str]:
    return [*explanations.EXPLANATIONS, *driver.schemas().kinds]


def _list(session: Session, output: str) -> None:
    if output == "json":
        told = [{"code": code, "title": found.title} for code, found in explanations.EXPLANATIONS.items()]
        session.json(items("Code", told))
        return
    rows = [(session.out.bold(code), found.title) for code, found in explanations.EXPLANATIONS.items()]
    session.print(table(rows))


def _code(session: Session, code: str, output: str) -> None:
    if output == "json":
        found = explanations.EXPLANATIONS[code]
        session.json(envelope("Explanation", code=code, title=found.title, text=explanations.explain(code)))
    else:
        session.print(str(explanations.explain(code)))


def _field(node: Mapping[str, Any], path: list[str], subject: str) -> Mapping[str, Any]:
    """Follows names through maps, lists and alternatives."""
    for step in path:
        known: dict[str, Any] = {}
        for part in _parts(node):
            known.update(part.get("properties", {}))
            extra = part.get("additionalProperties")
            if isinstance(extra, dict):
                known.setdefault(step, extra)
        if step not in known:
            raise NotFound("field", subject, [".".join([subject.rsplit(".", 1)[0], name]) for name in known])
        node = known[step]
    return node


def _parts(node: Any) -> Iterator[Mapping[str, Any]]:
    """A schema and what is said of the same value inside it."""
    if not isinstance(node, dict):
        return
    yield node
    for key in ("allOf", "anyOf", "oneOf"):
        for part in node.get(key, ()):
            yield from _parts(part)
    for key in ("then", "else", "items"):
        yield from _parts(node.get(key))


def _tell(session: Session, subject: str, node: Mapping[str, Any], output: str) -> None:
    if output == "json":
        session.json(envelope("Field", path=subject, schema=node))
        return
    session.print(_text(subject, node, session.out))


def _text(subject: str, node: Mapping[str, Any], style: Style) -> str:
    facts: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for part in _parts(node):
        for key in ("title", "description", "type", "enum", "default", "examples", "x-kfgit-form"):
            if key in part:
                facts.setdefault(key, part[key])
        fields.update(part.get("properties", {}))
    lines = [style.bold(subject)]
    if facts.get("description"):
        lines += ["", str(facts["description"])]
    for key, name in (
        ("x-kfgit-form", "form"),
        ("type", "type"),
        ("enum", "one of"),
        ("default", "default"),
        ("examples", "examples"),
    ):
        if key in facts:
            value = facts[key] if isinstance(facts[key], str) else json.dumps(facts[key], ensure_ascii=False)
            lines.append(f"{style.dim(name)}: {value}")
    if fields:
        lines += ["", style.dim("fields")]
        width = max(map(len, fields))
        lines += [f"  {pad(name, width)}  {_summary(found)}".rstrip() for name, found in fields.items()]
    return "\n".join(lines)


def _summary(node: Any) -> str:
    for part in _parts(node):
        if part.get("description"):
            return str(part["description"]).split("\n")[0]
    return ""
