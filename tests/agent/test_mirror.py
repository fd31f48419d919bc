"""The copy of a repository: real git, real repositories, and a server that wants a password."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kfgit.agent import Following
from kfgit.backend import MachineFault
from kfgit.project.mirror import Mirror, Remote, is_address
from tests.agent.stage import FILES, Repo, environment

TOKEN = "a-token-that-nobody-guesses"


def mirror(tmp_path: Path, url: str | Path, **given: Any) -> Mirror:
    return Mirror(tmp_path / "copy", Remote(str(url)), os.environ, **given)


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.make(tmp_path / "repo")


def test_it_follows_one_branch_and_fetches_nothing_else(repo: Repo, tmp_path: Path) -> None:
    repo.git("tag", "v1")
    repo.git("branch", "other")
    copy = mirror(tmp_path, repo.root)
    first = copy.fetch("main")
    second = repo.commit({"a.txt": "a"})
    assert first.commit == repo.git("rev-parse", "HEAD~1")
    assert copy.fetch("main").commit == second
    refs = Repo(tmp_path / "copy").git("for-each-ref", "--format=%(refname)")
    assert refs == "refs/heads/main"
    assert [path.name for path in (tmp_path / "copy").iterdir()] == [".git"]


def test_a_branch_that_was_pushed_by_force_is_what_it_is_now(repo: Repo, tmp_path: Path) -> None:
    copy = mirror(tmp_path, repo.root)
    repo.commit({"a.txt": "a"})
    copy.fetch("main")
    repo.git("reset", "--hard", "--quiet", "HEAD~1")
    assert copy.fetch("main").commit == repo.git("rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["", "-x", "a b", "a:refs/heads/b", "*", "a..b"])
def test_what_is_no_name_of_a_branch_reaches_no_git(name: str, repo: Repo, tmp_path: Path) -> None:
    with pytest.raises(MachineFault):
        mirror(tmp_path, repo.root).fetch(name)
    assert not (tmp_path / "copy" / ".git" / "refs" / "heads" / "b").exists()


def test_a_branch_that_is_not_there_is_told_in_gits_words(repo: Repo, tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match="couldn't find remote ref refs/heads/nowhere"):
        mirror(tmp_path, repo.root).fetch("nowhere")


@pytest.mark.parametrize("spoilt", ["lock", "head", "objects"])
def test_what_a_kill_or_a_disk_has_spoilt_is_fetched_anew(spoilt: str, repo: Repo, tmp_path: Path) -> None:
    mirror(tmp_path, repo.root).fetch("main")
    folder = tmp_path / "copy" / ".git"
    wanted = repo.commit({"a.txt": "a"})
    match spoilt:
        case "lock":
            (folder / "refs" / "heads" / "main.lock").touch()
        case "head":
            (folder / "HEAD").write_text("")
        case _:
            for path in (folder / "objects").rglob("*"):
                if path.is_file():
                    path.chmod(0o600)
                    path.write_bytes(b"")
    assert mirror(tmp_path, repo.root).fetch("main").commit == wanted


def test_a_repository_of_somebody_is_never_taken_for_the_copy(repo: Repo, tmp_path: Path) -> None:
    other = Repo.make(tmp_path / "copy", {"work.txt": "of a week"})
    before = other.git("rev-parse", "HEAD")
    with pytest.raises(MachineFault, match="has not made: choose another folder"):
        mirror(tmp_path, repo.root).fetch("main")
    assert other.git("rev-parse", "main") == before


def test_a_copy_that_a_kill_left_before_git_made_it_is_made(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "copy" / ".git").mkdir(parents=True)
    assert mirror(tmp_path, repo.root).fetch("main").commit == repo.git("rev-parse", "HEAD")


def test_git_is_not_waited_for_for_ever_and_not_beyond_the_end(tmp_path: Path) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nsleep 100 & sleep 100\n")
    slow.chmod(0o755)
    environ = {**os.environ, "PATH": f"{slow.parent}:{os.environ['PATH']}"}
    assert shutil.which("git", path=environ["PATH"]) == str(slow)
    given: dict[str, dict[str, Any]] = {
        "took longer": {"seconds": 0.2},
        "was interrupted": {"ending": lambda: True},
    }
    for words, limits in given.items():
        copy = Mirror(tmp_path / "copy", Remote("https://git.example.com/a"), environ, **limits)
        with pytest.raises(MachineFault, match=words):
            copy.fetch("main")


def test_no_configuration_hook_or_variable_leads_it_elsewhere(repo: Repo, tmp_path: Path) -> None:
    made = tmp_path / "made"
    repo.git("config", "uploadpack.packObjectsHook", f"touch {made}; exec")
    repo.git("config", "core.fsmonitor", f"touch {made}")
    for name in ("post-checkout", "pre-receive", "reference-transaction", "post-update"):
        hook = repo.root / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {made}\n")
        hook.chmod(0o755)
    elsewhere = Repo.make(tmp_path / "elsewhere")
    environ = {**os.environ, "GIT_DIR": str(elsewhere.root / ".git"), "GIT_WORK_TREE": str(elsewhere.root)}
    head = Mirror(tmp_path / "copy", Remote(str(repo.root)), environ).fetch("main")
    assert head.commit == repo.git("rev-parse", "HEAD")
    assert not made.exists()


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://git.example.com/a.git", True), ("ssh://git@host/a", True), ("git@host:a/b.git", True),
        ("/srv/a", True),
        ("http://git.ml.svc/a", True), ("ext::sh -c id", False), ("--upload-pack=id", False), ("ext::id", False),
        ("git://host/a", False), ("", False), ("fd::7", False), ("ftp://host/a", False),
    ],
)  # fmt: skip
def test_addresses_that_are_allowed(url: str, good: bool) -> None:  # noqa: FBT001
    assert is_address(url) is good


def test_git_itself_refuses_other_ways(tmp_path: Path) -> None:
    made = tmp_path / "made"
    with pytest.raises(MachineFault, match="not allowed"):
        mirror(tmp_path, f"ext::touch {made}").fetch("main")
    assert not made.exists()


def test_nobody_reads_a_password_that_stands_in_an_address(tmp_path: Path) -> None:
    remote = Remote("https://ada:secret@127.0.0.1:1/a.git")
    assert remote.shown == "https://127.0.0.1:1/a.git"
    with pytest.raises(MachineFault) as fault:
        Mirror(tmp_path / "copy", remote, os.environ).fetch("main")
    assert "secret" not in str(fault.value)


# --- https with a password


class _Smart(BaseHTTPRequestHandler):
    """git-http-backend(1) behind a password, or a redirect to another server."""

    @property
    def _own(self) -> _Server:
        assert isinstance(self.server, _Server)
        return self.server

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("content-length", 0))))

    def _answer(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        shown = self.headers.get("authorization")
        self._own.shown.append(shown)
        if self._own.elsewhere:
            self.send_response(302)
            self.send_header("location", f"{self._own.elsewhere}{self.path}")
            self.end_headers()
            return
        user, _, password = base64.b64decode((shown or " ").split(" ")[1]).decode().partition(":")
        if self._own.wants and (user, password) != ("robot", TOKEN):
            self.send_response(401)
            self.send_header("www-authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        variables = {
            "GIT_PROJECT_ROOT": str(self._own.root), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("content-type", ""),
            "HTTP_GIT_PROTOCOL": self.headers.get("git-protocol", ""), "REMOTE_USER": user,
        }  # fmt: skip
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={**os.environ, **variables},
            capture_output=True,
            check=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        told = dict(line.split(": ", 1) for line in head.decode().splitlines())
        self.send_response(int(told.pop("Status", "200").split()[0]))
        for name, value in told.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    """`shown` are the credentials of each request; `wants` says whether there must be some."""

    def __init__(self, root: Path, *, wants: bool = True, elsewhere: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Smart)
        self.root, self.wants, self.elsewhere = root, wants, elsewhere
        self.shown: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def servers() -> Iterator[list[_Server]]:
    place = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    if not Path(place, "git-http-backend").exists():
        pytest.skip("this git comes without git-http-backend")
    made: list[_Server] = []
    yield made
    for each in made:
        each.shutdown()
        each.server_close()


def begun(servers: list[_Server], server: _Server) -> _Server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    servers.append(server)
    return server


def test_a_password_from_a_file_is_read_each_time(repo: Repo, tmp_path: Path, servers: list[_Server]) -> None:
    server = begun(servers, _Server(tmp_path))
    file = tmp_path / "password"
    file.write_text("an old one\n")
    copy = Mirror(tmp_path / "copy", Remote(f"{server.url}/repo/.git", "robot", file), os.environ)
    with pytest.raises(MachineFault, match="Authentication failed") as fault:
        copy.fetch("main")
    assert "old one" not in str(fault.value)
    file.write_text(TOKEN + "\n")
    assert copy.fetch("main").commit == repo.git("rev-parse", "HEAD")
    kept = [path.read_bytes() for path in (tmp_path / "copy").rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in content for content in kept)


def test_a_password_is_shown_to_no_other_server(repo: Repo, tmp_path: Path, servers: list[_Server]) -> None:
    assert repo.root.is_dir()
    thief = begun(servers, _Server(tmp_path))
    server = begun(servers, _Server(tmp_path, elsewhere=thief.url))
    file = tmp_path / "password"
    file.write_text(TOKEN)
    copy = Mirror(tmp_path / "copy", Remote(f"{server.url}/repo/.git", "robot", file), os.environ)
    with pytest.raises(MachineFault):
        copy.fetch("main")
    assert thief.shown
    assert set(thief.shown) == {None}


# --- which branch


def test_without_a_name_the_environments_branch_is_followed(tmp_path: Path) -> None:
    repo = Repo.make(tmp_path / "repo", {**FILES, "environments/prod.yaml": environment(branch="release")})
    repo.git("checkout", "--quiet", "-b", "release")
    released = repo.commit({"a.txt": "a"})
    repo.git("checkout", "--quiet", "main")
    following = Following(mirror(tmp_path, repo.root), "prod")
    assert (following.head().branch, following.head().commit) == ("release", released)
    # A commit of the repository's own branch that nobody can read any more changes nothing.
    repo.commit({"environments/prod.yaml": "a: ["})
    assert following.head().commit == released
    repo.commit({"environments/prod.yaml": environment(branch="main")})
    assert following.head().branch == "main"


def test_a_project_in_a_folder_of_its_repository(tmp_path: Path) -> None:
    inner = {f"ml/team/{path}": text for path, text in FILES.items()}
    repo = Repo.make(tmp_path / "repo", {"README.md": "all", **inner})
    following = Following(mirror(tmp_path, repo.root), "prod", "ml/team")
    with following.opened(following.head()) as commit:
        assert {file.path for file in commit.read().files} == {p for p in FILES if p.endswith(".yaml")}
