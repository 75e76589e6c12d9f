"""Webhooks out over HTTP: for admins."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct
from starlette.responses import Response

from batonbox_server.domain.hook_events import EVENTS
from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.store.hook_port import Delivered, Hook, Log

from .answers import Items
from .endpoint import Call, Endpoint
from .shapes import timestamp

__all__ = ["ENDPOINTS"]

Url = Annotated[str, Meta(min_length=1, max_length=2048)]
Label = Annotated[str, Meta(max_length=120)]
Names = Annotated[list[Annotated[str, Meta(max_length=80)]], Meta(max_length=1000)]
State = Literal["delivered", "failed", "retrying"]


class NewWebhook(Struct, forbid_unknown_fields=True):
    """Body of POST webhooks; no events or no inboxes: all of them, those to come too."""

    url: Url
    label: Label = ""
    events: Names = []
    inboxes: Names = []


class WebhookChange(Struct, forbid_unknown_fields=True):
    """Body of PATCH webhooks."""

    url: Url | None = None
    label: Label | None = None
    events: Names | None = None
    inboxes: Names | None = None
    active: bool | None = None


class Deliveries(Struct):
    """Query of deliveries; `cursor` is the last answer's `next`."""

    state: State | None = None
    cursor: str = ""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class Webhook(Struct):
    """Where signed events go; no events or no inboxes: all of them.

    `failing_since`: nothing has arrived since then.
    """

    id: str
    url: str
    label: str
    events: list[str]
    inboxes: list[str]
    active: bool
    created_at: str | None
    failing_since: str | None
    last_delivery_at: str | None


class MadeWebhook(Webhook):
    """A webhook with its secret, which is shown this once."""

    secret: str


class WebhookSecret(Struct):
    """A new secret, shown this once."""

    secret: str


class WebhookEvent(Struct):
    """A kind of event, and what it says."""

    name: str
    says: str


class WebhookDelivery(Struct):
    """What became of one event; `status` is the receiver's, null without an answer."""

    id: str
    event: str
    at: str | None
    attempts: int
    state: State
    status: int | None
    duration_ms: int | None
    error: str
    inbox: str | None
    conv: str | None


async def _list(call: Call) -> dict[str, Any]:
    """The webhooks, the oldest first."""
    found = await call.services.webhooks.all()
    return {"items": [_hook_json(hook, log) for hook, log in found], "next": None}


async def _create(call: Call) -> dict[str, Any]:
    """Send events from now on to a URL, signed with a secret that is shown this once."""
    body = await call.body(NewWebhook)
    hook = await call.services.webhooks.create(
        body.url, label=body.label, events=_unique(body.events), inboxes=_unique(body.inboxes)
    )
    return {**_hook_json(hook, Log(0, 0, [])), "secret": hook.secret}


async def _edit(call: Call) -> dict[str, Any]:
    """Change a webhook; one that is switched on begins with what happens from now on."""
    body = await call.body(WebhookChange)
    hook, log = await call.services.webhooks.edit(
        call.path("webhook"),
        url=body.url,
        label=body.label,
        events=None if body.events is None else _unique(body.events),
        inboxes=None if body.inboxes is None else _unique(body.inboxes),
        active=body.active,
    )
    return _hook_json(hook, log)


async def _delete(call: Call) -> Response:
    """Send nothing more, and erase the deliveries."""
    await call.services.webhooks.delete(call.path("webhook"))
    return Response(status_code=204)


async def _rotate(call: Call) -> dict[str, Any]:
    """Make a new secret, shown this once; for 24 hours the old one signs along."""
    return {"secret": (await call.services.webhooks.rotate(call.path("webhook"))).secret}


async def _test(call: Call) -> dict[str, Any]:
    """Send a test event at once, and say what came of it."""
    return _delivery_json(await call.services.webhooks.test(call.path("webhook")))


async def _deliveries(call: Call) -> dict[str, Any]:
    """What became of the newest events, the newest first; the last 500 are kept."""
    query = call.query(Deliveries)
    found = await call.services.webhooks.deliveries(call.path("webhook"))
    if query.state is not None:
        found = [delivery for delivery in found if delivery.state == query.state]
    if query.cursor:
        before = _position(query.cursor)
        found = [delivery for delivery in found if (delivery.at_ms, delivery.id) < before]
    page = found[: query.limit]
    more = len(found) > query.limit
    last = f"{page[-1].at_ms}.{page[-1].id}" if more else None
    return {"items": [_delivery_json(delivery) for delivery in page], "next": last}


async def _resend(call: Call) -> dict[str, Any]:
    """Send a delivery again at once, under the same id, and say what came of it."""
    delivery = await call.services.webhooks.resend(call.path("webhook"), call.path("delivery"))
    return _delivery_json(delivery)


async def _events(_: Call) -> dict[str, Any]:
    """The kinds of events, with a sentence each."""
    return {"items": [{"name": name, "says": says} for name, says in EVENTS.items()], "next": None}


def _position(cursor: str) -> tuple[int, str]:
    at_ms, _, name = cursor.partition(".")
    if not at_ms.isdecimal() or len(at_ms) > 15:
        raise Refused("bad_request", "cursor: not a cursor of this list; start without one.")
    return int(at_ms), name


def _unique(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _hook_json(hook: Hook, log: Log) -> dict[str, Any]:
    return {
        "id": hook.id,
        "url": hook.url,
        "label": hook.label,
        "events": list(hook.events),
        "inboxes": list(hook.inboxes),
        "active": hook.active,
        "created_at": timestamp(hook.created_ms),
        "failing_since": timestamp(log.failing_ms),
        "last_delivery_at": timestamp(log.last_ms),
    }


def _delivery_json(delivery: Delivered) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "event": delivery.event,
        "at": timestamp(delivery.at_ms),
        "attempts": delivery.attempts,
        "state": delivery.state,
        "status": delivery.status or None,
        "duration_ms": delivery.duration_ms if delivery.duration_ms >= 0 else None,
        "error": delivery.error,
        "inbox": delivery.inbox or None,
        "conv": delivery.conv or None,
    }


_A: Final = Action.ADMINISTER
_ALL: Final = "/v1/admin/webhooks"
_ONE: Final = "/v1/admin/webhooks/{webhook}"
ENDPOINTS: Final = (
    Endpoint("GET", _ALL, _A, _list, returns=Items[Webhook]),
    Endpoint(
        "POST",
        _ALL,
        _A,
        _create,
        201,
        body=NewWebhook,
        returns=MadeWebhook,
        errors=("conflict", "not_found"),
    ),
    Endpoint("GET", f"{_ALL}/events", _A, _events, returns=Items[WebhookEvent]),
    Endpoint("PATCH", _ONE, _A, _edit, body=WebhookChange, returns=Webhook),
    Endpoint("DELETE", _ONE, _A, _delete, status=204),
    Endpoint("POST", f"{_ONE}/secret", _A, _rotate, returns=WebhookSecret),
    Endpoint("POST", f"{_ONE}/test", _A, _test, returns=WebhookDelivery),
    Endpoint(
        "GET",
        f"{_ONE}/deliveries",
        _A,
        _deliveries,
        query=Deliveries,
        returns=Items[WebhookDelivery],
    ),
    Endpoint(
        "POST",
        f"{_ONE}/deliveries/{{delivery}}/resend",
        _A,
        _resend,
        returns=WebhookDelivery,
    ),
)
