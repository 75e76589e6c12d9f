"""Handing over everything somebody holds, conversation by conversation, each its own act."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Final

from batonbox_server.errors import Refused
from batonbox_server.session.ports import Principal
from batonbox_server.store.holdings_port import Held, Holdings
from batonbox_server.wire import Assign, Return, Transfer

from .commands import InboxCommands
from .directory import LiveDirectory

__all__ = ["Outcome", "Reassign"]

_PAGE: Final = 100
_AT_ONCE: Final = 8


@dataclass(slots=True)
class Outcome:
    """How many went over, and which did not, with the slug of the refusal."""

    moved: int = 0
    left: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    admin: Principal
    user: str
    to: str | None


class Reassign:
    """Every conversation goes by the command an admin would give, under the token it had when it
    was found: what its owner does meanwhile wins. Doing it again touches only what is left.
    """

    def __init__(
        self, holdings: Holdings, commands: InboxCommands, directory: LiveDirectory
    ) -> None:
        self._holdings = holdings
        self._commands = commands
        self._directory = directory

    async def run(
        self, admin: Principal, *, user: str, to: str | None, inbox: str | None
    ) -> Outcome:
        """All of the user's, or those of one inbox; `to` None returns them to the inbox.

        Raises Refused: `not_found`, `conflict` for somebody who is deactivated, `unavailable`.
        """
        self._check(user, to, inbox)
        outcome = Outcome()
        wish = _Wish(admin=admin, user=user, to=to)
        for one in [inbox] if inbox is not None else sorted(self._directory.inboxes):
            await self._all_of(one, wish, outcome)
        return outcome

    def _check(self, user: str, to: str | None, inbox: str | None) -> None:
        users = self._directory.users
        for name in {user, to} - {None}:
            if name not in users:
                raise Refused("not_found", f"There is no user {name!r}.")
        if inbox is not None and inbox not in self._directory.inboxes:
            raise Refused("not_found", f"There is no inbox {inbox!r}.")
        if to == user:
            raise Refused("bad_request", "to: they have these already; name somebody else.")
        if to is not None and not users[to].active:
            raise Refused("conflict", f"{to!r} is deactivated; reactivate them first.")

    async def _all_of(self, inbox: str, wish: _Wish, outcome: Outcome) -> None:
        after_ms, until_ms = 0, None
        while True:
            top_ms, found = await self._holdings.held(
                inbox=inbox, user=wish.user, after_ms=after_ms, n=_PAGE
            )
            # What they take from now on is no business of this call.
            until_ms = top_ms if until_ms is None else until_ms
            page = [held for held in found if held.last_ms <= until_ms]
            await self._page(page, wish, outcome)
            if len(page) < _PAGE:
                return
            after_ms = page[-1].last_ms

    async def _page(self, page: list[Held], wish: _Wish, outcome: Outcome) -> None:
        waiting = iter(page)

        async def worker() -> None:
            for held in waiting:
                code = await self._one(held, wish)
                if code:
                    outcome.left.append((held.conv, code))
                else:
                    outcome.moved += 1

        # All are waited for, whatever one of them raises: none goes on behind the answer.
        ended = await asyncio.gather(*(worker() for _ in range(_AT_ONCE)), return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _one(self, held: Held, wish: _Wish) -> str:
        """Why it is left, "" when it is not."""
        try:
            await self._hand_over(held, wish)
        except Refused as refused:
            if refused.code.retryable:
                raise
            if not _returned_by_this(refused, wish):
                return refused.slug
            return await self._dispatch(held, wish)
        return ""

    async def _hand_over(self, held: Held, wish: _Wish) -> None:
        cid = uuid.uuid4().hex
        if wish.to is None:
            back = Return(cid=cid, conv=held.conv, own_tok=held.own_tok)
            await self._commands.run(wish.admin, "return", back)
        else:
            over = Transfer(cid=cid, conv=held.conv, own_tok=held.own_tok, to=wish.to)
            await self._commands.run(wish.admin, "transfer", over)

    async def _dispatch(self, held: Held, wish: _Wish) -> str:
        if wish.to is None:
            return ""
        try:
            given = Assign(cid=uuid.uuid4().hex, conv=held.conv, to=wish.to)
            await self._commands.run(wish.admin, "assign", given)
        except Refused as refused:
            if refused.code.retryable:
                raise
            return refused.slug
        return ""


def _returned_by_this(refused: Refused, wish: _Wish) -> bool:
    """Its owner had left the inbox, so that the command itself sent it back to the queue."""
    cur = refused.cur or {}
    return (
        refused.slug == "not_owner"
        and cur.get("status") == "unassigned"
        and cur.get("last_assignee") == wish.user
    )
