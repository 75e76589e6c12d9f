"""Why are messages not appearing?  The way of a number's messages walked step by step, for real."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol

from batonbox_server.domain.model import inbox_of
from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import DirectoryStore, Inbox, OrgState, Route, User
from batonbox_server.store.port import InboxInfo, InboxStore, Received
from batonbox_server.wire import MESSAGE_FIELDS

from .accounts import Accounts
from .intake import Inbound, Intake

__all__ = ["Diagnosis", "Report", "Step"]

State = Literal["ok", "failed", "warning", "skipped"]
# A number that can be nobody's; the carrier's name keeps its ids apart from any carrier's.
_CUSTOMER: Final = "+12025550100"
_CARRIER: Final = "check"
_AGAIN: Final = "Check again in a minute; if it stays so, look into the server's log."
_N: Final = MESSAGE_FIELDS.index("n")
_BODY: Final = MESSAGE_FIELDS.index("body")


class Shows(Protocol):
    """What this node shows live; `hub.Hub` satisfies it."""

    async def reached(self, inbox: str, seq: int) -> int:
        """Wait, bounded, until it has shown the inbox up to `seq`; to how many connections.

        Raises Refused("unavailable") when it does not get there.
        """


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way: how it stands, in words, and what to do about it."""

    step: str
    state: State
    says: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """`conv`: the conversation of the test message, "" when none was sent or it went nowhere."""

    number: str
    steps: tuple[Step, ...]
    conv: str

    @property
    def stopped_at(self) -> str:
        """The step that failed, "" when none did."""
        return next((step.step for step in self.steps if step.state == "failed"), "")


class Diagnosis:
    """Reads what intake, the engine and the hub really have, and can send a message through."""

    def __init__(
        self,
        store: InboxStore,
        organisation: DirectoryStore,
        intake: Intake,
        shows: Shows,
        carriers: Accounts,
    ) -> None:
        self.store = store
        self.organisation = organisation
        self.intake = intake
        self.shows = shows
        self.carriers = carriers

    async def check(self, number: str, *, send: bool, by: str) -> Report:
        """Walk the way of this number's messages up to where it ends; `by` sends the test."""
        state = await self.organisation.state()
        walk = _Walk(self, state, number, send=send, by=by)
        steps: list[Step] = []
        for name, look in walk.way.items():
            if any(step.state == "failed" for step in steps):
                steps.append(Step(name, "skipped", "Not reached."))
                continue
            try:
                found = await look()
            except Refused as refused:
                says = refused.message or "It could not be looked at."
                found = Step("", "failed", says, _AGAIN)
            steps.append(replace(found, step=name))
        return Report(number, tuple(steps), walk.received.conv if walk.received else "")


