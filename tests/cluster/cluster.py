"""A Kubernetes API server of the tests' own: one for a whole session, shared by all of xdist's workers."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import yaml

from tests.apart import Unavailable
from tests.cluster import keeper


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who asks the API server directly, past kfgit: what other people and controllers do to its objects."""

    url: str
    ca: Path
    token: str

    def ask(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", **query: str
    ) -> httpx.Response:
        """One request and its answer, whatever that is."""
        content = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        return _client(self.ca).request(
            method, self.url + path, params=query, content=content, headers=headers
        )

    def get(self, path: str) -> dict[str, Any]:
        """The object at a path."""
        return _good(self.ask("GET", path))

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new object in the collection at a path."""
        return _good(self.ask("POST", path, body, fieldManager="somebody"))

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Changes an object as somebody who is not kfgit."""
        kind = "application/merge-patch+json"
        return _good(self.ask("PATCH", path, body, kind=kind, fieldManager="somebody"))

    def apply(self, path: str, body: Mapping[str, Any], manager: str) -> dict[str, Any]:
        """Applies an object from the server's side, by force."""
        kind = "application/apply-patch+yaml"
        return _good(self.ask("PATCH", path, body, kind=kind, fieldManager=manager, force="true"))

    def delete(self, path: str) -> None:
        """Removes an object."""
        _good(self.ask("DELETE", path))

    def exists(self, path: str) -> bool:
        """Whether there is an object at a path."""
        answer = self.ask("GET", path)
        assert answer.status_code in {200, 404}, answer.text
        return answer.status_code == 200

    def kubeconfig(self, path: Path, namespace: str) -> Path:
        """Writes a kubeconfig of this user, with one context, called `tests`."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [
                {"name": "tests", "cluster": {"server": self.url, "certificate-authority": str(self.ca)}}
            ],
            "users": [{"name": "tests", "user": {"token": self.token}}],
            "contexts": [
                {"name": "tests", "context": {"cluster": "tests", "user": "tests", "namespace": namespace}}
            ],
        }
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return path


@dataclass(frozen=True, slots=True)
class Cluster:
    """The API server; RBAC is on. `admin` may do everything, other users nothing before a test says so.

    `store` is its etcd.
    """

    url: str
    ca: Path
    store: str
    admin: User = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "admin", User(self.url, self.ca, keeper.ADMIN))

    def user(self, name: str) -> User:
        """One of `keeper.USERS`, by its token."""
        return User(self.url, self.ca, name)

    def namespace(self) -> str:
        """A new namespace, empty as long as its test lets it be."""
        name = f"test-{uuid4().hex[:12]}"
        self.admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
        return name

    def service_account(
        self,
        namespace: str,
        rules: Sequence[Mapping[str, Any]],
        cluster_rules: Sequence[Mapping[str, Any]] | None = None,
    ) -> User:
        """A new service account with exactly these rules in its namespace, and these in the whole cluster."""
        name = f"account-{uuid4().hex[:8]}"
        group = "rbac.authorization.k8s.io"
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
        self.admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
        places = [(f"/apis/{group}/v1/namespaces/{namespace}", "Role", rules)]
        if cluster_rules is not None:
            places.append((f"/apis/{group}/v1", "ClusterRole", cluster_rules))
        for place, kind, allowed in places:
            own = f"{namespace}-{name}"
            self.admin.create(f"{place}/{kind.lower()}s", {"metadata": {"name": own}, "rules": allowed})
            self.admin.create(
                f"{place}/{kind.lower()}bindings",
                {
                    "metadata": {"name": own},
                    "roleRef": {"apiGroup": group, "kind": kind, "name": own},
                    "subjects": [subject],
                },
            )
        request = {"spec": {"expirationSeconds": 7200, "audiences": []}}
        told = self.admin.create(
            f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", **request},
        )
        return User(self.url, self.ca, told["status"]["token"])


def until(condition: Callable[[], bool]) -> None:
    """Waits for what comes by itself, on however busy a machine."""
    limit = time.monotonic() + keeper.PATIENCE
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.02)


_CLIENTS: dict[tuple[int, Path], httpx.Client] = {}


def _client(ca: Path) -> httpx.Client:
    """Making one reads certificates and costs more than a request. No process uses the one of another."""
    key = (os.getpid(), ca)
    if key not in _CLIENTS:
        import ssl

        trust = ssl.create_default_context(cafile=str(ca))
        _CLIENTS[key] = httpx.Client(verify=trust, timeout=60, trust_env=False)
    return _CLIENTS[key]


def _good(answer: httpx.Response) -> dict[str, Any]:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
    told: dict[str, Any] = answer.json()
    return told


@contextmanager
def joined(folder: Path, programs: Path, *flags: str) -> Iterator[Cluster]:
    """The cluster of a session, started by whoever comes first; it ends with the last who is in here.

    `flags` are further ones for its API server.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users.lock").open("w") as users:
        with (folder / "starting.lock").open("w") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)
            ready = folder / "ready.json"
            if not ready.exists() or _is_free(folder / "keeper.lock"):
                ready.unlink(missing_ok=True)
                keeper.spawn(folder, programs, *flags)
                _wait(folder, ready)
        told = json.loads(ready.read_text())
        yield Cluster(told["url"], Path(told["ca"]), told["store"])


def _wait(folder: Path, ready: Path) -> None:
    began = time.monotonic()
    while not ready.exists():
        time.sleep(0.05)
        # It takes its lock as the first thing it does; importing comes before.
        if time.monotonic() - began > 90 and _is_free(folder / "keeper.lock") and not ready.exists():
            logs = [path.read_text(errors="replace")[-1500:] for path in sorted(folder.glob("*.log"))]
            raise Unavailable("the Kubernetes API server does not start: " + "\n".join(logs))


def _is_free(path: Path) -> bool:
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
