"""Webhooks over an engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.store.directory import RedisDirectory
from batonbox_server.store.directory_plan import Plan
from batonbox_server.store.directory_port import OrgState
from batonbox_server.store.directory_records import unpack
from batonbox_server.store.engine import Engine
from batonbox_server.store.hook_plan import (
    hook_from,
    plan_hook,
    plan_hook_erased,
    plan_new_hook,
    plan_started,
)
from batonbox_server.store.hook_port import Delivered, Hook, HookUpdate, Log, Place
from batonbox_server.store.keys import Keys
from batonbox_server.store.port import LogEntry
from batonbox_server.store.scripts import Scripts

__all__ = ["RedisHooks"]

DELIVERIES_KEPT: Final = 500
_delivered = msgspec.msgpack.Decoder(Delivered)


class RedisHooks:
    """Implements `store.hook_port.HookStore`."""

    def __init__(self, client: Engine, organisation: RedisDirectory, *, keys: Keys) -> None:
        self._client = client
        self._organisation = organisation
        self._keys = keys
        self._scripts = Scripts(client)

    # Records

    async def hooks(self) -> dict[str, Hook]:
        """See the port."""
        raw = await self._execute("HVALS", f"{self._keys.org}:hooks")
        return {hook.id: hook for hook in map(hook_from, map(unpack, raw))}

    async def create(self, hook: Hook) -> Hook:
        """See the port."""
        made: list[Hook] = []

        async def plan(state: OrgState) -> Plan:
            new, planned = plan_new_hook(state, await self.hooks(), hook)
            made[:] = [new]
            return planned

        await self._organisation.change(plan)
        return made[0]

    async def update(self, hook: str, change: HookUpdate) -> Hook:
        """See the port."""
        made: list[Hook] = []

        async def plan(state: OrgState) -> Plan:
            old = await self._existing(hook)
            new, planned = plan_hook(state, old, change(old))
            made[:] = [new]
            return planned

        await self._organisation.change(plan)
        return made[0]

    async def started(self, hook: str, done: Mapping[str, str]) -> None:
        """See the port."""

        async def plan(_: OrgState) -> Plan:
            found = (await self.hooks()).get(hook)
            return plan_started(found, done) if found else Plan()

        await self._organisation.change(plan)

    async def erase(self, hook: str) -> None:
        """See the port."""
        await self._erase_deliveries(hook)

        async def plan(_: OrgState) -> Plan:
            found = (await self.hooks()).get(hook)
            return plan_hook_erased(found) if found else Plan()

        await self._organisation.change(plan)

    async def confirm(self, hook: str, *, inboxes: Iterable[str] = ()) -> bool:
        """See the port."""
        raw = await self._execute("HGET", f"{self._keys.org}:hooks", hook)
        if raw is not None and not hook_from(unpack(raw)).deleted:
            return True
        for inbox in inboxes:
            await self.drop(inbox=inbox, hook=hook)
        await self._erase_deliveries(hook)
        return False

    async def _erase_deliveries(self, hook: str) -> None:
        prefix = self._keys.hook(hook)
        await self._execute("DEL", *(f"{prefix}:{name}" for name in ("d", "body", "at", "st")))

    async def _existing(self, hook: str) -> Hook:
        found = (await self.hooks()).get(hook)
        if found is None or found.deleted:
            raise Refused("not_found", f"There is no webhook {hook!r}.")
        return found

    # Places in the inboxes' logs

    async def begin(self, *, inbox: str, hook: str, run: str) -> None:
        """See the port."""
        await self._scripts.hook_begin(self._keys.inbox(inbox), hook=hook, run=run)

    async def take(
        self, *, inbox: str, hook: str, holder: str, lease_ms: int, n: int
    ) -> Place | int:
        """See the port."""
        reply = await self._scripts.hook_take(
            self._keys.inbox(inbox), hook=hook, holder=holder, lease_ms=lease_ms, n=n
        )
        if reply[0] != b"ok":
            return -1 if reply[0] == b"not_found" else int(reply[1])
        _, epoch, seq, now_ms, lost, missed, entries, held, hurry, new = reply
        found = [_entry(entry) for entry in entries]
        where = (epoch.decode(), seq, now_ms, lost.decode(), missed)
        return Place(*where, found, held, bool(hurry), bool(new))

    async def advance(
        self,
        *,
        inbox: str,
        hook: str,
        holder: str,
        epoch: str,
        seq: int,
        due_ms: int,
        full: bool,
        held: bytes,
    ) -> int | None:
        """See the port."""
        reply = await self._scripts.hook_advance(
            self._keys.inbox(inbox),
            hook=hook,
            holder=holder,
            epoch=epoch,
            seq=seq,
            due=due_ms,
            full=int(full),
            held=held,
        )
        return int(reply[1]) if reply[0] == b"ok" else None

    async def hurry(self, *, inbox: str, hook: str) -> bool:
        """See the port."""
        return bool((await self._scripts.hook_hurry(self._keys.inbox(inbox), hook=hook))[1])

    async def drop(self, *, inbox: str, hook: str) -> None:
        """See the port."""
        await self._scripts.hook_drop(self._keys.inbox(inbox), hook=hook)

    # The log of deliveries

    async def record(
        self, hook: str, delivery: Delivered, *, body: bytes, now_ms: int, counts: bool
    ) -> None:
        """See the port."""
        told = str(int(delivery.state == "delivered")) if counts else ""
        await self._scripts.hook_record(
            self._keys.hook(hook),
            id=delivery.id,
            record=msgspec.msgpack.encode(delivery),
            body=body,
            at_ms=delivery.at_ms,
            now_ms=now_ms,
            told=told,
            most=DELIVERIES_KEPT,
        )

    async def deliveries(self, hook: str, *, n: int) -> Log:
        """See the port."""
        reply = await self._scripts.hook_deliveries(self._keys.hook(hook), n=n)
        _, failing_ms, last_ms, records = reply
        return Log(failing_ms, last_ms, [_delivered.decode(raw) for raw in records if raw])

    async def delivery(self, hook: str, delivery: str) -> tuple[Delivered, bytes] | None:
        """See the port."""
        prefix = self._keys.hook(hook)
        raw = await self._execute("HGET", f"{prefix}:d", delivery)
        body = await self._execute("HGET", f"{prefix}:body", delivery)
        return None if raw is None or body is None else (_delivered.decode(raw), body)

    async def _execute(self, *args: str | bytes | int) -> Any:
        try:
            return await self._client.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error


def _entry(entry: Any) -> LogEntry:
    name, fields = entry
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    at_ms = int(values.get(b"t", 0))
    return LogEntry(int(name.partition(b"-")[0]), values[b"p"].decode(), values[b"f"], at_ms)
