"""Administration over HTTP: phone numbers, and messages nobody wanted."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET, Struct, UnsetType
from starlette.responses import Response

from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.service.texts import e164
from batonbox_server.store.directory_port import Route

from . import answers
from .endpoint import Call, Endpoint
from .naming import known, listed
from .shapes import timestamp

__all__ = ["ENDPOINTS"]


class Numbering(Struct, forbid_unknown_fields=True):
    """Body of PUT numbers: `carrier` is the server's own when left out, `inbox` none."""

    carrier: str | None = None
    messaging: bool = True
    inbox: str | None = None


class NumberChange(Struct, forbid_unknown_fields=True):
    """Body of PATCH numbers; what is left out stays, `inbox` null un-assigns."""

    carrier: str | None = None
    messaging: bool | None = None
    inbox: str | UnsetType | None = UNSET


class Routing(Struct, forbid_unknown_fields=True):
    """Body of unrouted/route; `inbox` is needed while the number delivers nowhere."""

    number: str
    inbox: str | None = None


class PhoneNumber(Struct):
    """A phone number; `kept` messages wait in the unrouted list."""

    number: str
    carrier: str
    messaging: bool
    inbox: str | None
    kept: int


class Unrouted(Struct, rename={"from_": "from"}):
    """A message no inbox wanted, and why."""

    id: str
    carrier: str
    from_: str
    to: str
    text: str
    media: list[str]
    at_ms: int
    at: str | None
    reason: str


class Routed(Struct):
    """How many kept messages are in the inbox now, and how many are left."""

    number: str
    inbox: str
    delivered: int
    left: int


async def _numbers(call: Call) -> dict[str, Any]:
    """Every phone number: its carrier, whether messaging is on, and where it is assigned."""
    state = await call.services.organisation.state()
    kept = await call.services.unrouted.counts()
    return listed([_shown(route, kept[n]) for n, route in sorted(state.routes.items())])


async def _put_number(call: Call) -> dict[str, Any]:
    """Add a phone number, or replace what is said of it.

    Assigned to another inbox, it moves: that inbox accepts it before the one before lets go.
    """
    body, number = await call.body(Numbering), _number(call)
    await _check_carrier(call, body.carrier)
    await call.services.administration.put_number(
        number, inbox=body.inbox or "", carrier=body.carrier or "", messaging=body.messaging
    )
    return await _now(call, number)


async def _edit_number(call: Call) -> dict[str, Any]:
    """Assign, move or un-assign a phone number, or change its carrier or messaging.

    Un-assigning, or turning messaging off, stops the delivery; the history stays in the inbox.
    """
    body, number = await call.body(NumberChange), _number(call)
    await _check_carrier(call, body.carrier)
    await call.services.administration.edit_number(
        number,
        inbox=None if body.inbox is UNSET else body.inbox or "",
        carrier=body.carrier,
        messaging=body.messaging,
    )
    return await _now(call, number)


async def _delete_number(call: Call) -> Response:
    """Give a phone number up; what was kept for it stays kept."""
    await call.services.administration.delete_number(_number(call))
    return Response(status_code=204)


async def _unrouted(call: Call) -> dict[str, Any]:
    """Messages that no inbox wanted, newest first, with the reason.

    `unknown number`, `not assigned`, `messaging off`; `no phone number`, when its sender has none
    and nobody could answer; or `refused`, when its inbox was being changed the whole time.
    """
    found = reversed(await call.services.organisation.unrouted())
    return listed([{**message, "at": timestamp(message["at_ms"])} for message in found])


async def _route_it(call: Call) -> dict[str, Any]:
    """Deliver the messages kept for a number, in their order and each exactly once.

    A number that delivers nowhere is assigned to `inbox` first. It may be repeated: what is there
    already is not delivered again.
    """
    body = await call.body(Routing)
    routed = await call.services.unrouted.route(
        e164(body.number, field="number"), inbox=body.inbox or ""
    )
    return {
        "number": routed.number,
        "inbox": routed.inbox,
        "delivered": routed.delivered,
        "left": routed.left,
    }


async def _discard(call: Call) -> Response:
    """Discard the messages kept for a number."""
    await call.services.unrouted.discard(_number(call))
    return Response(status_code=204)


def _number(call: Call) -> str:
    return e164(call.path("number"), field="number")


async def _check_carrier(call: Call, carrier: str | None) -> None:
    accounts = call.services.accounts
    if carrier is not None and carrier not in accounts:
        await accounts.refresh()  # it may have been made on another node just now
    if carrier is not None and carrier not in accounts:
        here = ", ".join(sorted(accounts))
        raise Refused("bad_request", f"carrier: this server has {here}.")


async def _now(call: Call, number: str) -> dict[str, Any]:
    state = await call.services.organisation.state()
    kept = await call.services.unrouted.counts()
    return _shown(known(state.routes, number), kept[number])


def _shown(route: Route, kept: int) -> dict[str, Any]:
    return {
        "number": route.number,
        "carrier": route.carrier,
        "messaging": route.messaging,
        "inbox": route.inbox or None,
        "kept": kept,
    }


_A: Final = Action.ADMINISTER
_ONE: Final = "/v1/admin/numbers/{number}"
_CONFLICT: Final = ("conflict",)
ENDPOINTS: Final = (
    Endpoint("GET", "/v1/admin/numbers", _A, _numbers, returns=answers.Items[PhoneNumber]),
    Endpoint("PUT", _ONE, _A, _put_number, body=Numbering, returns=PhoneNumber, errors=_CONFLICT),
    Endpoint(
        "PATCH", _ONE, _A, _edit_number, body=NumberChange, returns=PhoneNumber, errors=_CONFLICT
    ),
    Endpoint("DELETE", _ONE, _A, _delete_number, status=204, errors=_CONFLICT),
    Endpoint("GET", "/v1/admin/unrouted", _A, _unrouted, returns=answers.Items[Unrouted]),
    Endpoint(
        "POST",
        "/v1/admin/unrouted/route",
        _A,
        _route_it,
        body=Routing,
        returns=Routed,
        errors=("conflict", "not_found"),
    ),
    Endpoint("DELETE", "/v1/admin/unrouted/{number}", _A, _discard, status=204),
)
