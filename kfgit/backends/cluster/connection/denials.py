"""What a 403 says: who may not do what, and the rule that is missing. Pure."""

from __future__ import annotations

import json
import re

_MAX_MESSAGE = 300
# Kubernetes, pkg/endpoints/handlers/responsewriters/errors.go of k8s.io/apiserver.
_RESOURCE = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)" in API group "(?P<group>[^"]*)"'
    r'(?P<where> in the namespace "(?P<namespace>[^"]+)"| at the cluster scope)?'
)
_PATH = re.compile(r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) path "(?P<path>[^"]+)"')
# KFP, backend/src/apiserver/resource/resource_manager.go, `IsAuthorized`: what its SubjectAccessReview was about.
_REVIEW = re.compile(
    r"User '(?P<user>[^']*)' is not authorized with reason: .*?\(request: &ResourceAttributes\{"
    r"Namespace:(?P<namespace>[^,]*),Verb:(?P<verb>[^,]*),Group:(?P<group>[^,]*),Version:[^,]*,"
    r"Resource:(?P<resource>[^,]*),",
    re.DOTALL,
)


def denial(body: bytes, asked: str) -> str:
    """A sentence about a 403: `asked` is what was asked for, as people are told of it."""
    message = told(body)
    for pattern in (_RESOURCE, _REVIEW):
        if found := pattern.search(message):
            return _rule(**{key: found.group(key) or "" for key in _RULE})
    if found := _PATH.search(message):
        user, verb, path = found.group("user", "verb", "path")
        return f"`{user}` may not {verb} {path}: the rule `verbs: [{verb}], nonResourceURLs: [{path}]` is missing"
    return f"{asked} is not allowed" + (f": {_bounded(message)}" if message else "")


def told(body: bytes) -> str:
    """What a server says went wrong: `message` of Kubernetes' Status and KFP's errors, or a short plain text."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        text = body[: _MAX_MESSAGE * 4].decode(errors="replace")
        return "" if text.lstrip().startswith("<") else text
    message = found.get("message") or found.get("error_message") if isinstance(found, dict) else None
    return message if isinstance(message, str) else ""


def is_denial(body: bytes) -> bool:
    """Whether an answer is one in fact: KFP's uploads say 400 for it (apiserver/server/pipeline_upload_server.go)."""
    return _REVIEW.search(told(body)) is not None


_RULE = ("user", "verb", "group", "resource", "namespace")


def _rule(user: str, verb: str, group: str, resource: str, namespace: str) -> str:
    where = f"in namespace `{namespace}`" if namespace else "in the whole cluster"
    groups = group or '""'
    role = "" if namespace else " of a ClusterRole"
    return (
        f"`{user}` may not {verb} {resource} {where}: the rule{role} "
        f"`verbs: [{verb}], apiGroups: [{groups}], resources: [{resource}]` is missing"
    )


def _bounded(message: str) -> str:
    text = " ".join(message.split())
    return text if len(text) <= _MAX_MESSAGE else text[: _MAX_MESSAGE - 1] + "…"
