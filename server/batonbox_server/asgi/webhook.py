"""Where the webhook carrier delivers: signed messages and receipts; 2xx only after the write."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final, TypeVar

from msgspec import Meta, Struct, field
from starlette.responses import Response

from batonbox_server.carriers.signature import BadSignature, verify
from batonbox_server.domain.model import Delivery, inbox_of
from batonbox_server.errors import Refused
from batonbox_server.service.intake import Inbound

from . import answers
from .endpoint import Call, Endpoint, decode, json_response
from .loopback import received_json

__all__ = ["ENDPOINTS", "places"]

T = TypeVar("T")
CarrierId = Annotated[str, Meta(min_length=1, max_length=200)]
_STATES: Final = {
    "sent": Delivery.SENT,
    "delivered": Delivery.DELIVERED,
    "failed": Delivery.FAILED,
}


class InboundMessage(Struct, forbid_unknown_fields=True):
    """An inbound message; without `id` the webhook-id names it for dedupe."""

    from_: str = field(name="from")
    to: str
    text: str
    id: CarrierId | None = None
    media: Annotated[list[Annotated[str, Meta(max_length=2048)]], Meta(max_length=10)] = []


class Receipt(Struct, forbid_unknown_fields=True):
    """What became of an outbound message: by the id the carrier gave, else by ours."""

    id: CarrierId
    state: str
    reason: Annotated[str, Meta(max_length=200)] = ""


async def _inbound(call: Call) -> Response:
    """An inbound message, signed as the webhook carrier signs."""
    webhook_id, body = await _signed(call, InboundMessage)
    received = await call.services.intake.receive(
        Inbound("webhook", body.id or webhook_id, body.to, body.from_, body.text, tuple(body.media))
    )
    return json_response(received_json(received), status=200 if received.duplicate else 201)


async def _receipts(call: Call) -> dict[str, Any]:
    """What became of an outbound message; 404: send the receipt again later."""
    _, body = await _signed(call, Receipt)
    state = _STATES.get(body.state)
    if state is None:
        raise Refused("bad_request", f"state: one of {', '.join(sorted(_STATES))}.")
    for inbox in places(call, "webhook", body.id):
        if await call.services.intake.receipt(
            inbox=inbox, carrier_id=body.id, state=state, reason=body.reason
        ):
            return {"known": True}
    # The receipt may have overtaken our own note of the sending: the carrier shall try again.
    raise Refused("not_found", "No message of ours has this id; send the receipt again later.")


def places(call: Call, carrier: str, carrier_id: str) -> list[str]:
    """Inboxes to look in: our own ids name theirs, a carrier's may be any.

    Those with a number of this carrier come first; the number may have gone since the sending.
    """
    directory = call.services.directory
    own = inbox_of(carrier_id)
    bound = {r.inbox for r in directory.routes.values() if r.carrier == carrier}
    if own in directory.inboxes:
        return [own]
    return sorted(directory.inboxes, key=lambda name: (name not in bound, name))


async def _signed(call: Call, shape: type[T]) -> tuple[str, T]:
    raw = await call.raw_body()
    try:
        webhook_id = verify(
            call.services.webhook_secret,
            headers=call.request.headers,
            body=raw,
            now_s=time.time(),
        )
    except BadSignature as error:
        raise Refused("unauthorized", str(error)) from error
    await call.services.rates.carrier("webhook")
    return webhook_id, decode(raw, shape)


ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/v1/webhook/inbound",
        None,
        _inbound,
        status=201,
        also=200,
        body=InboundMessage,
        returns=answers.Received,
        errors=("unauthorized", "number_not_routed"),
        via="carrier",
    ),
    Endpoint(
        "POST",
        "/v1/webhook/receipts",
        None,
        _receipts,
        body=Receipt,
        returns=answers.Receipted,
        errors=("unauthorized", "not_found"),
        via="carrier",
    ),
)
