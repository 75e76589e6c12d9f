"""The feed, sans-I/O: whatever the channel does, the ring is a prefix of one history."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server.hub.feed import Appended, Broken, Effect, Feed, Need
from batonbox_server.hub.frames import Mark, Published, parse
from batonbox_server.hub.ring import Ring


@dataclass(frozen=True)
class Entry:
    """An entry as the log answers it."""

    seq: int
    prev: str
    frame: bytes


@dataclass(frozen=True)
class Head:
    """A log's end."""

    epoch: str
    seq: int
    tip: str
    tip_at: str
    oldest: int = 1


def history(length: int, *, after: list[Entry] | None = None, salt: str = "") -> list[Entry]:
    """Chained entries as the scripts make them; `after` shares its prefix."""
    entries = list(after or [])
    while len(entries) < length:
        prev = tip_of(entries, len(entries))
        seq = len(entries) + 1
        core = b"\x96\x14" + b"".join(
            map(msgpack.packb, ("box", seq, {"type": "x", "s": salt}, None))
        )
        tip = hashlib.sha1(prev.encode() + core).hexdigest()[:16]
        entries.append(Entry(seq, prev, core + msgpack.packb(tip)))
    return entries


def tip_of(entries: list[Entry], seq: int) -> str:
    return entries[seq - 1].frame[-16:].decode() if seq else "0" * 16


def published(entries: list[Entry]) -> bytes:
    parts = [e.prev.encode() + len(e.frame).to_bytes(4, "big") + e.frame for e in entries]
    return b"E" + b"".join(parts)


def new_feed(log: list[Entry], at: int = 0) -> Feed:
    feed = Feed(Ring(max_events=10_000, max_bytes=1 << 30), debug=True)
    assert feed.start("e1", at, tip_of(log, at)) == []
    return feed


def hear(feed: Feed, *entries: Entry) -> list[Effect]:
    events = parse(published(list(entries)))
    assert isinstance(events, list)
    return feed.published(events)


def kinds(effects: list[Effect]) -> list[Any]:
    return [e.event.seq if isinstance(e, Appended) else e for e in effects]


def test_the_next_event_is_appended_and_older_ones_are_dropped() -> None:
    log = history(3)
    feed = new_feed(log)
    assert kinds(hear(feed, log[0], log[1])) == [1, 2]
    assert hear(feed, log[0], log[1]) == []


def test_a_gap_is_read_from_the_log_and_what_came_meanwhile_follows() -> None:
    log = history(6)
    feed = new_feed(log)
    assert hear(feed, log[3]) == [Need(1, 3)]
    assert hear(feed, log[4]) == []
    assert kinds(feed.backfilled(Need(1, 3), log[:3])) == [1, 2, 3, 4, 5]


def test_the_same_seq_with_another_tip_is_a_fork() -> None:
    log = history(3)
    feed = new_feed(log)
    hear(feed, *log)
    assert hear(feed, history(3, after=log[:1], salt="other")[1]) == [Broken("fork")]


def test_the_next_seq_on_another_prefix_is_a_fork() -> None:
    log = history(3)
    feed = new_feed(log)
    hear(feed, *log[:2])
    assert hear(feed, history(3, salt="other")[2]) == [Broken("fork")]


CHECKS = [
    (Head("e1", 3, "tip3", "tip3"), []),
    (Head("e2", 3, "tip3", "tip3"), [Broken("epoch")]),
    (Head("", 0, "", ""), [Broken("gone")]),
    (Head("e1", 2, "tip2", ""), [Broken("fork")]),
    (Head("e1", 3, "f" * 16, "f" * 16), [Broken("fork")]),
    (Head("e1", 5, "f" * 16, "f" * 16), [Broken("fork")]),
    (Head("e1", 5, "f" * 16, "tip3"), [Need(4, 5)]),
    (Head("e1", 9, "f" * 16, "", 7), [Need(4, 9)]),
]


@pytest.mark.parametrize(("head", "effects"), CHECKS)
def test_a_check_compares_the_entry_at_our_position(head: Head, effects: list[Effect]) -> None:
    log = history(3)
    feed = new_feed(log)
    hear(feed, *log)
    ours = {"tip3": tip_of(log, 3), "tip2": tip_of(log, 2)}
    told = Head(
        head.epoch,
        head.seq,
        ours.get(head.tip, head.tip),
        ours.get(head.tip_at, head.tip_at),
        head.oldest,
    )
    assert feed.checked(told, at=3, tip=tip_of(log, 3)) == effects


def test_a_log_that_no_longer_reaches_back_is_trimmed() -> None:
    log = history(9)
    feed = new_feed(log)
    hear(feed, log[8])
    assert feed.backfilled(Need(1, 8), log[5:8]) == [Broken("trimmed")]


def test_what_arrives_before_the_start_follows_it() -> None:
    log = history(5)
    feed = Feed(Ring(max_events=10, max_bytes=1 << 20))
    assert hear(feed, *log[1:4]) == []
    assert kinds(feed.start("e1", 2, tip_of(log, 2))) == [3, 4]


def test_a_tip_that_does_not_hash_its_prefix_is_noticed_in_debug() -> None:
    log = history(2)
    feed = new_feed(log)
    forged = log[0].frame[:-16] + b"0" * 16
    with pytest.raises(AssertionError, match="does not hash"):
        hear(feed, Entry(1, log[0].prev, forged))


def test_a_mark_is_read_with_its_fields() -> None:
    fields = ["ann", 3, 7, "blue", "box.1", "7.abc", True]
    assert parse(b"M" + msgpack.packb(fields)) == Mark("ann", 3, 7, "blue", "box.1", "7.abc", True)


@pytest.mark.parametrize("data", [b"", b"X", b"E" + b"0" * 19, b"E" + b"0" * 16 + b"\0\0\0\x09ab"])
def test_bytes_that_are_no_publication_are_refused(data: bytes) -> None:
    if data == b"":
        data = b"?"
    with pytest.raises(ValueError, match=r"."):
        parse(data)


@pytest.mark.parametrize("seed", range(60))
def test_losses_doubles_and_disorder_end_at_the_top(seed: int) -> None:
    rng = random.Random(seed)
    log = history(300)
    feed = new_feed(log)
    seen: list[int] = []
    needs: list[Need] = []

    def take(effects: list[Effect]) -> None:
        for effect in effects:
            assert not isinstance(effect, Broken)
            if isinstance(effect, Need):
                needs.append(effect)
            else:
                seen.append(effect.event.seq)

    at = 0
    while at < len(log):
        size = rng.randrange(1, 5)
        batch = log[at : at + size]
        if rng.random() > 0.3:
            take(hear(feed, *batch))
        if rng.random() < 0.2:
            take(hear(feed, *log[max(0, at - 5) : at]))
        at += size
        if needs and rng.random() < 0.5:
            need = needs.pop()
            take(feed.backfilled(need, log[need.first - 1 : min(need.last, at)]))
    for _ in range(50):
        while needs:
            need = needs.pop()
            take(feed.backfilled(need, log[need.first - 1 : need.last]))
        hi = feed.hi
        head = Head("e1", 300, tip_of(log, 300), tip_of(log, hi))
        take(feed.checked(head, at=hi, tip=feed.ring.last_tip))
    assert seen == list(range(1, 301))
    assert feed.ring.last_tip == tip_of(log, 300)
    assert isinstance(feed.ring.events_after(299)[0], Published)
