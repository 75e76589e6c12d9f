"""An answer in pieces, whose reader sets the pace, but does not stop it for ever."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

__all__ = ["Streamed"]

_log = structlog.get_logger(__name__)
_STALL_S: Final = 60.0  # for one piece; a proxy in front waits about as long


class Streamed(StreamingResponse):
    """Ends, cut, when its reader takes nothing for `_STALL_S`: what it works with gets free."""

    async def stream_response(self, send: Send) -> None:
        """See Starlette."""
        stalled = False

        async def bounded(message: Message) -> None:
            nonlocal stalled
            try:
                async with asyncio.timeout(_STALL_S) as clock:
                    await send(message)
            except TimeoutError:
                stalled = clock.expired()
                raise

        try:
            await super().stream_response(bounded)
        except TimeoutError:
            if not stalled:
                raise
            _log.warning("reader_stalled", seconds=_STALL_S)
