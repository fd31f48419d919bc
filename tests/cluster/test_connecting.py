"""The way to an installation: found as kubectl finds it, told without secrets, and clear where there is none."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.connecting import Connection, connect
from kfgit.backends.cluster.connection.kubeconfig import User
from kfgit.backends.cluster.connection.patience import Timing
from kfgit.backends.cluster.connection.proxies import proxy_for
from kfgit.backends.cluster.connection.wire import Unauthorized, Unsent
from kfgit.model import ClusterTarget, KfpAuth, KfpServer
from tests.cluster.scripted import Authority, Say, Scripted, authority

TARGET = ClusterTarget()
QUICK = Timing(sleep=lambda _: None)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority"))


def written(
    folder: Path, server: str, user: Mapping[str, Any] | None = None, cluster: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """The environment with a kubeconfig of one context."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "prod",
        "clusters": [{"name": "c", "cluster": {"server": server, **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {"token": "s3cr3t"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u", "namespace": "ml"}}],
    }
    (folder / "config").write_text(yaml.safe_dump(config))
    return {"KUBECONFIG": str(folder / "config")}


def to(target: ClusterTarget, environ: Mapping[str, str], **more: Any) -> Connection:
    return connect(target, environ, QUICK, **more)


def test_the_current_context_is_the_way(tmp_path: Path) -> None:
    with Scripted() as server:
        found = to(TARGET, written(tmp_path, server.url))
        assert found.kube.read("GET", "/version").status == 200
        assert found.kfp.read("GET", "/apis/v2beta1/healthz", {"a": "b"}).status == 200
        assert (found.namespace, found.kfp_namespace) == ("ml", None)
        assert found.words == (f"{server.url} ml with KFP (service ml-pipeline.kubeflow behind {server.url})")
        assert "s3cr3t" not in repr(found)
        first, second = server.asked
        assert first.headers["authorization"] == second.headers["authorization"] == "Bearer s3cr3t"
        assert second.target == (
            "/api/v1/namespaces/kubeflow/services/ml-pipeline:8888/proxy/apis/v2beta1/healthz?a=b"
        )
        assert first.connection == second.connection
        assert (found.kube.requests, found.kfp.requests) == (1, 1)
        found.close()


def test_a_password_in_an_address_is_told_nobody(tmp_path: Path) -> None:
    with Scripted() as server:
        environ = written(tmp_path, server.url.replace("://", "://jane:p@ssw0rd@"))
        found = to(TARGET, environ)
        assert found.kube.read("GET", "/version").status == 200
        assert found.words == f"{server.url} ml with KFP (service ml-pipeline.kubeflow behind {server.url})"
        assert "ssw0rd" not in repr(found)
    with pytest.raises(Unsent) as caught:
        found.kfp.read("GET", "/apis/v2beta1/healthz")
    assert "ssw0rd" not in str(caught.value)


def test_another_service_and_a_user_behind_the_proxy(tmp_path: Path) -> None:
    kfp = KfpServer(
        service="api", service_namespace="kfp", service_port=80, user="ci@example.com", namespace="me"
    )
    with Scripted() as server:
        found = to(ClusterTarget(namespace="own", kfp=kfp), written(tmp_path, server.url))
        found.kfp.read("GET", "/x")
        assert (found.namespace, found.kfp_namespace) == ("own", "me")
        [one] = server.asked
        assert one.target == "/api/v1/namespaces/kfp/services/api:80/proxy/x"
        assert one.headers["kubeflow-userid"] == "ci@example.com"
        found.close()


def test_an_endpoint_has_its_own_credentials_and_its_own_authority(tmp_path: Path, ours: Authority) -> None:
    with Scripted() as kube, Scripted(tls=ours.context()) as server:
        environ = written(tmp_path, kube.url) | {"T": "for-kfp", "ME": "ci"}
        kfp = KfpServer(
            f"{server.url}/pipeline", KfpAuth("bearer", token_env="T"), ca_file=str(ours.ca),
            user_header="x-user", user_env="ME",
        )  # fmt: skip
        found = to(ClusterTarget(kfp=kfp), environ)
        assert found.kfp.read("GET", "/apis").status == 200
        [one] = server.asked
        assert (one.target, one.headers["authorization"], one.headers["x-user"]) == (
            "/pipeline/apis",
            "Bearer for-kfp",
            "ci",
        )
        assert not kube.asked
        found.close()


def test_what_to_look_at_is_told(tmp_path: Path, ours: Authority) -> None:
    with Scripted() as gone:
        away = to(ClusterTarget(kfp=KfpServer(gone.url)), written(tmp_path, gone.url))
    with pytest.raises(Unsent, match=r"Connection refused; see that `target.kfp.endpoint` is right"):
        away.kfp.read("GET", "/")
    with pytest.raises(Unsent, match=r"Connection refused; see that the cluster runs"):
        away.kube.read("GET", "/")
    with Scripted(tls=ours.context()) as server:
        found = to(ClusterTarget(kfp=KfpServer(server.url)), written(tmp_path, server.url))
        with pytest.raises(Unsent, match=r"is not trusted \(.*\); name the file .* `target.kfp.caFile`"):
            found.kfp.read("GET", "/")
        with pytest.raises(Unsent, match=r"is not trusted \(.*\); the kubeconfig's cluster says"):
            found.kube.read("GET", "/")


def test_an_endpoint_may_take_the_kubeconfigs_user(tmp_path: Path) -> None:
    with Scripted() as server:
        kfp = KfpServer(server.url, KfpAuth("kubeconfig"))
        found = to(ClusterTarget(kfp=kfp), written(tmp_path, "https://127.0.0.1:1"))
        found.kfp.read("GET", "/")
        assert server.asked[0].headers["authorization"] == "Bearer s3cr3t"
        found.close()


def test_a_certificate_is_no_token_for_an_endpoint(tmp_path: Path, ours: Authority) -> None:
    user = {
        "client-certificate": str(ours.folder / "server.pem"),
        "client-key": str(ours.folder / "server.key"),
    }
    kfp = KfpServer("https://localhost:1", KfpAuth("kubeconfig"))
    with pytest.raises(MachineFault, match="shows a certificate and no token"):
        to(ClusterTarget(kfp=kfp), written(tmp_path, "https://localhost:1", user))


def test_an_unknown_authority_is_told(tmp_path: Path, ours: Authority) -> None:
    with Scripted(tls=ours.context()) as server:
        found = to(TARGET, written(tmp_path, server.url))
        with pytest.raises(Unsent, match="its certificate is not trusted"):
            found.kube.read("GET", "/")
        for cluster in (
            {"certificate-authority": str(ours.ca)},
            {"insecure-skip-tls-verify": True},
            {"certificate-authority": str(ours.ca), "tls-server-name": "localhost"},
        ):
            url = server.url.replace("localhost", "127.0.0.1") if "tls-server-name" in cluster else server.url
            known = to(TARGET, written(tmp_path, url, cluster=cluster))
            assert known.kube.read("GET", "/").status == 200
            known.close()


def test_a_users_certificate_is_shown(tmp_path: Path, ours: Authority) -> None:
    import ssl

    context = ours.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ours.ca)
    user = {
        "client-certificate": str(ours.folder / "server.pem"),
        "client-key": str(ours.folder / "server.key"),
    }
    with Scripted(tls=context) as server:
        found = to(TARGET, written(tmp_path, server.url, user, {"certificate-authority": str(ours.ca)}))
        assert found.kube.read("GET", "/").status == 200
        assert "authorization" not in server.asked[0].headers
        found.close()


def plugin(folder: Path, text: str) -> dict[str, Any]:
    (folder / "plugin.py").write_text(text)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": sys.executable,
            "args": [str(folder / "plugin.py")],
            "interactiveMode": "Never",
        }
    }


