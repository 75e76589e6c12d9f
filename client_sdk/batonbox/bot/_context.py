"""What a handler gets besides the event; and the ids of its commands."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from batonbox._derived import IDS
from batonbox._events import ConversationEvent
from batonbox.bot._handlers import Handler

if TYPE_CHECKING:
    from batonbox._client import Client
    from batonbox._models import Row
    from batonbox.bot._bot import Bot

__all__ = ["Context", "of_event", "of_run", "of_wait"]

# What is being handled, in words that every process finds for it.
Scope: TypeAlias = tuple[str, ...]


class Context:
    """Of one event (wait, run of `every`, ...) and one handler.

    `match` is the pattern's match, None where there is no pattern; `state` is shared by all
    middleware and handlers of the event.
    """

    __slots__ = ("_label", "_scope", "bot", "match", "state")

    def __init__(
        self,
        bot: Bot,
        scope: Scope,
        *,
        label: str = "",
        match: re.Match[str] | None = None,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.bot: Bot = bot
        self.match: re.Match[str] | None = match
        self.state: dict[str, Any] = {} if state is None else state
        self._scope = scope
        self._label = label

    @property
    def client(self) -> Client:
        """The bot's client."""
        return self.bot.client

    def key(self, name: str) -> str:
        """A command id that is the same in every run of this handler for this event.

        For `key=` of a command that has to be told from its equals by name and not by order, and
        for systems of others that take such a key.
        """
        return _id(*self._scope, self._label, "key", name)

    async def run(
        self, handler: Handler, *, match: re.Match[str] | None = None, **offered: object
    ) -> object:
        """The handler's result; besides what is offered by name it gets a context of its own."""
        ctx = Context(self.bot, self._scope, label=handler.label, match=match, state=self.state)
        before = IDS.set(_Ids(self._scope, handler.label))
        try:
            return await handler(ctx=ctx, **offered)
        finally:
            IDS.reset(before)


def of_event(bot: Bot, event: ConversationEvent) -> Context:
    """The tip tells the event from any other that had its place in a history that was lost."""
    return Context(bot, (*_who(bot), event.inbox, str(event.seq), event.tip))


def of_wait(bot: Bot, row: Row) -> Context:
    """The ownership token changes whenever a conversation becomes unowned."""
    return Context(bot, (*_who(bot), "wait", row.id, row.own_tok))


def of_run(bot: Bot) -> Context:
    """Something that happens once."""
    return Context(bot, ("run", uuid.uuid4().hex))


def _who(bot: Bot) -> Scope:
    return ("bot",) if bot.group is None else ("group", bot.group)


class _Ids:
    """Of the commands of one run of a handler."""

    __slots__ = ("_counts", "_scope")

    def __init__(self, scope: Scope, label: str) -> None:
        self._scope = (*scope, label)
        self._counts: Counter[tuple[str, str]] = Counter()

    def of_command(self, command: str, target: str) -> str:
        self._counts[command, target] += 1
        return _id(*self._scope, "command", command, target, str(self._counts[command, target]))


def _id(*parts: str) -> str:
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=16)
    return f"bot.{digest.hexdigest()}"
