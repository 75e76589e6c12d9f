"""The address book: whose number is whose, for everybody on the team."""

from __future__ import annotations

import asyncio
import uuid
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any, Final

from batonbox_server.errors import Refused
from batonbox_server.origin import Acting, act_as, acting
from batonbox_server.store.audit_port import AuditStore
from batonbox_server.store.contacts_port import Contact, ContactPage, ContactStore
from batonbox_server.tasks import cancel_all, spawn

from .contact_csv import ContactLines, check_note, check_numbers, header_of, rows_of
from .contact_import import Import, Report, new_contact_id
from .export_source import everybody
from .texts import check_name, e164

__all__ = ["LOOKUP_MOST", "Contacts"]

Reports = AsyncIterator[list[Report] | dict[str, int]]
LOOKUP_MOST: Final = 100
_TRIES: Final = 10
_COLUMNS_LEAST: Final = 2
_FINISH_S: Final = 5.0


class Contacts:
    """Use cases over the store; an import runs once at a time on each node."""

    def __init__(self, store: ContactStore, audit: AuditStore) -> None:
        self._store = store
        self._audit = audit
        self._running: weakref.ref[Reports] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def aclose(self) -> None:
        """Let what is being written down be finished, for a moment."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FINISH_S)
        await cancel_all(self._tasks)

    async def page(self, *, after: str, n: int, begins: str) -> ContactPage:
        """Everybody, or those whose name, a word of it or number begins so."""
        return await self._store.page(after=after, n=n, begins=begins)

    async def contact(self, contact: str) -> Contact:
        """Refused("not_found")."""
        return await self._store.contact(contact)

    async def lookup(self, numbers: Sequence[str]) -> dict[str, Contact]:
        """Of these numbers, in any notation with +, those that are somebody's, in E.164.

        What is no such number, like a short code, is nobody's.
        """
        if len(numbers) > LOOKUP_MOST:
            raise Refused("bad_request", f"numbers: at most {LOOKUP_MOST} at once.")
        wanted = []
        for number in numbers:
            with suppress(Refused):
                wanted.append(e164(number, field="numbers"))
        return await self._store.by_numbers(list(dict.fromkeys(wanted))) if wanted else {}

    async def create(
        self, *, actor: str, cid: str, name: str, numbers: Sequence[str], note: str
    ) -> Contact:
        """A new one. Refused: `bad_request`; `conflict` when a number is another's."""
        contact = Contact(
            new_contact_id(),
            check_name(name, field="name"),
            check_numbers([e164(number, field="numbers") for number in numbers]),
            check_note(note),
        )
        return await self._store.save(contact, actor=actor, cid=cid, rev=0)

    async def edit(
        self,
        contact: str,
        *,
        actor: str,
        name: str | None,
        numbers: Sequence[str] | None,
        note: str | None,
        rev: int | None,
    ) -> Contact:
        """Change what is not None, if it stands at `rev` (None: however it stands).

        Refused: `conflict` when it has changed since, or when a number is another's. What it is
        already is no change, so that a request which is sent again succeeds.
        """
        fields: dict[str, Any] = {}
        if name is not None:
            fields["name"] = check_name(name, field="name")
        if numbers is not None:
            fields["numbers"] = check_numbers([e164(n, field="numbers") for n in numbers])
        if note is not None:
            fields["note"] = check_note(note)
        for _ in range(_TRIES):
            old = await self._store.contact(contact)
            wanted = replace(old, **fields)
            if wanted == old:
                return old
            seen = old.rev if rev is None else rev
            try:
                return await self._store.save(wanted, actor=actor, cid=uuid.uuid4().hex, rev=seen)
            except Refused as refused:
                last = refused
            if rev is not None or (await self._store.contact(contact)).rev == old.rev:
                raise last  # it was not somebody else who was faster
        raise last

    async def delete(self, contact: str, *, actor: str) -> None:
        """Refused("not_found")."""
        await self._store.delete(contact, actor=actor, cid=uuid.uuid4().hex)

    async def merge(self, *, into: str, gone: str, actor: str, cid: str) -> Contact:
        """Make two one; Refused: `not_found`, `bad_request`."""
        return await self._store.merge(into=into, gone=gone, actor=actor, cid=cid)

    # Files

    async def begin_import(self, data: bytes, *, actor: str, region: str, dry: bool) -> Reports:
        """Reports of a CSV file's lines, and at last how many of which there were.

        Raises Refused at once: `bad_request` of a file that is none, `conflict` while another
        import runs here. What it does is done as far as the iterator was read.
        """
        if self._running is not None and self._running() is not None:
            raise Refused("conflict", "Another import is running; wait until it has ended.")
        lines = await asyncio.to_thread(ContactLines, data, region=region)
        if not dry:
            await self._audit.write(action="contacts_import_started", target="", detail={})
        # The answer is written after the request has been handled, when nobody acts any more.
        who = acting.get()
        work = self._import(Import(self._store, lines, actor=actor, dry=dry), who, dry=dry)
        self._running = weakref.ref(work)
        return work

    async def _import(self, work: Import, who: Acting, *, dry: bool) -> Reports:
        reports, whole = work.reports(), False
        try:
            while True:
                with act_as(*who):
                    found = await anext(reports, None)
                if found is None:
                    break
                yield found
            whole = True
            yield asdict(work.counts)
        finally:
            self._running = None
            if not dry:
                with act_as(*who):
                    spawn(self._tasks, self._told(work, whole=whole), name="import-audit")

    async def _told(self, work: Import, *, whole: bool) -> None:
        detail = {**asdict(work.counts), "whole": whole}
        await self._audit.write(action="contacts_imported", target="", detail=detail)

    async def export(self) -> AsyncIterator[str]:
        """A CSV file of everybody who is there throughout, each once, in pieces."""
        columns = _COLUMNS_LEAST
        async for contacts in everybody(self._store):
            columns = max([columns, *(len(contact.numbers) for contact in contacts)])
        await self._audit.write(action="contacts_exported", target="csv", detail={})
        return self._exported(columns)

    async def _exported(self, columns: int) -> AsyncIterator[str]:
        yield header_of(columns)
        async for contacts in everybody(self._store):
            yield await asyncio.to_thread(rows_of, contacts, columns=columns)
