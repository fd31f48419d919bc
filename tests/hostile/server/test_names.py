"""Names that clients of the API choose reach other people's terminals."""

from __future__ import annotations

import json
from pathlib import Path

from kfgit.render.style import Style, table
from tests.e2e.door import Project, until
from tests.hostile.server.packages import specs
from tests.killing.clients import Client
from tests.serving import serving

# Colours, one that hides what follows, a bell, a line of its own, and letters from right to left.
NAME = "\x1b[31mred\x1b[0m \x1b[8mhidden\r\n\x07na\u202eme"
COMMANDS = (
    "runs list", "runs show latest", "runs logs latest", "experiments list", "schedules list", "schedules next", "plan",
    "plan -o markdown", "status", "artifacts list", "doctor",
)  # fmt: skip


def test_names_of_strangers_do_nothing_to_a_terminal(tmp_path: Path) -> None:
    project = Project.new(tmp_path / "project")
    with serving(project) as server:
        client = Client(server.port)
        uploaded = client.upload(
            "pipelines/upload", {"name": NAME, "description": NAME}, json.dumps(specs()[0]).encode()
        )
        made = client.call("POST", "experiments", {"display_name": NAME, "description": NAME})
        of = {"pipeline_version_reference": {"pipeline_id": uploaded[1]["pipeline_id"]}}
        trigger = {
            "trigger": {"periodic_schedule": {"interval_second": "1"}},
            "mode": "ENABLE",
            "max_concurrency": "1",
        }
        begun = {"display_name": NAME, "experiment_id": made[1]["experiment_id"], **of}
        answers = [client.call("POST", "runs", begun), client.call("POST", "recurringruns", begun | trigger)]
        assert [status for status, _ in (uploaded, made, *answers)] == [200] * 4
        until(lambda: len(client.call("GET", "runs")[1]["runs"]) > 1, "a tick")
        for command in COMMANDS:
            answer = project.kfgit(*command.split())
            told = answer.out + answer.err
            assert not any(ord(char) < 32 and char not in "\n\t" for char in told), (command, told)
            assert "\u202e" not in told
        assert server.stop() == 0
        assert "\x1b" not in server.told.read_text()


def test_a_table_shows_the_colours_of_strangers_and_has_its_own() -> None:
    style = Style(colour=True)
    cells = [
        (
            style.red("ours"),
            f"{style.dim('a')} and {style.green('b')}",
            "\x1b[8mtheirs",
            "\x1b[1;5mx\x1b[0m",
            "\x1b[0m",
        )
    ]
    assert table(cells, style=style) == (
        "\x1b[31mours\x1b[0m  \x1b[2ma\x1b[0m and \x1b[32mb\x1b[0m  \\x1b[8mtheirs  \\x1b[1;5mx\\x1b[0m  \\x1b[0m\n"
    )
    assert table([("\x1b[31mred\x1b[0m",)]) == "\\x1b[31mred\\x1b[0m\n"
