"""The inbox store over an engine: one method per script, word statuses turned into refusals."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Delivery, Role, inbox_of
from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.store import port
from batonbox_server.store.by import AUDIT_ENTRIES, by_command
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.store.scripts import Scripts

# Words of the scripts that are refusals under another name.
_ALIASES: Final = {
    "token_required": ("bad_request", "This is not yours: send the present own_tok with it."),
    "not_failed": ("bad_request", "Only a failed message can be sent again."),
}
_NO_SUCH_LOG: Final = port.Head("", 0, "", "", 1)


class RedisStore:
    """Implements `store.port.InboxStore`."""

    def __init__(
        self,
        client: EngineClient,
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
        return bool(reply[0] == b"not_found" or reply[1] == 0)

    async def inbox_info(self, *, inbox: str) -> port.InboxInfo | None:
        """See the port."""
        reply = await self._scripts.info(self._keys.inbox(inbox))
        if reply[0] != b"ok":
            return None
        _, epoch, seq, members, numbers, _due = reply
        pairs = zip(members[::2], members[1::2], strict=True)
        return port.InboxInfo(
            inbox,
            epoch.decode(),
            seq,
            {user.decode(): _standing(value.decode()) for user, value in pairs},
            sorted(number.decode() for number in numbers),
        )

    async def join(self, *, inbox: str, user: str, role: Role, joined: bool) -> int:
        """See the port."""
        reply = await self._scripts.join(
            self._keys.inbox(inbox), user=user, role=str(role), joined=int(joined)
        )
        return int(_ok(reply)[0])

    async def remove(self, *, inbox: str, user: str, role: Role | None) -> port.Removed:
        """See the port."""
        reply = await self._scripts.remove(
            self._keys.inbox(inbox), user=user, role="" if role is None else str(role)
        )
        return port.Removed(*_ok(reply))

    async def add_number(self, *, inbox: str, number: str, at: int = 0) -> int:
        """See the port."""
        return await self._number(inbox, number, on=1, at=at)

    async def drop_number(self, *, inbox: str, number: str, at: int = 0) -> int:
        """See the port."""
        return await self._number(inbox, number, on=0, at=at)

    async def _number(self, inbox: str, number: str, *, on: int, at: int) -> int:
        reply = await self._scripts.number(self._keys.inbox(inbox), number=number, on=on, at=at)
        if reply[0] == b"stale":
            return int(reply[1])
        _ok(reply)
        return 0

    async def due(self, *, inbox: str) -> int:
        """See the port."""
        reply = await self._scripts.info(self._keys.inbox(inbox))
        left = 0
        for job in reply[5] if reply[0] == b"ok" else ():
            user = job.decode().removeprefix("sweep:")
            left += _ok(await self._scripts.sweep(self._keys.inbox(inbox), user=user))[1]
        return left

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
    ) -> port.Received:
        """See the port."""
        reply = await self._scripts.receive(
            self._keys.inbox(inbox),
            candidate=_new_conversation(inbox),
            our=our,
            customer=customer,
            provider_id=provider_id,
            body=body,
            preview=preview,
            turn=turn,
        )
        duplicate = reply[0] == b"duplicate"
        conv, n, seq = msgpack.unpackb(reply[1]) if duplicate else _ok(reply)
        return port.Received(conv if duplicate else conv.decode(), n, seq, duplicate)

    async def assign(self, *, conv: str, actor: str, cid: str, to: str = "") -> port.Applied:
        """See the port."""
        return await self._command("assign", conv, actor, cid, to=to)

    async def transfer(
        self, *, conv: str, actor: str, cid: str, own_tok: str, to: str, note: str = ""
    ) -> port.Applied:
        """See the port."""
        return await self._command("transfer", conv, actor, cid, own_tok=own_tok, to=to, note=note)

    async def release(self, *, conv: str, actor: str, cid: str, own_tok: str) -> port.Applied:
        """See the port."""
        return await self._command("release", conv, actor, cid, own_tok=own_tok)

    async def done(
        self, *, conv: str, actor: str, cid: str, own_tok: str, seen: str | None
    ) -> port.Applied:
        """See the port."""
        known = "*" if seen is None else seen
        return await self._command("done", conv, actor, cid, own_tok=own_tok, seen=known)

    async def undo(self, *, conv: str, actor: str, cid: str, own_tok: str) -> port.Applied:
        """See the port."""
        return await self._command("undo", conv, actor, cid, own_tok=own_tok)

    async def reply(
        self,
        *,
        conv: str,
        actor: str,
        cid: str,
        own_tok: str,
        body: bytes,
        preview: str,
        seen: str = "",
    ) -> port.Applied:
        """See the port."""
        return await self._command(
            "reply", conv, actor, cid, own_tok=own_tok, body=body, preview=preview, seen=seen
        )

    async def retry(self, *, conv: str, actor: str, cid: str, n: int) -> port.Applied:
        """See the port."""
        return await self._command("retry", conv, actor, cid, n=n)

    async def note(
        self, *, conv: str, actor: str, cid: str, body: bytes, mentions: Sequence[str] = ()
    ) -> port.Applied:
        """See the port."""
        named = msgpack.packb(list(mentions)) if mentions else b""
        return await self._command("note", conv, actor, cid, body=body, mentions=named)

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
        reply = await self._scripts.compose(
            self._keys.inbox(inbox),
            candidate=_new_conversation(inbox),
            by=self._by(actor, cid, _digest("compose", args)),
            **args,
        )
        return _applied(reply)

    async def unread(self, *, conv: str, actor: str, cid: str) -> port.Applied:
        """See the port."""
        return await self._command("unread", conv, actor, cid)

    async def seen(self, *, conv: str, actor: str, att: str) -> bool:
        """See the port."""
        prefix = self._keys.inbox(inbox_of(conv))
        return bool(_ok(await self._scripts.seen(prefix, conv=conv, actor=actor, att=att))[0])

    # Reads

    async def snapshot(self, *, inbox: str, n: int = 200) -> port.Snapshot:
        """See the port."""
        reply = _ok(await self._scripts.snapshot(self._keys.inbox(inbox), n=n))
        epoch, seq, tip, unassigned, is_open, done, packed = reply
        rows = [msgpack.unpackb(row) for row in packed]
        counts = {"unassigned": unassigned, "open": is_open, "done": done}
        cursor = str(rows[-1]["last_ms"]) if len(rows) == n else ""
        return port.Snapshot(epoch.decode(), seq, tip.decode(), counts, rows, cursor)

    async def page(
        self, *, inbox: str, actor: str, view: str, after: str = "", n: int = 50
    ) -> port.PageOf:
        """See the port."""
        if after and not after.isdigit():
            raise Refused("bad_request", "after: not a cursor of this list; start without one.")
        prefix = self._keys.inbox(inbox)
        if view == "walk":
            reply = await self._scripts.walk(prefix, actor=actor, after_ms=after, n=n)
        else:
            reply = await self._scripts.page(prefix, actor=actor, view=view, after_ms=after, n=n)
        seq, tip, cursor, packed = _ok(reply)
        rows = [msgpack.unpackb(row) for row in packed]
        return port.PageOf(rows, cursor.decode(), seq, tip.decode())

    async def history(self, *, conv: str, actor: str, before: int = 0, n: int = 50) -> port.Thread:
        """See the port."""
        prefix = self._keys.inbox(inbox_of(conv))
        reply = await self._scripts.history(prefix, conv=conv, actor=actor, before=before, n=n)
        seq, row, packed, cursor = _ok(reply)
        messages = [msgpack.unpackb(message) for message in packed]
        return port.Thread(messages, cursor, seq, msgpack.unpackb(row))

    async def head(self, *, log: str, at: int = 0) -> port.Head:
        """See the port."""
        reply = await self._scripts.head(log, at=at)
        if reply[0] != b"ok":
            return _NO_SUCH_LOG
        _, epoch, seq, tip, tip_at, oldest = reply
        return port.Head(epoch.decode(), seq, tip.decode(), tip_at.decode(), oldest)

    async def range(self, *, log: str, first: int, last: int) -> list[port.LogEntry]:
        """See the port."""
        entries = await self._execute("XRANGE", f"{log}:log", f"{first}-0", f"{last}-0")
        return [_entry(entry) for entry in entries]

    async def board(self, *, inbox: str) -> port.Board:
        """See the port."""
        epoch, seq, tip, unassigned, keys = _ok(await self._scripts.board(self._keys.inbox(inbox)))
        return port.Board(epoch.decode(), seq, tip.decode(), unassigned, _words(keys))

    async def marks(self, *, inbox: str, user: str) -> port.Marks:
        """See the port."""
        reply = _ok(await self._scripts.me(self._keys.inbox(inbox), user=user))
        seq, tip, mv, standing, which, keys, green, blue = reply
        role, joined, since = _standing(standing.decode()) if standing else ("", False, 0)
        return port.Marks(
            seq,
            tip.decode(),
            mv,
            str(role),
            joined,
            since,
            which == b"seen",
            _words(keys),
            _words(green),
            blue,
        )

    async def check(self, *, inbox: str, positions: Sequence[tuple[int, str]]) -> list[list[Any]]:
        """See the port."""
        log = self._keys.inbox(inbox)
        missing = []
        for seq, tip in positions:
            head = await self.head(log=log, at=seq)
            gone = seq < head.oldest and head.tip_at == ""
            if head.tip_at != tip and not gone:
                missing.append([seq, tip])
        return missing

    # The outbox

    async def lease_outbox(
        self, *, inbox: str, lease_ms: int, n: int = 16
    ) -> list[port.OutboxItem]:
        """See the port."""
        reply = await self._scripts.lease_outbox(self._keys.inbox(inbox), lease_ms=lease_ms, n=n)
        items = reply[1] if reply[0] == b"ok" else []
        return [
            port.OutboxItem(
                conv.decode(),
                number,
                our.decode(),
                customer.decode(),
                attempt,
                seq,
                msgpack.unpackb(body),
            )
            for conv, number, our, customer, attempt, seq, body in items
        ]

    async def sent(
        self, *, conv: str, n: int, state: Delivery, carrier_id: str = "", reason: str = ""
    ) -> port.Settled:
        """See the port."""
        reply = await self._scripts.sent(
            self._keys.inbox(inbox_of(conv)),
            conv=conv,
            n=n,
            state=str(state),
            carrier_id=carrier_id,
            reason=reason,
        )
        return port.Settled(*_ok(reply))

    async def postpone(self, *, conv: str, n: int, attempt: int, after_ms: int) -> None:
        """See the port."""
        prefix = self._keys.inbox(inbox_of(conv))
        given = {"conv": conv, "n": n, "attempt": attempt, "after_ms": after_ms}
        _ok(await self._scripts.postpone(prefix, **given))

    async def receipt(
        self, *, inbox: str, carrier_id: str, state: Delivery, reason: str
    ) -> port.Settled | None:
        """See the port."""
        reply = await self._scripts.receipt_place(self._keys.inbox(inbox), carrier_id=carrier_id)
        if reply[0] != b"ok":
            return None
        conv, _, n = reply[1].decode().rpartition(":")
        return await self.sent(
            conv=conv, n=int(n), state=state, carrier_id=carrier_id, reason=reason
        )

    # How a call is made

    async def _command(
        self, name: str, conv: str, actor: str, cid: str, **args: str | bytes | int
    ) -> port.Applied:
        script = getattr(self._scripts, name)
        digest = _digest(name, {"conv": conv, **args})
        prefix = self._keys.inbox(inbox_of(conv))
        reply = await script(prefix, conv=conv, by=self._by(actor, cid, digest), **args)
        return _applied(reply)

    def _by(self, actor: str, cid: str, digest: str) -> bytes:
        return by_command(actor=actor, cid=cid, digest=digest, keep=self._audit_entries)

    async def _execute(self, *args: str | bytes | int) -> Any:
        try:
            return await self._client.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error


def _new_conversation(inbox: str) -> str:
    # Random, not time-ordered: rows are listed by last_ms, and ids must not tell how busy we are.
    return f"{inbox}.{uuid.uuid4().hex}"


def _digest(name: str, args: dict[str, Any]) -> str:
    packed = msgpack.packb([name, sorted(args.items())])
    return hashlib.sha1(packed, usedforsecurity=False).hexdigest()


def _ok(reply: list[Any]) -> list[Any]:
    word = reply[0].decode()
    if word == "ok":
        return reply[1:]
    cur = msgpack.unpackb(reply[1]) if len(reply) > 1 else None
    if word == "conflict" and cur is not None:
        raise Refused(word, f"{cur['assignee']} has this conversation.", cur=cur)
    slug, message = _ALIASES.get(word, (word, ""))
    raise Refused(slug, message, cur=cur)


def _applied(reply: list[Any]) -> port.Applied:
    conv, seq, tip, own_tok, att, n, noop = _ok(reply)
    return port.Applied(
        conv.decode(), seq, tip.decode(), own_tok.decode(), att.decode(), n, bool(noop)
    )


def _standing(value: str) -> tuple[Role, bool, int]:
    role, joined, since = value.split(":")
    return Role(role), joined == "1", int(since)


def _entry(entry: Any) -> port.LogEntry:
    name, fields = entry
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    return port.LogEntry(int(name.partition(b"-")[0]), values[b"p"].decode(), values[b"f"])


def _words(values: list[bytes]) -> list[str]:
    return [value.decode() for value in values]
