"""Where carriers call back: with messages, and with what became of ours; 200 only once written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import structlog
from starlette.responses import Response

from batonbox_server.carriers.port import (
    Account,
    Callback,
    Heard,
    Incoming,
    Receipt,
    SecretUnreadable,
    Unreadable,
    Unsigned,
)
from batonbox_server.domain.model import Delivery, inbox_of
from batonbox_server.errors import Refused
from batonbox_server.service.intake import Inbound

from .endpoint import Call, Endpoint, Handler
from .origins import client_address
from .webhook import places

__all__ = ["ENDPOINTS"]

_log = structlog.get_logger(__name__)
T = TypeVar("T")


async def _inbound(call: Call) -> Response:
    """A customer's message, in the form of the account's carrier and proved as it proves."""
    account, request = await _verified(call)
    incoming, heard = _parsed(account.parse_inbound, request)
    if incoming is not None:
        await _receive(call, account, incoming)
    return _answer(heard)


async def _status(call: Call) -> Response:
    """What became of a message of ours, in the form of the account's carrier."""
    account, request = await _verified(call)
    receipt, heard = _parsed(account.parse_receipt, request)
    if receipt is not None:
        await _note(call, account, receipt)
    return _answer(heard)


async def _receive(call: Call, account: Account, incoming: Incoming) -> None:
    message = Inbound(
        account.name,
        incoming.provider_id,
        incoming.our,
        incoming.customer,
        incoming.text,
        tuple(media.url for media in incoming.media),
    )
    try:
        await call.services.intake.receive(message)
    except Refused as refused:
        if refused.slug == "bad_request":  # nobody can answer a name or a short code
            await call.services.intake.keep_unanswerable(message)
        elif refused.slug != "number_not_routed":
            raise
        # It is kept, for somebody to read or route it: to send it again would change nothing.


async def _note(call: Call, account: Account, receipt: Receipt) -> None:
    state = Delivery(receipt.state)
    conv, _, n = receipt.own_id.rpartition(":")
    if conv and n.isdecimal() and len(n) < 16:
        directory = call.services.directory
        if inbox_of(conv) not in directory.inboxes:
            await directory.refresh()  # it may have been made on another node just now
        known = inbox_of(conv) in directory.inboxes and await call.services.intake.settle(
            conv=conv, n=int(n), state=state, carrier_id=receipt.carrier_id, reason=receipt.reason
        )
        if not known:  # its conversation or inbox is gone: no later try will find it
            _log.info("receipt_of_nothing", account=account.name)
        return
    for inbox in places(call, account.name, receipt.carrier_id):
        if await call.services.intake.receipt(
            inbox=inbox, carrier_id=receipt.carrier_id, state=state, reason=receipt.reason
        ):
            return
    # The receipt may have overtaken our own note of the sending: the carrier shall try again.
    raise Refused("not_found", "No message of ours has this id; send the receipt again later.")


async def _verified(call: Call) -> tuple[Account, Callback]:
    account = call.services.accounts.account(call.path("account"))
    if account is None:
        raise Refused("not_found", "There is no such carrier account.")
    request = _callback(call, await call.raw_body())
    try:
        account.verify(request)
    except Unsigned as error:
        address = client_address(call.request.scope)
        _log.warning("callback_refused", account=account.name, why=str(error), address=address)
        raise Refused("unauthorized", str(error)) from error
    except SecretUnreadable as error:
        _log.error("callback_unverifiable", account=account.name, why=str(error))
        raise Refused("unavailable", "This account's callbacks cannot be proved now.") from error
    await call.services.rates.carrier(account.name)  # nobody else uses up what is the account's
    return account, request


def _callback(call: Call, body: bytes) -> Callback:
    scope = call.request.scope
    path = scope.get("raw_path", b"").decode("ascii", "replace")
    query = scope.get("query_string", b"").decode("ascii", "replace")
    base = call.services.accounts.public_url
    url = f"{base}{path}" + (f"?{query}" if query else "") if base else ""
    headers = dict(call.request.headers.items())
    return Callback(call.request.method, url, query, headers, body)


def _parsed(
    parse: Callable[[Callback], tuple[T | None, Heard]], request: Callback
) -> tuple[T | None, Heard]:
    try:
        return parse(request)
    except Unreadable as error:
        raise Refused("bad_request", str(error)) from error


def _answer(heard: Heard) -> Response:
    return Response(heard.body, media_type=heard.type)


def _row(method: str, name: str, handler: Handler) -> Endpoint:
    return Endpoint(
        method,
        f"/v1/carriers/{{account}}/{name}",
        None,
        handler,
        returns=str,
        types=("text/plain", "text/xml"),
        errors=("unauthorized", "not_found"),
        via="carrier",
    )


ENDPOINTS: Final = tuple(
    _row(method, name, handler)
    for name, handler in (("inbound", _inbound), ("status", _status))
    for method in ("GET", "POST")
)
