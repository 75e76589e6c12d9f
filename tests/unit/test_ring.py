"""The shared ring: bounded, and one joined batch for equal cursors."""

from __future__ import annotations

import msgspec

from batonbox_server.hub.frames import Published
from batonbox_server.hub.ring import Ring
from batonbox_server.wire import MSGPACK_SUBPROTOCOL, decode, encode


def event(seq: int, size: int = 10) -> Published:
    frame = encode([20, "box", seq, {"type": "x"}, "b" * size, f"tip{seq}"], MSGPACK_SUBPROTOCOL)
    return Published.of(f"tip{seq - 1}", frame)


def ring_of(count: int, *, max_events: int = 100, max_bytes: int = 1 << 20) -> Ring:
    ring = Ring(max_events=max_events, max_bytes=max_bytes)
    ring.restart(0, "tip0")
    for seq in range(1, count + 1):
        ring.append(event(seq))
    return ring


def test_a_slice_holds_everything_behind_the_cursor() -> None:
    part = ring_of(5).slice(2, max_bytes=1 << 20, as_json=False)
    assert [f[2] for f in decode(part.data, MSGPACK_SUBPROTOCOL)] == [3, 4, 5]
    assert part.last == 5


def test_it_ends_where_it_was_cut_and_goes_on_from_there() -> None:
    ring = ring_of(5)
    ring.truncate(3)
    assert (ring.last, ring.last_tip) == (3, "tip3")
    ring.append(event(4))
    assert (ring.last, ring.last_tip) == (4, "tip4")
    ring.truncate(0)
    assert (ring.last, ring.last_tip) == (0, "tip0")


def test_json_is_one_line_per_event() -> None:
    lines = ring_of(3).slice(0, max_bytes=1 << 20, as_json=True).data.split(b"\n")
    assert [msgspec.json.decode(line)[2] for line in lines] == [1, 2, 3]


def test_equal_cursors_share_one_batch_until_the_next_event() -> None:
    ring = ring_of(3)
    first = ring.slice(1, max_bytes=100, as_json=False)
    assert ring.slice(1, max_bytes=100, as_json=False) is first
    ring.append(event(4))
    assert ring.slice(1, max_bytes=1000, as_json=False).last == 4


def test_what_is_kept_joined_takes_no_more_than_the_events_may() -> None:
    size = len(event(1).frame)
    ring = ring_of(100, max_bytes=120 * size)
    kept = [ring.slice(cursor, max_bytes=1 << 20, as_json=False) for cursor in range(100)]
    kept += [ring.message(cursor, text=False) for cursor in range(100)]
    held = [*ring._memo.values(), *ring._messages.values()]
    assert held
    assert sum(len(part.data) for part in held) <= 120 * size + len(kept[0].data)
    ring.append(event(101))
    assert ring.message(99, text=False).last == 101
    assert ring.slice(99, max_bytes=1 << 20, as_json=False).last == 101


def test_a_slice_is_bounded_but_never_empty() -> None:
    ring = ring_of(5)
    assert ring.slice(0, max_bytes=1, as_json=False).last == 1
    assert 1 < ring.slice(0, max_bytes=3 * len(event(1).frame), as_json=False).last < 5


def test_count_and_bytes_are_bounded() -> None:
    assert ring_of(10, max_events=4).base == 6
    ring = ring_of(9, max_bytes=3 * len(event(1).frame))
    assert (ring.base, ring.base_tip, ring.tip_of(7), ring.tip_of(5)) == (6, "tip6", "tip7", None)
    assert ring.size_bytes <= 3 * len(event(1).frame)
    assert ring.covers(6)
    assert not ring.covers(5)
