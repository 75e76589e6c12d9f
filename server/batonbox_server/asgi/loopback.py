"""The loopback carrier's side of the street: simulated customers' phones over HTTP."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field
from starlette.responses import Response

from batonbox_server.domain.model import inbox_of
from batonbox_server.domain.policy import Action
from batonbox_server.service.intake import Inbound
from batonbox_server.service.race import Outcome
from batonbox_server.service.texts import e164
from batonbox_server.store.port import Received

from . import answers
from .endpoint import Call, Endpoint, json_response
from .services import Phones

__all__ = ["ENDPOINTS", "received_json"]


class Text(Struct, forbid_unknown_fields=True):
    """Body of inbound."""

    from_: str = field(name="from")
    to: str
    text: str
    id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None


class Phone(Struct, forbid_unknown_fields=True):
    """Query of outbound; a bare + reads as a space there, and is meant as +."""

    to: str


class Contest(Struct, forbid_unknown_fields=True):
    """Body of race."""

    from_: str = field(name="from")
    to: str
    text: Annotated[str, Meta(min_length=1, max_length=1600)]


class Failures(Struct, forbid_unknown_fields=True):
    """Body of failures: how the next deliveries to a phone end."""

    to: str
    count: Annotated[int, Meta(ge=0, le=1000)] = 1
    permanent: bool = False
    reason: Annotated[str, Meta(min_length=1, max_length=200)] = "told to fail"


def received_json(received: Received) -> dict[str, Any]:
    """Where an inbound message went."""
    return {
        "conv": received.conv,
        "inbox": inbox_of(received.conv),
        "n": received.n,
        "seq": received.seq,
        "duplicate": received.duplicate,
    }


async def _inbound(call: Call) -> Response:
    """A customer texts one of our numbers."""
    body = await call.body(Text)
    received = await call.services.intake.receive(
        Inbound("loopback", body.id or uuid.uuid4().hex, body.to, body.from_, body.text)
    )
    return json_response(received_json(received), status=200 if received.duplicate else 201)


async def _outbound(call: Call) -> dict[str, Any]:
    """What a phone received, oldest first."""
    to = e164(call.query(Phone).to.replace(" ", "+"), field="to")
    items = await _phones(call).messages(to=to)
    for item in items:
        links = call.services.media.links(item["media"])
        item["media"] = [link.url for link in links]
        item["files"] = [dataclasses.asdict(link) for link in links]
    return {"items": items, "next": None}


async def _failures(call: Call) -> dict[str, Any]:
    """Tell the carrier how the next deliveries to a phone end."""
    body = await call.body(Failures)
    to = e164(body.to, field="to")
    await _phones(call).fail_next(
        to=to, count=body.count, permanent=body.permanent, reason=body.reason
    )
    return {"to": to, "count": body.count, "permanent": body.permanent, "reason": body.reason}


async def _numbers(call: Call) -> dict[str, Any]:
    """Our numbers that simulated phones can text."""
    directory = call.services.directory
    found = [
        {"number": number, "inbox": route.inbox, "name": directory.inboxes[route.inbox].name}
        for number, route in sorted(directory.routes.items())
        if route.carrier == "loopback" and route.delivers in directory.inboxes
    ]
    return {"items": found, "next": None}


async def _race(call: Call) -> dict[str, Any]:
    """Five bots want the conversation of one message; one gets it."""
    body = await call.body(Contest)
    races = call.services.races
    assert races is not None, "these endpoints exist only with the loopback carrier"
    return _outcome_json(await races.run(our=body.to, customer=body.from_, text=body.text))


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    losers = [
        {"id": lost.bot.id, "name": lost.bot.name, "code": lost.code, "owner": lost.owner or None}
        for lost in outcome.losers
    ]
    return {
        "conv": outcome.conv,
        "winner": {"id": outcome.winner.id, "name": outcome.winner.name},
        "losers": losers,
        "ms": round(outcome.ms, 1),
    }


def _phones(call: Call) -> Phones:
    phones = call.services.phones
    assert phones is not None, "these endpoints exist only with the loopback carrier"
    return phones


ENDPOINTS: Final = (
    Endpoint(
        "POST",
        "/v1/loopback/inbound",
        Action.SIMULATE,
        _inbound,
        status=201,
        also=200,
        body=Text,
        returns=answers.Received,
        errors=("number_not_routed",),
    ),
    Endpoint(
        "GET",
        "/v1/loopback/outbound",
        Action.SIMULATE,
        _outbound,
        query=Phone,
        returns=answers.Items[answers.PhoneMessage],
    ),
    Endpoint(
        "POST",
        "/v1/loopback/failures",
        Action.SIMULATE,
        _failures,
        body=Failures,
        returns=answers.FailurePlan,
    ),
    Endpoint(
        "GET",
        "/v1/loopback/numbers",
        Action.SIMULATE,
        _numbers,
        returns=answers.Items[answers.Number],
    ),
    Endpoint(
        "POST",
        "/v1/loopback/race",
        Action.SIMULATE,
        _race,
        body=Contest,
        returns=answers.Contested,
        errors=("conflict", "number_not_routed"),
    ),
)
