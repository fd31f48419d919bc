"""Where the Kubernetes API server is and how to show it who asks: from a kubeconfig, or from the pod itself."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from kfgit.backend import MachineFault
from kfgit.backends.cluster.commands import redacted
from kfgit.backends.cluster.credentials import Credentials
from kfgit.backends.cluster.pooling import Tls


@dataclass(frozen=True, slots=True)
class Access:
    """A Kubernetes API server. `namespace` is the context's or the pod's own."""

    base: str
    tls: Tls
    credentials: Credentials = field(repr=False)
    namespace: str | None = None
    proxy: str | None = None


class User:
    """What the `kubernetes` package shows for a user; it runs plugins and reads tokens anew before they end."""

    def __init__(self, load: Callable[[], Any], configuration: Any, name: str) -> None:
        self._load, self._configuration, self._name = load, configuration, name
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """A token or a password; nothing for a user who has a certificate."""
        with self._lock, _told(self._name):
            return self._shown()

    def renew(self, refused: Mapping[str, str]) -> bool:
        """Reads everything again, unless another thread has done so since."""
        with self._lock, _told(self._name):
            if self._shown() == refused:
                self._configuration = self._load()
            return bool(refused)

    def remark(self) -> str:
        """Where they come from."""
        return f": the credentials of {self._name} were refused"

    def _shown(self) -> Mapping[str, str]:
        # Called so in version 30 (`authorization`) and in those after 36 (`BearerToken`).
        found = self._configuration.get_api_key_with_prefix("BearerToken", "authorization")
        # A token from a file keeps the end of its line there.
        return {"Authorization": found.strip()} if found else {}


def from_kubeconfig(files: str, context: str | None) -> Access:
    """The cluster and the user of a context, by default the current one; `files` as in KUBECONFIG."""
    from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger

    name = f"the kubeconfig {files}"

    def read() -> KubeConfigLoader:
        merged = KubeConfigMerger(files)
        if merged.config is None:
            raise MachineFault(f"there is no kubeconfig at {files}, and kfgit does not run in a pod")
        _check_context(merged.config.value, context, name)
        return KubeConfigLoader(merged.config, active_context=context, config_persister=merged.save_changes)

    def load() -> Any:
        return _set(read())

    with _told(name):
        loader = read()
        configuration = _set(loader)
        current = loader.current_context
    namespace = (current.get("context") or {}).get("namespace")
    return _accessed(configuration, User(load, configuration, name), namespace)


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
    # Only the kubeconfig's own: those of the environment are `proxies`' matter.
    configuration.proxy = None
    loader.load_and_set(configuration)
    return configuration


def _accessed(configuration: Any, user: User, namespace: str | None) -> Access:
    tls = Tls(
        configuration.ssl_ca_cert,
        configuration.cert_file,
        configuration.key_file,
        configuration.tls_server_name,
        configuration.verify_ssl,
    )
    return Access(configuration.host.rstrip("/"), tls, user, namespace, configuration.proxy)


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
    return f": {text}" if text.startswith(("File does not exist: ", "Service ")) else ""


class _Complaints(logging.Handler):
    """What the package says of a plugin that failed: it logs that, and goes on without credentials."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps what is about a kubeconfig."""
        if record.module == "kube_config":
            self.said.append(record.getMessage())
