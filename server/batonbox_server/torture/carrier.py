"""Carriers that bring customers' messages, as those do that lose answers and are impatient."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
import time
from collections.abc import Sequence
from typing import Any, Final

import httpx2

from .ledger import Ledger
from .record import CarrierName, Said

__all__ = ["Carrier"]

_GIVES_UP_S: Final = 25.0
_PAUSE_S: Final = 0.2
_AT_ONCE: Final = 0.3  # so often a message comes to two nodes at the same time
_AGAIN_MOST: Final = 2  # times that a message is brought again after its 2xx
_AGAIN_S: Final = 0.3


class Carrier:
    """Brings messages to whichever node takes them.

    The loopback carrier repeats a message until its 2xx. The webhook carrier signs each, and
    brings some twice at once, and some again after the 2xx, under the same id.
    """

    def __init__(self, nodes: Sequence[httpx2.AsyncClient], secret: bytes) -> None:
        """`secret`: as the nodes' setting `webhook_secret` names it."""
        self._nodes = nodes
        self._secret = secret

    async def say(
        self,
        ledger: Ledger,
        rng: random.Random,
        *,
        carrier: CarrierName,
        inbox: str,
        our: str,
        customer: str,
        text: str,
    ) -> str:
        """A customer writes. The conversation, "" where no node took it in time.

        `text` is the message's id as well, and has to be unique.
        """
        began_ns = time.monotonic_ns()
        told: list[tuple[int, str, int]] = []  # when, and where it went, as a 2xx says

        tries = 0

        async def brought(at: int) -> None:
            nonlocal tries
            tries += 1
            answer = await self._bring(self._nodes[at % len(self._nodes)], carrier, body)
            if answer is not None:
                told.append((time.monotonic_ns(), str(answer["conv"]), int(answer["n"])))

        body = {"from": customer, "to": our, "text": text, "id": text}
        at = rng.randrange(len(self._nodes))
        deadline_s = time.monotonic() + _GIVES_UP_S
        while not told and time.monotonic() < deadline_s:
            twice = carrier == "webhook" and rng.random() < _AT_ONCE
            await asyncio.gather(*(brought(at + n) for n in range(2 if twice else 1)))
            at += 1
            if not told:
                await asyncio.sleep(_PAUSE_S * rng.uniform(0.5, 1.5))
        for _ in range(rng.randint(0, _AGAIN_MOST) if told and carrier == "webhook" else 0):
            await asyncio.sleep(rng.uniform(0.0, _AGAIN_S))
            await brought(rng.randrange(len(self._nodes)))
        ledger.add(
            Said(
                provider_id=text,
                inbox=inbox,
                customer=customer,
                text=text,
                began_ns=began_ns,
                acknowledged_ns=told[0][0] if told else None,
                carrier=carrier,
                places=[(conv, n) for _, conv, n in told],
                brought=tries,
            )
        )
        return told[0][1] if told else ""

    async def _bring(
        self, node: httpx2.AsyncClient, carrier: CarrierName, body: dict[str, str]
    ) -> dict[str, Any] | None:
        """One attempt; the answer's body, None unless it is a 2xx."""
        raw = json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        if carrier == "webhook":
            headers |= self._signed(body["id"], raw)
        try:
            answer = await node.post(f"/v1/{carrier}/inbound", content=raw, headers=headers)
        except httpx2.HTTPError:
            return None
        return dict(answer.json()) if answer.is_success else None

    def _signed(self, message_id: str, raw: bytes) -> dict[str, str]:
        """As Standard Webhooks has it, and not by the code that checks it."""
        at = str(int(time.time()))
        signed = hmac.new(self._secret, f"{message_id}.{at}.".encode() + raw, hashlib.sha256)
        return {
            "webhook-id": message_id,
            "webhook-timestamp": at,
            "webhook-signature": f"v1,{base64.b64encode(signed.digest()).decode()}",
        }
