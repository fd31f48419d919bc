"""One server and one process of each client for all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import apart
from tests.clients import official
from tests.clients.official import Client
from tests.e2e.door import Project
from tests.serving import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    project = Project.new(tmp_path_factory.mktemp("served"))
    project.secret("store", "token=abcdefghijkl\n")
    project.secret("settings", "region=north\n", kind="configmaps")
    with serving(project) as server:
        yield server


@pytest.fixture(scope="session")
def kfp_client(
    sdk_python: Path, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    with Client(sdk_python, "with_kfp", server.url, tmp_path_factory.mktemp("home")) as client:
        yield client


@pytest.fixture(scope="session")
def server_api_client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with apart.wanted():
        interpreter = official.server_api_python()
    with Client(interpreter, "with_server_api", server.url, tmp_path_factory.mktemp("home")) as client:
        yield client
