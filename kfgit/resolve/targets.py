"""What an environment is applied to: the Kubeflow installation of a cluster target, and what makes no sense of it."""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

from kfgit.document import Mapping
from kfgit.model import ClusterTarget, KfpAuth, KfpServer, Name
from kfgit.resolve.reader import Reader


def cluster_target(spec: Mapping) -> ClusterTarget | None:
    """The Kubeflow installation of an environment, from the `spec` of its document; None for a local target."""
    reader = Reader()
    target = reader.mapping(spec.get("target"))
    if target is None or reader.string(target.get("type")) != "cluster":
        return None
    return ClusterTarget(
        reader.string(target.get("context")),
        reader.string(target.get("namespace")),
        _kfp(reader, reader.mapping(target.get("kfp")) or Mapping({}, target.span)),
        reader.string(target.get("serviceAccount")),
        reader.string(target.get("pipelineRoot")),
    )


def _kfp(reader: Reader, kfp: Mapping) -> KfpServer:
    usual = KfpServer()
    service = reader.mapping(kfp.get("service")) or Mapping({}, kfp.span)
    user = reader.mapping(kfp.get("user")) or Mapping({}, kfp.span)
    return KfpServer(
        endpoint=reader.string(kfp.get("endpoint")),
        auth=_auth(reader, reader.mapping(kfp.get("auth")) or Mapping({}, kfp.span)),
        timezone=reader.string(kfp.get("timezone")) or usual.timezone,
        service=reader.string(service.get("name")) or usual.service,
        service_namespace=reader.string(service.get("namespace")) or usual.service_namespace,
        service_port=reader.integer(service.get("port")) or usual.service_port,
        ca_file=reader.string(kfp.get("caFile")),
        user_header=reader.string(user.get("header")) or usual.user_header,
        user=reader.string(user.get("name")),
        user_env=reader.string(user.get("nameFromEnv")),
        namespace=reader.string(kfp.get("namespace")),
    )


def _auth(reader: Reader, auth: Mapping) -> KfpAuth:
    usual = KfpAuth()
    return KfpAuth(
        type=reader.string(auth.get("type")) or usual.type,  # type: ignore[arg-type] # the schema's enum
        token_env=reader.string(auth.get("tokenFromEnv")),
        token_file=reader.string(auth.get("tokenFile")),
        command_env=reader.string(auth.get("tokenCommandFromEnv")),
        cookie_env=reader.string(auth.get("cookieFromEnv")),
        audience=reader.string(auth.get("audience")) or usual.audience,
    )


def check_target(reader: Reader, target: Mapping) -> None:
    """What the schema cannot say of a target: which keys go with which type, and whether its URL is one."""
    match reader.string(target.get("type")):
        case "cluster":
            without_effect(reader, target, ("executor", "capacity"), "cluster", "local")
            kfp = target.get("kfp")
            if isinstance(kfp, Mapping):
                _check_kfp(reader, kfp)
        case "local":
            without_effect(reader, target, ("context", "kfp"), "local", "cluster")
        case _:
            pass


def without_effect(reader: Reader, target: Mapping, keys: tuple[str, ...], type_: str, other: str) -> None:
    """Tells keys that mean nothing where the target is of this type."""
    for key in keys:
        if key in target.entries:
            message = f"`{key}` has no effect on a {type_} target"
            help_ = f"remove `{key}`, or write `type: {other}`"
            reader.warn("without-effect", message, target.entries[key].key_span, help_)


def _check_kfp(reader: Reader, kfp: Mapping) -> None:
    endpoint = reader.name(kfp.get("endpoint"))
    parts = _checked_endpoint(reader, endpoint) if endpoint is not None and endpoint.text else None
    if "caFile" in kfp.entries and "endpoint" not in kfp.entries and not reader.is_unclear(kfp):
        message = (
            "`caFile` goes with `endpoint`: the kubeconfig says whom the Kubernetes API server is signed by"
        )
        reader.fault("misplaced-key", message, kfp.entries["caFile"].key_span, "remove `caFile`")
    auth = reader.mapping(kfp.get("auth"))
    type_ = reader.name(auth.get("type")) if auth is not None else None
    if auth is None or type_ is None or type_.text not in _SOURCES:
        return
    _check_sources(reader, auth, type_)
    if type_.text in _SENT and "endpoint" not in kfp.entries and not reader.is_unclear(kfp):
        message = (
            f"`{type_.text}` needs an `endpoint`: the Kubernetes API server does not pass credentials on"
        )
        help_ = "add `endpoint`, or write `type: none`: the API server knows you by your kubeconfig"
        reader.fault("auth-without-endpoint", message, type_.span, help_)
    if parts is not None and endpoint is not None and parts.scheme == "http" and type_.text != "none":
        host = parts.hostname or ""
        if not _is_near(host):
            message = f"credentials go to `{host}` without encryption"
            reader.warn("insecure-endpoint", message, endpoint.span, "write `https://`")


def _checked_endpoint(reader: Reader, endpoint: Name) -> SplitResult | None:
    """The parts of a URL, if it is one that can be asked."""
    told = _fault_of(endpoint.text)
    if told is None:
        return urlsplit(endpoint.text)
    help_ = "write scheme, host and perhaps port and path, such as `https://kfp.example.com/pipeline`"
    reader.fault("bad-endpoint", told, endpoint.span, help_)
    return None


def _fault_of(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises, where it is no number
    except ValueError:
        return f"`{text}` is not a URL"
    if "@" in parts.netloc:
        return "an endpoint has no credentials in it"
    if parts.scheme not in {"http", "https"} or not parts.hostname or not text.isprintable() or " " in text:
        return f"`{text}` is not the URL of a server"
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        return "an endpoint has neither a query nor a fragment"
    return None


def _is_near(host: str) -> bool:
    """Whether what is sent there stays on this machine or inside a cluster."""
    name = host.rstrip(".").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        inside = name.endswith((".svc", ".svc.cluster.local", ".localhost"))
        return inside or "." not in name


# Where each type of `auth` takes its secret from: one of these keys.
_SOURCES: dict[str, tuple[str, ...]] = {
    "none": (),
    "bearer": ("tokenFromEnv", "tokenFile", "tokenCommandFromEnv"),
    "kubeconfig": (),
    "serviceAccount": ("audience",),
    "cookie": ("cookieFromEnv",),
}
_SENT = ("bearer", "serviceAccount", "cookie")


def _check_sources(reader: Reader, auth: Mapping, type_: Name) -> None:
    """A key of another type, and a type without its key."""
    own = _SOURCES[type_.text]
    for other, keys in _SOURCES.items():
        for key in keys:
            if key in auth.entries and key not in own:
                message = f"`{key}` is for `type: {other}`, and this is `{type_.text}`"
                reader.fault("misplaced-key", message, auth.entries[key].key_span, f"remove `{key}`")
    given = any(key in auth.entries for keys in _SOURCES.values() for key in keys)
    if type_.text in {"bearer", "cookie"} and not given and not reader.is_unclear(auth):
        wanted = " or ".join(f"`{key}`" for key in own)
        message = f"`{type_.text}` does not say where its secret is"
        reader.fault("missing-key", message, type_.span, f"add {wanted}")
