"""Secrets are found where a document says, read again when they change, and never told."""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.commands import issue, redacted
from kfgit.backends.cluster.connection.credentials import (
    MAX_TOKEN,
    Bearer,
    Command,
    Cookie,
    File,
    Nobody,
    Variable,
    credentials,
)
from kfgit.model import KfpAuth

NOW = 1_700_000_000.0
JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjaSJ9.c2lnbmF0dXJl"


def bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def jwt(**claims: object) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.e30"


def script(folder: Path, text: str) -> str:
    """A command line that runs a Python program."""
    path = folder / "print token.py"
    path.write_text(text)
    return f"{sys.executable} '{path}'"


def test_a_variable_is_read_as_it_is() -> None:
    environ = {"KFP_TOKEN": " abc\n"}
    shown = Bearer(Variable("KFP_TOKEN", environ))
    assert shown.headers() == bearing("abc")
    environ["KFP_TOKEN"] = "new"
    assert shown.renew(bearing("abc"))
    assert shown.headers() == bearing("new")


@pytest.mark.parametrize("environ", [{}, {"KFP_TOKEN": " "}])
def test_a_variable_must_be_set(environ: dict[str, str]) -> None:
    with pytest.raises(MachineFault, match="the variable KFP_TOKEN is not set"):
        Bearer(Variable("KFP_TOKEN", environ)).headers()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"root:x:0:0:root:/root:/bin/bash\ndaemon:x",
        b"-----BEGIN PRIVATE KEY-----\nMIIE",
        b"a b",
        b"\xff\xfe",
        "tökn".encode(),
        b"a\0b",
        b"a" * (MAX_TOKEN + 1),
    ],
)
def test_what_is_no_token_is_never_shown(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(
        MachineFault, match=r"must hold a token, one line without spaces, and holds (nothing|something else)"
    ):
        Bearer(File(str(path))).headers()


def test_a_file_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match=r"the token file .*/nothing cannot be read: No such file"):
        Bearer(File(str(tmp_path / "nothing"))).headers()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_regular_file_is_not_waited_for(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "token")
    with pytest.raises(MachineFault, match=r"the token file .*/token cannot be read: it is no regular file"):
        Bearer(File(str(tmp_path / "token"))).headers()


def test_a_projected_token_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "token").write_text("one")
    (tmp_path / "token").symlink_to("..data/token")
    assert Bearer(File(str(tmp_path / "token"))).headers() == bearing("one")


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    shown = Bearer(File(str(path)))
    assert shown.headers() == bearing("one")
    # As Kubernetes does it: another file takes its place.
    following = tmp_path / "next"
    following.write_text("two")
    following.replace(path)
    assert shown.headers() == bearing("two")


def test_a_file_that_looks_the_same_is_read_again_after_a_refusal(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("one")
    shown = Bearer(File(str(path)))
    shown.headers()
    before = path.stat()
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert shown.headers() == bearing("one")
    assert shown.renew(bearing("one"))
    assert shown.headers() == bearing("two")


@pytest.fixture
def counted(tmp_path: Path) -> tuple[str, Path]:
    """A command that prints another token each time, and the file where its calls are written down."""
    calls = tmp_path / "calls"
    text = f"open({str(calls)!r}, 'a').write('x'); print('token-%d' % len(open({str(calls)!r}).read()))"
    return script(tmp_path, text), calls


def test_a_command_is_run_once_and_again_after_a_refusal(counted: tuple[str, Path]) -> None:
    line, calls = counted
    shown = Bearer(Command("MY_COMMAND", {"MY_COMMAND": line}))
    with ThreadPoolExecutor(8) as threads:
        assert [*threads.map(lambda _: shown.headers(), range(16))] == [bearing("token-1")] * 16
        # Eight threads are refused with the same token: it is asked for once.
        assert all(threads.map(lambda _: shown.renew(bearing("token-1")), range(8)))
    assert shown.headers() == bearing("token-2")
    assert len(calls.read_text()) == 2


def test_a_command_is_run_again_before_its_token_ends(tmp_path: Path) -> None:
    credential = {
        "kind": "ExecCredential",
        "apiVersion": "client.authentication.k8s.io/v1",
        "status": {"token": "abc", "expirationTimestamp": "2023-11-14T22:23:20Z"},  # NOW + 600 s
    }
    calls = tmp_path / "calls"
    text = f"open({str(calls)!r}, 'a').write('x'); print({json.dumps(credential)!r})"
    now = NOW
    command = Command("MY_COMMAND", {"MY_COMMAND": script(tmp_path, text)}, lambda: now)
    assert command.read() == command.read() == "abc"
    assert calls.read_text() == "x"
    now += 599
    command.read()
    assert calls.read_text() == "xx"


def test_a_plugin_is_told_what_kubectl_tells_it(tmp_path: Path) -> None:
    line = script(tmp_path, "import os, json; print(json.loads(os.environ['KUBERNETES_EXEC_INFO'])['kind'])")
    assert issue(line, "it", {}).token == "ExecCredential"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("print('{')", "printed neither a token nor JSON"),
        ('print(\'{"kind": "ExecCredential", "status": {"clientKeyData": "k"}}\')', "without `status.token`"),
        ('print(\'{"status": {"token": "t"}}\')', "without `status.token`"),
        ("print('x' * 300000)", "printed more than 256 KiB"),
        ("import sys; sys.exit('first\\nno login for ' + 'a1B2' * 10)", "exit code 1: no login for …$"),
        ("import sys; sys.exit(3)", "failed with exit code 3$"),
        ("import time; time.sleep(600)", "did not end within 1 s"),
        ("import os, time; os.fork(); time.sleep(600)", "did not end within 1 s"),
    ],
)
def test_a_command_that_fails(text: str, words: str, tmp_path: Path) -> None:
    limit = 1.0 if "600" in text else 60.0
    with pytest.raises(MachineFault, match=words) as raised:
        issue(script(tmp_path, text), "the command in MY_COMMAND", {}, limit)
    assert "a1B2" not in str(raised.value)


