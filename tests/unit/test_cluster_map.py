"""What a cluster's nodes say of who serves what, and whom to believe."""

from __future__ import annotations

from typing import Any

import pytest
from redis.crc import key_slot

from batonbox_server.store.address import Address
from batonbox_server.store.cluster_map import ClusterMap, _view, slot_of
from batonbox_server.store.keys import Keys

A, B, C = b"a" * 40, b"b" * 40, b"c" * 40


def told(
    *owners: tuple[int, int, bytes, int], known: tuple[bytes, ...] = (), host: str = "h"
) -> Any:
    """A view of (first, last, node, epoch)."""
    slots = [[first, last, [host.encode(), node[0], node]] for first, last, node, _ in owners]
    epochs = {node: epoch for _, _, node, epoch in owners} | dict.fromkeys(known, 1)
    nodes = "".join(
        f"{node.decode()} 10.0.0.1:1@2 master - 0 0 {epoch} connected\n"
        for node, epoch in epochs.items()
    )
    return _view(slots, nodes, asked=("seed", 7000))


@pytest.mark.parametrize("key", ["", "a", "{}a", "a{b}c", "{b}{c}", "a{}{b}", "x{y", "é{ü}"])
def test_slots_are_those_of_the_engine(key: str) -> None:
    assert slot_of(key) == slot_of(key.encode()) == key_slot(key.encode())


def test_everything_of_a_log_is_in_one_slot() -> None:
    prefix = Keys("space:").inbox("box")
    assert slot_of(prefix) == slot_of(Keys.channel(prefix)) == slot_of(f"{prefix}:c:box.1")


def a_map() -> ClusterMap:
    return ClusterMap(Address.parse("redis+cluster://seed:7000"))


@pytest.mark.parametrize("host", ["", "?"])
def test_who_does_not_know_its_address_is_where_it_was_reached(host: str) -> None:
    cluster = a_map()
    cluster._take(told((0, 5, A, 1), host=host))
    assert cluster.owner(3) == ("seed", A[0])
    assert cluster.owner(6) is None


def test_the_higher_epoch_wins() -> None:
    """A primary that comes back still believes that it serves what its replica took over."""
    cluster = a_map()
    changes: list[int | None] = []
    cluster.listen(changes.append)
    cluster._take(told((0, 9, B, 7), known=(A,)))
    cluster._take(told((0, 9, A, 3), known=(B,)))
    assert cluster.owner(0) == ("h", B[0])
    assert changes == [None]


def test_what_is_no_part_of_the_cluster_any_more_is_not_believed() -> None:
    cluster = a_map()
    cluster._take(told((0, 9, B, 7)))
    cluster._take(told((0, 9, C, 1)))
    assert cluster.owner(0) == ("h", C[0])


def test_a_node_that_names_the_owner_is_believed_until_another_view() -> None:
    cluster = a_map()
    cluster._take(told((0, 9, A, 7)))
    cluster.learn(4, ("other", 9))
    assert cluster.wanted.is_set()
    assert (cluster.owner(4), cluster.owner(5)) == (("other", 9), ("h", A[0]))
    cluster._take(told((0, 9, B, 2), known=(A,)))
    assert (cluster.owner(4), cluster.owner(5)) == (("h", B[0]), ("h", A[0]))
