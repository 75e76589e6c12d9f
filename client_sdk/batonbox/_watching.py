"""Who is there, and who looks at the conversation I look at: kept, and said again in time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Self

from batonbox._models import Presence, Present
from batonbox._streams import Latest
from batonbox._tasks import cancel_all, spawn
from batonbox._wire import Frame, Op

__all__ = ["People", "Viewing"]

SAY_AGAIN_S = 10.0
TYPING_S = 6.0  # how long the server believes it
TYPING_AGAIN_S = 3.0


class People:
    """What the server says of people, and what this client says of itself."""

    def __init__(self, send: Callable[[Frame], bool]) -> None:
        self._send = send
        self._presence: dict[str, Presence] = {}
        self._whole = False  # the next PRESENCE tells of everybody
        self._watchers: dict[str, str] = {}
        self._looks: list[Viewing] = []
        self.streams: set[Latest[str, Present]] = set()

    @property
    def presence(self) -> Mapping[str, Presence]:
        """Of everybody who is not offline."""
        return MappingProxyType(self._presence)

    def watchers(self, conv: str) -> Mapping[str, str]:
        """Who else looks at the conversation I look at."""
        look = self._looks[-1] if self._looks else None
        here = look is not None and look.conv == conv
        return MappingProxyType(self._watchers if here else {})

    def opened(self) -> None:
        """A new connection: it knows nothing of me, and tells everything anew."""
        self._whole = True
        self._watchers = {}
        self.say()

    def told(self, states: Mapping[str, Any]) -> None:
        """PRESENCE."""
        changes = {str(user): _presence(state) for user, state in states.items()}
        if self._whole:
            self._whole = False
            gone = self._presence.keys() - changes.keys()
            changes |= dict.fromkeys(gone, Presence.OFFLINE)
        for user, presence in changes.items():
            if presence is Presence.OFFLINE:
                self._presence.pop(user, None)
            else:
                self._presence[user] = presence
            for stream in self.streams:
                stream.offer(user, Present(user, presence))

    def watched(self, conv: str, who: Mapping[str, Any]) -> None:
        """TYPING."""
        if self._looks and self._looks[-1].conv == conv:
            self._watchers = {str(user): str(how) for user, how in who.items()}

    def known(self) -> Iterable[tuple[str, Present]]:
        """What a new stream begins with."""
        return [(user, Present(user, presence)) for user, presence in self._presence.items()]

    def enter(self, look: Viewing) -> None:
        """From now on I look there."""
        self._looks.append(look)
        self._watchers = {}
        self.say()

    def leave(self, look: Viewing) -> None:
        """No more; where I looked before counts again."""
        current = self._looks and self._looks[-1] is look
        self._looks = [one for one in self._looks if one is not look]
        if current:
            self._watchers = {}
            if not self.say():
                self._send([int(Op.VIEWING), None, False])

    def say(self) -> bool:
        """Tell the server where I look; False when I look nowhere."""
        if not self._looks:
            return False
        look = self._looks[-1]
        self._send([int(Op.VIEWING), look.conv, look.is_typing])
        return True


class Viewing:
    """Looking at one conversation: `async with conv.viewing() as view: view.typing()`."""

    def __init__(self, people: People, conv: str) -> None:
        self._people = people
        self._typed_s = 0.0
        self._said_s = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.conv = conv

    async def __aenter__(self) -> Self:
        self._people.enter(self)
        spawn(self._tasks, self._again(), name="batonbox-viewing")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._people.leave(self)
        await cancel_all(self._tasks)

    @property
    def watchers(self) -> Mapping[str, str]:
        """Who else looks at it, absolute: user to "viewing" or "typing"."""
        return self._people.watchers(self.conv)

    @property
    def is_typing(self) -> bool:
        """Whether I typed within the last six seconds."""
        return time.monotonic() - self._typed_s < TYPING_S if self._typed_s else False

    def typing(self) -> None:
        """I type; call it as often as you like."""
        self._typed_s = time.monotonic()
        if self._typed_s - self._said_s >= TYPING_AGAIN_S:
            self._said_s = self._typed_s
            self._people.say()

    async def _again(self) -> None:
        while True:
            await asyncio.sleep(SAY_AGAIN_S)
            self._people.say()


def _presence(state: Any) -> Presence:
    try:
        return Presence(state)
    except ValueError:
        return Presence.ONLINE  # a finer word of a newer server for somebody who is there
