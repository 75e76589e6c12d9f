"""Inboxes, agents and tokens of a run's own: made with an admin's token, removed afterwards."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from batonbox._errors import ApiError, BatonboxError, Conflict, NotFound
from batonbox._http import Http

__all__ = ["LIMITS", "Scratch"]

# Raised, never skipped: the server checks these numbers like everybody's.
LIMITS = {
    "commands_per_s": 100_000,
    "commands_burst": 100_000,
    "commands_in_flight": 64,
    "connections_per_user": 64,
    "subscriptions_max": 128,
}
ADMIN_AT_ONCE = 8
REMOVAL_S = 60.0
# The demo's numbers are Toronto's; fictional ones end in 555-01xx.
AREA_CODES = [code for code in range(201, 990) if code % 100 != 11 and code != 416]
PER_AREA = 100


class Scratch:
    """What one run makes; every name carries the run's kind and id."""

    def __init__(
        self,
        url: str,
        token: str,
        *,
        run: str,
        kind: str,
        limits: Mapping[str, int] = LIMITS,
        inboxes: int = 1,
    ) -> None:
        self._url = url
        self._own = Http(url, token)
        self._admin = self._own
        self._name = f"{kind}-{run}"
        self._limits = dict(limits)
        self._made_token = ("", "")
        self._made: list[str] = []
        self._users: list[str] = []
        self._give_up_s = 0.0
        self._areas = random.sample(AREA_CODES, len(AREA_CODES))
        self.admin_token = token
        first = random.randrange(PER_AREA)  # noqa: S311
        self._numbers = {
            f"{self._name}-{n}" if n else self._name: self._phone(self._areas[0], first + n)
            for n in range(inboxes)
        }

    @property
    def inbox(self) -> str:
        """The first inbox."""
        return self._name

    @property
    def inboxes(self) -> list[str]:
        """All inboxes; the same people are members of each."""
        return list(self._numbers)

    async def make(self, agents: int) -> list[str]:
        """The inboxes with `agents` members; returns their tokens."""
        await self._raise_own_limits()
        users = [f"{self._name}-{number:04d}" for number in range(agents)]
        await self._all(users, self._make_user)
        await self._all(self.inboxes, self._make_inbox)
        return await self._all(users, self._make_token)

    async def inbound(self, number: int, *, inbox: str = "") -> str:
        """The `number`-th customer writes to an inbox (the first one); returns the conversation.

        The id makes repeating it harmless.
        """
        body = {
            "from": self._phone(self._areas[1 + number // PER_AREA], number),
            "to": self._numbers[inbox or self.inbox],
            "text": f"Is anybody there? ({number})",
            "id": f"{inbox or self.inbox}-{number}",
        }
        result = await self._admin.insist("POST", "/v1/loopback/inbound", body)
        return str(result["conv"])

    async def remove(self, *, within_s: float = REMOVAL_S) -> list[str]:
        """Remove everything; returns what could not be removed."""
        self._give_up_s = time.monotonic() + within_s
        gone = await self._all(list(self._made), self._remove_inbox)
        left = [f"inbox {inbox}" for inbox in gone if inbox]
        results = await self._all(list(self._users), self._remove_user)
        left += [f"user {user}" for user in results if user]
        user, token = self._made_token
        if token and not await self._gone(f"/v1/admin/users/{user}/tokens/{token}", own=True):
            left.append(f"token {token} of {user}")
        return left

    async def _raise_own_limits(self) -> None:
        me = (await self._own.send("GET", "/v1/me"))["id"]
        made = await self._own.send("POST", f"/v1/admin/users/{me}/tokens", self._token_body())
        self._made_token = (me, str(made["id"]))
        self.admin_token = str(made["token"])
        self._admin = Http(self._url, self.admin_token)

    async def _make_user(self, user: str) -> None:
        self._users.append(user)
        body = {"id": user, "name": user, "role": "member"}
        await self._once("POST", "/v1/admin/users", body)

    async def _make_inbox(self, inbox: str) -> None:
        self._made.append(inbox)
        body = {
            "id": inbox,
            "name": inbox.replace("-", " ").capitalize(),
            "numbers": [self._numbers[inbox]],
            "members": self._users,
        }
        await self._once("POST", "/v1/admin/inboxes", body)

    async def _make_token(self, user: str) -> str:
        path = f"/v1/admin/users/{user}/tokens"
        return str((await self._admin.insist("POST", path, self._token_body()))["token"])

    def _token_body(self) -> dict[str, Any]:
        return {"label": self._name.replace("-", " "), "limits": self._limits}

    async def _once(self, method: str, path: str, body: Any) -> None:
        """Repeatable: what an unanswered first try made already answers with a conflict."""
        try:
            await self._admin.send(method, path, body)
        except BatonboxError as error:
            if isinstance(error, ApiError) and not error.retryable:
                raise
            try:
                await self._admin.insist(method, path, body)
            except Conflict:
                pass

    async def _remove_user(self, user: str) -> str:
        return "" if await self._gone(f"/v1/admin/users/{user}") else user

    async def _remove_inbox(self, inbox: str) -> str:
        return "" if await self._gone(f"/v1/admin/inboxes/{inbox}") else inbox

    async def _gone(self, path: str, *, own: bool = False) -> bool:
        http = self._own if own else self._admin
        try:
            await http.insist("DELETE", path, deadline_s=self._give_up_s - time.monotonic())
        except NotFound:
            pass
        except BatonboxError:
            return False
        return True

    async def _all(self, items: list[str], work: Callable[[str], Awaitable[Any]]) -> list[Any]:
        """In order, a few at once."""
        gate = asyncio.Semaphore(ADMIN_AT_ONCE)

        async def one(item: str) -> Any:
            async with gate:
                return await work(item)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
        return [task.result() for task in tasks]

    @staticmethod
    def _phone(area: int, last: int) -> str:
        return f"+1{area}55501{last % PER_AREA:02d}"
