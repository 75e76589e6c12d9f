"""The organisation's contacts over an engine."""

from __future__ import annotations

import base64
import binascii
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.origin import acting
from batonbox_server.store.audit_plan import packed_act
from batonbox_server.store.by import AUDIT_ENTRIES, pack_for_lua, pack_origin
from batonbox_server.store.contact_plan import contact_from, find_prefix, find_words, plan
from batonbox_server.store.contacts_port import (
    CONTACTS_MOST,
    NOTE_CHARS,
    NUMBERS_MOST,
    Contact,
    ContactPage,
    Written,
)
from batonbox_server.store.engine import Engine
from batonbox_server.store.inbox_calls import digest_of
from batonbox_server.store.keys import Keys
from batonbox_server.store.scripts import Scripts

__all__ = ["RedisContacts"]

_ATTEMPTS: Final = 20
_FAST: Final = "This contact changes too fast; try again."
_PAGES_MOST: Final = 20  # of what begins so, read for one page without what is found twice


class RedisContacts:
    """Implements `store.contacts_port.ContactStore`.

    A change is planned against the record's bytes and written only if they are still the same.
    """

    def __init__(
        self,
        client: Engine,
        *,
        keys: Keys,
        log_events: int,
        audit_entries: int = AUDIT_ENTRIES,
    ) -> None:
        self._client = client
        self._prefix = keys.contacts
        self._log_events = log_events
        self._audit_entries = audit_entries
        self._scripts = Scripts(client)

    async def open(self) -> None:
        """See the port."""
        epoch = secrets.token_hex(8)
        await self._scripts.contact_open(self._prefix, epoch=epoch, keep=self._log_events)

    async def save(self, contact: Contact, *, actor: str, cid: str, rev: int | None) -> Contact:
        """See the port."""
        asked = [contact.id if rev != 0 else "", contact.name, contact.numbers, contact.note, rev]
        by = self._by(actor, cid, digest_of("contact_save", {"asked": asked}))
        for _ in range(_ATTEMPTS):
            stored, raws, holders = await self._look(by, [contact.id], contact.numbers)
            if stored:
                return await self.contact(stored[0])
            old = _expected(raws[0], rev)
            _check_holders(contact, holders)
            done = await self._write(by, [plan(raws[0], contact)])
            if done.word == "full":
                raise Refused(
                    "conflict", f"There are {CONTACTS_MOST} contacts, and may be no more."
                )
            if done.word == "ok":
                # Sent twice at the same time, it is the one that was first.
                made = replace(contact, id=done.other, changed_ms=done.at_ms, rev=done.rev)
                return replace(made, created_ms=old.created_ms if old else done.at_ms)
        raise Refused("conflict", _FAST)

    async def delete(self, contact: str, *, actor: str, cid: str) -> None:
        """See the port."""
        digest = digest_of("contact_delete", {"id": contact})
        for _ in range(_ATTEMPTS):
            stored, raws, _ = await self._look(self._by(actor, cid, digest), [contact])
            if stored:
                return
            old = _existing(raws[0])
            before = {"name": old.name, "numbers": list(old.numbers)}
            act = packed_act(action="contact_deleted", actor=actor, target=contact, before=before)
            by = self._by(actor, cid, digest, act)
            if (await self._write(by, [plan(raws[0], None, known=contact)])).word == "ok":
                return
        raise Refused("conflict", _FAST)

    async def merge(self, *, into: str, gone: str, actor: str, cid: str) -> Contact:
        """See the port."""
        if into == gone:
            raise Refused("bad_request", "contact: another one than the one it is merged into.")
        digest = digest_of("contact_merge", {"into": into, "gone": gone})
        for _ in range(_ATTEMPTS):
            stored, raws, _ = await self._look(self._by(actor, cid, digest), [into, gone])
            if stored:
                return await self.contact(into)
            kept, other = _existing(raws[0]), _existing(raws[1])
            merged = _merged(kept, other)
            detail = {"merged": gone, "name": other.name, "numbers": list(other.numbers)}
            act = packed_act(action="contacts_merged", actor=actor, target=into, detail=detail)
            by = self._by(actor, cid, digest, act)
            items = [plan(raws[1], None, known=gone), plan(raws[0], merged)]
            done = await self._write(by, items)
            if done.word == "ok":
                return replace(merged, changed_ms=done.at_ms, rev=done.rev)
        raise Refused("conflict", _FAST)

    async def save_all(
        self, changes: Sequence[tuple[Contact | None, Contact]], *, actor: str
    ) -> list[Written]:
        """See the port."""
        by = self._by(actor, uuid.uuid4().hex, "0" * 40)
        raws = await self._raws([wanted.id for _, wanted in changes])
        items, kept = [], []
        for at, (old, wanted) in enumerate(changes):
            raw = raws[at]
            if (None if raw is None else contact_from(raw)) == old:
                items.append(plan(raw, wanted))
                kept.append(at)
        written = [Written("stale", "")] * len(changes)
        if items:
            outcomes = await self._write_all(by, items, whole=False)
            for at, outcome in zip(kept, outcomes, strict=True):
                written[at] = Written(outcome.word, outcome.other)
        return written

    async def contact(self, contact: str) -> Contact:
        """See the port."""
        return _existing((await self._raws([contact]))[0])

    async def by_ids(self, ids: Sequence[str]) -> dict[str, Contact]:
        """See the port."""
        found = [contact_from(raw) for raw in await self._raws(ids) if raw is not None]
        return {contact.id: contact for contact in found}

    async def by_numbers(self, numbers: Sequence[str]) -> dict[str, Contact]:
        """See the port."""
        _, _, holders = await self._look(b"", [], numbers)
        pairs = zip(numbers, holders, strict=True)
        return {number: contact_from(raw) for number, raw in pairs if raw is not None}

    async def page(self, *, after: str = "", n: int = 100, begins: str = "") -> ContactPage:
        """See the port."""
        begin, place = find_prefix(begins), _place_of(after)
        items: list[Contact] = []
        for _ in range(_PAGES_MOST):
            wanted = n - len(items)
            members, raws, total = await self._range(begin, place, wanted)
            found = zip(members, map(contact_from, raws), strict=True)
            items += [contact for member, contact in found if _is_first(member, contact, begin)]
            if len(members) < wanted:
                return ContactPage(items, "", total)
            place = members[-1]
            if len(items) == n:
                break
        return ContactPage(items, base64.urlsafe_b64encode(place).decode(), total)

    async def scan(self, *, at: int = 0, n: int = 500) -> tuple[int, list[str]]:
        """See the port."""
        try:
            key = f"{self._prefix}:rec"
            after, flat = await self._client.execute("HSCAN", key, at, "COUNT", n)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error
        return int(after), [name.decode() for name in flat[::2]]

    async def _range(
        self, begin: str, place: bytes, n: int
    ) -> tuple[list[bytes], list[bytes], int]:
        low, high = b"-", b"+"
        if begin:
            low, high = b"[" + begin.encode(), b"(" + begin.encode() + b"\xff"
        if place:
            low = b"(" + place
        ends = {"from": low, "to": high}
        index = "find" if begin else "by"
        reply = await self._scripts.contact_page(self._prefix, index=index, **ends, n=n)
        _, total, members, raws = _there(reply)
        return members, raws, total

    async def _raws(self, ids: Sequence[str]) -> list[bytes | None]:
        return (await self._look(b"", ids))[1]

    async def _look(
        self, by: bytes, ids: Sequence[str], numbers: Sequence[str] = ()
    ) -> tuple[list[str], list[bytes | None], list[bytes | None]]:
        """Ids in the stored reply, if there is one; records of ids, and of who has numbers."""
        reply = await self._scripts.contact_look(
            self._prefix, by=by, ids=pack_for_lua(list(ids)), numbers=pack_for_lua(list(numbers))
        )
        if reply[0] == b"stored":
            (outcomes,) = _there(reply[1])
            return [other.decode() for _, other, *_ in outcomes], [], []
        raws, holders = _there(reply)
        return [], list(raws), list(holders)

    async def _write(self, by: bytes, items: list[dict[str, Any]]) -> _Outcome:
        """All or none; the last one's outcome, or that of the first which does not go."""
        outcomes = await self._write_all(by, items, whole=True)
        return next((o for o in outcomes if o.word != "ok"), outcomes[-1])

    async def _write_all(
        self, by: bytes, items: list[dict[str, Any]], *, whole: bool
    ) -> list[_Outcome]:
        reply = await self._scripts.contact_change(
            self._prefix, by=by, items=pack_for_lua(items), whole=int(whole), most=CONTACTS_MOST
        )
        outcomes = reply[1] if reply[0] == b"refused" else _there(reply)[0]
        return [_Outcome(word.decode(), other.decode(), *at) for word, other, *at in outcomes]

    def _by(self, actor: str, cid: str, digest: str, *acts: bytes) -> bytes:
        origin = pack_origin(acting.get().origin)
        asks = {"actor": actor, "cid": cid, "digest": digest}
        return pack_for_lua(
            {**asks, "origin": origin, "keep": self._audit_entries, "acts": list(acts)}
        )


