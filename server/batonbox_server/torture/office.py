"""HTTP beside the websockets: an admin's acts."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self

import httpx2

from .ledger import Ledger
from .line import Door
from .nodes import Unready

__all__ = ["Office"]

_TIMEOUT_S: Final = 4.0
_PAUSE_S: Final = 0.2
_SETTING_UP_S: Final = 30.0
_JOB_S: Final = 15.0
_POLL_S: Final = 0.05


class Office:
    """Calls as `admin`, through whichever node answers."""

    def __init__(self, token: str, doors: Sequence[Door]) -> None:
        self._doors = doors
        self._token = token
        self._closing = AsyncExitStack()
        self._http: list[httpx2.AsyncClient] = []

    @property
    def nodes(self) -> Sequence[httpx2.AsyncClient]:
        """The connections to each node, for who brings customers' messages."""
        return self._http

    async def __aenter__(self) -> Self:
        for door in self._doors:
            client = httpx2.AsyncClient(
                base_url=f"http://127.0.0.1:{door.port}",
                timeout=_TIMEOUT_S,
                headers={"authorization": f"Bearer {self._token}"},
                trust_env=False,
            )
            self._http.append(await self._closing.enter_async_context(client))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._closing.aclose()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """A request that may be repeated, until it succeeds. Raises Unready: it does not."""
        why = "no answer"
        try:
            async with asyncio.timeout(_SETTING_UP_S):
                for turn in range(1_000_000):
                    http = self._http[turn % len(self._http)]
                    try:
                        answer = await http.request(method, path, json=body)
                    except httpx2.HTTPError as error:
                        why = repr(error)
                    else:
                        why = f"{answer.status_code} {answer.text[:200]}"
                        if answer.is_success:
                            return answer.json() if answer.content else None
                        if answer.status_code < 500 and answer.status_code != 429:
                            break
                    await asyncio.sleep(_PAUSE_S)
        except TimeoutError:
            pass
        raise Unready(f"{method} {path} did not succeed: {why}")

    async def member(
        self,
        ledger: Ledger,
        rng: random.Random,
        *,
        inbox: str,
        user: str,
        on: bool,
        settled: Callable[[], Awaitable[bool]],
    ) -> None:
        """Put somebody into an inbox or out of it, as one recorded call that is sent once.

        The 2xx says that the change is kept; an inbox that cannot be written to just then follows
        by a job, and the call has ended when it has (`settled`).
        """
        at = rng.randrange(len(self._http))
        call = ledger.call(
            client="office",
            user="admin",
            node=self._doors[at].node,
            verb="member_add" if on else "member_remove",
            inbox=inbox,
            conv="",
            cid="",
            args={"user": user, "role": "member"},
        )
        path = f"/v1/admin/inboxes/{inbox}/members/{user}"
        try:
            answer = await self._http[at].request("PUT" if on else "DELETE", path)
        except httpx2.ConnectError:
            ledger.outcome(call, "refused", slug="unreachable")
        except httpx2.HTTPError:
            ledger.outcome(call, "unknown", slug="timeout")
        else:
            if answer.is_success:
                ok = await _soon(settled)
                ledger.outcome(call, "ok" if ok else "unknown", slug=None if ok else "deferred")
            elif answer.status_code >= 500:
                ledger.outcome(call, "unknown", slug="unavailable")
            else:
                ledger.outcome(call, "refused", slug=str(answer.status_code))


async def _soon(holds: Callable[[], Awaitable[bool]]) -> bool:
    deadline_s = time.monotonic() + _JOB_S
    while not await holds():
        if time.monotonic() > deadline_s:
            return False
        await asyncio.sleep(_POLL_S)
    return True
