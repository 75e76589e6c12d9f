"""What carriers bring: customers' messages to their inbox, receipts to the message they name."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from batonbox_server.domain.model import Delivery, inbox_of
from batonbox_server.errors import Away, Refused
from batonbox_server.store.directory_port import DirectoryStore, Pin, Route
from batonbox_server.store.durable_port import Durability
from batonbox_server.store.port import InboxStore, Received

from .answers import Answers
from .media import Media
from .opt_outs import OptOuts, Said
from .texts import e164, message_body, preview

__all__ = ["AWAITED", "Inbound", "Intake"]

_log = structlog.get_logger(__name__)
# The inbox a message is pinned to may be deleted, or lose the number, between two steps.
_ATTEMPTS: Final = 3
_REFUSED: Final = "refused"
_NO_PHONE: Final = "no phone number"
# Kept until the archive can be read, where its conversation is.
AWAITED: Final = "the archive is unreachable"
_LONGEST_NAME: Final = 40


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message as a carrier brought it; `provider_id` is the carrier's own, for dedupe."""

    carrier: str
    provider_id: str
    our: str
    customer: str
    text: str
    media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A message on its way to an inbox, with its numbers in E.164."""

    message: Inbound
    our: str
    customer: str
    provider_id: str
    said: Said
    media: list[dict[str, Any]]


class Intake:
    """Returns only after the engine has the message, as `Durability.own` says, and so its replicas;
    the same provider id is kept once.

    `on_outbound(inbox)` is told of automatic answers, and when a receipt ends a message that
    others wait behind; `on_awaited()` when one is kept until the archive can be read.
    """

    def __init__(
        self,
        store: InboxStore,
        organisation: DirectoryStore,
        media: Media,
        opt_outs: OptOuts,
        answers: Answers,
        durability: Durability,
        *,
        on_outbound: Callable[[str], None],
        on_awaited: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._organisation = organisation
        self._media = media
        self._opt_outs = opt_outs
        self._answers = answers
        self._durability = durability
        self._on_outbound = on_outbound
        self._on_awaited = on_awaited

    async def receive(self, message: Inbound) -> Received:
        """Deliver the message to its inbox.

        Raises:
            Refused: `bad_request`, or `number_not_routed`: then it is kept in the unrouted list.
                Or `durability_timeout`: it is there, but a failover may lose it; send it again.
            Away: it is kept there until the archive can be read, and delivered then; whoever sends
                it again meanwhile doubles nothing.
        """
        our = e164(message.our, field="to")
        level, since = self._durability.own, self._durability.since()
        try:
            received = await self._deliver(message)
        except Refused as refused:
            if isinstance(refused, Away) or refused.slug == "number_not_routed":
                # Kept, and no more the carrier's affair.
                await self._durability.confirm(level, since, number=our, organisation=True)
            raise
        inbox = inbox_of(received.conv)
        await self._durability.confirm(level, since, logs=[inbox], number=our)
        return received

    async def _deliver(self, message: Inbound) -> Received:
        arrived = await self._arrived(message)
        refused, kept = 0, ""
        for _ in range(_ATTEMPTS):
            route = await self._organisation.route(arrived.our)
            pin = await self._organisation.pin(
                number=arrived.our,
                provider_id=arrived.provider_id,
                inbox=route.delivers if route else "",
                refused=refused,
            )
            if not pin.inbox:
                reason = _reason(route)
                if reason == kept:
                    break
                await self._keep_arrived(arrived, reason)
                kept = reason  # and look once more: it may have been routed meanwhile
                continue
            try:
                received = await self._store_it(arrived, pin, route)
            except Away:
                await self._keep_arrived(arrived, AWAITED)
                self._on_awaited()
                raise
            except Refused as refusal:
                if refusal.slug != "number_not_routed":
                    raise
                refused = pin.turn
                continue
            await self._media.received(arrived.media, inbox=pin.inbox)
            await self._opt_outs.tell(arrived.said, _others(route, pin.inbox))
            if received.answered:
                self._on_outbound(pin.inbox)
            if pin.turn > 1:  # it may have been kept in an earlier one
                await self._organisation.drop_unrouted(arrived.provider_id)
            return received
        await self._opt_outs.tell(arrived.said, _others(route, ""))
        if not kept:
            await self._keep_arrived(arrived, _REFUSED)
        raise Refused(
            "number_not_routed", f"{arrived.our} delivers to no inbox; the message was kept."
        )

    async def keep_unanswerable(self, message: Inbound) -> None:
        """Keep what came from no phone number in the unrouted list; no inbox can have it.

        Raises Refused("bad_request") when it came to no number of ours either.
        """
        sender = "".join(c for c in message.customer if c.isprintable()).strip()[:_LONGEST_NAME]
        level, since = self._durability.own, self._durability.since()
        await self._keep(message, _NO_PHONE, our=e164(message.our, field="to"), sender=sender)
        await self._durability.confirm(level, since, organisation=True)

    async def _arrived(self, message: Inbound) -> _Arrived:
        our = e164(message.our, field="to")
        customer = e164(message.customer, field="from")
        provider_id = f"{message.carrier}:{message.provider_id}"
        said = await self._opt_outs.hear(
            our=our, customer=customer, provider_id=provider_id, text=message.text
        )
        # Before the message: no node can die in between and leave it without its files.
        media = await self._media.inbound(message.carrier, message.provider_id, message.media)
        return _Arrived(message, our, customer, provider_id, said, media)

    async def _store_it(self, arrived: _Arrived, pin: Pin, route: Route | None) -> Received:
        carrier = route.carrier if route else ""
        text = arrived.message.text
        return await self._store.receive(
            inbox=pin.inbox,
            our=arrived.our,
            customer=arrived.customer,
            provider_id=arrived.provider_id,
            body=message_body(text, arrived.media),
            preview=preview(text, arrived.media),
            turn=pin.turn,
            keyword=self._answers.keyword(arrived.said, inbox=pin.inbox, carrier=carrier),
        )

    async def receipt(self, *, inbox: str, carrier_id: str, state: Delivery, reason: str) -> bool:
        """What became of the message of this carrier's id; False when the inbox knows none."""
        settled = await self._store.receipt(
            inbox=inbox, carrier_id=carrier_id, state=state, reason=reason
        )
        if settled is not None and settled.waiting:
            self._on_outbound(inbox)
        return settled is not None

    async def settle(
        self, *, conv: str, n: int, state: Delivery, carrier_id: str, reason: str
    ) -> bool:
        """What became of this message of ours, which the carrier names so; False: it is gone."""
        try:
            settled = await self._store.sent(
                conv=conv,
                n=n,
                state=state,
                carrier_id=carrier_id,
                reason=reason,
                receipt=True,
            )
        except Refused as refused:
            if refused.slug != "not_found":
                raise
            return False
        if settled.waiting:
            self._on_outbound(inbox_of(conv))
        return True

    async def _keep_arrived(self, arrived: _Arrived, reason: str) -> None:
        await self._keep(arrived.message, reason, our=arrived.our, sender=arrived.customer)

    async def _keep(self, message: Inbound, reason: str, *, our: str, sender: str) -> None:
        provider_id = f"{message.carrier}:{message.provider_id}"
        record = {
            "id": provider_id,
            "carrier": message.carrier,
            "from": sender,
            "to": our,
            "text": message.text,
            "media": list(message.media),
            "at_ms": int(time.time() * 1000),
            "reason": reason,
        }
        await self._organisation.keep_unrouted(provider_id, record)
        _log.warning("inbound_unrouted", carrier=message.carrier, reason=reason)


def _others(route: Route | None, inbox: str) -> list[str]:
    """Inboxes that have the number, or are about to, beside the one that has the message."""
    if route is None:
        return []
    return sorted({route.delivers, route.taker} - {"", inbox})


def _reason(route: Route | None) -> str:
    """Why a number delivers nowhere."""
    if route is None:
        return "unknown number"
    if not route.messaging:
        return "messaging off"
    return _REFUSED if route.inbox else "not assigned"
