"""A place where cases are played: KFP's side, a namespace, a proxy before both, and a kfgit that is forked.

The state of both servers is taken and put back as bytes: SQLite's for KFP's side, etcd's for Kubernetes. So a case
begins in the very state that another began in, ids and uids included, within milliseconds.
"""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.forks import Forks
from tests.cluster.proxy import Proxy, Upstream
from tests.e2e.door import Project
from tests.serving import Server, serving

# Seconds after which a server may have closed a connection (uvicorn: 5).
_REST = 2.0
# Tells what no moment may have seen: two schedules of ours and one name that both fire. Foreign ones are not ours.
_WATCH = """
CREATE TABLE watched_foreign (id TEXT PRIMARY KEY);
CREATE TABLE watched (what TEXT NOT NULL);
CREATE TRIGGER watch_enabled AFTER UPDATE ON schedules WHEN new.enabled BEGIN
  INSERT INTO watched SELECT 'two schedules are enabled: ' || new.name FROM schedules
    WHERE name = new.name AND enabled AND id NOT IN (SELECT id FROM watched_foreign)
    GROUP BY name HAVING count(*) > 1;
END;
CREATE TRIGGER watch_created AFTER INSERT ON schedules WHEN new.enabled BEGIN
  INSERT INTO watched VALUES ('a schedule was created enabled: ' || new.name);
END;
"""


@dataclass(frozen=True, slots=True)
class State:
    """Everything on both servers."""

    kfp: bytes
    kube: Mapping[str, str]


class _Connection:
    """A connection that is made anew after a rest, since servers close those that nobody uses."""

    def __init__(self, url: str) -> None:
        self._made = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
        self._used = time.monotonic()

    def ask(self, method: str, target: str, body: str | None, kind: str = "application/json") -> bytes:
        """What is answered; anything but a 200 is a mistake of the test."""
        if time.monotonic() - self._used > _REST:
            self._made.close()
        self._made.request(method, target, body, {"Content-Type": kind})
        answer = self._made.getresponse()
        told = answer.read()
        self._used = time.monotonic()
        assert answer.status == 200, f"{method} {target}: {answer.status} {told!r}"
        return told

    def close(self) -> None:
        self._made.close()


class Kfp:
    """KFP's API, asked directly."""

    def __init__(self, url: str) -> None:
        self._connection = _Connection(url)

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        """What it answers; anything but a 200 is a mistake of the test."""
        target = f"/apis/v2beta1/{path}" + (f"?{urlencode(query)}" if query else "")
        told = self._connection.ask(method, target, None if body is None else json.dumps(body))
        found: dict[str, Any] = json.loads(told or b"{}")
        return found

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def every(self, collection: str, key: str) -> list[dict[str, Any]]:
        """A whole list."""
        found: list[dict[str, Any]] = []
        token = ""
        while True:
            told = self.ask("GET", collection, page_size="200", page_token=token)
            found += told.get(key, [])
            token = told.get("next_page_token", "")
            if not token:
                return found

    def upload(self, pipeline_id: str, name: str, package: Mapping[str, Any]) -> None:
        """A version of a pipeline, as people upload it."""
        text = json.dumps(package)
        head = 'Content-Disposition: form-data; name="uploadfile"; filename="p.json"'
        body = f"--f3c1\r\n{head}\r\n\r\n{text}\r\n--f3c1--\r\n"
        target = (
            f"/apis/v2beta1/pipelines/upload_version?{urlencode({'pipelineid': pipeline_id, 'name': name})}"
        )
        self._connection.ask("POST", target, body, "multipart/form-data; boundary=f3c1")


