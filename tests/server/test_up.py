"""`kfgit up` as a process: it comes up, is alone, stops cleanly whatever goes on, and nothing outlives it."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.door import PATIENCE, Project, until
from tests.e2e.stages import let, nothing_runs, reached, waiting
from tests.serving import Server, serving

STAGES = """
tasks:
  one: {component: wait, inputs: {stage: one}, cache: false}
onExit: {component: wait, inputs: {stage: exit}, cache: false}
"""
HELLO = "tasks: {one: {component: nothing}}"


@pytest.fixture
def marks(project: Project) -> Path:
    folder = waiting(project)
    project.pipeline("stages", STAGES)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.new(tmp_path / "project")


def ask(server: Server, path: str, *, method: str = "GET", **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(server.url + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as fault:
        with fault:
            return fault.code, fault.read().decode()


def detached(project: Project, *args: str) -> str:
    return project.kfgit("run", *args, "--detach").out.strip()


def state(server: Server, run_id: str) -> str:
    """As the store has it; a command takes its time."""
    with closing(sqlite3.connect(f"file:{server.state}/state.db?mode=ro", uri=True)) as db:
        [(found,)] = db.execute("SELECT state FROM runs WHERE id = ?", (run_id,)).fetchall()
    return str(found)


# --- coming up


def test_ready_and_gone(project: Project) -> None:
    with project.started("up", "--port", "0", "-o", "json") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["kind"] == "Server"
        assert (told["environment"], told["engine"], told["scheduler"], told["next"]) == (
            "local",
            True,
            True,
            None,
        )
        with urllib.request.urlopen(told["url"] + "/apis/v2beta1/healthz", timeout=PATIENCE) as answer:
            assert json.load(answer)["tag_name"] == "2.17.0"
            headers = answer.headers
        status = project.kfgit("status", "-o", "json").json["server"]
        assert (status["url"], status["pid"], status["engine"]) == (told["url"], process.pid, True)
        findings = project.kfgit("doctor", "-o", "json", code=None).json["findings"]
        assert [told["url"] in f["message"] for f in findings if f["name"] == "server"] == [True]
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Server" not in headers
    assert project.kfgit("status", "-o", "json").json["server"] is None


def test_people_are_told_where_and_what(project: Project) -> None:
    project.component("nothing", "container: {image: alpine, script: 'true'}")
    project.pipeline("hello", HELLO)
    project.document("Schedule", "daily", "{pipeline: hello, cron: '0 6 * * *', timezone: UTC}")
    project.kfgit("apply")
    with serving(project) as server:
        until(lambda: "Ctrl-C" in server.told.read_text())
        told = server.told.read_text()
        assert f"serving local at {server.url}" in told
        assert f'kfp.Client(host="{server.url}")' in told
        assert "next: daily at" in told
        assert server.url in project.kfgit("status").out
        assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_any_of_the_signals_ends_it(project: Project, number: signal.Signals) -> None:
    with serving(project) as server:
        server.process.send_signal(number)
        assert server.process.wait(PATIENCE) == 0
        assert "kfgit: ending" in server.told.read_text()


def test_the_second_says_who_has_it(project: Project) -> None:
    with serving(project) as server:
        second = project.kfgit("up", "--port", "0", code=4)
        assert f"process {server.process.pid}" in second.err
        assert server.url in second.err
        assert ask(server, "/apis/v2beta1/healthz")[0] == 200


def test_a_port_that_is_taken(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        refused = project.kfgit("up", "--port", str(other.getsockname()[1]), code=8)
    assert "in use" in refused.err
    assert "--port 0" in refused.err


def test_an_address_that_nobody_has(project: Project) -> None:
    elsewhere = project.kfgit("up", "--host", "192.0.2.1", *token(project), code=8).err
    assert "cannot listen at 192.0.2.1:8888: this machine does not have that address" in elsewhere
    assert "--port" not in elsewhere
    unknown = project.kfgit("up", "--host", "no.such.invalid", *token(project), code=8).err
    assert "nobody knows the address `no.such.invalid`" in unknown
    assert "Errno" not in unknown


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.example"])
def test_others_need_a_token(project: Project, host: str) -> None:
    refused = project.kfgit("up", "--host", host, "--port", "0", code=64)
    assert "--token-file" in refused.err


@pytest.mark.parametrize("text", ["", "short", "two words of a long token", "ümläute-in-a-long-token"])
def test_a_token_that_is_none(project: Project, text: str) -> None:
    project.write("token", text)
    assert "token" in project.kfgit("up", "--token-file", "token", "--port", "0", code=64).err
    assert "cannot be read" in project.kfgit("up", "--token-file", "nothing", code=64).err


def test_mistakes_in_the_source_do_not_matter(project: Project) -> None:
    project.document("Pipeline", "broken", "{tasks: {one: {component: nothing}}}")
    with serving(project) as server:
        assert ask(server, "/apis/v2beta1/healthz")[0] == 200


def token(project: Project, text: str = "a-token-of-many-characters") -> tuple[str, str]:
    file = project.write("token", text + "\n")
    file.chmod(0o600)
    return "--token-file", str(file)


# --- who may speak to it


def test_with_a_token(project: Project) -> None:
    with serving(project, *token(project, "hunter2-hunter2-hunter2")) as server:
        shown = {"Authorization": "Bearer hunter2-hunter2-hunter2"}
        for path in ("/apis/v2beta1/runs", "/metrics", "/nothing"):
            status, body = ask(server, path)
            assert (status, json.loads(body)["code"]) == (401, 16)
        assert ask(server, "/apis/v2beta1/runs", Authorization="Bearer hunter2-hunter2-hunter3")[0] == 401
        assert ask(server, "/apis/v2beta1/runs", **shown)[0] == 200
        assert ask(server, "/metrics", **shown)[0] == 200
        assert ask(server, "/apis/v2beta1/healthz")[0] == 200
        assert server.stop() == 0
        kept = [file.read_text() for file in server.state.glob("server.l*")] + [server.told.read_text()]
        assert not any("hunter" in text for text in kept)


def test_other_hosts_and_pages_get_nothing(project: Project) -> None:
    with serving(project) as server:
        for headers in (
            {"Host": "evil.example"},
            {"Origin": "http://evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
        ):
            status, body = ask(server, "/apis/v2beta1/runs", **headers)
            assert (status, json.loads(body)["code"]) == (403, 7)
        assert ask(server, "/apis/v2beta1/runs", Origin=server.url)[0] == 200


def test_the_log_and_the_numbers(project: Project) -> None:
    with serving(project) as server:
        ask(server, "/apis/v2beta1/runs/no-such-run?secret=in-the-query")
        ask(server, "/apis/v2beta1/runs/another")
        ask(server, "/nothing/at/all")
        ask(server, "/apis/v2beta1/healthz", method="PROPFIND")
        numbers = ask(server, "/metrics")[1]
        assert server.stop() == 0
        log = (server.state / "server.log").read_text()
        lines = [json.loads(line) for line in log.splitlines()]
        calls = [(x["method"], x["path"], x["status"]) for x in lines if "status" in x]
    assert (
        'kfgit_http_requests_total{code="404",method="GET",route="/apis/v2beta1/runs/{run_id}"} 2.0'
        in numbers
    )
    assert 'route="none"' in numbers
    assert "nothing" not in numbers
    assert "PROPFIND" not in numbers
    assert "kfgit_executor_active 0.0" in numbers
    assert "process_resident_memory_bytes" in numbers
    assert ("GET", "/apis/v2beta1/runs/no-such-run", 404) in calls
    assert "in-the-query" not in log
    assert [x["event"] for x in lines if "event" in x] == ["started", "ended"]
    assert (server.state / "server.log").stat().st_mode & 0o077 == 0


# --- runs


def test_runs_are_left_to_the_server(project: Project, marks: Path) -> None:
    with serving(project) as server:
        run_id = detached(project, "stages")
        reached(marks, "one")
        assert state(server, run_id) == "RUNNING"
        assert "kfgit_executor_active 1.0" in ask(server, "/metrics")[1]
        assert 'kfgit_runs{state="RUNNING"} 1.0' in ask(server, "/metrics")[1]
        with project.started("run", "stages", "-o", "json") as followed:
            let(marks, "one", "exit")
            out, err = followed.communicate(timeout=PATIENCE)
        assert json.loads(out)["state"] == "SUCCEEDED"
        assert "one" in err
        until(lambda: state(server, run_id) == "SUCCEEDED")
        owners = {str(server.process.pid) in lock.read_text() for lock in server.state.glob("runs/*/.lock")}
        assert owners == {True}


def test_detached_runs_need_somebody_who_executes_them(project: Project) -> None:
    project.component("nothing", "container: {image: alpine, script: 'true'}")
    project.pipeline("hello", HELLO)
    refused = project.kfgit("run", "hello", "--detach", code=3)
    assert "kfgit up" in refused.err
    with serving(project, "--no-engine"):
        project.kfgit("run", "hello", "--detach", code=3)
    assert project.runs() == []


def test_apply_leaves_its_runs_to_the_server_and_waits_if_asked(project: Project, marks: Path) -> None:
    project.document("Run", "due", "{pipeline: stages, trigger: onChange}")
    with serving(project):
        left = project.kfgit("apply")
        assert "left to the server" in left.err
        reached(marks, "one")
        let(marks, "one", "exit")
        project.kfgit("apply", "--wait")
        assert [run["state"] for run in project.runs()] == ["SUCCEEDED"]


def test_control_c_cancels_what_the_server_executes(project: Project, marks: Path) -> None:
    with serving(project):
        with project.started("run", "stages") as following:
            reached(marks, "one")
            until(lambda: project.running() == {"one"})
            following.send_signal(signal.SIGINT)
            reached(marks, "exit")
            let(marks, "exit")
            _, told = following.communicate(timeout=PATIENCE)
            assert following.returncode == 130
            assert "canceling" in told
            assert "Ctrl-C again" not in told
        assert project.latest().states == {"one": "CANCELED", "onExit": "SUCCEEDED"}


def test_without_an_engine_whoever_asks_executes(project: Project, marks: Path) -> None:
    let(marks, "one", "exit")
    with serving(project, "--no-engine") as server:
        assert project.run("stages").state == "SUCCEEDED"
        assert ask(server, "/apis/v2beta1/runs")[0] == 200


def test_a_store_that_was_taken_away(project: Project) -> None:
    with serving(project) as server:
        until(lambda: "Ctrl-C ends it" in server.told.read_text(), "the server to be ready")
        (server.state / "state.db").rename(server.state / "elsewhere.db")
        status, told = ask(server, "/apis/v2beta1/experiments")
        assert (status, json.loads(told)["code"]) == (503, 14)
        assert "removed or replaced" in told
        status, numbers = ask(server, "/metrics")
        assert status == 200
        assert "kfgit_http_requests_total" in numbers
        assert "kfgit_runs" not in numbers
        assert server.stop() == 0
        assert "traceback" not in (server.state / "server.log").read_text()


# --- the end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_its_end_cancels_runs_and_lets_exit_tasks_run(
    project: Project, marks: Path, number: signal.Signals
) -> None:
    with serving(project) as server:
        run_id = detached(project, "stages")
        reached(marks, "one")
        server.process.send_signal(number)
        reached(marks, "exit")
        let(marks, "exit")
        assert server.process.wait(PATIENCE) == 0
        assert "1 run is canceled" in server.told.read_text()
    run = project.show(run_id)
    assert (run.state, run.states) == ("CANCELED", {"one": "CANCELED", "onExit": "SUCCEEDED"})
    nothing_runs(marks)


def test_a_closed_terminal_ends_it_as_a_signal_does(project: Project, marks: Path) -> None:
    with project.typed("up", "--port", "0") as terminal:
        terminal.shows("Ctrl-C ends it")
        run_id = detached(project, "stages")
        reached(marks, "one")
        terminal.close()
        reached(marks, "exit")
        let(marks, "exit")
        assert terminal.process.wait(PATIENCE) == 0
    run = project.show(run_id)
    assert (run.state, run.states) == ("CANCELED", {"one": "CANCELED", "onExit": "SUCCEEDED"})
    nothing_runs(marks)


def test_the_second_signal_stops_at_once(project: Project, marks: Path) -> None:
    with serving(project) as server:
        run_id = detached(project, "stages")
        reached(marks, "one")
        server.process.send_signal(signal.SIGINT)
        reached(marks, "exit")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(PATIENCE) == 0
    run = project.show(run_id)
    assert (run.state, run.states) == ("CANCELED", {"one": "CANCELED", "onExit": "CANCELED"})
    nothing_runs(marks)


def test_killed_and_started_again(project: Project, marks: Path) -> None:
    with serving(project) as server:
        begun = detached(project, "stages")
        reached(marks, "one")
        server.process.send_signal(signal.SIGSTOP)
        waiting = detached(project, "stages")
        server.kill()
    nothing_runs(marks)
    let(marks, "one", "exit")
    with serving(project) as server:
        until(lambda: state(server, waiting) == "SUCCEEDED", "the run that waited")
        lost = project.show(begun)
        assert lost.state == "FAILED"
        assert "ended before the run did" in lost.error


def test_a_follower_takes_over_what_waits(project: Project, marks: Path) -> None:
    let(marks, "one", "exit")
    with serving(project) as server:
        server.process.send_signal(signal.SIGSTOP)
        with project.started("run", "stages", "-o", "json") as follower:
            until(lambda: len(project.runs()) == 1)
            server.kill()
            out, _ = follower.communicate(timeout=PATIENCE)
    assert json.loads(out)["state"] == "SUCCEEDED"


# --- clients that do not behave


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all of them: it must answer the next one whatever the one before did."""
    with serving(Project.new(tmp_path_factory.mktemp("shared") / "project")) as server:
        yield server
        assert ask(server, "/apis/v2beta1/healthz")[0] == 200
        assert "mistake in kfgit" not in server.told.read_text()
        assert "Traceback" not in server.told.read_text()


