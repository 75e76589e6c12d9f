"""A model small enough to look at all of it: a log, nodes that follow it, clients that move.

Feed, ring and the SDK's session are the real ones, thawed from plain values for one step and frozen
again. What stands between them is written here in a few lines, after `hub/follower.py` (a node's
steps) and `hub/seated.py` (a client's): what takes them two reads takes two steps here, and
anything may happen in between. Messages come in any order or never, and what was read is there at
any later moment, even when nobody should want it any more.

A node's steps are a function of the log and the node; a client's, of the log, the node where it is
and the client. They get nothing else, so nothing else can be in their way: `exploring.py` lives on
that.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.replay import chain
from batonbox_server.hub.feed import Broken, Effect, Feed, Need
from batonbox_server.hub.frames import Published
from batonbox_server.hub.ring import Ring
from batonbox_server.store.port import Head, LogEntry

INBOX, EPOCH, NO_TIP = "box", "e", "0" * 16
RING_EVENTS = 2  # so few that a client may fall off
# By its tip, which hashes all that was before it: every entry that any log ever held.
ENTRIES: dict[str, LogEntry] = {}

Tips = tuple[str, ...]


class Log(NamedTuple):
    """The engine: the tips of its entries, how many were ever made, and how often it was cut."""

    tips: Tips = ()
    made: int = 0
    failovers: int = 0

    @property
    def tip(self) -> str:
        """The end's."""
        return self.tip_at(len(self.tips))

    def tip_at(self, seq: int) -> str:
        """The tip of an entry; "" where there is none."""
        if seq == 0:
            return NO_TIP
        return self.tips[seq - 1] if seq <= len(self.tips) else ""

    def appended(self) -> Log:
        """With one more event, unlike any other."""
        made, seq, prev = self.made + 1, len(self.tips) + 1, self.tip
        meta = {"type": "noted", "actor": "ann", "cid": f"c{made}"}
        core = b"\x96\x14" + b"".join(map(msgpack.packb, (INBOX, seq, meta, None)))
        tip = chain(prev, core)
        ENTRIES.setdefault(tip, LogEntry(seq, prev, core + b"\xb0" + tip.encode()))
        return Log((*self.tips, tip), made, self.failovers)

    def cut(self, kept: int) -> Log:
        """After a failover to a replica that had this much."""
        return Log(self.tips[:kept], self.made, self.failovers + 1)

    def head(self, at: int) -> Head:
        """See store.port."""
        return Head(EPOCH, len(self.tips), self.tip, self.tip_at(at) if at else "", 1)


class View(NamedTuple):
    """What a client's seat sees of its node: the ring, and whether the feed follows the log."""

    following: bool = True
    base: int = 0
    base_tip: str = NO_TIP
    tips: Tips = ()

    @property
    def ring(self) -> Ring:
        """The real one; it is shared, so only to be read."""
        return _ring(self.base, self.base_tip, self.tips)


class Read(NamedTuple):
    """A node's read of `first..last`: under way, or (`got`) taken and not there yet."""

    first: int
    last: int
    got: Tips | None = None


class Mend(NamedTuple):
    """A node's way back after a break; `common`: the last place that the log still has."""

    looked: bool = False
    common: int | None = None


class Node(NamedTuple):
    """One node: its feed, what is under way to it, and what it has asked the engine."""

    view: View = View()
    heard: int = 0
    asked: bool = False
    held: Tips = ()
    coming: Tips = ()
    reads: tuple[Read, ...] = ()
    mend: Mend | None = None

    def told(self, tip: str) -> Node:
        """An event was published."""
        return self._replace(coming=(*self.coming, tip))


class NodeStep(NamedTuple):
    """`rebased`: clients that stand beyond `common` (None: wherever) are to be told."""

    node: Node
    rebased: bool = False
    common: int | None = None


def log_steps(log: Log, events: int, failovers: int) -> Iterator[Log]:
    """One more event, or a failover that loses some of what is there."""
    if log.made < events:
        yield log.appended()
    if log.failovers < failovers:
        for kept in range(len(log.tips)):
            yield log.cut(kept)


