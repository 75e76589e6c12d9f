"""The organisation's directory over an engine."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, replace
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.model import Availability, Destination, Role
from batonbox_server.errors import EngineUnavailable, Refused
from batonbox_server.origin import acting
from batonbox_server.store.audit_plan import acts_of
from batonbox_server.store.by import AUDIT_ENTRIES, by_organisation
from batonbox_server.store.directory_plan import (
    Plan,
    existing_inbox,
    existing_user,
    plan_away,
    plan_name,
    plan_new_user,
    plan_set_up,
    plan_user,
    plan_user_gone,
    plan_user_off,
    plan_user_on,
)
from batonbox_server.store.directory_port import (
    Inbox,
    Invite,
    Job,
    OrgState,
    Pin,
    Route,
    Token,
    User,
)
from batonbox_server.store.directory_records import (
    inbox_from,
    invite_from,
    job_from,
    job_map,
    pack,
    route_from,
    token_from,
    token_map,
    unpack,
    user_from,
)
from batonbox_server.store.engine import Engine
from batonbox_server.store.inbox_plan import (
    plan_inbox,
    plan_inbox_gone,
    plan_member,
    plan_new_inbox,
)
from batonbox_server.store.invite_plan import plan_accepted, plan_invite, plan_invite_gone
from batonbox_server.store.keys import Keys
from batonbox_server.store.number_plan import (
    plan_edited_number,
    plan_number,
    plan_number_gone,
    plan_taken,
)
from batonbox_server.store.scripts import Scripts

__all__ = ["RedisDirectory"]

_PIN_MS: Final = 7 * 24 * 3600 * 1000
_UNROUTED_MOST: Final = 1000
_ATTEMPTS: Final = 50
_PUBLIC_TOKEN: Final = ("id", "user", "label", "limits", "scopes", "created_ms", "kind")


class RedisDirectory:
    """Implements `store.directory_port.DirectoryStore`.

    A change is planned against the whole directory and written only if nothing has changed since
    (compare and set on the log's seq): organisations change seldom, and plans stay plain Python.
    """

    def __init__(
        self,
        client: Engine,
        *,
        keys: Keys,
        carrier: str,
        log_events: int,
        audit_entries: int = AUDIT_ENTRIES,
        job_lease_s: float = 30.0,
    ) -> None:
        self._job_lease_ms = round(1000 * job_lease_s)
        self._audit_entries = audit_entries
        self._client = client
        self._keys = keys
        self._carrier = carrier
        self._log_events = log_events
        self._scripts = Scripts(client)
        self._writing = asyncio.Lock()

    async def open(self) -> None:
        """See the port."""
        await self._scripts.org_open(
            self._keys.org,
            epoch=secrets.token_hex(8),
            keep=self._log_events,
            secret=secrets.token_bytes(32),
        )

    async def state(self) -> OrgState:
        """See the port."""
        reply = await self._scripts.org_state(self._keys.org)
        if reply[0] != b"ok":
            raise Refused("unavailable", "The engine has lost the organisation; restart the node.")
        _, epoch, seq, tip, users, inboxes, routes, name = reply
        return OrgState(
            epoch.decode(),
            seq,
            tip.decode(),
            {user.id: user for user in map(user_from, map(unpack, users[1::2]))},
            {inbox.id: inbox for inbox in map(inbox_from, map(unpack, inboxes[1::2]))},
            {route.number: route for route in map(route_from, map(unpack, routes[1::2]))},
            name.decode(),
        )

    async def top(self) -> int:
        """See the port."""
        return int(await self._execute("HGET", f"{self._keys.org}:meta", "seq") or 0)

    async def secret(self) -> bytes:
        """See the port."""
        return bytes(await self._execute("GET", f"{self._keys.org}:secret") or b"")

    async def set_name(self, name: str) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_name(state, name))

    async def offer_setup(self, sha256: str) -> None:
        """See the port."""
        await self._execute("HSET", f"{self._keys.org}:profile", "setup", sha256)

    async def setup_offered(self) -> str:
        """See the port."""
        raw = await self._execute("HGET", f"{self._keys.org}:profile", "setup")
        return "" if raw is None else str(raw.decode())

    async def set_up(self, name: str, admin: User, *, password: str) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_set_up(state, name, admin, password=password))

    async def delete_user(self, user: str) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_user_gone(state, user))

    async def delete_inbox(self, inbox: str) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_inbox_gone(state, inbox))

    async def put_number(
        self, number: str, *, inbox: str, carrier: str, messaging: bool
    ) -> list[Job]:
        """See the port."""
        wanted = Route(number, inbox, carrier or self._carrier, messaging)
        return await self._change(lambda state: plan_number(state, wanted))

    async def edit_number(
        self, number: str, *, inbox: str | None, carrier: str | None, messaging: bool | None
    ) -> list[Job]:
        """See the port."""
        return await self._change(
            lambda state: plan_edited_number(
                state, number, inbox=inbox, carrier=carrier, messaging=messaging
            )
        )

    async def delete_number(self, number: str) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_number_gone(state, number))

    async def take_numbers(self, tickets: Mapping[str, str]) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_taken(state, tickets))

    async def create_user(self, user: User) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_new_user(state, user))

    async def edit_user(self, user: str, *, name: str | None, role: Role | None) -> list[Job]:
        """See the port."""

        def plan(state: OrgState) -> Plan:
            old = existing_user(state, user)
            return plan_user(state, replace(old, name=name or old.name, role=role or old.role))

        return await self._change(plan)

    async def set_away(self, user: str, mode: Availability) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_away(state, user, mode))

    async def deactivate_user(self, user: str) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_user_off(state, user))

    async def reactivate_user(self, user: str, *, inboxes: tuple[str, ...]) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_user_on(state, user, inboxes=inboxes))

    async def add_invite(self, invite: Invite) -> None:
        """See the port."""

        async def plan(state: OrgState) -> Plan:
            return plan_invite(state, await self.invites(), invite)

        await self._change(plan)

    async def invites(self) -> list[Invite]:
        """See the port."""
        raw = await self._execute("HVALS", f"{self._keys.org}:invites")
        return sorted(map(invite_from, map(unpack, raw)), key=lambda i: (i.created_ms, i.id))

    async def drop_invite(self, invite: str) -> bool:
        """See the port."""
        dropped = False

        async def plan(_: OrgState) -> Plan:
            nonlocal dropped
            planned = plan_invite_gone(await self.invites(), invite)
            dropped = bool(planned.events)
            return planned

        await self._change(plan)
        return dropped

    async def accept_invite(self, sha256: str, *, password: str) -> tuple[User, list[Job]]:
        """See the port."""
        made: list[User] = []

        async def plan(state: OrgState) -> Plan:
            # Read after the state: whatever changes an invitation makes that state stale.
            invites, now_ms = await self.invites(), int(time.time() * 1000)
            user, planned = plan_accepted(state, invites, sha256, password=password, now_ms=now_ms)
            made[:] = [user]
            return planned

        jobs = await self._change(plan)
        return made[0], jobs

    async def create_inbox(self, inbox: Inbox) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_new_inbox(state, inbox, carrier=self._carrier))

    async def edit_inbox(
        self,
        inbox: str,
        *,
        name: str | None = None,
        kind: Destination | None = None,
        extension: str | None = None,
        members: tuple[str, ...] | None = None,
        numbers: tuple[str, ...] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> list[Job]:
        """See the port."""

        def plan(state: OrgState) -> Plan:
            old = existing_inbox(state, inbox)
            wanted = replace(
                old,
                name=name or old.name,
                kind=kind or old.kind,
                extension=old.extension if extension is None else extension,
                members=old.members if members is None else members,
                options=replace(old.options, **(options or {})),
            )
            return plan_inbox(state, wanted, numbers=numbers, carrier=self._carrier)

        return await self._change(plan)

    async def set_member(self, *, inbox: str, user: str, on: bool) -> list[Job]:
        """See the port."""
        return await self._change(lambda state: plan_member(state, inbox=inbox, user=user, on=on))

    async def route(self, number: str) -> Route | None:
        """See the port."""
        raw = await self._execute("HGET", f"{self._keys.org}:routes", number)
        return None if raw is None else route_from(unpack(raw))

    async def pin(self, *, number: str, provider_id: str, inbox: str, refused: int = 0) -> Pin:
        """See the port."""
        reply = await self._scripts.number_pin(
            self._keys.number(number),
            provider_id=provider_id,
            inbox=inbox,
            refused=refused,
            keep_ms=_PIN_MS,
        )
        return Pin(reply[1].decode(), int(reply[2]))

    async def keep_unrouted(self, provider_id: str, record: dict[str, Any]) -> None:
        """Keep a message that no inbox wants, once per provider id; bounded, the oldest go."""
        await self._scripts.org_keep_unrouted(
            self._keys.org, id=provider_id, record=pack(record), most=_UNROUTED_MOST
        )

    async def unrouted(self) -> list[dict[str, Any]]:
        """See the port."""
        reply = await self._scripts.org_unrouted(self._keys.org)
        return [unpack(raw) for raw in reply[1]]

    async def drop_unrouted(self, provider_id: str) -> None:
        """See the port."""
        await self._scripts.org_drop_unrouted(self._keys.org, id=provider_id)

    async def discard_unrouted(self, number: str) -> None:
        """See the port."""
        by = by_organisation(keep=self._audit_entries)
        await self._scripts.org_discard_unrouted(self._keys.org, number=number, by=by)

    async def add_token(self, token: Token, *, sha256: str, proof: str = "", most: int = 0) -> None:
        """See the port."""
        told = {name: value for name, value in asdict(token).items() if name in _PUBLIC_TOKEN}
        reply = await self._scripts.org_add_token(
            self._keys.org,
            record=pack(token_map(token, sha256=sha256)),
            body=pack(told),
            expires_ms=token.expires_ms,
            most=most,
            proof=proof,
            by=by_organisation(keep=self._audit_entries),
        )
        if reply[0] == b"stale":
            raise Refused("conflict", "What this session was asked for with does not hold.")
        if reply[0] == b"inactive":
            raise Refused("conflict", f"{token.user!r} is deactivated; reactivate them first.")
        if reply[0] != b"ok":
            raise Refused("not_found", "There is no such user.")

    async def token(self, sha256: str) -> Token | None:
        """See the port."""
        reply = await self._scripts.org_token(self._keys.org, sha256=sha256)
        if reply[0] == b"expired":
            await self._scripts.org_drop_token(self._keys.org, id=reply[1].decode(), by=b"")
        if reply[0] != b"ok":
            return None
        return token_from(unpack(reply[1]), expires_ms=int(reply[2]))

    async def tokens(self, user: str) -> list[Token]:
        """See the port."""
        return [token for token in await self._tokens_of(user) if token.kind == "api"]

    async def sessions(self, user: str) -> list[Token]:
        """See the port."""
        now_ms, found = int(time.time() * 1000), reversed(await self._tokens_of(user))
        return [t for t in found if t.kind == "session" and t.expires_ms > now_ms]

    async def use_token(self, token: str, *, at_ms: int) -> None:
        """See the port."""
        await self._scripts.org_use_token(self._keys.org, id=token, at_ms=at_ms)

    async def _tokens_of(self, user: str) -> list[Token]:
        _, records, ends = await self._scripts.org_tokens(self._keys.org, user=user)
        pairs = zip(records, ends, strict=True)
        found = [token_from(unpack(raw), expires_ms=int(end)) for raw, end in pairs]
        return sorted(found, key=lambda t: (t.created_ms, t.id))

    async def token_alive(self, token: str) -> bool:
        """Whether a token, named by its id, still stands."""
        return bool(await self._execute("HEXISTS", f"{self._keys.org}:tokens", token))

    async def delete_token(self, token: str) -> bool:
        """See the port."""
        by = by_organisation(keep=self._audit_entries)
        reply = await self._scripts.org_drop_token(self._keys.org, id=token, by=by)
        return bool(reply[0] == b"ok")

    async def lease_jobs(self, *, n: int = 16) -> list[Job]:
        """See the port."""
        reply = await self._scripts.org_lease_jobs(self._keys.org, lease_ms=self._job_lease_ms, n=n)
        return [job_from(unpack(raw)) for raw in reply[1]]

    async def finish_job(self, job: str) -> None:
        """See the port."""
        await self._scripts.org_finish_job(self._keys.org, id=job)

    async def change(self, plan: Callable[[OrgState], Plan | Awaitable[Plan]]) -> list[Job]:
        """Write what is planned against the newest state; for what has a port of its own."""
        return await self._change(plan)

    async def _change(self, plan: Callable[[OrgState], Plan | Awaitable[Plan]]) -> list[Job]:
        async with self._writing:
            for _ in range(_ATTEMPTS):
                state = await self.state()
                planned = plan(state)
                if not isinstance(planned, Plan):
                    planned = await planned
                for job in planned.jobs:
                    job.data["at"] = state.seq + 1
                if not planned.events or await self._write(planned, state):
                    return planned.jobs
        raise Refused("unavailable", "The directory changes too fast; try again.")

    async def _write(self, plan: Plan, state: OrgState) -> bool:
        acts = acts_of(plan, state, actor=plan.actor or acting.get().actor)
        reply = await self._scripts.org_change(
            self._keys.org,
            expected=state.seq,
            writes=_for_lua(plan.writes),
            events=_for_lua(plan.events),
            jobs=_for_lua([(job.id, pack(job_map(job))) for job in plan.jobs]),
            lease_ms=self._job_lease_ms,
            gone=plan.gone,
            by=by_organisation(keep=self._audit_entries, acts=acts),
        )
        return bool(reply[0] == b"ok")

    async def _execute(self, *args: str | bytes | int) -> Any:
        try:
            return await self._client.execute(*args)
        except EngineUnavailable as error:
            raise Refused("unavailable") from error


def _for_lua(value: Any) -> bytes:
    # cmsgpack knows no `bin`: bytes travel as `str`, which is all that Lua has.
    return bytes(msgpack.packb(value, use_bin_type=False))
