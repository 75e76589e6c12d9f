"""The diagnosis of a phone number over HTTP: where its messages stop, and what to do."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from batonbox_server.domain.policy import Action
from batonbox_server.service.diagnosis import State
from batonbox_server.service.texts import e164

from .endpoint import Call, Endpoint

__all__ = ["ENDPOINTS"]


class Check(Struct, forbid_unknown_fields=True):
    """Body of check: with `send` a test message goes through."""

    send: bool = False


class CheckStep(Struct):
    """One step of the way, how it stands in words, and what to do about it."""

    step: str
    state: State
    says: str
    remedy: str


class Checked(Struct):
    """`stopped_at` names the step that failed; `conv` is the test message's conversation."""

    number: str
    ok: bool
    stopped_at: str | None
    conv: str | None
    steps: list[CheckStep]


async def _check(call: Call) -> dict[str, Any]:
    """Find out why a number's messages are not appearing.

    Every step is looked at as it really is: known, messaging, carrier, assigned, inbox, engine,
    members, intake, stored, shown. With `send`, a message from a fictional customer that says it is
    a test goes the whole way, and stays in the inbox. The carrier itself, and other servers' live
    connections, are not looked at.
    """
    body, number = await call.body(Check), e164(call.path("number"), field="number")
    report = await call.services.diagnosis.check(number, send=body.send, by=call.principal.user)
    return {
        "number": number,
        "ok": not report.stopped_at,
        "stopped_at": report.stopped_at or None,
        "conv": report.conv or None,
        "steps": [
            {"step": s.step, "state": s.state, "says": s.says, "remedy": s.remedy}
            for s in report.steps
        ],
    }


ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/v1/admin/numbers/{number}/check",
        Action.ADMINISTER,
        _check,
        body=Check,
        returns=Checked,
    ),
)
