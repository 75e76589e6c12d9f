"""The default carrier: simulated phones, deduped by message id, that can be told to fail."""

from __future__ import annotations

from typing import Any, Final, Protocol

from batonbox_server.carriers.port import Accepted, Outbound, SendFailed

__all__ = ["Loopback", "Phones"]


class Phones(Protocol):
    """Where the simulated phones live; `store.phones` keeps them in the engine."""

    async def deliver(
        self, *, to: str, key: str, message: dict[str, Any]
    ) -> tuple[bool, str] | None:
        """Put a message on a phone, once per `key`; (permanent, reason) when told to fail."""


class Loopback:
    """Delivers to simulated phones."""

    name: Final = "loopback"
    rate_per_s: Final = 0.0
    answers_keywords: Final = False

    def __init__(self, phones: Phones) -> None:
        self._phones = phones

    async def send(self, message: Outbound) -> Accepted:
        """See the port."""
        failed = await self._phones.deliver(
            to=message.customer,
            key=message.id,
            message={
                "from": message.our,
                "to": message.customer,
                "text": message.text,
                "media": [
                    {"id": file.id, "type": file.type, "size": file.size, "name": file.name}
                    for file in message.media
                ],
            },
        )
        if failed is not None:
            permanent, reason = failed
            raise SendFailed(reason, permanent=permanent)
        return Accepted(message.id, delivered=True)

    def media_headers(self, url: str) -> dict[str, str]:  # noqa: ARG002
        """See the port."""
        return {}
