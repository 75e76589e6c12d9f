"""What a websocket message turns into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from msgspec import Struct

from batonbox_server import wire
from batonbox_server.errors import Refused

__all__ = ["Answer", "Run", "Shut", "Step", "refusal"]


@dataclass(frozen=True, slots=True)
class Answer:
    """Send this frame."""

    frame: wire.Frame


class Run(Struct, frozen=True):
    """Run this command and answer with OK or ERR; then call `Session.finished`."""

    id: int
    name: str
    args: wire.Command


@dataclass(frozen=True, slots=True)
class Shut:
    """Send what is queued, then close."""

    code: wire.Close
    reason: str


# Sub, Page, History, Check, Group and Refresh are to be answered and `finished` like Run, Seen and
# Viewing to be `finished` without an answer; Hello is to be followed by `signed_in` or a close;
# Unsub and Pong need neither.
Request: TypeAlias = (
    wire.Hello
    | wire.Sub
    | wire.Unsub
    | wire.Seen
    | wire.Refresh
    | wire.Pong
    | wire.Page
    | wire.History
    | wire.Check
    | wire.Viewing
    | wire.Group
)
Step: TypeAlias = Answer | Run | Shut | Request


def refusal(request: int | None, refused: Refused) -> wire.Frame:
    """The ERR frame; `request` None answers a frame that has no id."""
    code = refused.code
    frame: list[Any] = [wire.Op.ERR, request, code.number, code.slug, refused.message]
    if refused.retry_ms is not None or refused.cur is not None:
        frame.append(refused.retry_ms)
    if refused.cur is not None:
        frame.append(refused.cur)
    return frame