PRINT = (
    "import json; print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential', "
    "'status': {'token': open(%r).read()}}))"
)


def test_a_plugin_is_asked_again_after_a_refusal(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    with Scripted(Say(), Say(401), Say()) as server:
        found = to(TARGET, written(tmp_path, server.url, plugin(tmp_path, PRINT % str(token))))
        found.kube.read("GET", "/")
        token.write_text("two")
        assert found.kube.write("POST", "/").status == 200
        assert [one.headers["authorization"] for one in server.asked] == [
            "Bearer one",
            "Bearer one",
            "Bearer two",
        ]
        found.close()


def test_a_plugin_that_fails_is_told_and_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    user = plugin(tmp_path, "import sys; sys.exit('log in first: ' + 'x1' * 20)")
    with pytest.raises(MachineFault, match=r"config gives no credentials: .*log in first: …$"):
        to(TARGET, written(tmp_path, "https://localhost:1", user))
    assert capfd.readouterr() == ("", "")


def test_a_kubeconfig_is_read_again_after_a_refusal(tmp_path: Path) -> None:
    with Scripted(Say(401), Say(200)) as server:
        environ = written(tmp_path, server.url, {"token": "one"})
        found = to(TARGET, environ)
        written(tmp_path, server.url, {"token": "two"})
        assert found.kube.read("GET", "/").status == 200
        assert [one.headers["authorization"] for one in server.asked] == ["Bearer one", "Bearer two"]
        found.close()


def test_a_refused_user_is_told_without_the_token(tmp_path: Path) -> None:
    with Scripted(Say(401)) as server:
        found = to(TARGET, written(tmp_path, server.url))
        with pytest.raises(
            Unauthorized, match=r"does not know who asks \(401\): the credentials of the kubeconfig "
        ) as raised:
            found.kube.read("GET", "/")
        assert "s3cr3t" not in str(raised.value)
        assert len(server.asked) == 2
        found.close()


def test_a_context_must_be_there(tmp_path: Path) -> None:
    environ = written(tmp_path, "https://localhost:1")
    with pytest.raises(MachineFault, match="has no context `stage`; it has `prod`"):
        to(ClusterTarget("stage"), environ)
    assert to(ClusterTarget("prod"), environ).kube.place == "https://localhost:1"


@pytest.mark.parametrize("token", ["a\r\nX-Admin: yes", "tökn"])
def test_a_token_that_is_none_is_not_shown(token: str, tmp_path: Path) -> None:
    found = to(TARGET, written(tmp_path, "https://localhost:1", {"token": token}))
    with pytest.raises(MachineFault, match="is not one line of ASCII"):
        found.kube.read("GET", "/")


def test_a_server_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match="names no server for the cluster `c`"):
        to(TARGET, written(tmp_path, ""))
    found = to(TARGET, written(tmp_path, "localhost:1"))
    with pytest.raises(Unsent, match="localhost:1 cannot be reached: its address is none"):
        found.kube.read("GET", "/")


