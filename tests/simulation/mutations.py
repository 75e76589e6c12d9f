"""Each mechanism taken out of the real code, or of the engine's model: the suite has to notice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from batonbox import _session as on
from batonbox._models import Position
from batonbox_server.domain import verbs
from batonbox_server.domain.model import Kind
from batonbox_server.domain.transitions import Step
from batonbox_server.hub.feed import Appended, Effect, Feed
from batonbox_server.hub.follower import Follower
from batonbox_server.hub.frames import Published
from batonbox_server.hub.ring import Ring, Slice
from batonbox_server.hub.seated import SeatedFollower
from tests.simulation.engine import Engine

Patch = Callable[[pytest.MonkeyPatch], None]
# By name: which invariants may say so, and what is taken out.
MUTATIONS: dict[str, tuple[frozenset[str], Patch]] = {}


def mutation(name: str, *invariants: str) -> Callable[[Patch], Patch]:
    """Registers one."""

    def register(patch: Patch) -> Patch:
        MUTATIONS[name] = (frozenset(invariants), patch)
        return patch

    return register


@mutation("tip: what follows is appended, whatever its past", "I3", "I15", "I5")
def append_anything(patch: pytest.MonkeyPatch) -> None:
    def append(self: Feed, event: Published) -> list[Effect]:
        self.ring.append(event)
        return [Appended(event)]

    def checked(self: Feed, head: Any, *, at: int, tip: str) -> list[Effect]:
        self._heard = max(self._heard, head.seq)
        return self._ask() if self.following else []

    patch.setattr(Feed, "_append", append)
    patch.setattr(Feed, "checked", checked)


@mutation("tip: a position is resumed by its seq", "I3", "I4", "I5", "I15")
def _resume_by_seq(patch: pytest.MonkeyPatch) -> None:
    async def mismatch(self: SeatedFollower, position: Any, seat: Any) -> str | None:
        return "epoch" if position.epoch != self.feed.epoch else None

    patch.setattr(SeatedFollower, "_mismatch", mismatch)


@mutation("tip: a fork is mended without telling anybody", "I3", "I4", "I5")
def _silent_rebase(patch: pytest.MonkeyPatch) -> None:
    def rebased(self: SeatedFollower, *_: object) -> None:
        self._member_at.clear()

    patch.setattr(SeatedFollower, "rebased", rebased)


@mutation("gap check: the feed appends over a gap", "I3", "I4", "I5", "I15")
def append_over_a_gap(patch: pytest.MonkeyPatch) -> None:
    def one(self: Feed, event: Published) -> list[Effect]:
        if not self.following or event.seq <= self.hi:
            return []
        self.ring.append(event)  # what came is taken for what comes next
        return [Appended(event)]

    patch.setattr(Feed, "_one", one)


@mutation("gap check: nobody compares with the log", "I15", "I11", "I3", "I5")
def _no_regular_check(patch: pytest.MonkeyPatch) -> None:
    async def check(self: Follower) -> None:
        pass

    patch.setattr(Follower, "check", check)


def drop_events(patch: pytest.MonkeyPatch) -> None:
    """A fault of nodes that clients have to notice: of several events, the second is left out."""
    join = Ring._join

    def gappy(self: Ring, cursor: int, max_bytes: int, as_json: bool) -> Slice:
        events = self._events
        if self.last - cursor < 3 or random.random() < 0.7:
            return join(self, cursor, max_bytes, as_json)
        # Asked again it may be whole: what was joined is not kept.
        asyncio.get_running_loop().call_soon(self._forget)
        kept = [event for event in events if event.seq > cursor and event.seq != cursor + 2]
        parts = [event.json if as_json else event.frame for event in kept]
        return Slice((b"\n" if as_json else b"").join(parts), self.last)

    patch.setattr(Ring, "_join", gappy)


@mutation("gap check: the client takes whatever comes", "I4")
def _client_without_checks(patch: pytest.MonkeyPatch) -> None:
    def event(self: on.Session, inbox: str, happening: on.Applied) -> list[on.Happening]:
        follow = self.follows.get(inbox)
        if follow is None or not follow.live:
            return []
        follow.position = Position(follow.position.epoch, happening.seq, happening.tip)
        return [happening]

    patch.setattr(on.Session, "_event", event)
    drop_events(patch)


@mutation("fencing: a stale token is accepted", "I9", "linearizable (log)", "linearizable (search)")
def _no_fence(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Step, "same_token", lambda *_: None)


@mutation("stored replies: a retry has an effect of its own", "I8", "I13", "linearizable (log)",
          "linearizable (search)")  # fmt: skip
def _no_stored_replies(patch: pytest.MonkeyPatch) -> None:
    init = Engine.__init__

    def forgetful(self: Engine, *args: Any, **more: Any) -> None:
        init(self, *args, **more)
        self.keeps_replies = False

    patch.setattr(Engine, "__init__", forgetful)


@mutation("revocation order: the removed are not sent away at the event", "I12")
def _removed_stay(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SeatedFollower, "removed", lambda *_: None)
    patch.setattr(SeatedFollower, "evict", lambda *_: None)


@mutation("one winner: an assign does not look at the owner", "I6", "linearizable (log)",
          "linearizable (search)")  # fmt: skip
def _assign_anything(patch: pytest.MonkeyPatch) -> None:
    def assign(step: Step, command: Any) -> None:
        step.standing()
        row = step.row()
        new, unseen = step.to_assigned(row, command.actor, step.salt, handed=False)
        step.record(Kind.ASSIGNED, row, new, actor=command.actor, unseen=unseen)

    patch.setitem(verbs.VERBS, "assign", assign)