def node_steps(log: Log, node: Node) -> Iterator[NodeStep]:
    """Everything that may happen to a node next."""
    for i, tip in enumerate(node.coming):
        rest = node._replace(coming=node.coming[:i] + node.coming[i + 1 :])
        feed = _thawed(rest)
        yield NodeStep(_done(rest, feed, feed.published([event_of(tip)])))
    for i, read in enumerate(node.reads):
        others = node.reads[:i] + node.reads[i + 1 :]
        if read.got is None:
            got = log.tips[read.first - 1 : read.last]
            yield NodeStep(_reading(node, (*others, read._replace(got=got))))
        else:
            rest, feed = node._replace(reads=others), _thawed(node)
            need = Need(read.first, read.last)
            entries = [ENTRIES[tip] for tip in read.got]
            yield NodeStep(_done(rest, feed, feed.backfilled(need, entries)))
    if node.mend is not None:
        yield _mended(log, node, node.mend)
    if node.view.following:
        yield NodeStep(checked(log, node))


def checked(log: Log, node: Node) -> Node:
    """`Follower.check`."""
    feed = _thawed(node)
    at, tip = feed.hi, feed.ring.last_tip
    return _done(node, feed, feed.checked(log.head(at), at=at, tip=tip))


def _mended(log: Log, node: Node, mend: Mend) -> NodeStep:
    """`Follower._rebase`: find what is common, then stand at the log's end as it is by now."""
    ring = node.view.ring
    if not mend.looked:
        same = (s for s in range(ring.base, ring.last + 1) if ring.tip_of(s) == log.tip_at(s))
        return NodeStep(node._replace(mend=Mend(looked=True, common=max(same, default=None))))
    common, seq = mend.common, len(log.tips)
    if common is not None and not _beyond(log, common, ring.tip_of(common)):
        common = None  # another failover, while this one was looked at
    feed = _thawed(node)
    after = _done(node._replace(mend=None), feed, feed.start(EPOCH, seq, log.tip))
    return NodeStep(after, rebased=True, common=common)


def _beyond(log: Log, common: int, tip: str | None) -> bool:
    """`Follower._beyond`, of the log's end."""
    return len(log.tips) > common or (len(log.tips) == common and log.tip == tip)


def _done(node: Node, feed: Feed, effects: list[Effect]) -> Node:
    reads, mend = node.reads, node.mend
    for effect in effects:
        if isinstance(effect, Need):
            reads = (*reads, Read(effect.first, effect.last))
        elif isinstance(effect, Broken):
            mend = Mend()  # reads go on, and what they find comes in the way later
    ring = feed.ring
    view = View(feed.following, ring.base, ring.base_tip, tuple(e.tip for e in ring._events))
    held = tuple(feed._held[seq].tip for seq in sorted(feed._held))
    return _reading(Node(view, feed._heard, feed._asked, held, node.coming, (), mend), reads)


def _reading(node: Node, reads: tuple[Read, ...]) -> Node:
    return node._replace(reads=tuple(sorted(reads, key=_order))) if reads else node


def _order(read: Read) -> tuple[int, int, bool, Tips]:
    return read.first, read.last, read.got is None, read.got or ()


def _thawed(node: Node) -> Feed:
    view = node.view
    feed = Feed(_filled(view.base, view.base_tip, view.tips), debug=True)
    feed.epoch, feed.following = EPOCH, view.following
    feed._heard, feed._asked = node.heard, node.asked
    feed._held = {event.seq: event for event in map(event_of, node.held)}
    return feed


@cache
def event_of(tip: str) -> Published:
    """An entry as nodes hear of it."""
    entry = ENTRIES[tip]
    return Published.of(entry.prev, entry.frame)


def _filled(base: int, base_tip: str, tips: Tips) -> Ring:
    ring = Ring(max_events=RING_EVENTS, max_bytes=1 << 20)
    ring.restart(base, base_tip)
    for event in map(event_of, tips):
        ring.append(event)
    return ring


_ring = cache(_filled)


def at_rest(node: Node) -> Node:
    """Faults have ended: what is under way is lost, and only reads go on."""
    return node._replace(coming=())
