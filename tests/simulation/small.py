"""A model small enough to look at all of it: two nodes, two clients, a few events, one failover.

Feed, ring and the SDK's session are the real ones; what stands between them (a seat with a cursor,
the decision whether a position is resumed) is written here in a few lines, after `hub/seated.py`
and `hub/follower.py`. `explore` visits every state that any order of steps leads to: messages are
delivered in any order or never, reads are answered at any later moment, and each client may move to
the other node once, at any moment.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox import _session as on
from batonbox._models import Position
from batonbox._wire import Op
from batonbox_server.domain.replay import chain
from batonbox_server.hub.feed import Appended, Broken, Effect, Feed, Need
from batonbox_server.hub.frames import Published
from batonbox_server.hub.ring import Ring
from batonbox_server.store.port import Head, LogEntry

INBOX, EPOCH, NO_TIP = "box", "e", "0" * 16


@dataclass(slots=True)
class Log:
    """The engine: entries, and how many were ever made."""

    entries: tuple[LogEntry, ...] = ()
    made: int = 0
    failed_over: bool = False

    @property
    def tip(self) -> str:
        """The end's."""
        return self.tip_at(len(self.entries))

    def tip_at(self, seq: int) -> str:
        """The tip of an entry; "" where there is none."""
        if seq == 0:
            return NO_TIP
        return self.entries[seq - 1].frame[-16:].decode() if seq <= len(self.entries) else ""

    def append(self) -> LogEntry:
        """One more event, unlike any other."""
        self.made += 1
        seq, prev = len(self.entries) + 1, self.tip
        meta = {"type": "noted", "actor": "ann", "cid": f"c{self.made}"}
        core = b"\x96\x14" + b"".join(map(msgpack.packb, (INBOX, seq, meta, None)))
        entry = LogEntry(seq, prev, core + b"\xb0" + chain(prev, core).encode())
        self.entries = (*self.entries, entry)
        return entry

    def head(self, at: int) -> Head:
        """See store.port."""
        return Head(EPOCH, len(self.entries), self.tip, self.tip_at(at) if at else "", 1)


@dataclass(slots=True)
class NodeState:
    """One node: its feed, what is under way to it, and what it has asked the engine."""

    feed: Feed
    coming: tuple[LogEntry, ...] = ()
    need: Need | None = None
    broken: bool = False
    answer: tuple[LogEntry, ...] | None = None  # of `need`, read but not there yet


@dataclass(slots=True)
class ClientState:
    """One client and its seat: at which node, and up to where it was delivered."""

    session: on.Session
    node: int
    cursor: int = 0
    listening: bool = False
    moved: bool = False
    prev: str = NO_TIP  # the tip of what it applied last
    chunk: tuple[LogEntry, ...] | None = None  # read for a cursor that the ring does not reach


@dataclass(slots=True)
class Small:
    """A state of the whole; `wrong` is what must not have happened on the way to it."""

    log: Log = field(default_factory=Log)
    nodes: list[NodeState] = field(default_factory=list)
    clients: list[ClientState] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def copied(self) -> Small:
        """A state of its own; what never changes is shared."""
        return Small(
            Log(self.log.entries, self.log.made, self.log.failed_over),
            [_node_copied(node) for node in self.nodes],
            [_client_copied(client) for client in self.clients],
            list(self.wrong),
        )

    def key(self) -> Any:
        """Equal states have equal keys."""
        return (
            self.log.tip, self.log.made, self.log.failed_over,
            tuple(
                (
                    node.feed.ring.base, node.feed.ring.last, node.feed.ring.last_tip,
                    node.feed.following, node.feed._heard, node.feed._asked,
                    tuple(sorted((e.seq, e.tip) for e in node.feed._held.values())),
                    tuple(coming.frame[-16:] for coming in node.coming), node.need, node.broken,
                    node.answer if node.answer is None else tuple(e.frame for e in node.answer),
                )
                for node in self.nodes
            ),
            tuple(
                (c.node, c.cursor, c.listening, c.moved, c.prev, c.session.position(INBOX),
                 c.chunk if c.chunk is None else tuple(e.frame for e in c.chunk))
                for c in self.clients
            ),
        )  # fmt: skip


def _node_copied(node: NodeState) -> NodeState:
    ring, feed = Ring.__new__(Ring), Feed.__new__(Feed)
    ring.__dict__.update(node.feed.ring.__dict__)
    ring._events = ring._events.copy()
    ring._memo, ring._messages = {}, {}
    feed.__dict__.update(node.feed.__dict__)
    feed.ring, feed._held = ring, dict(node.feed._held)
    return NodeState(feed, node.coming, node.need, node.broken, node.answer)


def _client_copied(client: ClientState) -> ClientState:
    follow = client.session.follows[INBOX]
    known = on.Follow(INBOX, follow.level, follow.position, follow.live)
    return ClientState(
        on.Session(follows={INBOX: known}), client.node, client.cursor, client.listening,
        client.moved, client.prev, client.chunk,
    )  # fmt: skip