class _Outcome(NamedTuple):
    """What became of an item: the word, its id or the other contact's, its event, the time."""

    word: str
    other: str
    rev: int
    at_ms: int


def _there(reply: list[Any]) -> list[Any]:
    """A reply's values; raises Refused."""
    word = reply[0].decode()
    if word == "not_found":
        raise Refused("unavailable", "The engine has lost the contacts; restart the node.")
    if word != "ok":
        raise Refused(word)
    return reply[1:]


def _existing(raw: bytes | None) -> Contact:
    if raw is None:
        raise Refused("not_found", "There is no such contact.")
    return contact_from(raw)


def _expected(raw: bytes | None, rev: int | None) -> Contact | None:
    """The contact as it stands, if the caller has seen it so."""
    if raw is None and rev in {None, 0}:
        return None
    old = _existing(raw)
    if rev is not None and old.rev != rev:
        told = f"This contact has changed since (rev {old.rev}); look at it and decide again."
        raise Refused("conflict", told)
    return old


def _check_holders(contact: Contact, holders: Sequence[bytes | None]) -> None:
    for number, raw in zip(contact.numbers, holders, strict=True):
        if raw is not None and (holder := contact_from(raw)).id != contact.id:
            told = f"{number} is {holder.name}'s ({holder.id}); change that contact, or merge them."
            raise Refused("conflict", told)


def _merged(kept: Contact, other: Contact) -> Contact:
    numbers = tuple(dict.fromkeys([*kept.numbers, *other.numbers]))
    note = "\n".join(note for note in dict.fromkeys([kept.note, other.note]) if note)
    if len(numbers) > NUMBERS_MOST or len(note) > NOTE_CHARS:
        told = f"Both together have more than {NUMBERS_MOST} numbers or {NOTE_CHARS} characters"
        raise Refused("bad_request", f"{told} of note; shorten one of them first.")
    return replace(kept, numbers=numbers, note=note)


def _is_first(member: bytes, contact: Contact, begin: str) -> bool:
    """Whether this is the first of the words by which a contact is found: it is shown once."""
    if not begin:
        return True
    word = member.rpartition(b"\0")[0].decode()
    return word == min((w for w in find_words(contact) if w.startswith(begin)), default="")


def _place_of(cursor: str) -> bytes:
    try:
        return base64.b64decode(cursor, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise Refused("bad_request", "after: not a cursor of this list; leave it out.") from error