@pytest.mark.parametrize("line", ["/nowhere/at/all", "'", "", "a\0b"])
def test_a_command_that_cannot_be_run(line: str) -> None:
    with pytest.raises(MachineFault, match=r"MY_COMMAND (cannot be run|is no command line|is not set)"):
        Command("MY_COMMAND", {"MY_COMMAND": line}).read()


def test_no_shell_comes_in_between(tmp_path: Path) -> None:
    line = script(tmp_path, "import sys; print('+'.join(sys.argv[1:]))")
    assert issue(f"{line} '$HOME' ; echo", "it", {"HOME": "x"}).token == "$HOME+;+echo"


def test_complaints_are_shown_without_secrets() -> None:
    assert redacted("") == ""
    assert redacted(f"login failed\nrefused {JWT} of /usr/local/share/some-long-folder/x\n\n") == (
        "refused … of /usr/local/share/some-long-folder/x"
    )
    assert len(redacted("no " * 400)) == 200


def test_a_token_says_why_it_may_be_refused() -> None:
    def remark(token: str, audience: str | None = None) -> str:
        return Bearer(Variable("T", {"T": token}), audience, lambda: NOW).remark()

    assert remark(jwt(exp=NOW - 60)) == ": the token of the variable T ended 2023-11-14 22:12 UTC"
    assert remark(jwt(exp=NOW + 60, aud="other"), "kfp") == (
        ": the token of the variable T is not for the audience `kfp`"
    )
    refused = ": the token of the variable T was refused"
    for token in (jwt(aud=["a", "kfp"]), jwt(exp="x", aud=3), jwt(exp=True), "opaque", "a.b.c", "a.W10.c"):
        assert remark(token, "kfp") == refused


def test_a_cookie_is_a_whole_head_line() -> None:
    shown = Cookie(Variable("C", {"C": "authservice_session=abc; b=c"}))
    assert shown.headers() == {"Cookie": "authservice_session=abc; b=c"}
    assert not shown.renew(shown.headers())
    for text in ("abc", "a=b\r\nX: y", "ä=b", "a=" + "b" * MAX_TOKEN):
        with pytest.raises(MachineFault, match="does not hold a cookie"):
            Cookie(Variable("C", {"C": text})).headers()


def test_each_type_has_its_source(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("from-file")
    environ = {
        "T": "from-env",
        "K_COMMAND": "echo from-command",
        "C": "a=b",
        "KF_PIPELINES_SA_TOKEN_PATH": str(token),
    }
    environ["PATH"] = os.environ["PATH"]

    def shown(auth: KfpAuth) -> object:
        return credentials(auth, environ, Nobody()).headers()

    assert shown(KfpAuth()) == {}
    assert shown(KfpAuth("bearer", token_env="T")) == bearing("from-env")
    assert shown(KfpAuth("bearer", token_file=str(token))) == bearing("from-file")
    assert shown(KfpAuth("bearer", command_env="K_COMMAND")) == bearing("from-command")
    assert shown(KfpAuth("serviceAccount")) == bearing("from-file")
    assert shown(KfpAuth("cookie", cookie_env="C")) == {"Cookie": "a=b"}
    kube = Bearer(Variable("T", environ))
    assert credentials(KfpAuth("kubeconfig"), environ, kube) is kube


def test_no_secret_is_shown_by_any_value(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("s3cr3t")
    environ = {"T": "s3cr3t", "K_COMMAND": "echo s3cr3t"}
    for source in (Variable("T", environ), File(str(path)), Command("K_COMMAND", environ)):
        shown = Bearer(source)
        shown.headers()
        assert "s3cr3t" not in repr(source) + repr(shown) + str(shown) + shown.remark()
    assert "s3cr3t" not in repr(issue(environ["K_COMMAND"], "it", {}))
