"""`kfp.Client`, as its users know it, against the local server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients import official
from tests.clients.official import Client
from tests.e2e.door import Project
from tests.serving import serving


@pytest.mark.parametrize("check", official.checks("with_kfp"))
def test_it_works_here_too(check: str, kfp_client: Client) -> None:
    kfp_client.ask(check)


def test_a_token_opens_the_door(kfp_client: Client, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("open-sesame-open-sesame\n")
    token.chmod(0o600)
    with serving(Project.new(tmp_path / "project"), "--token-file", str(token)) as server:
        assert kfp_client.ask("greeted", url=server.url, token=None) == 401
        assert kfp_client.ask("greeted", url=server.url, token="another") == 401
        assert kfp_client.ask("greeted", url=server.url, token="open-sesame-open-sesame") == 200