class Etcd:
    """The API server's store, by the JSON that etcd speaks beside gRPC."""

    def __init__(self, url: str) -> None:
        self._connection = _Connection(url)

    def under(self, prefix: str) -> dict[str, str]:
        """Keys and values, both as base64."""
        key = prefix.encode()
        end = key[:-1] + bytes([key[-1] + 1])
        found = self._ask("range", {"key": _base64(key), "range_end": _base64(end)})
        return {each["key"]: each.get("value", "") for each in found.get("kvs", [])}

    def become(self, before: Mapping[str, str], wanted: Mapping[str, str]) -> None:
        """Changes what is `before` into what is `wanted`, at once."""
        steps: list[dict[str, Any]] = [
            {"requestDeleteRange": {"key": key}} for key in before.keys() - wanted.keys()
        ]
        steps += [
            {"requestPut": {"key": key, "value": value}}
            for key, value in wanted.items()
            if before.get(key) != value
        ]
        if steps:
            self._ask("txn", {"success": steps})

    def _ask(self, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        told = self._connection.ask("POST", f"/v3/kv/{what}", json.dumps(body))
        found: dict[str, Any] = json.loads(told)
        return found

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()


def _base64(text: bytes) -> str:
    return base64.b64encode(text).decode()


class Stand:
    """One place for cases, one after the other. `with stand(…)` makes it."""

    def __init__(self, cluster: Cluster, folder: Path, server: Server, proxy: Proxy, name: str) -> None:
        self.cluster, self.folder, self.server, self.proxy, self.name = cluster, folder, server, proxy, name
        self.kfp = Kfp(server.url)
        self.etcd = Etcd(cluster.store)
        self.kube = cluster.admin
        self.kubeconfig = folder / "kubeconfig"
        self.token = folder / "token"
        self._tokens = count(1)
        self.renew()
        proxy.renew, proxy.meddle = self.renew, self._meddle
        self._write_kubeconfig()
        with closing(sqlite3.connect(server.state / "state.db", timeout=60)) as db:
            db.executescript(_WATCH)

    def renew(self) -> None:
        """From now on both servers know another token, which is in the file, and no other."""
        token = f"token-{next(self._tokens)}-of-{self.name}"
        scratch = self.token.with_suffix(".new")
        scratch.write_text(f"{token}\n")
        scratch.rename(self.token)
        self.proxy.tokens = {"kube": {token}, "kfp": {token}}

    def _meddle(self) -> None:
        """Somebody turns off all schedules of ours; it is on the proxy's thread, so with a connection of its own."""
        with closing(sqlite3.connect(self.server.state / "state.db", timeout=60)) as db:
            foreign = {id_ for (id_,) in db.execute("SELECT id FROM watched_foreign")}
        with closing(Kfp(self.server.url)) as kfp:
            for each in kfp.every("recurringruns", "recurringRuns"):
                if each["recurring_run_id"] in foreign:
                    continue
                try:
                    kfp.ask("POST", f"recurringruns/{each['recurring_run_id']}:disable")
                except AssertionError as fault:
                    # kfgit, whose other requests go on meanwhile, may just have deleted it.
                    if "not found" not in str(fault):
                        raise

    def variables(self) -> dict[str, str]:
        """What kfgit finds in its environment."""
        return {
            "KUBECONFIG": str(self.kubeconfig), "KFGIT_CACHE": str(self.folder / "cache"),
            "HOME": str(self.folder), "GIT_CONFIG_NOSYSTEM": "1",
        }  # fmt: skip

    @contextmanager
    def forks(self) -> Iterator[Forks]:
        """A kfgit whose servers are behind the proxy."""
        with Forks(self.variables()) as forks:
            yield forks

    def repository(self, *commits: Mapping[str, str]) -> tuple[Path, ...]:
        """One folder for each commit of a new repository, in which that commit is checked out."""
        base = self.folder / f"repository-{uuid4().hex[:8]}"
        base.mkdir()
        _git(base, "init", "-q", "-b", "main")
        folders = []
        for number, files in enumerate(commits):
            for file in [path for path in base.iterdir() if path.name != ".git"]:
                shutil.rmtree(file) if file.is_dir() else file.unlink()
            for path, text in files.items():
                (base / path).parent.mkdir(parents=True, exist_ok=True)
                (base / path).write_text(self.told(text))
            _git(base, "add", "-A")
            _git(base, "commit", "-q", "--allow-empty", "-m", f"commit {number}")
            folder = base.with_name(f"{base.name}-{number}")
            _git(self.folder, "clone", "-q", str(base), str(folder))
            folders.append(folder)
        return tuple(folders)

    def told(self, text: str) -> str:
        """A document of `scenarios` with what is this stand's."""
        words = {"STAND": self.name, "ENDPOINT": self.proxy.url("kfp"), "TOKEN": str(self.token)}
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        return text

    def take(self) -> State:
        """What is on both servers."""
        with closing(sqlite3.connect(self.server.state / "state.db", timeout=60)) as db:
            return State(db.serialize(), self._kube())

    def put(self, state: State) -> None:
        """Makes both servers what they were."""
        with closing(sqlite3.connect(":memory:")) as source:
            source.deserialize(_without_wal(state.kfp))
            with closing(sqlite3.connect(self.server.state / "state.db", timeout=60)) as db:
                source.backup(db)
        self.etcd.become(self._kube(), state.kube)

    def watched(self) -> list[str]:
        """What no moment may have seen, and some did."""
        with closing(sqlite3.connect(self.server.state / "state.db", timeout=60)) as db:
            return [what for (what,) in db.execute("SELECT DISTINCT what FROM watched")]

    def foreign(self, *schedules: str) -> None:
        """These schedules are not kfgit's."""
        with closing(sqlite3.connect(self.server.state / "state.db", timeout=60)) as db, db:
            db.executemany("INSERT INTO watched_foreign VALUES (?)", [(id_,) for id_ in schedules])
            db.execute("DELETE FROM watched")

    def age(self, by: timedelta) -> None:
        """Makes kfgit's schedules older than they are, so that they owe ticks."""
        then = (datetime.now(UTC) - by).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        with closing(sqlite3.connect(self.server.state / "state.db", timeout=60)) as db, db:
            db.execute(
                "UPDATE schedules SET created_at = :then, updated_at = :then, since = :then, next_at = NULL "
                "WHERE id NOT IN (SELECT id FROM watched_foreign)",
                {"then": then},
            )

    def _kube(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for kind in ("configmaps", "leases", "resourcequotas", "limitranges", "resourceclaimtemplates"):
            found |= self.etcd.under(f"/registry/{kind}/{self.name}/")
        own = self.name.encode()
        for kind in ("priorityclasses", "deviceclasses"):
            classes = self.etcd.under(f"/registry/{kind}/")
            found |= {key: value for key, value in classes.items() if base64.b64decode(key).endswith(own)}
        return found

    def _write_kubeconfig(self) -> None:
        context = {"cluster": "tests", "user": "tests", "namespace": self.name}
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {"server": self.proxy.url("kube")}}],
            "users": [{"name": "tests", "user": {"tokenFile": str(self.token)}}],
            "contexts": [{"name": "tests", "context": context}],
        }  # fmt: skip
        self.kubeconfig.write_text(yaml.safe_dump(config))
        self.kubeconfig.chmod(0o600)


def _without_wal(image: bytes) -> bytes:
    """A database in memory has no write-ahead log (sqlite.org/fileformat.html, 1.3.3)."""
    return image[:18] + b"\x01\x01" + image[20:]


@contextmanager
def stand(cluster: Cluster, folder: Path) -> Iterator[Stand]:
    """A stand with everything that belongs to it, gone afterwards."""
    name = f"stand-{uuid4().hex[:8]}"
    cluster.admin.create("/api/v1/namespaces", {"metadata": {"name": name}})
    with ExitStack() as stack:
        server = stack.enter_context(serving(Project.new(folder / "kfp"), "--no-engine", "--no-scheduler"))
        upstreams = {
            "kube": Upstream(cluster.url, str(cluster.ca), cluster.admin.token),
            "kfp": Upstream(server.url),
        }
        proxy = stack.enter_context(Proxy(upstreams))  # type: ignore[arg-type]
        own = Stand(cluster, folder, server, proxy, name)
        stack.callback(own.etcd.close)
        stack.callback(own.kfp.close)
        yield own


def _git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)