def test_the_package_is_asked_only_now_and_then() -> None:
    asked: list[str] = []

    class Configuration:
        def get_api_key_with_prefix(self, name: str) -> str | None:
            asked.append(name)
            return f"Bearer {len(asked)}\n" if name == "authorization" else None

    now = 0.0
    user = User(Configuration, Configuration(), "it", lambda: now)
    first = user.headers()
    assert first == user.headers() == {"Authorization": "Bearer 2"}
    now = 10.0
    assert user.headers() == {"Authorization": "Bearer 4"}
    # Somebody was refused with the old one: the new one is tried first.
    assert user.renew(first)
    assert user.headers() == {"Authorization": "Bearer 4"}
    assert user.renew(user.headers())
    assert user.headers() == {"Authorization": "Bearer 6"}


def test_two_files_are_one(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    first = written(tmp_path, "https://localhost:1")["KUBECONFIG"]
    second = tmp_path / "a" / "contexts"
    context = {"name": "other", "context": {"cluster": "c", "user": "u"}}
    second.write_text(yaml.safe_dump({"contexts": [context]}))
    found = to(ClusterTarget("other", "ml"), {"KUBECONFIG": f"{first}:{second}:{tmp_path / 'nothing'}"})
    assert found.namespace == "ml"


def test_without_any_namespace_one_must_be_named(tmp_path: Path) -> None:
    environ = written(tmp_path, "https://localhost:1")
    path = Path(environ["KUBECONFIG"])
    path.write_text(path.read_text().replace("namespace: ml", ""))
    with pytest.raises(MachineFault, match=r"write `target.namespace`"):
        to(TARGET, environ)


MALFORMED = {
    "": "cannot be used",
    "[]": "cannot be used",
    "token: s3cr3t\n  - a: [": r"is no YAML \(line 2\)",
    "contexts: s3cr3t": "cannot be used",
    "contexts: [{name: a}]": "has no current context",
    "current-context: a\ncontexts: [{name: a, context: {user: s3cr3t}}]": "it has no `cluster` where one belongs",
    "current-context: a\ncontexts: [{name: a, context: {cluster: s3cr3t}}]\nclusters: []": "cannot be used",
    "\0": "is no YAML",
}


@pytest.mark.parametrize(("text", "words"), MALFORMED.items())
def test_a_malformed_kubeconfig_is_told_without_its_content(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(MachineFault, match=words) as raised:
        to(TARGET, {"KUBECONFIG": str(path)})
    assert "s3cr3t" not in str(raised.value)


def test_no_kubeconfig_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        MachineFault, match=r"there is no kubeconfig at .*/\.kube/config, and no service account of a pod"
    ):
        to(TARGET, {"HOME": str(tmp_path)})


def pod(folder: Path, server: Scripted, ours: Authority) -> dict[str, str]:
    (folder / "token").write_text("of-the-pod")
    (folder / "namespace").write_text("ml")
    (folder / "ca.crt").write_bytes(ours.ca.read_bytes())
    return {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(server.port),
        "HOME": str(folder),
    }


def test_in_a_pod_its_service_account_is_used(tmp_path: Path, ours: Authority) -> None:
    with Scripted(Say(401), Say(), tls=ours.context()) as server:
        environ = pod(tmp_path, server, ours)
        found = to(TARGET, environ, service_account=tmp_path)
        assert found.namespace == "ml"
        (tmp_path / "token").write_text("next")
        assert found.kube.write("POST", "/").status == 200
        assert [one.headers["authorization"].lower() for one in server.asked] == [
            "bearer of-the-pod",
            "bearer next",
        ]
        found.close()


def test_in_a_pod_a_kubeconfig_that_is_named_comes_first(tmp_path: Path, ours: Authority) -> None:
    with Scripted(tls=ours.context()) as server:
        environ = pod(tmp_path, server, ours) | written(tmp_path, "https://localhost:1")
        assert to(TARGET, environ, service_account=tmp_path).kube.place == "https://localhost:1"


def test_a_pod_without_a_service_account_has_a_kubeconfig_or_nothing(tmp_path: Path, ours: Authority) -> None:
    with Scripted(tls=ours.context()) as server:
        environ = pod(tmp_path, server, ours)
        (tmp_path / "token").unlink()
        with pytest.raises(MachineFault, match="and no service account of a pod"):
            to(TARGET, environ, service_account=tmp_path)
        (tmp_path / ".kube").mkdir()
        written(tmp_path / ".kube", "https://localhost:1")
        assert to(TARGET, environ, service_account=tmp_path).kube.place == "https://localhost:1"


def test_a_pod_whose_account_is_damaged_is_told(tmp_path: Path, ours: Authority) -> None:
    with Scripted(tls=ours.context()) as server:
        environ = pod(tmp_path, server, ours)
        (tmp_path / "ca.crt").unlink()
        with pytest.raises(
            MachineFault, match="the pod's service account cannot be used: Service certification file"
        ):
            to(TARGET, environ, service_account=tmp_path)


@pytest.mark.parametrize(
    ("kfp", "words"),
    [
        (KfpServer("https://kfp", ca_file="/nowhere/ca.pem"), "there is no file /nowhere/ca.pem"),
        (KfpServer(user_env="NOBODY"), "the variable NOBODY is not set"),
        (KfpServer(user="a\r\nb: c"), "must be printable ASCII"),
    ],
)
def test_what_is_missing_is_told_before_anybody_is_asked(kfp: KfpServer, words: str, tmp_path: Path) -> None:
    with pytest.raises(MachineFault, match=words):
        to(ClusterTarget(kfp=kfp), written(tmp_path, "https://localhost:1"))


def test_a_proxy_is_asked_where_there_is_one(tmp_path: Path) -> None:
    with Scripted() as proxy:
        environ = written(tmp_path, "https://localhost:1") | {
            "HTTP_PROXY": f"http://me:pass@localhost:{proxy.port}"
        }
        found = to(ClusterTarget(kfp=KfpServer("http://kfp.example.com")), environ)
        assert found.kfp.read("GET", "/x").status == 200
        [one] = proxy.asked
        assert one.target == "http://kfp.example.com/x"
        assert one.headers["proxy-authorization"] == "Basic bWU6cGFzcw=="
        found.close()


@pytest.mark.parametrize("named", ["environment", "kubeconfig"])
def test_a_proxy_that_refuses_got_nothing_through(named: str, tmp_path: Path) -> None:
    with Scripted(Say(407)) as proxy:
        cluster = {"proxy-url": proxy.url} if named == "kubeconfig" else {}
        environ = written(tmp_path, "https://kube.example.com", cluster=cluster)
        found = to(TARGET, environ | ({} if cluster else {"https_proxy": proxy.url}))
        with pytest.raises(Unsent, match=r"https://kube\.example\.com cannot be reached: .*407"):
            found.kube.write("POST", "/")
        assert proxy.asked[0].method == "CONNECT"
        assert "authorization" not in proxy.asked[0].headers
        found.close()


def test_a_proxy_that_is_none_is_told_without_its_password(tmp_path: Path) -> None:
    environ = written(tmp_path, "https://localhost:1") | {"ALL_PROXY": "socks9://me:s3cr3t@proxy:1"}
    with pytest.raises(
        MachineFault, match="the proxy socks9://proxy before https://localhost:1 cannot be used"
    ) as raised:
        to(TARGET, environ)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://a.example.com", {}, None),
        ("https://a.example.com", {"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ("https://a.example.com", {"HTTPS_PROXY": "p:1"}, "http://p:1"),
        ("https://a.example.com", {"HTTPS_PROXY": "http://p", "https_proxy": "http://q"}, "http://q"),
        ("https://a.example.com", {"HTTP_PROXY": "http://p"}, None),
        ("http://a.example.com", {"HTTP_PROXY": "http://p"}, "http://p"),
        ("http://a.example.com", {"ALL_PROXY": "http://p"}, "http://p"),
        *(
            ("https://a.example.com:8443", {"HTTPS_PROXY": "http://p", "NO_PROXY": no}, proxy)
            for no, proxy in {
                "*": None, "example.com": None, ".example.com": None, "*.example.com": None,
                "b.com, A.Example.COM": None, "a.example.com:8443": None, "a.example.com:443": "http://p",
                "ample.com": "http://p", "": "http://p", "a.example.com.evil": "http://p", ".": "http://p",
            }.items()
        ),
        *(
            (url, {"HTTPS_PROXY": "http://p", "NO_PROXY": no}, proxy)
            for url, no, proxy in (
                ("https://10.1.2.3", "10.0.0.0/8", None), ("https://10.1.2.3", "10.1.2.3", None),
                ("https://10.1.2.3", "192.168.0.0/16", "http://p"), ("https://[::1]:6443", "::1", None),
                ("https://[::1]:6443", "[::1]", None), ("https://[fd00::1]", "fd00::/8", None),
                ("https://10.1.2.3", "2.3", "http://p"), ("https://10.1.2.3:8443", "10.1.2.3:8443", None),
                ("https://[::1]:6443", "[::1]:6443", None), ("https://[::1]:6443", "[::1]:443", "http://p"),
            )
        ),
    ],
)  # fmt: skip
def test_proxies_are_found_as_everywhere(url: str, environ: dict[str, str], proxy: str | None) -> None:
    assert proxy_for(url, environ) == proxy
