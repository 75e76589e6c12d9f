"""Everything the client raises on purpose, one tree; losing a race is data, not a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batonbox._wire import ERRORS

if TYPE_CHECKING:
    from batonbox._models import Row, Write

__all__ = [
    "AdminOnly",
    "AlreadyAssigned",
    "ApiError",
    "BatonboxError",
    "Conflict",
    "ConnectionLost",
    "Forbidden",
    "Invalid",
    "MediaRefused",
    "NewActivity",
    "NotConfirmed",
    "NotFound",
    "NotOwner",
    "NotUndoable",
    "OutcomeUnknown",
    "ProtocolError",
    "RateLimited",
    "RequestTimeout",
    "StaleToken",
    "Unauthorized",
    "Unavailable",
    "WritesLost",
]


class BatonboxError(Exception):
    """Root of the tree."""


class ConnectionLost(BatonboxError):
    """There is no connection, and this was not (or must not be) kept for the next one.

    `retry_after_s`: when the server wants to be asked again, 0.0 where it did not say.
    """

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class RequestTimeout(BatonboxError, TimeoutError):
    """No answer in time.

    `sent` tells whether the request may have arrived; call again with `key=error.cid` to learn the
    outcome without a second effect.
    """

    def __init__(self, message: str, *, cid: str = "", sent: bool = False) -> None:
        self.cid = cid
        self.sent = sent
        super().__init__(message)


class ProtocolError(BatonboxError):
    """The other side does not speak this protocol, or refuses this client for good."""


class WritesLost(BatonboxError):
    """Acknowledged commands are no longer in the log: the engine lost them in a failover."""

    def __init__(self, writes: tuple[Write, ...]) -> None:
        self.writes = writes
        super().__init__(f"{len(writes)} acknowledged command(s) lost: read the state and repeat")


class OutcomeUnknown(BatonboxError):
    """Sent, never answered, and too old to send again safely: read the conversation again."""

    def __init__(self, *, command: str, cid: str, conv: str = "") -> None:
        self.command = command
        self.cid = cid
        self.conv = conv
        super().__init__(
            f"{command} was sent but never answered and is too old to send again; "
            "read the conversation before you repeat it"
        )


class ApiError(BatonboxError):
    """The server understood and refused; `code` and `slug` are a row of its error table."""

    def __init__(
        self,
        code: int,
        slug: str,
        message: str,
        *,
        retry_ms: int | None = None,
        cur: Row | None = None,
        cid: str = "",
    ) -> None:
        self.code = code
        self.slug = slug
        self.message = message
        self.retryable: bool = ERRORS[code][1] if code in ERRORS else False
        self.retry_ms = retry_ms
        self.cur = cur
        self.cid = cid
        super().__init__(f"{slug}: {message}")


class Unauthorized(ApiError):
    """The token is wrong, revoked or expired."""


class Forbidden(ApiError):
    """Not allowed."""


class NotOwner(Forbidden):
    """Only the owner may; assign the conversation to yourself first."""


class AdminOnly(Forbidden):
    """Only an admin may."""


class NotFound(ApiError):
    """No such thing, or none that you may see."""


class Conflict(ApiError):
    """The state does not allow it; `cur` is the conversation as it is."""


class AlreadyAssigned(Conflict):
    """Somebody else owns it; `by` names them."""

    @property
    def by(self) -> str:
        """The owner."""
        return self.cur.assignee if self.cur is not None else ""


class StaleToken(Conflict):
    """The ownership changed since; decide again on `cur`."""


class NotUndoable(Conflict):
    """Too late to undo, or changed since."""


class NewActivity(Conflict):
    """The customer wrote again; read it before marking as done."""


class Invalid(ApiError):
    """The request itself is wrong; `errors` says what."""

    @property
    def errors(self) -> tuple[str, ...]:
        """What is wrong, one sentence each."""
        return (self.message,)


class MediaRefused(ApiError):
    """A file that is not taken, or cannot be had; says why."""


class RateLimited(ApiError):
    """Too fast; wait `retry_after_s`."""

    @property
    def retry_after_s(self) -> float:
        """Seconds until it may be sent again."""
        return (self.retry_ms or 1000) / 1000


class Unavailable(ApiError):
    """The engine is away; send it again with `key=error.cid`."""


class NotConfirmed(Unavailable):
    """It took effect, and it is not known to last as `dur` asks; ask again with `key=error.cid`."""


BY_SLUG: dict[str, type[ApiError]] = {
    "media_refused": MediaRefused,
    "unauthorized": Unauthorized,
    "forbidden": Forbidden,
    "unknown_op": Invalid,
    "bad_request": Invalid,
    "token_expired": Unauthorized,
    "rate_limited": RateLimited,
    "conflict": AlreadyAssigned,
    "not_owner": NotOwner,
    "stale_token": StaleToken,
    "not_found": NotFound,
    "new_activity": NewActivity,
    "recipient_opted_out": Conflict,
    "target_not_member": Conflict,
    "number_not_routed": Conflict,
    "idempotency_mismatch": Invalid,
    "not_undoable": NotUndoable,
    "unavailable": Unavailable,
    "durability_timeout": NotConfirmed,
    # Rows without a class of their own; a new row of the table has to be placed in one of the two.
    "internal": ApiError,
    "unrecoverable_position": ApiError,
}


def api_error(code: int, slug: str, message: str, **more: Any) -> ApiError:
    """The exception for a row of the error table; ApiError for a slug this client does not know."""
    return BY_SLUG.get(slug, ApiError)(code, slug, message, **more)
