"""How the inbox store calls its scripts, and what their answers mean."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]
import msgspec

from batonbox_server.domain.model import Role, inbox_of
from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.store import port
from batonbox_server.store.by import AUDIT_ENTRIES, by_command
from batonbox_server.store.engine import Engine
from batonbox_server.store.keys import Keys
from batonbox_server.store.scripts import Scripts
from batonbox_server.turn import pass_turn

__all__ = ["InboxCalls", "applied", "digest_of", "entry_of", "ok", "standing_of", "words"]

# Words of the scripts that are refusals under another name.
_ALIASES: Final = {
    "token_required": ("bad_request", "This is not yours: send the present own_tok with it."),
    "not_failed": ("bad_request", "Only a failed message can be sent again."),
    "too_old": ("bad_request", "This is too old to be changed or sent again; write it anew."),
    "bad_time": ("bad_request", "until_ms: a time ahead, at most 366 days from now."),
}

# On what a command depends, not what it does: a repeated one may know the conversation better.
_CONDITIONS: Final = frozenset({"own_tok", "seen"})

_pack: Final = msgspec.msgpack.Encoder().encode


class InboxCalls:
    """What every part of the inbox store stands on."""

    def __init__(
        self,
        client: Engine,
        *,
        keys: Keys,
        log_events: int = 10_000,
        audit_entries: int = AUDIT_ENTRIES,
    ) -> None:
        self._client = client
        self._keys = keys
        self._log_events = log_events
        self._audit_entries = audit_entries
        self._scripts = Scripts(client)

    def on_write(self, told: Callable[[str], None]) -> None:
        """`told(prefix)` is called after whatever may have appended to that log from here."""
        self._scripts.on_write = told

    async def now_ms(self) -> int:
        """The engine's clock."""
        seconds, micros = await self._execute("TIME")
        return 1000 * int(seconds) + int(micros) // 1000

    async def _command(
        self, name: str, conv: str, actor: str, cid: str, **args: str | bytes | int
    ) -> port.Applied:
        return applied(await self._hand(name, conv, actor, cid, args))

    def _hand(
        self, name: str, conv: str, actor: str, cid: str, args: dict[str, str | bytes | int]
    ) -> Awaitable[list[Any]]:
        """Takes effect before whatever is called later; see `turn.pass_turn`."""
        asked = {key: value for key, value in args.items() if key not in _CONDITIONS}
        by = self._by(actor, cid, digest_of(name, {"conv": conv, **asked}))
        prefix = self._keys.inbox(inbox_of(conv))
        handed = self._scripts.hand(name, prefix, {"conv": conv, "by": by, **args})
        pass_turn()
        return handed

    def _by(self, actor: str, cid: str, digest: str) -> bytes:
        return by_command(actor=actor, cid=cid, digest=digest, keep=self._audit_entries)

    async def _execute(self, *args: str | bytes | int) -> Any:
        try:
            return await self._client.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error


def digest_of(name: str, args: dict[str, Any]) -> str:
    packed = _pack([name, sorted(args.items())])
    return hashlib.sha1(packed, usedforsecurity=False).hexdigest()


def ok(reply: list[Any]) -> list[Any]:
    word = reply[0].decode()
    if word == "ok":
        return reply[1:]
    cur = msgpack.unpackb(reply[1]) if len(reply) > 1 else None
    if word == "conflict" and cur is not None:
        raise Refused(word, f"{cur['assignee']} has this conversation.", cur=cur)
    slug, message = _ALIASES.get(word, (word, ""))
    raise Refused(slug, message, cur=cur)


def applied(reply: list[Any]) -> port.Applied:
    # A reply stored by an earlier version is shorter.
    told: list[Any] = [*ok(reply), b"", 0]
    conv, seq, tip, own_tok, att, n, noop, warning, joins = told[:9]
    return port.Applied(
        conv.decode(),
        seq,
        tip.decode(),
        own_tok.decode(),
        att.decode(),
        n,
        bool(noop),
        (warning.decode(),) if warning else (),
        bool(joins),
    )


def standing_of(value: str) -> tuple[Role, bool, int]:
    role, joined, since = value.split(":")
    return Role(role), joined == "1", int(since)


def entry_of(entry: Any) -> port.LogEntry:
    name, fields = entry
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    return port.LogEntry(int(name.partition(b"-")[0]), values[b"p"].decode(), values[b"f"])


def words(values: list[bytes]) -> list[str]:
    return [value.decode() for value in values]