def spoken(server: Server, *pieces: bytes, answers: int = 1) -> bytes:
    """What the server answers to some bytes; less where it hangs up."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        found = b""
        with suppress(ConnectionError):
            for piece in pieces:
                connection.sendall(piece)
        with suppress(ConnectionError):
            while not complete(found, answers) and (data := connection.recv(65536)):
                found += data
    return found


def complete(said: bytes, answers: int) -> bool:
    for _ in range(answers):
        head, blank, said = said.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        if not blank or len(said) < (length := int(lengths[0].split(b":")[1])):
            return False
        said = said[length:]
    return True


GET = b"GET /apis/v2beta1/healthz HTTP/1.1\r\n"
HERE = b"Host: localhost\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (GET + b"\r\n", 400, 3),
        (GET + HERE + HERE + b"\r\n", 400, 3),
        (GET + b"Host: evil.example\r\n\r\n", 403, 7),
        (b"GET http://evil.example/apis/v2beta1/healthz HTTP/1.1\r\n" + HERE + b"\r\n", 403, 7),
        (b"GET http://localhost/apis/v2beta1/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200, 0),
        (b"GET http://[::1]:80/apis/v2beta1/healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n", 200, 0),
        (b"GET //evil.example/apis HTTP/1.1\r\n" + HERE + b"\r\n", 404, 5),
        (b"GET /apis/v2beta1/healthz HTTP/1.0\r\n" + HERE + b"\r\n", 200, 0),
        (b"BREW /apis/v2beta1/healthz HTTP/1.1\r\n" + HERE + b"\r\n", 400, 3),
        (b"OPTIONS * HTTP/1.1\r\n" + HERE + b"\r\n", 404, 5),
        (b"CONNECT localhost:80 HTTP/1.1\r\n" + HERE + b"\r\n", 400, 3),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 what TLS begins with\r\n\r\n", 400, 3),
        (b"\0" * 100, 400, 3),
        (GET + HERE + b"X: a\x00b\r\n\r\n", 400, 3),
        (GET + HERE + b"No colon\r\n\r\n", 400, 3),
        (GET + HERE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, 3),
        (GET + HERE + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, 3),
        (GET + HERE + b"Content-Length: 99999999999999999999999\r\n\r\n", 400, 3),
        (GET + HERE + b"Content-Length: 99999999999\r\n\r\n", 413, 3),
        (b"GET /%ff%fe%00 HTTP/1.1\r\n" + HERE + b"\r\n", 404, 5),
        (b"GET /\xc3\xa4 HTTP/1.1\r\n" + HERE + b"\r\n", 400, 3),
        (b"GET /" + b"a" * 30_000 + b" HTTP/1.1\r\n" + HERE + b"\r\n", 414, 3),
        (GET + HERE + b"X: " + b"a" * 200_000 + b"\r\n\r\n", 431, 3),
        (GET + HERE + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 200, 0),
    ],
)  # fmt: skip
def test_odd_requests(shared: Server, sent: bytes, status: int, code: int) -> None:
    head, _, body = spoken(shared, sent).partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status, head
    assert json.loads(body).get("code", 0) == code
    assert b"application/json" in head


def test_several_calls_on_one_connection(shared: Server) -> None:
    found = spoken(shared, (GET + HERE + b"\r\n") * 3, answers=3)
    assert found.count(b"HTTP/1.1 200 OK") == 3


def test_a_byte_at_a_time(shared: Server) -> None:
    found = spoken(shared, *[bytes([byte]) for byte in GET + HERE + b"\r\n"])
    assert found.startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_hangs_up(shared: Server) -> None:
    for sent in (
        b"GET",
        GET + HERE,
        b"POST /apis/v2beta1/runs HTTP/1.1\r\n" + HERE + b"Content-Length: 10\r\n\r\n123",
    ):
        with socket.create_connection(("127.0.0.1", shared.port), PATIENCE) as connection:
            connection.sendall(sent)


def test_a_large_body_is_refused_and_read_to_its_end(shared: Server) -> None:
    size = 40 * 1024 * 1024
    head = b"POST /apis/v2beta1/runs HTTP/1.1\r\n" + HERE + b"Content-Length: %d\r\n\r\n" % size
    found = spoken(shared, head, *[b"x" * 1024 * 1024] * 40)
    assert found.startswith(b"HTTP/1.1 413 ")


def test_a_crowd_that_says_nothing_is_no_crowd(shared: Server) -> None:
    silent = [socket.create_connection(("127.0.0.1", shared.port), PATIENCE) for _ in range(200)]
    try:
        assert ask(shared, "/apis/v2beta1/healthz")[0] == 200
    finally:
        for connection in silent:
            connection.close()