def beginning(nodes: int = 2, clients: int = 2) -> Small:
    """An empty log that everybody follows."""
    small = Small()
    for _ in range(nodes):
        feed = Feed(Ring(max_events=64, max_bytes=1 << 20), debug=True)
        feed.start(EPOCH, 0, NO_TIP)
        small.nodes.append(NodeState(feed))
    for i in range(clients):
        session = on.Session()
        session.follow(INBOX, since=Position(EPOCH, 0, NO_TIP))
        small.clients.append(ClientState(session, node=i % nodes, listening=True))
    return small


def steps(small: Small, events: int) -> Iterator[Small]:
    """Every state one step away."""
    log = small.log
    if log.made < events:
        after = small.copied()
        entry = after.log.append()
        for node in after.nodes:
            node.coming = (*node.coming, entry)
        yield after
    if not log.failed_over and log.entries:
        for kept in range(len(log.entries)):
            after = small.copied()
            after.log.entries, after.log.failed_over = log.entries[:kept], True
            yield after
    for i, node in enumerate(small.nodes):
        for k in range(len(node.coming)):
            after = small.copied()
            mine = after.nodes[i]
            entry = mine.coming[k]
            mine.coming = mine.coming[:k] + mine.coming[k + 1 :]
            _do(after, i, mine.feed.published([Published.of(entry.prev, entry.frame)]))
            yield after
        yield from _asked(small, i)
    for i in range(len(small.clients)):
        yield from _client_steps(small, i)


def _asked(small: Small, i: int) -> Iterator[Small]:
    """Reads of a node: taken at one moment, there at another."""
    node = small.nodes[i]
    if node.broken:
        after = small.copied()
        _rebase(after, i)
        yield after
    if node.need is not None and node.answer is None:
        after = small.copied()
        need = node.need
        after.nodes[i].answer = tuple(
            entry for entry in small.log.entries if need.first <= entry.seq <= need.last
        )
        yield after
    if node.need is not None and node.answer is not None:
        after = small.copied()
        mine = after.nodes[i]
        mine.need, mine.answer = None, None
        _do(after, i, mine.feed.backfilled(node.need, node.answer))
        yield after
    if node.feed.following:
        after = small.copied()
        feed = after.nodes[i].feed
        at, tip = feed.hi, feed.ring.last_tip
        _do(after, i, feed.checked(small.log.head(at), at=at, tip=tip))
        yield after


def _client_steps(small: Small, i: int) -> Iterator[Small]:
    client = small.clients[i]
    feed = small.nodes[client.node].feed
    if client.listening and feed.ring.covers(client.cursor) and client.cursor < feed.hi:
        after = small.copied()
        mine, ring = after.clients[i], after.nodes[client.node].feed.ring
        for event in ring.events_after(mine.cursor):
            _hear(after, mine, [Op.EV, INBOX, event.seq, event.meta, None, event.tip], event.prev)
        mine.cursor = ring.last
        yield after
    if client.listening and client.cursor < feed.ring.base and feed.following:
        after = small.copied()
        if client.chunk is None:
            after.clients[i].chunk = small.log.entries[client.cursor :]
        else:
            _caught_up(after, after.clients[i], client.chunk)
        yield after
    if not client.listening and feed.following:
        after = small.copied()
        _snapshot(after, after.clients[i])
        yield after
    if not client.moved and _answers(small, client):
        after = small.copied()
        mine = after.clients[i]
        mine.node, mine.moved, mine.listening = 1 - mine.node, True, False
        mine.chunk = None
        position = mine.session.position(INBOX)
        other = after.nodes[mine.node].feed
        if position is not None and _continues(after, other, position):
            mine.cursor, mine.listening = position.seq, True
        elif position is not None:
            _hear(after, mine, [Op.RESET, INBOX, "fork", []])
        yield after


def _answers(small: Small, client: ClientState) -> bool:
    """Whether the other node can say by now if it continues the client's position."""
    feed, position = small.nodes[1 - client.node].feed, client.session.position(INBOX)
    if position is None:
        return True
    lost = small.log.tip_at(position.seq) != position.tip
    return feed.following and (position.seq <= feed.hi or lost)


def _continues(small: Small, feed: Feed, position: Position) -> bool:
    """`SeatedFollower._mismatch` and `Follower.departs`."""
    if (tip := feed.ring.tip_of(position.seq)) is not None:
        return tip == position.tip
    return small.log.tip_at(position.seq) == position.tip


def _caught_up(small: Small, client: ClientState, chunk: tuple[LogEntry, ...]) -> None:
    """`SeatedFollower._catch_up`: what was read counts if the log holds where the feed stands."""
    client.chunk = None
    feed = small.nodes[client.node].feed
    at = feed.hi
    _do(small, client.node, feed.checked(small.log.head(at), at=at, tip=feed.ring.last_tip))
    if not feed.following:
        return
    if not chunk:
        client.listening = False
        _hear(small, client, [Op.RESET, INBOX, "trimmed", []])
    for entry in chunk:
        event = Published.of(entry.prev, entry.frame)
        _hear(small, client, [Op.EV, INBOX, event.seq, event.meta, None, event.tip], event.prev)
        client.cursor = entry.seq


