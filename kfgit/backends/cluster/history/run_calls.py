"""What is asked of KFP about runs beside `kfp.api`: how many, those whose ids begin so, what a task printed and made.

Facts: backend/src/apiserver/server (run_server.go, runlog_server.go, run_artifact_server.go).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from kfgit.backend import MachineFault
from kfgit.backends.cluster.kfp import messages as objects
from kfgit.backends.cluster.kfp.answers import KfpFault, page, understood
from kfgit.backends.cluster.kfp.api import KfpApi, KfpRun

_RUNS = "/apis/v2beta1/runs"


@contextmanager
def strictly(api: KfpApi, what: str) -> Iterator[None]:
    """Raises `MachineFault` for parts of a message that are read late, and are not KFP's."""
    try:
        yield
    except objects.Odd as odd:
        raise MachineFault(f"{api.wire.place} tells {what} in a form that is not KFP's: {odd}") from None


def count(api: KfpApi, experiment_id: str | None = None) -> int:
    """How many runs there are, of one experiment where it is given."""
    query = {"page_size": "1", **_scope(api)}
    if experiment_id:
        query["experiment_id"] = experiment_id
    answer = api.wire.read("GET", _RUNS, query=query)
    return understood("count runs", answer, lambda message: objects.whole(message, "total_size"))


def beginning(api: KfpApi, prefix: str, limit: int) -> tuple[KfpRun, ...]:
    """Runs whose ids begin so, newest first: of the `limit` newest that have it anywhere in their ids."""
    predicate = {"operation": "IS_SUBSTRING", "key": "run_id", "string_value": prefix}
    query = {
        **_scope(api),
        "page_size": str(limit),
        "sort_by": "created_at desc",
        "filter": json.dumps({"predicates": [predicate]}),
    }
    doing = f"look for runs that begin with `{prefix}`"
    found = understood(doing, api.wire.read("GET", _RUNS, query=query), page("runs", objects.run))
    return tuple(run for run in found.items if run.run_id.startswith(prefix))


def log(api: KfpApi, run_id: str, node: str) -> str | None:
    """What a pod printed; None where KFP has it no more.

    KFP answers 200 before it looks for the pod, and writes its error after what there was (`ReadRunLogV1`).
    """
    answer = api.wire.read("GET", f"/apis/v1alpha1/runs/{_quoted(run_id)}/nodes/{_quoted(node)}/log")
    if answer.status in {400, 404, 409, 500}:
        return None
    if not 200 <= answer.status < 300:
        raise KfpFault(f"show the log of {node}", answer.status, 0, f"HTTP {answer.status}", answer.place)
    text = answer.body.decode("utf-8", "replace")
    start = text.rfind('{"error_message":')
    if start < 0 or not _is_fault(text[start:]):
        return text
    return text[:start] or None


def artifact(api: KfpApi, run_id: str, node: str, name: str) -> bytes | None:
    """What a task gave out under a name; None where KFP cannot read it."""
    path = f"{_RUNS}/{_quoted(run_id)}/nodes/{_quoted(node)}/artifacts/{_quoted(name)}:read"
    answer = api.wire.read("GET", path)
    if not 200 <= answer.status < 300:
        return None
    data = answer.json()
    try:
        return base64.b64decode(str(data["data"]), validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise MachineFault(
            f"{answer.place} gives out artifact `{name}` in a form that is not KFP's"
        ) from error


def _is_fault(text: str) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and found.keys() <= {"error_message", "error_details"}


def _scope(api: KfpApi) -> dict[str, str]:
    return {"namespace": api.namespace} if api.namespace else {}


def _quoted(text: str) -> str:
    return quote(text, safe="")
