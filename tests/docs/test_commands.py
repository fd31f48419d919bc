"""docs/commands.md is the command line: every command, usage, flag, choice and exit code, both ways.

Usage lines and tables are the program's own words; `pytest tests/docs --accept` writes them anew. The rest is written
by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from kfgit.cli import exits
from kfgit.cli.app import app
from tests.docs.markdown import ROOT, sections

PAGE = ROOT / "docs" / "commands.md"
_USAGE = re.compile(r"```text\nkfgit.*?\n```\n", re.DOTALL)
_TABLE = re.compile(r"\| flag \| value \| meaning \|\n(?:\|.*\n)+")


def tree(
    command: click.Command, name: str, parent: click.Context | None
) -> Iterator[tuple[str, click.Context]]:
    # click keeps a command's help option from the first context it sees, so this must be the real one.
    settings = command.context_settings if parent is None else {}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    yield context.command_path, context
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from tree(found, inner, context)


TREE = dict(tree(app, "kfgit", None))


def usage(context: click.Context) -> str:
    words = [context.command_path, *context.command.collect_usage_pieces(context)]
    return f"```text\n{' '.join(words)}\n```\n"


def table(context: click.Context) -> str:
    """All flags but `--help`, which every command has."""
    options = [option for option in context.command.params if isinstance(option, click.Option)]
    rows = [f"| {_names(option)} | {_value(option)} | {_meaning(option)} |\n" for option in options]
    return "".join(["| flag | value | meaning |\n|---|---|---|\n", *rows]) if rows else ""


def _names(option: click.Option) -> str:
    return ", ".join(f"`{name}`" for name in option.opts)


def _value(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return " ".join(f"`{choice}`" for choice in option.type.choices)
    if option.is_flag:
        return ""
    kinds = {"path": "PATH", "integer range": "NUMBER"}
    name = (option.metavar or kinds.get(option.type.name, option.type.name.upper())).replace("|", " or ")
    return f"{name}, several times" if option.multiple else name


def _meaning(option: click.Option) -> str:
    words = [option.help or ""]
    if option.show_default and isinstance(option.default, str | int) and not option.is_flag:
        words.append(f"Default: `{option.default}`.")
    if isinstance(option.envvar, str) and option.envvar not in words[0]:
        words.append(f"Variable: `{option.envvar}`.")
    return " ".join(words)


def own(path: str, page: str) -> str:
    """What a command's section says before the next heading."""
    heading = f"{'#' * max(2, path.count(' ') + 1)} `{path}`\n"
    assert heading in page, f"docs/commands.md has no section {heading.strip()}"
    return re.split(r"^##", page.partition(heading)[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_every_command_has_its_section() -> None:
    told = [
        name.strip("`") for level in (2, 3) for name in sections(PAGE, level) if name.startswith("`kfgit")
    ]
    assert sorted(told) == sorted(TREE)


@pytest.mark.parametrize("path", TREE)
def test_usage_and_flags_are_the_programs(path: str, *, accept: bool) -> None:
    page = PAGE.read_text()
    text = own(path, page)
    wanted = _USAGE.sub(lambda _: usage(TREE[path]), text, count=1)
    wanted = _TABLE.sub(lambda _: table(TREE[path]), wanted, count=1)
    if table(TREE[path]) not in wanted:
        wanted = f"{wanted.rstrip()}\n\n{table(TREE[path])}\n"
    if accept and wanted != text:
        PAGE.write_text(page.replace(text, wanted, 1))
        text = wanted
    assert text == wanted, "write it anew: pytest tests/docs --accept"
    assert usage(TREE[path]) in text


def test_exit_codes_are_told() -> None:
    text = sections(PAGE, 2)["Exit codes"]
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert told == {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
