"""Exports of a node or of the shell: what they read, on whose behalf, and how many at a time."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from batonbox_server import control
from batonbox_server.asgi.shapes import contact_json, message_json, room_json, row_json, timestamp
from batonbox_server.config import Settings
from batonbox_server.domain.model import Role, is_room
from batonbox_server.errors import FolderInUse, Refused
from batonbox_server.node_organisation import Organisation
from batonbox_server.origin import Origin, act_as
from batonbox_server.service.export import OrganisationExport, Shapes
from batonbox_server.service.export_file import Saving
from batonbox_server.service.export_source import OfOperator, OfPerson, Source, read_thread
from batonbox_server.service.export_thread import ThreadExport, zone_of
from batonbox_server.service.media import complete_media
from batonbox_server.session.ports import Principal, Reads
from batonbox_server.store.audit import RedisAudit
from batonbox_server.store.contacts import RedisContacts
from batonbox_server.store.media import RedisMedia
from batonbox_server.store.scan import RedisScan

__all__ = ["Exports", "export_file", "operator_export"]

_SHAPES: Final = Shapes(row_json, room_json, message_json, contact_json, timestamp)
_AT_ONCE: Final = 4
_STARTING_S: Final = 10.0


class Exports:
    """What people export; each is in the audit log before its first line is read."""

    def __init__(self, node: Organisation, reads: Reads, contacts: RedisContacts) -> None:
        self._node = node
        self._reads = reads
        self._contacts = contacts
        self._audit = _audit(node)
        self._running: weakref.WeakSet[AsyncIterator[bytes]] = weakref.WeakSet()

    async def organisation(self, principal: Principal) -> AsyncIterator[bytes]:
        """All that this admin may see. Raises Refused("rate_limited")."""
        if len(self._running) >= _AT_ONCE:
            raise Refused("rate_limited", "Too many exports at once; wait.", retry_ms=10_000)
        await self._audit.write(action="organisation_exported", target="", detail={})
        source = self._source(principal)
        by, users = principal.user, self._node.directory.users

        def still() -> bool:
            return by in users and users[by].active and users[by].role is Role.ADMIN

        chunks = _export(self._node, source, self._contacts, still=still, by=by).chunks()
        self._running.add(chunks)
        return chunks

    async def thread(
        self, principal: Principal, *, conv: str, form: str, zone: str
    ) -> ThreadExport:
        """A conversation, or a room that the admin is in. Refused: `forbidden`, `not_found`."""
        clock, directory = zone_of(zone), self._node.directory
        thread = await read_thread(self._source(principal), conv)
        detail = {"format": form}
        if is_room(conv):
            await self._audit.write(action="room_exported", target=conv, detail=detail)
        else:
            told = "conversation_exported"
            await self._audit.write(action=told, target="", detail=detail, conv=conv)
        customer = thread.row.get("customer", "")
        known = await self._contacts.by_numbers([customer]) if customer else {}
        return ThreadExport(
            thread=thread,
            names={user.id: user.name for user in directory.users.values()},
            contact=known.get(customer),
            shapes=_SHAPES,
            zone=clock,
            made_ms=time.time_ns() // 1_000_000,
        )

    def _source(self, principal: Principal) -> OfPerson:
        return OfPerson(self._reads, self._node.room_store, principal)


async def operator_export(organisation: Organisation, *, direct: bool) -> AsyncIterator[bytes]:
    """All there is, for whoever owns the data; direct rooms only if asked for."""
    client, keys = organisation.client, organisation.keys
    await _audit(organisation).write(
        action="organisation_exported", target="", detail={"direct": direct}
    )
    contacts = RedisContacts(client, keys=keys, log_events=organisation.settings.log_events)
    await contacts.open()
    source = OfOperator(
        organisation.store,
        organisation.room_store,
        RedisScan(client, keys=keys),
        organisation.archive,
        direct=direct,
        complete=partial(complete_media, RedisMedia(client, keys=keys)),
    )
    always = _export(organisation, source, contacts, still=lambda: True, by="", direct=direct)
    return always.chunks()


async def export_file(
    settings: Settings, file: Path, *, direct: bool, say: Callable[[str], None]
) -> None:
    """Everything into a file, by the running server or without one; `say` hears how far it is.

    Raises Refused where it cannot be whole; then what there is stays beside it.
    """
    saving = Saving(file, say)
    until_s = time.monotonic() + _STARTING_S
    while True:
        folder, request = Path(settings.data_dir), {"op": "export", "direct": direct}
        async with control.streaming(folder, request) as pieces:
            if pieces is not None:
                await saving.take(pieces)
                return
        organisation = Organisation(settings)
        try:
            await organisation.open()
            with act_as("", Origin("cli")):
                await saving.take(await operator_export(organisation, direct=direct))
            return
        except FolderInUse:
            # A server is just starting, or it is going down.
            if time.monotonic() > until_s:
                raise
            await asyncio.sleep(0.1)
        finally:
            await organisation.close()


def _export(
    organisation: Organisation,
    source: Source,
    contacts: RedisContacts,
    *,
    still: Callable[[], bool],
    by: str,
    **more: Any,
) -> OrganisationExport:
    return OrganisationExport(
        source,
        organisation.directory,
        organisation.store,
        contacts,
        shapes=_SHAPES,
        still=still,
        by=by,
        more=more,
    )


def _audit(organisation: Organisation) -> RedisAudit:
    entries = organisation.settings.audit_entries
    return RedisAudit(organisation.client, keys=organisation.keys, audit_entries=entries)
