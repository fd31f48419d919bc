"""What goes wrong in a call, as KFP's API server tells it.

An error has a gRPC code, and its HTTP status follows from the code (grpc-gateway, runtime/errors.go). KFP tells every
fault twice: `message` is for operators and says what was being done, `details[0].message` is for users and names the
thing (backend/src/common/util/error.go). What the gateway itself refuses, before any resource is looked at, has no
details. The two upload endpoints are written by hand there and have a shape of their own.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

_STATUS_TYPE = "type.googleapis.com/google.rpc.Status"


class Code(IntEnum):
    """The codes of google/rpc/code.proto that this server answers with."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


_STATUS = {
    Code.INVALID_ARGUMENT: 400,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}


class ApiError(Exception):
    """A call that cannot be answered; `detail` names the thing at fault, `doing` says what the server was about."""

    def __init__(self, code: Code, detail: str, doing: str = "") -> None:
        super().__init__(f"{doing}: {detail}" if doing else detail)
        self.code, self.detail = code, detail

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _STATUS[self.code]

    def body(self) -> dict[str, Any]:
        """The answer as JSON."""
        details = {"@type": _STATUS_TYPE, "code": int(self.code), "message": self.detail}
        return {"code": int(self.code), "message": str(self), "details": [details]}


class GatewayError(ApiError):
    """What is refused before any resource is looked at; `status` where it is not that of the code (413, 421)."""

    def __init__(self, code: Code, detail: str, status: int | None = None) -> None:
        super().__init__(code, detail)
        self._status = status

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._status or super().status

    def body(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"code": int(self.code), "message": self.detail}


class UploadError(ApiError):
    """What an upload endpoint answers; `summary` is KFP's sentence for the step that failed."""

    def __init__(self, code: Code, summary: str, detail: str) -> None:
        super().__init__(code, detail, summary)
        self.summary = summary

    def body(self) -> dict[str, Any]:
        """The answer as JSON."""
        return {"error_message": self.summary, "error_details": str(self)}


def invalid(detail: str, doing: str = "") -> ApiError:
    """The caller's mistake: 400."""
    return ApiError(Code.INVALID_ARGUMENT, detail, doing)


def missing(kind: str, id_: str, doing: str = "") -> ApiError:
    """No such object; `kind` is KFP's word: Experiment, Pipeline, PipelineVersion, Run, Job."""
    return ApiError(Code.NOT_FOUND, f"{kind} {id_} not found", doing)


def taken(detail: str, doing: str = "") -> ApiError:
    """A name or an id that another object has: 409."""
    return ApiError(Code.ALREADY_EXISTS, detail, doing)


def refused(detail: str, doing: str = "") -> ApiError:
    """What the state of the object does not allow, which KFP calls a bad request and answers with 409."""
    return ApiError(Code.ABORTED, detail, doing)
