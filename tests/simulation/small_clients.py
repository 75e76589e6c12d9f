"""Clients of the small model: each has a seat at one node, and may move to the other one once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from batonbox import _session as on
from batonbox._models import Position
from batonbox._wire import Op
from batonbox_server.hub.frames import Published
from tests.simulation.small import EPOCH, INBOX, NO_TIP, Log, Tips, View, event_of


class Asked(NamedTuple):
    """A client's read of the log: for somebody who stands at `seq`, at a ring that began at `base`.

    `got`: the log's tips, taken and not there yet; None: it is under way.
    """

    seq: int
    base: int
    got: Tips | None = None


class Client(NamedTuple):
    """A client and its seat.

    `wants` is what the seat is about: to `follow` from its cursor, a `snapshot`, or to `resume`
    behind the client's position. `asked` is the read for the latter two, `chunk` the one of a seat
    that fell off the ring.
    """

    position: Position | None = Position(EPOCH, 0, NO_TIP)
    wants: str = "follow"
    cursor: int = 0
    asked: Asked | None = None
    chunk: Asked | None = None
    moved: bool = False


class ClientStep(NamedTuple):
    """`checks`: the node has compared itself with the log on the way."""

    client: Client
    checks: bool = False
    wrong: tuple[str, ...] = ()


def client_steps(log: Log, view: View, after_check: View, client: Client) -> Iterator[ClientStep]:
    """Everything that may happen to a client next, at a node that looks like `view`.

    `after_check`: like this, once it has compared itself with the log.
    """
    ring = view.ring
    if client.wants == "follow" and ring.covers(client.cursor) and client.cursor < ring.last:
        after, wrong = _hear(client, [_frame(e) for e in ring.events_after(client.cursor)])
        yield ClientStep(after._replace(cursor=ring.last), wrong=wrong)
    if client.chunk is not None and client.chunk.got is None:
        yield ClientStep(client._replace(chunk=client.chunk._replace(got=log.tips)))
    elif client.chunk is not None:
        yield _caught_up(after_check, client._replace(chunk=None), client.chunk)
    elif client.wants == "follow" and client.cursor < ring.base and view.following:
        yield ClientStep(client._replace(chunk=Asked(client.cursor, ring.base)))
    if client.asked is not None and client.asked.got is None:
        yield ClientStep(client._replace(asked=client.asked._replace(got=log.tips)))
    elif client.wants == "snapshot":
        yield from _snapped(view, client, client.asked)
    elif client.wants == "resume" and view.following:
        yield _resumed(view, client, client.asked)


def _caught_up(view: View, client: Client, chunk: Asked) -> ClientStep:
    """`SeatedFollower._catch_up`: what was read counts if the log holds where the feed stands."""
    tips = _missed(chunk)
    if not view.following or client.wants != "follow" or client.cursor != chunk.seq:
        return ClientStep(client, checks=True)
    if not tips:
        after, wrong = _reset(client, "trimmed")
        return ClientStep(after, True, wrong)
    after, wrong = _hear(client, [_frame(event_of(tip)) for tip in tips])
    return ClientStep(after._replace(cursor=chunk.seq + len(tips)), True, wrong)


def _missed(chunk: Asked) -> Tips:
    """No further than to the ring: `SeatedFollower._read_chunk`."""
    return (chunk.got or ())[chunk.seq : chunk.base]


def _snapped(view: View, client: Client, asked: Asked | None) -> Iterator[ClientStep]:
    """`SeatedFollower._open_with_snapshot`: of the log at some moment, if the ring shares it."""
    if asked is None:
        yield ClientStep(client._replace(asked=Asked(0, 0)))
        return
    if asked.got is None or not view.following:
        return
    tips = (NO_TIP, *asked.got)
    seq, tip = len(tips) - 1, tips[-1]
    if view.ring.tip_of(seq) != tip:  # of another history, or the node did not get there in time
        yield ClientStep(client._replace(asked=None))
        return
    after, wrong = _hear(client, [[Op.SNAP, INBOX, EPOCH, seq, tip, {}, {}, []]])
    yield ClientStep(after._replace(wants="follow", cursor=seq, asked=None), wrong=wrong)


def moved(client: Client) -> Client:
    """It has lost its connection, and is at the other node now."""
    wants = "snapshot" if client.position is None else "resume"
    return Client(client.position, wants, moved=True)


def _resumed(view: View, client: Client, asked: Asked | None) -> ClientStep:
    """`SeatedFollower._mismatch`, of which a read of the log is a part."""
    at, ring = client.position, view.ring
    assert at is not None
    known = ring.tip_of(at.seq)
    if known is not None:
        return _continued(client, same=_same(known, at))
    if asked is None:
        return ClientStep(client._replace(asked=Asked(at.seq, ring.base)))
    tips = (NO_TIP, *(asked.got or ()))
    if not _same(tips[at.seq] if at.seq < len(tips) else "", at):  # `Follower.departs`
        return _continued(client, same=False)
    if _answers(asked):
        return _continued(client, same=True)
    # It was ahead of its node: compared anew when that is there, or was not for too long.
    return ClientStep(client._replace(asked=None))


def _same(tip: str, at: Position) -> bool:
    return tip == at.tip


def _answers(asked: Asked) -> bool:
    """Whether the node was further on already when it asked."""
    return asked.seq < asked.base


def _continued(client: Client, *, same: bool) -> ClientStep:
    if not same:
        after, wrong = _reset(client, "fork")
        return ClientStep(after, wrong=wrong)
    assert client.position is not None
    seq = client.position.seq
    return ClientStep(client._replace(wants="follow", cursor=seq, asked=None))


def rebased(client: Client, common: int | None) -> ClientStep:
    """`SeatedFollower.rebased`."""
    client = _forgotten(client)
    if client.wants == "follow" and (common is None or client.cursor > common):
        after, wrong = _reset(client, "fork")
        return ClientStep(after, wrong=wrong)
    return ClientStep(client)


def _forgotten(client: Client) -> Client:
    """`SharedRead.forget`: what is under way does not serve any more either."""
    return client._replace(asked=None, chunk=None)


def _reset(client: Client, reason: str) -> tuple[Client, tuple[str, ...]]:
    """The node says that what the client knows is void; a snapshot follows."""
    after, wrong = _hear(client, [[Op.RESET, INBOX, reason, []]])
    return after._replace(wants="snapshot", cursor=0, asked=None), wrong


def _frame(event: Published) -> list[Any]:
    return [Op.EV, INBOX, event.seq, event.prev, None, event.tip]  # in meta's place


def _hear(client: Client, frames: list[list[Any]]) -> tuple[Client, tuple[str, ...]]:
    """Frames to the SDK's session, and what must not have happened."""
    session = on.Session()
    wrong: list[str] = []
    session.follow(INBOX, since=client.position)
    for frame in frames:
        before = session.position(INBOX)
        happened = session.receive([int(frame[0]), *frame[1:]])
        for happening in happened:
            if isinstance(happening, on.Applied):
                prev: Any = happening.meta  # see _frame
                if before is None or prev != before.tip:
                    wrong.append(f"I3: {happening.seq} after another past")
            elif isinstance(happening, on.Reset) and happening.reason in ("gap", "snapshot"):
                wrong.append(f"I4: a client had to help itself: {happening.reason}")
        if not happened and before is not None:
            wrong.append(f"I4: {frame[2]} is told again")
    return client._replace(position=session.position(INBOX)), tuple(wrong)
