"""The websocket endpoint `/v1/ws` and everything its connections share on this node."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Any, Final

import structlog

from batonbox_server import __version__, wire
from batonbox_server.domain.model import is_room
from batonbox_server.domain.policy import Action, missing_scope
from batonbox_server.errors import Refused
from batonbox_server.hub.hub import Hub
from batonbox_server.session.limits import Gcra, Limiters, SessionLimits
from batonbox_server.session.ports import (
    Attendance,
    Commands,
    Directory,
    Groups,
    Identity,
    Principal,
    Reads,
)
from batonbox_server.session.steps import Shut
from batonbox_server.tasks import cancel_all, spawn
from batonbox_server.wire import Close, Op

from .admission import Bounds, LoadShedder
from .connection import Connection, now_ms
from .greetings import Greetings
from .handshake import Denial, Handshakes, deny
from .origins import Credentials, Origins
from .paced import Paced
from .upgrade import ACCEPT
from .wheel import Wheel

__all__ = ["CommandAdmission", "SocketPump"]

_log = structlog.get_logger(__name__)
_TURN_S: Final = 0.25
_TICKS: Final = 8
_CLOSING_S: Final = 3.0
_ATTACH_RETRY_S: Final = 0.5
_ATTACH_TRIES: Final = 20


class CommandAdmission:
    """The rate of commands per user on this node, shared by websockets and HTTP."""

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._limiters = Limiters()

    def limiter(self, principal: Principal) -> Gcra:
        """The user's limiter, with the token's own numbers if it has any."""
        limits = self._limits.raised(principal.limits)
        return self._limiters.of(
            principal.user,
            per_s=limits.commands_per_s,
            burst=limits.commands_burst,
            now_ms=now_ms(),
        )

    def retry_ms(self, principal: Principal) -> int:
        """Take one command; 0: go on, else how long to wait."""
        return self.limiter(principal).admit(now_ms())


class SocketPump:
    """An ASGI application for the websocket route; also the directory's `OrgListener`.

    `start` and `close` bracket its life; `drain` sends the clients elsewhere first.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        identity: Identity,
        commands: Commands,
        reads: Reads,
        directory: Directory,
        limits: SessionLimits,
        admission: CommandAdmission,
        origins: Iterable[str] = (),
        shedder: LoadShedder | None = None,
        write_timeout_s: float = 30.0,
        build: str = __version__,
        used: Callable[[str], None] = lambda _: None,
        attendance: Attendance | None = None,
        groups: Groups | None = None,
    ) -> None:
        self.used = used
        self.groups = groups
        self._attendance = attendance
        self.hub = hub
        self.identity = identity
        self.commands = commands
        self.reads = reads
        self.directory = directory
        self.limits = limits
        self.admission = admission
        self.write_timeout_ms = round(1000 * write_timeout_s)
        self.build = build
        self.wheel = Wheel(now_ms())
        self.turns = Paced(1)  # of long messages, whosever they are
        self.tasks: set[asyncio.Task[Any]] = set()
        self.connections: dict[Connection, None] = {}
        self._by_user: dict[str, dict[Connection, None]] = {}
        self._empty = asyncio.Event()
        self._greetings = Greetings(directory)
        self._origins = Origins(origins)
        self.shedder = shedder or LoadShedder(Bounds())
        self._handshakes = Handshakes(self.shedder, origins=origins)
        self._unlisten: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Begin to listen to the directory and to time."""
        self._unlisten = self.directory.listen(self)
        spawn(self.tasks, self._turn(), name="socket-wheel")

    async def close(self) -> None:
        """Close what `drain` left, and end."""
        self._unlisten()
        for connection in list(self.connections):
            connection.shut(Shut(Close.DRAIN, "shutting down"))
        await self._until_empty(_CLOSING_S)
        for connection in list(self.connections):
            connection.abort()  # nobody ticks it any more
        await cancel_all(self.tasks)

    async def drain(self, *, within_s: float) -> None:
        """Refuse upgrades, ask everybody to move, and close those who stay, with 4000."""
        self._handshakes.draining = True
        for connection in self._signed_in():
            after_ms = random.randrange(max(1, round(500 * within_s)))  # noqa: S311
            connection.viewer.send([Op.GOAWAY, after_ms, round(1000 * within_s)])
        await self._until_empty(within_s)
        for connection in list(self.connections):
            connection.shut(Shut(Close.DRAIN, "shutting down"))
        await self._until_empty(_CLOSING_S)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One upgrade request; a websocket that is accepted lives on without this task."""
        if scope["type"] != "websocket":
            await _upgrade_required(send)
            return
        await receive()  # websocket.connect
        verdict = self._handshakes.judge(scope, now_ms())
        if isinstance(verdict, Denial):
            await deny(verdict, scope, send)
            return
        transport = scope["extensions"][ACCEPT](verdict)
        if transport is None:
            return
        connection = Connection(
            self,
            transport,
            subprotocol=verdict,
            credentials=Credentials.of(scope, self._origins),
        )
        self._empty.clear()
        self.connections[connection] = None
        self.shedder.crowd.connections += 1
        self.shedder.crowd.pending += 1
        self.wheel.add(connection)
        transport.attach(connection)

    # Called by connections

    def recognise(self, token: str) -> Principal | None:
        """Who it is, where nothing has to be looked up; while revocations come through."""
        if self.hub.degraded or not token:
            return None
        return self.identity.recognise(token)

    def admit(self, connection: Connection, principal: Principal) -> Shut | None:
        """Count a connection for its user, or say why not."""
        most = self.limits.raised(principal.limits).connections_per_user
        mine = self._by_user.setdefault(principal.user, {})
        if len(mine) >= most:
            return Shut(Close.TOO_MANY, f"more than {most} connections of one user")
        mine[connection] = None
        self.shedder.crowd.pending -= 1
        if len(mine) == 1 and self._attendance is not None:
            self._attendance.came(principal.user)
        return None

    def welcomed(self, connection: Connection) -> None:
        """Send what a fresh connection gets unasked: the directory, then badges and rooms."""
        viewer = connection.viewer
        user, sees = viewer.user, _sees(connection)
        viewer.send_pieces(self._greetings.state(user, sees=sees, subprotocol=viewer.subprotocol))
        if self._attendance is not None and sees:
            shown = self._attendance.shown()
            viewer.send_pieces(self._greetings.presence(shown, subprotocol=viewer.subprotocol))
        if self.hub.degraded:
            connection.viewer.send([Op.STATUS, {"degraded": True}])
        self._attach(connection, self.directory.joined_by(user))
        if sees:
            self.hub.came(viewer)

    def forget(self, connection: Connection) -> None:
        """The connection has ended."""
        crowd = self.shedder.crowd
        del self.connections[connection]
        crowd.connections -= 1
        if not self.connections:
            self._empty.set()
        self.wheel.remove(connection)
        user = connection.viewer.user
        mine = self._by_user.get(user)
        if mine is None or connection not in mine:
            crowd.pending -= 1
        else:
            del mine[connection]
            if not mine:
                del self._by_user[user]
                if self._attendance is not None:
                    self._attendance.went(user)

    def present(self) -> dict[str, int]:
        """Connections by user."""
        return {user: len(mine) for user, mine in self._by_user.items()}

    # Called by the hub and the directory

    def status(self, degraded: bool) -> None:
        """The engine is unreachable, or back."""
        _spread([Op.STATUS, {"degraded": degraded}], self._signed_in())

    def org_frame(self, users: frozenset[str] | None, kind: str, data: dict[str, Any]) -> None:
        """See `session.ports.OrgListener`."""
        self._greetings.forget()
        told = self._signed_in()
        if users is not None:
            told = [connection for connection in told if connection.viewer.user in users]
        if kind in {"inbox", "inbox_gone"}:
            told = filter(_sees, told)
        _spread([Op.ORG, kind, data], told)

    def presence(self, states: dict[str, str]) -> None:
        """These people came, went, are away or back."""
        self._greetings.moved()
        _spread([Op.PRESENCE, states], filter(_sees, self._signed_in()))

    def contacts(self, names: dict[str, dict[str, str] | None] | None) -> None:
        """Whose these numbers are now; None: clients shall forget all that they looked up."""
        _spread([Op.CONTACTS, names], filter(_sees, self._signed_in()))

    def grants_changed(self, user: str) -> None:
        """See `session.ports.OrgListener`."""
        self._greetings.forget()
        allowed = self.directory.inboxes_of(user)
        joined = self.directory.joined_by(user)
        for connection in list(self._by_user.get(user, ())):
            for inbox in connection.viewer.seats.keys() - allowed:
                if not is_room(inbox):  # whose members are no grants of the directory's
                    self.hub.evict(connection.viewer, inbox)
            self._attach(connection, joined - connection.viewer.seats.keys())

    def revoked(self, *, user: str, token: str, close: int) -> None:
        """See `session.ports.OrgListener`."""
        for connection in list(self._by_user.get(user, ())):
            principal = connection.principal
            if not token or (principal is not None and principal.token == token):
                connection.shut(Shut(Close(close), "access has changed"))

    # Inside

    def _signed_in(self) -> Iterable[Connection]:
        return [connection for mine in self._by_user.values() for connection in mine]

    def _attach(self, connection: Connection, inboxes: Iterable[str]) -> None:
        # Badges tell of conversations: nobody hears by them what they may not see.
        wanted = sorted(inboxes) if _sees(connection) and connection.closing is None else []
        later = [inbox for inbox in wanted if not self.hub.attached(connection.viewer, inbox)]
        if later:
            spawn(self.tasks, self._attach_all(connection, later), name="attach-badges")

    async def _attach_all(self, connection: Connection, inboxes: list[str]) -> None:
        await asyncio.gather(*(self._attach_one(connection, inbox) for inbox in inboxes))

    async def _attach_one(self, connection: Connection, inbox: str) -> None:
        # The directory is ahead of the inbox while a membership is being applied there.
        for _ in range(_ATTACH_TRIES):
            if connection.closing is not None or connection not in self.connections:
                return
            if inbox not in self.directory.joined_by(connection.viewer.user):
                return
            try:
                await self.hub.attach(connection.viewer, inbox)
                return
            except Refused:
                await asyncio.sleep(_ATTACH_RETRY_S)
        _log.warning("badges_not_attached", inbox=inbox, conn=connection.id)

    async def _turn(self) -> None:
        more = False
        while True:
            # Thousands may be due at once: others have their turn in between.
            await asyncio.sleep(0 if more else _TURN_S)
            more = self.wheel.turn(now_ms(), at_most=_TICKS)

    async def _until_empty(self, within_s: float) -> None:
        if not self.connections:
            return
        try:
            async with asyncio.timeout(within_s):
                await self._empty.wait()
        except TimeoutError:
            pass


def _spread(frame: wire.Frame, to: Iterable[Connection]) -> None:
    """The same to all of these, encoded once."""
    encoded: dict[str, tuple[bytes]] = {}
    for connection in to:
        viewer = connection.viewer
        if viewer.subprotocol not in encoded:
            encoded[viewer.subprotocol] = (wire.encode(frame, viewer.subprotocol),)
        viewer.send_pieces(encoded[viewer.subprotocol])


def _sees(connection: Connection) -> bool:
    who = connection.principal
    return who is not None and missing_scope(Action.SEE, who.scopes) is None


async def _upgrade_required(send: Any) -> None:
    text = f"A websocket of subprotocol {' or '.join(wire.SUBPROTOCOLS)}.".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"upgrade", b"websocket")]
    await send({"type": "http.response.start", "status": 426, "headers": headers})
    await send({"type": "http.response.body", "body": text})
