"""`kfgit explain`: more about a diagnostic's code or a field of the language."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from kfgit import driver, explanations, schema
from kfgit.backend import NotFound
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.render.envelope import envelope, items
from kfgit.render.style import Style, pad, table


def _offer(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return options.offering(lambda _: _subjects(incomplete))(context, parameter, incomplete)


@click.command("explain")
@click.argument("subject", metavar="[CODE|FIELD]", required=False, shell_complete=_offer)
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
    _tell(session, subject, _field(subject), output)
    return exits.DONE


def _subjects(begun: str = "") -> list[str]:
    """What may be asked about; after a dot the fields that may stand there."""
    above, dot, _ = begun.rpartition(".")
    if not dot:
        return [*explanations.EXPLANATIONS, *driver.schemas().kinds]
    node = _field(above)
    return [f"{above}.{name}" for name in (_properties(node, node["$defs"]) or _below(node, node["$defs"]))]


def _list(session: Session, output: str) -> None:
    if output == "json":
        told = [{"code": code, "title": found.title} for code, found in explanations.EXPLANATIONS.items()]
        session.json(items("Code", told))
        return
    rows = [(session.out.bold(code), found.title) for code, found in explanations.EXPLANATIONS.items()]
    session.print(table(rows, style=session.out))


def _code(session: Session, code: str, output: str) -> None:
    if output == "json":
        found = explanations.EXPLANATIONS[code]
        session.json(envelope("Explanation", code=code, title=found.title, text=explanations.explain(code)))
    else:
        session.print(str(explanations.explain(code)))


def _field(subject: str) -> Mapping[str, Any]:
    """Follows names through maps, lists and alternatives. Names of the user's may be left out: `tasks.retry`."""
    kind, *path = subject.split(".")
    kinds = {name.lower(): name for name in driver.schemas().kinds}
    if kind.lower() not in kinds:
        raise NotFound("code or kind", subject, _subjects())
    node: Mapping[str, Any] = schema.strict(driver.schemas(), kinds[kind.lower()])
    definitions = node.get("$defs", {})
    for step in path:
        known, below = _properties(node, definitions), _below(node, definitions)
        inner = [part["additionalProperties"] for part in _parts(node, definitions) if _is_open(part)]
        if step in known or step in below:
            node = known.get(step) or below[step]
        elif inner and step:
            node = inner[0]
        else:
            raise NotFound("field", subject, [".".join([subject.rsplit(".", 1)[0], name]) for name in known])
    return {**node, "$defs": definitions}


def _below(node: Any, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of what has names of the user's."""
    inner = [part["additionalProperties"] for part in _parts(node, definitions) if _is_open(part)]
    return {name: field for extra in inner for name, field in _properties(extra, definitions).items()}


def _is_open(part: Mapping[str, Any]) -> bool:
    return isinstance(part.get("additionalProperties"), dict)


def _properties(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: field
        for part in _parts(node, definitions)
        for name, field in part.get("properties", {}).items()
    }


def _parts(node: Any, definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What is said of the same value, and of the items of a list."""
    for part in _alternatives(node, definitions):
        yield part
        yield from _parts(part.get("items"), definitions)


def _alternatives(node: Any, definitions: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema, and the schemas that it has for some values."""
    if not isinstance(node, dict):
        return
    yield node
    if "$ref" in node:
        yield from _alternatives(definitions[node["$ref"].removeprefix("#/$defs/")], definitions)
    for key in ("then", "else"):
        yield from _alternatives(node.get(key), definitions)


def _tell(session: Session, subject: str, node: Mapping[str, Any], output: str) -> None:
    if output == "json":
        session.json(envelope("Field", path=subject, schema=node))
        return
    session.print(_text(subject, node, session.out))


def _text(subject: str, node: Mapping[str, Any], style: Style) -> str:
    definitions = node["$defs"]
    facts = _facts(node, definitions)
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
    fields = _properties(node, definitions)
    if fields:
        lines += ["", style.dim("fields")]
        width = max(map(len, fields))
        told = ((name, _facts(field, definitions).get("description", "")) for name, field in fields.items())
        lines += [f"  {pad(name, width)}  {about.partition(chr(10))[0]}".rstrip() for name, about in told]
    return "\n".join(lines)


def _facts(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """What is said first of the value; its types are those of all alternatives."""
    facts: dict[str, Any] = {}
    types: list[str] = []
    for part in _alternatives(node, definitions):
        facts = {**part, **facts}
        given = part.get("type", [])
        types += [given] if isinstance(given, str) else given
    if types:
        facts["type"] = " or ".join(dict.fromkeys(types))
    return facts
