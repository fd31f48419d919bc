"""The ways to an installation: the Kubernetes API server's, and KFP's, which may lead through the former.

Kubernetes is found as kubectl finds it: a context of the kubeconfig, or the service account of the pod that kfgit runs
in. The `kubernetes` package reads all that, with its plugins; the requests themselves go over our own pool, since that
package's models and retries are of no use here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

from urllib3 import PoolManager
from urllib3.exceptions import HTTPError

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.credentials import Credentials, credentials
from kfgit.backends.cluster.connection.kubeconfig import Access, from_kubeconfig, from_pod
from kfgit.backends.cluster.connection.patience import Timing
from kfgit.backends.cluster.connection.pooling import Tls, pool, without_user
from kfgit.backends.cluster.connection.proxies import proxy_for
from kfgit.backends.cluster.connection.wire import Wire
from kfgit.model import ClusterTarget, KfpServer

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

_KUBE_ADVICE = {
    "absent": "see that the cluster runs, and that the context of the kubeconfig (`target.context`) is the right one",
    "untrusted": "the kubeconfig's cluster says who must have signed it (`certificate-authority`)",
}
_KFP_ADVICE = {
    "absent": "see that `target.kfp.endpoint` is right, and that a `kubectl port-forward` behind it still runs",
    "untrusted": "name the file with the certificate of who signed it in `target.kfp.caFile`",
}


@dataclass(frozen=True, slots=True)
class Connection:
    """An installation that is to be talked to. `words` tell people which, without secrets.

    `objects` leads to the Kubernetes API as `kube` does, for what is written under the lock; the lock goes over `kube`.
    `kfp_namespace` is the user's on a multi-user KFP, None on one that serves everybody.
    """

    kube: Wire
    objects: Wire
    kfp: Wire
    namespace: str
    kfp_namespace: str | None
    words: str

    @property
    def requests(self) -> int:
        """How many requests were made until now."""
        return self.kube.requests + self.objects.requests + self.kfp.requests

    @contextmanager
    def guarded(self, guard: Callable[[], None]) -> Iterator[None]:
        """Meanwhile `guard` is asked before a write is sent again, but for those of the lock."""
        wires = (self.objects, self.kfp)
        before = [wire.guard for wire in wires]
        for wire in wires:
            wire.guard = guard
        try:
            yield
        finally:
            for wire, usual in zip(wires, before, strict=True):
                wire.guard = usual

    def close(self) -> None:
        """Lets the connections go."""
        self.kube.pool.clear()
        self.kfp.pool.clear()


def connect(
    target: ClusterTarget,
    environ: Mapping[str, str],
    timing: Timing | None = None,
    service_account: Path = SERVICE_ACCOUNT,
) -> Connection:
    """Finds the ways; asks nobody yet. Raises `MachineFault` where there is none."""
    timing = timing or Timing()
    access = _access(target, environ, service_account)
    kube_pool = _pool(access.base, access.tls, access.proxy or proxy_for(access.base, environ), timing)
    kube, objects = (_wire(access.base, kube_pool, access.credentials, {}, timing) for _ in range(2))
    # Whoever writes objects has the lock, so that the server has answered before.
    objects.patience = replace(objects.patience, first_tries=objects.patience.tries)
    server = target.kfp
    headers = _user(server, environ)
    if server.endpoint is None:
        kfp = _wire(access.base + _service(server), kube_pool, access.credentials, headers, timing)
        kfp.place = f"KFP (service {server.service}.{server.service_namespace} behind {access.base})"
    else:
        tls = Tls(ca_file=_ca_file(server))
        kfp_pool = _pool(server.endpoint, tls, proxy_for(server.endpoint, environ), timing)
        shown = credentials(server.auth, environ, access.credentials)
        if server.auth.type == "kubeconfig" and not shown.headers():
            raise MachineFault(
                "the kubeconfig's user shows a certificate and no token, which KFP cannot take"
            )
        kfp = _wire(server.endpoint, kfp_pool, shown, headers, timing)
        kfp.advice = _KFP_ADVICE
    namespace = target.namespace or access.namespace
    if namespace is None:
        raise MachineFault("no namespace is named: write `target.namespace` of the environment")
    words = f"{kube.place} {namespace} with {kfp.place}"
    return Connection(kube, objects, kfp, namespace, server.namespace, words)


def _access(target: ClusterTarget, environ: Mapping[str, str], service_account: Path) -> Access:
    """In a pod its service account, unless somebody says otherwise; else the kubeconfig."""
    in_pod = environ.get("KUBERNETES_SERVICE_HOST") and (service_account / "token").is_file()
    if target.context is None and not environ.get("KUBECONFIG") and in_pod:
        return from_pod(environ, service_account)
    usual = str(Path(environ.get("HOME", ""), ".kube", "config"))
    return from_kubeconfig(environ.get("KUBECONFIG") or usual, target.context)


def _pool(url: str, tls: Tls, proxy: str | None, timing: Timing) -> PoolManager:
    try:
        return pool(tls, proxy, timing.clock)
    except (HTTPError, ValueError) as error:
        shown = urlsplit(proxy or "")
        raise MachineFault(
            f"the proxy {shown.scheme}://{shown.hostname} before {without_user(url)} cannot be used"
        ) from error


def _wire(
    base: str, over: PoolManager, shown: Credentials, headers: Mapping[str, str], timing: Timing
) -> Wire:
    return Wire(base, over, shown, headers, timing=timing, advice=_KUBE_ADVICE)


def _service(server: KfpServer) -> str:
    """The path of a Service behind the API server's proxy."""
    namespace, name = quote(server.service_namespace, safe=""), quote(server.service, safe="")
    return f"/api/v1/namespaces/{namespace}/services/{name}:{server.service_port}/proxy"


def _ca_file(server: KfpServer) -> str | None:
    if server.ca_file is None:
        return None
    path = Path(server.ca_file).expanduser()
    if not path.is_file():
        raise MachineFault(f"there is no file {server.ca_file} (`target.kfp.caFile`)")
    return str(path)


def _user(server: KfpServer, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Who the user is, for a KFP that trusts a header because only its gateway can set it."""
    name = server.user
    if server.user_env is not None:
        name = environ.get(server.user_env, "").strip()
        if not name:
            raise MachineFault(
                f"the variable {server.user_env} is not set: it must hold the name of the KFP user"
            )
    if name is None:
        return {}
    if not (name.isascii() and name.isprintable()):
        raise MachineFault("the name of the KFP user (`target.kfp.user`) must be printable ASCII")
    return {server.user_header: name}
