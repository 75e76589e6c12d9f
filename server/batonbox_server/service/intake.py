"""What carriers bring: customers' messages to their inbox, receipts to the message they name."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from batonbox_server.domain.model import Delivery
from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import DirectoryStore, Route
from batonbox_server.store.port import InboxStore, Received

from .texts import e164, message_body, preview

__all__ = ["Inbound", "Intake"]

_log = structlog.get_logger(__name__)
# The inbox a message is pinned to may be deleted, or lose the number, between two steps.
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Inbound:
    """A message as a carrier brought it; `provider_id` is the carrier's own, for dedupe."""

    carrier: str
    provider_id: str
    our: str
    customer: str
    text: str
    media: tuple[str, ...] = ()


class Intake:
    """Returns only after the engine has the message; the same provider id is kept once.

    `on_outbound(inbox)` is told when a receipt ends a message that others wait behind.
    """

    def __init__(
        self,
        store: InboxStore,
        organisation: DirectoryStore,
        *,
        on_outbound: Callable[[str], None],
    ) -> None:
        self._store = store
        self._organisation = organisation
        self._on_outbound = on_outbound

    async def receive(self, message: Inbound) -> Received:
        """Deliver the message to its inbox.

        Raises:
            Refused: `bad_request`, or `number_not_routed`: then it is kept in the unrouted list.
        """
        our = e164(message.our, field="to")
        customer = e164(message.customer, field="from")
        provider_id = f"{message.carrier}:{message.provider_id}"
        for _ in range(_ATTEMPTS):
            route = await self._organisation.route(our)
            if route is None:
                break
            inbox = await self._organisation.pin(
                number=our, provider_id=provider_id, inbox=route.inbox
            )
            try:
                return await self._store.receive(
                    inbox=inbox,
                    our=our,
                    customer=customer,
                    provider_id=provider_id,
                    body=message_body(message.text, message.media),
                    preview=preview(message.text, message.media),
                )
            except Refused as refused:
                if refused.slug not in {"not_found", "number_not_routed"}:
                    raise
                await self._organisation.unpin(number=our, provider_id=provider_id)
        await self._keep(provider_id, our, customer, message, route)
        raise Refused("number_not_routed", f"{our} delivers to no inbox; the message was kept.")

    async def receipt(self, *, inbox: str, carrier_id: str, state: Delivery, reason: str) -> bool:
        """What became of the message of this carrier's id; False when the inbox knows none."""
        settled = await self._store.receipt(
            inbox=inbox, carrier_id=carrier_id, state=state, reason=reason
        )
        if settled is not None and settled.waiting:
            self._on_outbound(inbox)
        return settled is not None

    async def _keep(
        self, provider_id: str, our: str, customer: str, message: Inbound, route: Route | None
    ) -> None:
        record = {
            "id": provider_id,
            "carrier": message.carrier,
            "from": customer,
            "to": our,
            "text": message.text,
            "media": list(message.media),
            "at_ms": int(time.time() * 1000),
            "reason": "no inbox has this number" if route is None else "the inbox refused it",
        }
        await self._organisation.keep_unrouted(provider_id, record)
        _log.warning("inbound_unrouted", carrier=message.carrier)
