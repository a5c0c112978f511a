"""Everything that can go wrong, in one catalogue, so that HTTP and the protocol tell it the same way.

    TrafficCopError
    ├─ Unauthorized, InvalidToken, TokenExpired, InvalidApiKey          401
    ├─ PermissionDenied, NoTenant                                       403
    ├─ NotFound, UnknownChannel, MethodNotFound                         404
    ├─ Conflict, NotReady, IdempotencyInFlight                          409
    ├─ PreconditionFailed                                               412
    ├─ TooLarge                                                         413
    ├─ UnsupportedType                                                  415
    ├─ Invalid, Unparsable, IdempotencyMismatch                         422
    ├─ LimitReached                                                     429
    └─ Internal, Unavailable                                            5xx

Each class is a row: `code` (slug of the problem type), `status` (HTTP), `title`, `protocol_code` (Centrifugo's error
code) and `temporary` (the same request may succeed later).
"""

from collections.abc import Sequence
from typing import Any, ClassVar


class TrafficCopError(Exception):
    """Root of the catalogue; `detail` is shown to the caller, `extra` becomes members of the problem document."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    protocol_code: ClassVar[int] = 100
    temporary: ClassVar[bool] = False

    def __init__(self, detail: str = "", *, retry_after: int | None = None, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.retry_after = retry_after
        self.extra = extra


class Internal(TrafficCopError):
    """Something unexpected; the caller learns the request id only."""

    temporary = True


class Unavailable(TrafficCopError):
    """Redis or another service could not be reached, or the outcome of a command is unknown."""

    code, status, title, temporary = "unavailable", 503, "Service unavailable", True


class Unauthorized(TrafficCopError):
    """No credential came with the request."""

    code, status, title, protocol_code = "unauthorized", 401, "Credential missing", 101


class InvalidToken(Unauthorized):
    """The token is malformed, forged, meant for somebody else or revoked."""

    code, title = "invalid-token", "Invalid token"


class TokenExpired(Unauthorized):
    """The token was good once."""

    code, title, protocol_code = "token-expired", "Token expired", 109


class InvalidApiKey(Unauthorized):
    """No such API key."""

    code, title = "invalid-api-key", "Invalid API key"


class PermissionDenied(TrafficCopError):
    """The caller is known but lacks the permission."""

    code, status, title, protocol_code = "permission-denied", 403, "Permission denied", 103


class NoTenant(PermissionDenied):
    """The token names no tenant, or not the one that was asked for."""

    code, title = "no-tenant", "No tenant"


class NotFound(TrafficCopError):
    """No such thing in this tenant (another tenant's thing answers exactly so)."""

    code, status, title, protocol_code = "not-found", 404, "Not found", 102


class UnknownChannel(NotFound):
    """The channel's name is malformed, or names nothing."""

    code, title = "unknown-channel", "Unknown channel"


class MethodNotFound(NotFound):
    """No such method."""

    code, title, protocol_code = "method-not-found", "Method not found", 104


class MethodNotAllowed(TrafficCopError):
    """The resource exists, the method does not apply to it."""

    code, status, title, protocol_code = "method-not-allowed", 405, "Method not allowed", 104


class Conflict(TrafficCopError):
    """The thing is in a state that does not allow this."""

    code, status, title, protocol_code = "conflict", 409, "Conflict", 108


class NotReady(Conflict):
    """The result is still being made."""

    code, title, temporary = "not-ready", "Not ready", True


class IdempotencyInFlight(Conflict):
    """The first request with this Idempotency-Key is still running."""

    code, title, temporary = "idempotency-in-flight", "Request in flight", True


class NotAvailable(Conflict):
    """The feature is switched off for this channel."""

    code, title = "not-available", "Not available"


class UnrecoverablePosition(Conflict):
    """The position asked for is no longer in the channel's log."""

    code, title, protocol_code = "unrecoverable-position", "Unrecoverable position", 112


class PreconditionFailed(TrafficCopError):
    """If-Match does not name the current version."""

    code, status, title, protocol_code = "precondition-failed", 412, "Precondition failed", 107


class TooLarge(TrafficCopError):
    """The body, the data or the declared size is over the limit."""

    code, status, title, protocol_code = "too-large", 413, "Too large", 107


class UnsupportedType(TrafficCopError):
    """The body's content type is not understood."""

    code, status, title, protocol_code = "unsupported-type", 415, "Unsupported content type", 107


class Invalid(TrafficCopError):
    """The payload breaks the schema; `errors` says where, and is never empty."""

    code, status, title, protocol_code = "invalid", 422, "Invalid payload", 107

    def __init__(self, detail: str = "", errors: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(detail, errors=list(errors) or [{"detail": detail or self.title}])


class Unparsable(TrafficCopError):
    """The file could not be parsed; the detail is the reason."""

    code, status, title, protocol_code = "unparsable", 422, "Unparsable file", 107


class IdempotencyMismatch(TrafficCopError):
    """The Idempotency-Key was used with another body."""

    code, status, title, protocol_code = "idempotency-mismatch", 422, "Idempotency-Key reused", 107


class LimitReached(TrafficCopError):
    """A cap of the tenant, the user or the connection is reached."""

    code, status, title, protocol_code = "limit-reached", 429, "Limit reached", 106
