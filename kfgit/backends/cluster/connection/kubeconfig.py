"""Where the Kubernetes API server is and how to show it who asks: from a kubeconfig, or from the pod itself."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kfgit.backend import MachineFault
from kfgit.backends.cluster.connection.commands import redacted
from kfgit.backends.cluster.connection.credentials import Credentials
from kfgit.backends.cluster.connection.pooling import Tls, without_user

_KNOWN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Access:
    """A Kubernetes API server. `namespace` is the context's or the pod's own."""

    base: str
    tls: Tls
    credentials: Credentials = field(repr=False)
    namespace: str | None = None
    proxy: str | None = None


class User:
    """What the `kubernetes` package shows for a user; it runs plugins and reads tokens anew before they end.

    It does so for every request in the last five minutes of a token, so it is asked only now and then.
    """

    def __init__(
        self,
        load: Callable[[], Any],
        configuration: Any,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load, self._configuration, self._name, self._clock = load, configuration, name, clock
        self._lock = threading.Lock()
        self._known: Mapping[str, str] = {}
        self._until = float("-inf")

    def headers(self) -> Mapping[str, str]:
        """A token or a password; nothing for a user who has a certificate."""
        with self._lock:
            return self._shown()

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Reads everything again, unless another thread has done so since."""
        with self._lock:
            if self._shown() == refused:
                with _told(self._name):
                    self._configuration = self._load()
                self._until = float("-inf")
            return bool(refused)

    def remark(self) -> str:
        """Where they come from."""
        return f": the credentials of {self._name} were refused"

    def _shown(self) -> Mapping[str, str]:
        if self._clock() >= self._until:
            # What it is called differs between versions of the package; asking refreshes it.
            ask = self._configuration.get_api_key_with_prefix
            with _told(self._name):
                found = ask("BearerToken") or ask("authorization")
            # A token from a file keeps the end of its line there.
            text = (found or "").strip()
            if not (text.isascii() and text.isprintable()):
                raise MachineFault(f"the token of {self._name} is none: it is not one line of ASCII")
            self._known = {"Authorization": text} if text else {}
            self._until = self._clock() + _KNOWN_SECONDS
        return self._known


def from_kubeconfig(files: str, context: str | None) -> Access:
    """The cluster and the user of a context, by default the current one; `files` as in KUBECONFIG."""
    from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

    name = f"the kubeconfig {files}"

    def read() -> KubeConfigMerger:
        merged = KubeConfigMerger(files)
        if merged.config is None:
            raise MachineFault(f"there is no kubeconfig at {files}, and no service account of a pod")
        return merged

    def loader(merged: KubeConfigMerger) -> KubeConfigLoader:
        _check_context(merged.config.value, context, name)
        return KubeConfigLoader(merged.config, active_context=context, config_persister=merged.save_changes)

    with _told(name):
        merged = read()
        chosen = loader(merged)
        configuration = _set(chosen)
        current = chosen.current_context.get("context") or {}
        cluster = _cluster(merged.config.value, current.get("cluster"))
    if not cluster.get("server"):
        raise MachineFault(f"{name} names no server for the cluster `{current.get('cluster')}`")
    user = User(lambda: _set(loader(read())), configuration, name)
    return _accessed(configuration, user, current.get("namespace"), cluster.get("proxy-url"))


def from_pod(environ: Mapping[str, str], folder: Path) -> Access:
    """The API server and the service account of the pod that this process runs in."""
    from kubernetes.config.incluster_config import InClusterConfigLoader

    name = "the pod's service account"

    def load() -> Any:
        return _set(InClusterConfigLoader(str(folder / "token"), str(folder / "ca.crt"), environ=environ))

    with _told(name):
        configuration = load()
    return _accessed(configuration, User(load, configuration, name), _text(folder / "namespace"))


def _set(loader: Any) -> Any:
    from kubernetes.client.configuration import Configuration

    configuration = Configuration()
    loader.load_and_set(configuration)
    return configuration


def _accessed(configuration: Any, user: User, namespace: str | None, proxy: str | None = None) -> Access:
    tls = Tls(
        configuration.ssl_ca_cert,
        configuration.cert_file,
        configuration.key_file,
        configuration.tls_server_name,
        configuration.verify_ssl,
    )
    return Access(without_user(configuration.host.rstrip("/")), tls, user, namespace, proxy)


def _cluster(config: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    """A cluster of a kubeconfig; version 30 of the package does not look at all that stands there."""
    found = (item.value.get("cluster") for item in config["clusters"] if item.value.get("name") == name)
    return next(found, None) or {}


def _check_context(config: Mapping[str, Any], context: str | None, name: str) -> None:
    contexts = [item.value.get("name") for item in config.get("contexts") or []]
    wanted = context or config.get("current-context")
    if not wanted:
        raise MachineFault(f"{name} has no current context: write `target.context` of the environment")
    if wanted not in contexts:
        known = ", ".join(f"`{item}`" for item in contexts[:10]) or "none"
        raise MachineFault(f"{name} has no context `{wanted}`; it has {known}")


def _text(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turns what the `kubernetes` package raises, or only logs, into faults.

    Its exceptions name places by the whole content there, with tokens; so only what is known to be harmless is told.
    """
    complaints = _Complaints()
    logging.getLogger().addHandler(complaints)
    try:
        yield
    except MachineFault:
        raise
    except yaml.YAMLError as error:
        line = (
            error.problem_mark.line + 1
            if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark
            else 1
        )
        raise MachineFault(f"{name} is no YAML (line {line})") from None
    except Exception as error:  # noqa: BLE001 # whatever a malformed file makes of a library that trusts it
        raise MachineFault(f"{name} cannot be used{_harmless(error)}") from None
    finally:
        logging.getLogger().removeHandler(complaints)
    if complaints.said:
        raise MachineFault(f"{name} gives no credentials: {redacted(complaints.said[0])}")


def _harmless(error: Exception) -> str:
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        return f": {error.strerror}"
    if found := re.match(r"Invalid kube-config file\. Expected key (\S+) ", text):
        return f": it has no `{found.group(1)}` where one belongs"
    known = text.startswith(("File does not exist: ", "Service "))
    return f": {text}" if known else f" ({type(error).__name__})"


class _Complaints(logging.Handler):
    """What the package says of a plugin that failed: it logs that, and goes on without credentials."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps what is about a kubeconfig."""
        if record.module == "kube_config":
            self.said.append(record.getMessage())
