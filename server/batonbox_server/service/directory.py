"""The node's copy of the organisation: read at start-up, then kept by following its log."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

import structlog

from batonbox_server.domain.model import Role
from batonbox_server.errors import BatonboxError
from batonbox_server.session.ports import OrgListener
from batonbox_server.store.directory_port import DirectoryStore, Inbox, OrgState, Route, User
from batonbox_server.tasks import cancel_all, spawn

from .changes import Delta, delta_between, delta_of_event
from .views import frame_of_inbox, frame_of_user, sees

__all__ = ["LiveDirectory"]

_log = structlog.get_logger(__name__)
_CLOSE_EXPIRED: Final = 4100
_CLOSE_REVOKED: Final = 4101
_CLOSE_ROLES_CHANGED: Final = 4102
_TOKENS_WATCHED: Final = 50_000
_REVOKED_KEPT: Final = 10_000
_RELOAD_PAUSE_S: Final = 0.5
_HEARD_S: Final = 1.0


class LiveDirectory:
    """Implements `session.ports.Directory`.

    `start` before use.  `inboxes` are the live ones among the `destinations`: no other is shown to
    anybody but admins at their administration.  `on_event` and `on_reset` are fed by the feed of
    the organisation's log.
    """

    def __init__(self, store: DirectoryStore) -> None:
        self._store = store
        self._seq = 0
        self._heard = 0  # events; the state that was read may be ahead of them
        self._news = asyncio.Event()
        self._epoch = ""
        self.name = ""
        self.users: dict[str, User] = {}
        self.destinations: dict[str, Inbox] = {}
        self.inboxes: dict[str, Inbox] = {}
        self.routes: dict[str, Route] = {}
        self._joined: dict[str, set[str]] = {}
        self._listeners: list[OrgListener] = []
        self._tokens: OrderedDict[str, str] = OrderedDict()
        self._revoked: OrderedDict[str, None] = OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Read the directory; raises Refused("unavailable")."""
        await self._store.open()
        await self.refresh()

    async def aclose(self) -> None:
        """Stop reloading."""
        await cancel_all(self._tasks)

    async def refresh(self) -> None:
        """Be at least as new as the store is now."""
        state = await self._store.state()
        if state.epoch != self._epoch or state.seq > self._seq:
            self._become(state)

    def on_event(self, seq: int, meta: dict[str, Any], body: Any) -> None:
        """The next event of the organisation's log."""
        if meta["type"] == "token_deleted":
            # Whatever the position: closing twice is harmless, not closing is not.
            close = _CLOSE_EXPIRED if meta.get("expired") else _CLOSE_REVOKED
            self._revoke(user=meta["user"], token=meta["token"], close=close)
        if seq > self._seq:
            self._apply(delta_of_event(meta["type"], body))
            self._seq = seq
        self._hear(seq)

    def on_reset(self) -> None:
        """The log was lost in part: read everything again."""
        spawn(self._tasks, self._reload(), name="directory-reload")

    async def heard(self) -> None:
        """Until what was done before this call is known here: whose access ended, has none.

        A node that does not hear of it in time answers all the same: it is done.
        """
        with contextlib.suppress(BatonboxError, TimeoutError):
            async with asyncio.timeout(_HEARD_S):
                top = await self._store.top()
                while self._heard < top:
                    self._news.clear()
                    await self._news.wait()

    def _hear(self, seq: int) -> None:
        self._heard = max(self._heard, seq)
        self._news.set()

    def listen(self, listener: OrgListener) -> Callable[[], None]:
        """See the port."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def state_for(self, user: str) -> dict[str, Any]:
        """See the port."""
        me = self.users.get(user)
        visible = [self.inboxes[name] for name in sorted(self.inboxes_of(user))]
        return {
            "organisation": {"name": self.name},
            "user": frame_of_user(me) if me else _nobody(user),
            "inboxes": [frame_of_inbox(inbox) for inbox in visible],
        }

    def everybody(self) -> list[dict[str, Any]]:
        """See the port."""
        return [frame_of_user(self.users[name]) for name in sorted(self.users)]

    def inboxes_of(self, user: str) -> frozenset[str]:
        """See the port."""
        me = self.users.get(user)
        if me is None or not me.active:
            return frozenset()
        return frozenset(self.inboxes) if me.role is Role.ADMIN else self.joined_by(user)

    def joined_by(self, user: str) -> frozenset[str]:
        """See the port."""
        me = self.users.get(user)
        return frozenset(self._joined.get(user, ())) if me and me.active else frozenset()

    def watch_token(self, token: str, user: str) -> bool:
        """Somebody signed in here with this token: it is looked at again after a reset.

        False when its revocation is known here already, which may overtake the look at the store.
        """
        if token in self._revoked:
            return False
        self._tokens[token] = user
        self._tokens.move_to_end(token)
        if len(self._tokens) > _TOKENS_WATCHED:
            self._tokens.popitem(last=False)
        return True

    def watches(self, token: str) -> bool:
        """Whether this node would be told of the token's revocation, and was not."""
        return token in self._tokens

    def was_revoked(self, token: str) -> bool:
        """Whether this node was told that the token has ended; "" is none."""
        return token in self._revoked

    async def _reload(self) -> None:
        while True:
            try:
                seq, state = self._seq, await self._store.state()
                if self._seq != seq:
                    continue  # an event overtook the reading
                self._become(state)
                await self._look_at_tokens()
                self._hear(state.seq)
                return
            except BatonboxError as error:
                _log.warning("directory_reload_failed", error=str(error))
                await asyncio.sleep(_RELOAD_PAUSE_S)

    async def _look_at_tokens(self) -> None:
        for token, user in list(self._tokens.items()):
            if not await self._store.token_alive(token):
                self._revoke(user=user, token=token)

    def _become(self, state: OrgState) -> None:
        delta = delta_between(self.users, self.destinations, self.routes, state, name=self.name)
        self._apply(delta)
        self._seq, self._epoch = state.seq, state.epoch

    def _apply(self, delta: Delta) -> None:
        if delta.name is not None:
            self.name = delta.name
            self._tell(None, "organisation", {"name": delta.name})
        for number, route in delta.routes.items():
            _put(self.routes, number, route)
        for name, user in delta.users.items():
            self._change_user(name, user)
        for name, inbox in delta.inboxes.items():
            self._change_inbox(name, inbox)

    def _change_user(self, name: str, new: User | None) -> None:
        old = self.users.get(name)
        _put(self.users, name, new)
        if new is None:
            self._tell(None, "user_gone", {"id": name})
            self._revoke(user=name, token="")
            return
        self._tell(None, "user", frame_of_user(new))
        if not new.active:
            self._revoke(user=name, token="")
            return
        if old is not None and old.role is not new.role:
            for listener in list(self._listeners):
                listener.grants_changed(name)
                listener.revoked(user=name, token="", close=_CLOSE_ROLES_CHANGED)

    def _change_inbox(self, name: str, new: Inbox | None) -> None:
        _put(self.destinations, name, new)
        self._show_inbox(name, new if new is not None and new.live else None)

    def _show_inbox(self, name: str, new: Inbox | None) -> None:
        old = self.inboxes.get(name)
        if old is new is None:
            return
        before, after = sees(old, self.users), sees(new, self.users)
        joined_before = set(old.members) if old else set()
        joined_after = set(new.members) if new else set()
        _put(self.inboxes, name, new)
        for user in joined_before - joined_after:
            self._joined.get(user, set()).discard(name)
        for user in joined_after - joined_before:
            self._joined.setdefault(user, set()).add(name)
        if new is not None:
            self._tell(after, "inbox", frame_of_inbox(new))
        if before - after:
            self._tell(before - after, "inbox_gone", {"id": name})
        for user in sorted((before ^ after) | (joined_before ^ joined_after)):
            for listener in list(self._listeners):
                listener.grants_changed(user)

    def _tell(self, users: frozenset[str] | None, kind: str, data: dict[str, Any]) -> None:
        for listener in list(self._listeners):
            listener.org_frame(users, kind, data)

    def _revoke(self, *, user: str, token: str, close: int = _CLOSE_REVOKED) -> None:
        self._tokens.pop(token, None)
        if token:
            self._revoked[token] = None
            if len(self._revoked) > _REVOKED_KEPT:
                self._revoked.popitem(last=False)
        for listener in list(self._listeners):
            listener.revoked(user=user, token=token, close=close)


def _nobody(user: str) -> dict[str, Any]:
    return {"id": user, "name": user, "role": "", "active": False}


def _put(table: dict[str, Any], name: str, value: Any) -> None:
    if value is None:
        table.pop(name, None)
    else:
        table[name] = value
