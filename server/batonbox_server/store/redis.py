"""The inbox store over an engine: one method per script, word statuses turned into refusals."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeAlias

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Availability, Role, inbox_of
from batonbox_server.errors import Refused
from batonbox_server.store import port
from batonbox_server.store.by import pack_for_lua
from batonbox_server.store.inbox_archive import InboxArchive
from batonbox_server.store.inbox_calls import applied, digest_of, ok, standing_of
from batonbox_server.store.inbox_outbox import InboxOutbox
from batonbox_server.store.inbox_reads import InboxReads
from batonbox_server.store.inbox_timers import InboxTimers, unpack_options
from batonbox_server.turn import pass_turn

# A command begins when it is awaited.
Doing: TypeAlias = Coroutine[Any, Any, port.Applied]


class RedisStore(InboxReads, InboxOutbox, InboxTimers, InboxArchive):
    """Implements `store.port.InboxStore` and `store.archiving_port.ArchivingStore`."""

    # Inboxes and memberships

    async def create_inbox(self, *, inbox: str) -> bool:
        """See the port."""
        word, *_ = await self._scripts.create_inbox(
            self._keys.inbox(inbox), epoch=secrets.token_hex(8), keep=self._log_events
        )
        return bool(word == b"ok")

    async def delete_inbox(self, *, inbox: str) -> bool:
        """See the port."""
        reply = await self._scripts.erase_inbox(self._keys.inbox(inbox))
        if reply[0] == b"held":
            raise Refused("conflict", "Something in this inbox is held; end the hold first.")
        erased = bool(reply[0] == b"not_found" or reply[1] == 0)
        if erased and self._archive is not None:
            await self._archive.purge_log(log=inbox)
        return erased

    async def inbox_info(self, *, inbox: str) -> port.InboxInfo | None:
        """See the port."""
        reply = await self._scripts.info(self._keys.inbox(inbox))
        if reply[0] != b"ok":
            return None
        _, epoch, seq, members, numbers, options, away = reply
        pairs = zip(members[::2], members[1::2], strict=True)
        return port.InboxInfo(
            inbox,
            epoch.decode(),
            seq,
            {user.decode(): standing_of(value.decode()) for user, value in pairs},
            sorted(number.decode() for number in numbers),
            unpack_options(options),
            {
                user.decode(): Availability(value.decode().partition(":")[2])
                for user, value in zip(away[::2], away[1::2], strict=True)
            },
        )

    async def join(self, *, inbox: str, user: str, role: Role, joined: bool, at: int = 0) -> int:
        """See the port."""
        reply = await self._scripts.join(
            self._keys.inbox(inbox), user=user, role=str(role), joined=int(joined), at=at
        )
        return int(ok(reply)[0])

    async def remove(
        self, *, inbox: str, user: str, role: Role | None, at: int | None = None
    ) -> port.Removed:
        """See the port."""
        reply = await self._scripts.remove(
            self._keys.inbox(inbox),
            user=user,
            role="" if role is None else str(role),
            at="" if at is None else at,
        )
        if reply[0] == b"stale":
            return port.Removed(0, 0, 0, later=int(reply[1]))
        return port.Removed(*ok(reply))

    async def add_number(
        self, *, inbox: str, number: str, at: int = 0, brought: bool = True
    ) -> int | None:
        """See the port."""
        return await self._number(inbox, number, on=1, at=at, brought=int(brought))

    async def drop_number(self, *, inbox: str, number: str, at: int = 0) -> int:
        """See the port."""
        return await self._number(inbox, number, on=0, at=at) or 0

    async def _number(
        self, inbox: str, number: str, *, on: int, at: int, brought: int = 0
    ) -> int | None:
        reply = await self._scripts.number(
            self._keys.inbox(inbox), number=number, on=on, at=at, brought=brought
        )
        if reply[0] == b"absent":
            return None
        if reply[0] == b"stale":
            return int(reply[1])
        ok(reply)
        return 0

    # Conversations

    async def receive(
        self,
        *,
        inbox: str,
        our: str,
        customer: str,
        provider_id: str,
        body: bytes,
        preview: str,
        turn: int = 0,
        keyword: port.Keyword | None = None,
    ) -> port.Received:
        """See the port."""
        given = {
            "candidate": _new_conversation(inbox),
            "our": our,
            "customer": customer,
            "provider_id": provider_id,
            "body": body,
            "preview": preview,
            "turn": turn,
            "keyword": pack_for_lua(keyword) if keyword else b"",
        }
        prefix = self._keys.inbox(inbox)
        reply = await self._known(
            lambda: self._scripts.receive(prefix, **given), inbox=inbox, pair=f"{our}|{customer}"
        )
        if reply[0] == b"duplicate":
            conv, n, seq = msgpack.unpackb(reply[1])
            return port.Received(conv, n, seq, duplicate=True)
        conv, n, seq, answered = ok(reply)
        return port.Received(conv.decode(), n, seq, False, answered=bool(answered))

    async def take_words(self, *, inbox: str, our: str, said: Mapping[str, int]) -> None:
        """See the port."""
        flat = [part for pair in said.items() for part in pair]
        if flat:
            prefix = self._keys.inbox(inbox)
            await self._scripts.take_words(prefix, our=our, said=pack_for_lua(flat))

    def assign(self, *, conv: str, actor: str, cid: str, to: str = "") -> Doing:
        """See the port."""
        return self._command("assign", conv, actor, cid, to=to)

    def transfer(
        self, *, conv: str, actor: str, cid: str, own_tok: str, to: str, note: str = ""
    ) -> Doing:
        """See the port."""
        return self._command("transfer", conv, actor, cid, own_tok=own_tok, to=to, note=note)

    def release(self, *, conv: str, actor: str, cid: str, own_tok: str) -> Doing:
        """See the port."""
        return self._command("release", conv, actor, cid, own_tok=own_tok)

    def done(self, *, conv: str, actor: str, cid: str, own_tok: str, seen: str | None) -> Doing:
        """See the port."""
        known = "*" if seen is None else seen
        return self._command("done", conv, actor, cid, own_tok=own_tok, seen=known)

    def undo(self, *, conv: str, actor: str, cid: str, own_tok: str) -> Doing:
        """See the port."""
        return self._command("undo", conv, actor, cid, own_tok=own_tok)

    def reply(
        self,
        *,
        conv: str,
        actor: str,
        cid: str,
        own_tok: str,
        body: bytes,
        preview: str,
        seen: str = "",
    ) -> Doing:
        """See the port."""
        return self._command(
            "reply", conv, actor, cid, own_tok=own_tok, body=body, preview=preview, seen=seen
        )

    def retry(self, *, conv: str, actor: str, cid: str, n: int) -> Doing:
        """See the port."""
        return self._command("retry", conv, actor, cid, n=n)

    def note(
        self, *, conv: str, actor: str, cid: str, body: bytes, mentions: Sequence[str] = ()
    ) -> Doing:
        """See the port."""
        named = msgpack.packb(list(mentions)) if mentions else b""
        return self._command("note", conv, actor, cid, body=body, mentions=named)

    async def compose(
        self,
        *,
        inbox: str,
        actor: str,
        cid: str,
        our: str,
        customer: str,
        body: bytes,
        preview: str,
    ) -> port.Applied:
        """See the port."""
        args = {"our": our, "customer": customer, "body": body, "preview": preview}
        prefix, by = self._keys.inbox(inbox), self._by(actor, cid, digest_of("compose", args))
        given = {"candidate": _new_conversation(inbox), "by": by, **args}
        reply = await self._known(
            lambda: self._scripts.compose(prefix, **given), inbox=inbox, pair=f"{our}|{customer}"
        )
        return applied(reply)

    def unread(self, *, conv: str, actor: str, cid: str) -> Doing:
        """See the port."""
        return self._command("unread", conv, actor, cid)

    async def seen(self, *, conv: str, actor: str, att: str) -> bool:
        """See the port."""
        prefix = self._keys.inbox(inbox_of(conv))
        handed = self._scripts.seen(prefix, conv=conv, actor=actor, att=att)
        pass_turn()
        reply = await handed
        if reply[0] == b"not_found":
            # A conversation that is away has no badge; one that is not there is refused.
            await self.history(conv=conv, actor=actor, n=1)
            return False
        return bool(ok(reply)[0])


def _new_conversation(inbox: str) -> str:
    # Random, not time-ordered: rows are listed by last_ms, and ids must not tell how busy we are.
    return f"{inbox}.{uuid.uuid4().hex}"
