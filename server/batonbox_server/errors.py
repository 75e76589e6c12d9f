"""The one table of errors: number, slug, HTTP status, whether a retry can help.

Every refusal a client can meet is a row of `CODES`; the websocket sends `[ERR, id, number, slug,
message, ...]`, HTTP sends RFC 9457 problem details with the same slug.  Messages state the remedy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "CODES",
    "Away",
    "BatonboxError",
    "Code",
    "EngineUnavailable",
    "EngineUnsuitable",
    "FolderInUse",
    "OutcomeUnknown",
    "Refused",
]


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the error table."""

    number: int
    slug: str
    http: int
    retryable: bool
    remedy: str


_ROWS: Final = (
    Code(100, "internal", 500, True, "Retry; if it persists, look at the server's log."),
    Code(101, "unauthorized", 401, False, "Send a valid token."),
    Code(103, "forbidden", 403, False, "Ask an admin for access."),
    Code(104, "unknown_op", 400, False, "Use an operation of docs/protocol.md."),
    Code(107, "bad_request", 400, False, "Correct the request and send it again."),
    Code(109, "token_expired", 401, False, "Fetch a new token and send it."),
    Code(111, "rate_limited", 429, True, "Wait retry_ms, then send it again."),
    Code(112, "unrecoverable_position", 410, False, "Subscribe again without a position."),
    Code(120, "conflict", 409, False, "Somebody else owns it; see cur.assignee."),
    Code(121, "not_owner", 409, False, "Assign the conversation to yourself first."),
    Code(122, "stale_token", 409, False, "Read the current row (cur) and decide again."),
    Code(123, "not_found", 404, False, "Check the id."),
    Code(124, "new_activity", 409, False, "Read the newer message first, then send done again."),
    Code(125, "recipient_opted_out", 409, False, "The customer has to text START first."),
    Code(126, "target_not_member", 409, False, "Choose a member of the inbox, or add them first."),
    Code(127, "number_not_routed", 409, False, "Ask an admin to route a number to this inbox."),
    Code(128, "idempotency_mismatch", 422, False, "Use a fresh command id for another command."),
    Code(129, "not_undoable", 409, False, "Too late, or changed since; act on the current row."),
    Code(132, "media_refused", 422, False, "Send a file of another kind, or a smaller one."),
    Code(130, "unavailable", 503, True, "The engine is unreachable; retry with the same id."),
    Code(131, "durability_timeout", 504, True, "Applied, not confirmed; retry with the same id."),
)

CODES: Final[dict[str, Code]] = {row.slug: row for row in _ROWS}


class BatonboxError(Exception):
    """Everything this server raises on purpose."""


class Refused(BatonboxError):
    """A request that was understood and refused; carries a row of `CODES`.

    `cur` is the conversation's current row where the client needs it to decide again.
    """

    def __init__(
        self,
        slug: str,
        message: str = "",
        *,
        cur: dict[str, Any] | None = None,
        retry_ms: int | None = None,
    ) -> None:
        self.code = CODES[slug]
        self.message = message or self.code.remedy
        self.cur = cur
        self.retry_ms = retry_ms
        super().__init__(f"{slug}: {self.message}")

    @property
    def slug(self) -> str:
        """The code's stable name."""
        return self.code.slug


class Away(Refused):
    """`unavailable`: the conversation is in an archive that cannot be read now."""

    def __init__(self, message: str) -> None:
        super().__init__("unavailable", message)


class EngineUnavailable(BatonboxError):
    """The engine cannot be reached, and the command was certainly not sent."""


class OutcomeUnknown(EngineUnavailable):
    """The connection broke after sending: the command may or may not have taken effect.

    Only a command whose id is stored by its script may be sent again.
    """


class EngineUnsuitable(BatonboxError):
    """No engine, or one that must not be used (too old, evicting, locked, corrupt); says why."""


class FolderInUse(EngineUnsuitable):
    """Another server holds the data folder."""
