"""An id that is given anew while the run that had it is still being stopped: the two never write as one."""

from __future__ import annotations

import time
from pathlib import Path

from tests.e2e.door import until
from tests.killing import workshop
from tests.killing.clients import Client
from tests.killing.invariants import FINAL, take, unsettled
from tests.serving import serving

RUN = "0f0f0f0f-1111-4222-8333-444444444444"
ROUNDS = 8


def test_an_id_is_free_again_when_its_run_has_ended(tmp_path: Path) -> None:
    project = workshop.build(tmp_path / "project")
    body = {"run_id": RUN, "display_name": "again", "pipeline_spec": workshop.package(project)}
    with serving(project, "--no-scheduler") as server:
        client = Client(server.port)

        def posted() -> bool:
            status, answer = client.call("POST", "runs", body)
            assert status in {200, 409}, answer
            return status == 200

        for number in range(ROUNDS):
            until(posted, "the id to be free")
            time.sleep(number % 4 / 20)
            assert client.call("DELETE", f"runs/{RUN}")[0] == 200
        until(posted, "the id to be free")
        until(lambda: client.call("GET", f"runs/{RUN}")[1]["state"] in FINAL, "the run to end")
        assert server.stop() == 0
    project.kfgit("runs", "list")
    assert unsettled(server.state) == []
    assert [run["state"] for run in take(server.state)["runs"]] == ["SUCCEEDED"]
