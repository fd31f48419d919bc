"""KFP behind the proxy of a real Kubernetes API server, as a user has it who has nothing but a kubeconfig."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from tests.cluster.cluster import Cluster, User, until
from tests.cluster.scenarios import BASE, pipeline, schedule
from tests.cluster.stage import APPLY, CLUSTER_ROLE, PLAN, PROXY_ROLE, ROLE, Stage, rules, single

SERVICE = "service: {{name: ml-pipeline, namespace: {}, port: 8888}}"


def own_address() -> str:
    """An address of this machine that others could reach: the API server goes to no loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            pytest.skip("this machine has no network at all")
        address: str = asked.getsockname()[0]
    if address.startswith("127."):
        pytest.skip("this machine has no address but its loopback's")
    return address


@contextmanager
def reachable(address: str, port: int) -> Iterator[int]:
    """A local server at an address of this machine; it knows itself by its own name only."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            kept = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            server.request(self.command, self.path, body, kept)
            answer = server.getresponse()
            told = answer.read()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)
            server.close()

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _pass_on  # noqa: N815 - http.server's names

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server((address, 0), Handler) as listening:
        thread = Thread(target=listening.serve_forever, daemon=True)
        thread.start()
        yield listening.server_address[1]
        listening.shutdown()
        thread.join()


def service(admin: User, namespace: str, address: str, port: int) -> None:
    """The Service `ml-pipeline` before one pod, which is said to have an address; the API server asks no others."""
    place = f"/api/v1/namespaces/{namespace}"
    container = {"name": "api", "image": "kfp"}
    admin.create(f"{place}/pods", {"metadata": {"name": "api"}, "spec": {"containers": [container]}})
    admin.patch(f"{place}/pods/api/status", {"status": {"podIP": address, "podIPs": [{"ip": address}]}})
    spec = {"ports": [{"port": 8888, "protocol": "TCP"}]}
    admin.create(f"{place}/services", {"metadata": {"name": "ml-pipeline"}, "spec": spec})
    pod = {"kind": "Pod", "namespace": namespace, "name": "api"}
    admin.create(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        {
            "metadata": {"name": "api", "labels": {"kubernetes.io/service-name": "ml-pipeline"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}, "targetRef": pod}],
            "ports": [{"name": "", "port": port, "protocol": "TCP"}],
        },
    )
    health = f"{place}/services/ml-pipeline:8888/proxy/apis/v2beta1/healthz"
    until(lambda: admin.ask("GET", health).status_code == 200)


def allow(admin: User, namespace: str, allowed: list[Mapping[str, Any]], accounts_of: str) -> None:
    """Lets the service accounts of a namespace do this in another one."""
    group = "rbac.authorization.k8s.io"
    place = f"/apis/{group}/v1/namespaces/{namespace}"
    admin.create(f"{place}/roles", {"metadata": {"name": accounts_of}, "rules": allowed})
    subject = {"apiGroup": group, "kind": "Group", "name": f"system:serviceaccounts:{accounts_of}"}
    role = {"apiGroup": group, "kind": "Role", "name": accounts_of}
    admin.create(
        f"{place}/rolebindings", {"metadata": {"name": accounts_of}, "roleRef": role, "subjects": [subject]}
    )


@pytest.fixture(scope="module")
def behind(cluster: Cluster, stage: Stage) -> Iterator[str]:
    """The namespace in which the stage's KFP is the Service `ml-pipeline`."""
    address = own_address()
    with reachable(address, stage.kfp.port) as port:
        namespace = cluster.namespace()
        service(cluster.admin, namespace, address, port)
        yield namespace


@pytest.mark.parametrize("gone", [None, *(verb for _, _, verb in single(PROXY_ROLE))])
def test_kfp_is_asked_through_the_api_server_with_the_recommended_rules_and_each_is_needed(
    cluster: Cluster, behind: str, stage: Stage, namespace: str, gone: str | None
) -> None:
    account = cluster.service_account(namespace, rules(ROLE), rules(CLUSTER_ROLE))
    (rule,) = rules(PROXY_ROLE)
    verbs = [verb for verb in rule["verbs"] if verb != gone]
    allow(cluster.admin, behind, [{**rule, "verbs": verbs}], namespace)
    changed = {
        **BASE,
        "pipelines/train.yaml": pipeline("train", "two"),
        "pipelines/nightly.yaml": schedule("nightly", "train", "cron: 30 3 * * *"),
    }
    told = []
    for files in (BASE, changed):
        stage.commit(namespace, files, SERVICE.format(behind))
        told += stage.run(account, namespace, PLAN, APPLY)
        if told[-1].code:
            break
    last = told[-1]
    if gone is None:
        assert [each.code for each in told] == [0] * 4, last
    else:
        assert last.code in {6, 8}, last
        missing = f'verbs: [{gone}], apiGroups: [""], resources: [services/proxy]'
        assert missing in last.out + last.err
