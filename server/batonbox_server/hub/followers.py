"""The logs this node follows for its connections: opened once, shared, and closed when idle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from batonbox_server.errors import Refused
from batonbox_server.tasks import spawn

from .follower import Follower, Reads
from .seated import SeatedFollower

__all__ = ["Followers"]


class Followers:
    """By channel. `make(inbox, log, channel)` makes one; `log_of` and `channel_of` spell keys."""

    def __init__(
        self,
        reads: Reads,
        make: Callable[[str, str, str], SeatedFollower],
        *,
        log_of: Callable[[str], str],
        channel_of: Callable[[str], str],
    ) -> None:
        self.all: dict[bytes, Follower] = {}
        self._reads = reads
        self._make = make
        self._log_of = log_of
        self._channel_of = channel_of
        self._opening: dict[str, asyncio.Task[Refused | None]] = {}

    def seated(self) -> list[SeatedFollower]:
        """Those of inboxes and rooms."""
        return [found for found in self.all.values() if isinstance(found, SeatedFollower)]

    def find(self, inbox: str) -> SeatedFollower | None:
        """The one of an inbox or a room, open or not."""
        found = self.all.get(self._key(inbox))
        return found if isinstance(found, SeatedFollower) else None

    def ready(self, inbox: str) -> SeatedFollower | None:
        """The open one, if it is."""
        found = self.find(inbox)
        if found is None or found.closed or inbox in self._opening:
            return None
        found.idle_since_s = 0.0
        return found

    async def get(self, inbox: str) -> SeatedFollower:
        """The open one of an inbox or a room. Raises Refused: `not_found`, `unavailable`."""
        found = self.ready(inbox)
        if found is not None:
            return found
        opening = self._opening.get(inbox)
        if opening is None:
            opening = spawn(self._reads.tasks, self._open(inbox), name=f"open {inbox}")
            self._opening[inbox] = opening
        refused = await asyncio.shield(opening)
        if refused is not None:
            raise Refused(refused.slug, refused.message)
        return await self.get(inbox)

    async def close_idle(self, key: bytes, follower: Follower) -> None:
        """Close what nobody has needed for a while, and forget what has closed."""
        if not isinstance(follower, SeatedFollower):
            return
        now_s = asyncio.get_running_loop().time()
        if follower.closed:
            for stale in [k for k, found in self.all.items() if found is follower]:
                del self.all[stale]
            if key not in self.all:
                await follower.close()
        elif follower.used or follower.inbox in self._opening:
            follower.idle_since_s = 0.0
        elif not follower.idle_since_s:
            follower.idle_since_s = now_s
        elif now_s - follower.idle_since_s > self._reads.limits.linger_s:
            del self.all[key]
            await follower.close()

    def _key(self, inbox: str) -> bytes:
        return self._channel_of(self._log_of(inbox)).encode()

    async def _open(self, inbox: str) -> Refused | None:
        key, log = self._key(inbox), self._log_of(inbox)
        follower = self._make(inbox, log, self._channel_of(log))
        self.all[key] = follower
        try:
            await follower.open()
        except Refused as refused:
            del self.all[key]
            await follower.close()
            return refused
        finally:
            del self._opening[inbox]
        return None
