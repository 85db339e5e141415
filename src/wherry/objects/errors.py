"""API failures, each one Kubernetes `Status`.

    ApiError
    ├── BadRequest 400          ├── Conflict 409             ├── UnsupportedMediaType 415
    ├── Unauthorized 401        ├── AlreadyExists 409        ├── Invalid 422
    ├── Forbidden 403           ├── Expired 410              ├── TooManyRequests 429
    ├── NotFound 404            ├── RequestEntityTooLarge 413├── InternalError 500
    ├── MethodNotAllowed 405    ├── Unnamed 500              ├── Timeout 504
    └── NotAcceptable 406       └── ServiceUnavailable 503

Codes and reasons: k8s.io/apimachinery `metav1.StatusReason`. Lower layers raise errors of their own; they become one of
these once, where a verb meets them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from wherry.objects import Obj


@dataclass(frozen=True)
class Cause:
    """One reason of a failure at one field: `metav1.StatusCause`."""

    reason: str
    message: str
    field: str = ""

    def as_json(self) -> Obj:
        out = {"reason": self.reason, "message": self.message}
        return {**out, "field": self.field} if self.field else out


class ApiError(Exception):
    """A failed API call. `details` are the Status details (name, group, kind, uid, retryAfterSeconds)."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(self, message: str, *, causes: Iterable[Cause] = (), **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.causes = tuple(causes)
        self.details = details
        self.continuation = ""  # of an expired list: where it can go on

    def status(self) -> Obj:
        """The `Status` object that a client gets."""
        details = {key: value for key, value in self.details.items() if value not in ("", None)}
        if self.causes:
            details["causes"] = [cause.as_json() for cause in self.causes]
        out: Obj = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continuation} if self.continuation else {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            out["reason"] = self.reason
        if details:
            out["details"] = details
        return {**out, "code": self.code}


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    code, reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    code, reason = 406, "NotAcceptable"


class Conflict(ApiError):
    code, reason = 409, "Conflict"


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"


class Expired(ApiError):
    code, reason = 410, "Expired"


class RequestEntityTooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    code, reason = 422, "Invalid"


class TooManyRequests(ApiError):
    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    code, reason = 500, "InternalError"


class Unnamed(ApiError):
    """What upstream fails at without a reason of its own: clients find nothing under `reason`."""

    code, reason = 500, ""


class ServiceUnavailable(ApiError):
    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    code, reason = 504, "Timeout"


_BY_REASON: Mapping[str, type[ApiError]] = {cls.reason: cls for cls in ApiError.__subclasses__() if cls.reason}
_BY_CODE: Mapping[int, type[ApiError]] = {cls.code: cls for cls in reversed(ApiError.__subclasses__())}


def from_status(status: Obj, code: int = 500) -> ApiError:
    """The error that a server's `Status` stands for; `code` is the HTTP status, used where the reason says nothing."""
    details = dict(status.get("details") or {})
    causes = [
        Cause(c.get("reason", ""), c.get("message", ""), c.get("field", "")) for c in details.pop("causes", None) or []
    ]
    cls = _BY_REASON.get(status.get("reason", "")) or _BY_CODE.get(status.get("code", code), ApiError)
    return cls(status.get("message", f"HTTP {code}"), causes=causes, **details)