class _Walk:
    """One walk; every look relies on the ones before."""

    def __init__(
        self, parts: Diagnosis, state: OrgState, number: str, *, send: bool, by: str
    ) -> None:
        self._parts = parts
        self._state = state
        self._number = number
        self._send = send
        self._by = by
        self._info: InboxInfo | None = None
        self._text = ""
        self.received: Received | None = None
        self.way: dict[str, Callable[[], Awaitable[Step]]] = {
            "known": self._known,
            "messaging": self._messaging,
            "carrier": self._carrier,
            "assigned": self._assigned,
            "inbox": self._inbox,
            "engine": self._engine,
            "members": self._members,
            "intake": self._intake,
            "stored": self._stored,
            "shown": self._shown,
        }

    @property
    def _route(self) -> Route:
        return self._state.routes[self._number]

    @property
    def _box(self) -> Inbox:
        return self._state.inboxes[self._route.inbox]

    async def _known(self) -> Step:
        if self._number in self._state.routes:
            return _ok(f"{self._number} is one of the organisation's numbers.")
        says = f"{self._number} is not among the organisation's numbers." + await self._kept()
        return _failed(says, "Add the number, and assign it to a routing destination.")

    async def _messaging(self) -> Step:
        if self._route.messaging:
            return _ok("Messaging is on for this number.")
        says = "Messaging is off for this number." + await self._kept()
        return _failed(says, "Turn messaging on for the number.")

    async def _carrier(self) -> Step:
        name, accounts = self._route.carrier, self._parts.carriers
        if name not in accounts:
            says = f"The carrier account {name!r} is not set up on this server."
            return _failed(says, "Choose another carrier for the number, or set this one up.")
        if problem := accounts.problem(name):
            return _failed(f"The carrier account {name!r} does not work here.", problem)
        return _ok(f"The carrier account {name!r} is set up on this server.")

    async def _assigned(self) -> Step:
        route = self._route
        if route.inbox:
            return _ok(f"The number is assigned to {self._box.name!r}.")
        if route.move:
            says = "The number is being assigned, and the inbox does not accept it yet."
            return _failed(says, _AGAIN)
        says = "The number is assigned to no routing destination." + await self._kept()
        return _failed(says, "Assign it, and route what was kept meanwhile.")

    async def _inbox(self) -> Step:
        box = self._box
        if box.live and self._number in box.numbers:
            return _ok(f"{box.name!r} is an inbox, fed by this number.")
        return _failed(f"{box.name!r} is not fed by this number.", "Assign the number again.")

    async def _engine(self) -> Step:
        self._info = await self._parts.store.inbox_info(inbox=self._box.id)
        if self._info is None:
            return _failed("The engine has no such inbox.", _AGAIN)
        if self._number not in self._info.numbers:
            return _failed("The inbox does not accept this number in the engine.", _AGAIN)
        return _ok("The inbox accepts the number's messages in the engine.")

    async def _members(self) -> Step:
        assert self._info is not None, "the engine was looked at before"
        wanted = {name for name in self._box.members if self._state.users[name].active}
        missing = sorted(n for n in wanted if not self._info.members.get(n, (None, False))[1])
        if missing:
            says = f"The engine does not have {', '.join(map(self._name, missing))} in it yet."
            return _failed(says, _AGAIN)
        if wanted:
            return _ok(f"Members who see it: {', '.join(map(self._name, sorted(wanted)))}.")
        return Step("", "warning", "Nobody is a member; only admins see it.", "Add members.")

    async def _intake(self) -> Step:
        if not self._send:
            return _skipped("No test message was sent.")
        self._text = (
            f"Test message: {self._name(self._by)} checks whether messages to {self._number} "
            "appear here. It came from no customer; mark it as done."
        )
        provider_id = uuid.uuid4().hex
        message = Inbound(_CARRIER, provider_id, self._number, _CUSTOMER, self._text)
        try:
            self.received = await self._parts.intake.receive(message)
        except Refused as refused:
            if refused.slug != "number_not_routed":
                raise
            await self._parts.organisation.drop_unrouted(f"{_CARRIER}:{provider_id}")
            return _failed("A test message found no inbox.", "The number was changed; check again.")
        went = inbox_of(self.received.conv)
        if went != self._box.id:
            says = f"A test message went to {went!r}: the number was moved meanwhile."
            return _failed(says, "Check again.")
        return _ok("A test message was accepted, on the way that the carrier's messages take.")

    async def _stored(self) -> Step:
        if self.received is None:
            return _skipped("No test message was sent.")
        thread = await self._parts.store.history(
            conv=self.received.conv, actor=self._by, before=self.received.n + 1, n=1
        )
        found = [line for line in thread.messages if line[_N] == self.received.n]
        if found and found[0][_BODY] and found[0][_BODY].get("text") == self._text:
            return _ok("The test message stands in its conversation.")
        return _failed("The test message is not in its conversation.", _AGAIN)

    async def _shown(self) -> Step:
        assert self._info is not None, "the engine was looked at before"
        seq = self.received.seq if self.received else self._info.seq
        try:
            connections = await self._parts.shows.reached(self._box.id, seq)
        except Refused:
            says = "This server's live feed of the inbox is behind the engine."
            return _failed(says, "People see it when they reload the page. " + _AGAIN)
        if connections:
            return _ok(f"Shown live to {connections} connection{'s' * (connections != 1)} here.")
        says = "Nobody who gets this inbox's badges is connected to this server now."
        return Step("", "warning", says, "They see it as soon as they open the page.")

    async def _kept(self) -> str:
        kept = [m for m in await self._parts.organisation.unrouted() if m["to"] == self._number]
        return f" Kept as unrouted: {len(kept)}." if kept else ""

    def _name(self, user: str) -> str:
        found: User | None = self._state.users.get(user)
        return found.name if found else user


def _ok(says: str) -> Step:
    return Step("", "ok", says)


def _failed(says: str, remedy: str) -> Step:
    return Step("", "failed", says, remedy)


def _skipped(says: str) -> Step:
    return Step("", "skipped", says)