def _snapshot(small: Small, client: ClientState) -> None:
    """`SeatedFollower._open_with_snapshot`: at the log's end, if the ring stands there."""
    feed, log = small.nodes[client.node].feed, small.log
    seq = len(log.entries)
    if feed.hi >= seq and feed.ring.tip_of(seq) == log.tip:
        _hear(small, client, [Op.SNAP, INBOX, EPOCH, seq, log.tip, {}, {}, []])
        client.cursor, client.listening, client.prev = seq, True, log.tip


def _hear(small: Small, client: ClientState, frame: list[Any], prev: str = "") -> None:
    for happening in client.session.receive([int(frame[0]), *frame[1:]]):
        if isinstance(happening, on.Applied):
            if prev != client.prev:
                small.wrong.append(f"I3: {happening.seq} after another past")
            client.prev = happening.tip
        elif isinstance(happening, on.Reset) and happening.reason in ("gap", "snapshot"):
            small.wrong.append(f"I4: a client had to help itself: {happening.reason}")


def _do(small: Small, i: int, effects: list[Effect]) -> None:
    node = small.nodes[i]
    for effect in effects:
        if isinstance(effect, Appended):
            effect.event.applied()
        elif isinstance(effect, Need):
            node.need, node.answer = effect, None
        elif isinstance(effect, Broken):
            node.broken, node.need, node.answer = True, None, None


def _rebase(small: Small, i: int) -> None:
    """`Follower._rebase`: to the log's end; whoever was beyond the common point is told."""
    node, log = small.nodes[i], small.log
    ring = node.feed.ring
    common = max(
        (seq for seq in range(ring.base, ring.last + 1) if ring.tip_of(seq) == log.tip_at(seq)),
        default=None,
    )
    for client in small.clients:
        if client.node == i and client.listening and (common is None or client.cursor > common):
            client.listening = False
            _hear(small, client, [Op.RESET, INBOX, "fork", []])
        if client.node == i:
            client.chunk = None
    node.broken = False
    _do(small, i, node.feed.start(EPOCH, len(log.entries), log.tip))


def at_rest(small: Small) -> Small:
    """Faults have ended: what is under way to nodes is lost, and nobody moves any more."""
    rest = small.copied()
    for node in rest.nodes:
        node.coming = ()
    for client in rest.clients:
        client.moved = True
    return rest


def settled(rest: Small) -> Small:
    """Everybody goes on regularly, until all clients are at the top or long enough."""
    for _ in range(8 * (len(rest.log.entries) + 2)):
        if all(client.session.position(INBOX) == _top(rest) for client in rest.clients):
            break
        for i in range(len(rest.nodes)):
            todo = _first(_asked(rest, i))
            if todo is not None:
                rest = todo
        for i in range(len(rest.clients)):
            todo = _first(_client_steps(rest, i))
            if todo is not None:
                rest = todo
    return rest


def _first(some: Iterator[Small]) -> Small | None:
    return next(some, None)


@dataclass(slots=True)
class Explored:
    """How many states there are, and what is wrong with the first that is."""

    states: int
    wrong: list[str]


def explore(events: int, *, states_max: int) -> Explored:
    """Visit every state; stops at the first that is wrong, or settles wrongly."""
    begin = beginning()
    seen, todo = {begin.key()}, [begin]
    rested: set[Any] = set()
    while todo:
        small = todo.pop()
        wrong = small.wrong
        if not wrong:
            rest = at_rest(small)
            key = rest.key()
            if key not in rested:
                rested.add(key)
                wrong = judged(rest)
        if wrong or len(seen) > states_max:
            return Explored(len(seen), wrong or [f"more than {states_max} states"])
        for after in steps(small, events):
            key = after.key()
            if after.wrong or key not in seen:
                seen.add(key)
                todo.append(after)
    return Explored(len(seen), [])


def walk(seed: int, events: int, *, steps_max: int = 80) -> list[str]:
    """One way through it, drawn at random, and what is wrong with it or with how it ends."""
    rng = random.Random(seed)
    small = beginning()
    for _ in range(steps_max):
        after = list(steps(small, events))
        # Comparing a feed with its log is always possible, and mostly changes nothing.
        moved = [step for step in after if step.key() != small.key()]
        if not moved:
            break
        small = rng.choice(moved)
        if small.wrong:
            return small.wrong
        if rng.random() < 0.02:
            break  # wherever it stops
    return judged(at_rest(small))


def judged(small: Small) -> list[str]:
    """I15: wherever it stops, everybody comes to the top of the one history."""
    rest = settled(small)
    top, wrong = _top(rest), list(rest.wrong)
    for i, client in enumerate(rest.clients):
        if client.session.position(INBOX) != top:
            wrong.append(f"I15: client {i} rests at {client.session.position(INBOX)}, not {top}")
    return wrong


def _top(small: Small) -> Position:
    return Position(EPOCH, len(small.log.entries), small.log.tip)
