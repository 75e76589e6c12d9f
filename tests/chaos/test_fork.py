"""A failover that lost acknowledged writes and wrote others in their place, same epoch and seqs."""

from __future__ import annotations

import pytest

from batonbox_server.hub.follower import Position
from batonbox_server.hub.inbox import InboxFollower
from batonbox_server.hub.viewer import Seat
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.wire import Op
from tests.integration.socket_harness import Node, People, running, sign_in
from tests.support import eventually


async def _resume_after_failover(node: Node) -> tuple[list[str], bool]:
    """Resume at a position of the lost history; reasons of RESET, and whether a SNAP came."""
    await node.join("box", "ann")
    execute = node.store._client.execute
    log = node.keys.inbox("box")
    await node.receive("box", "+15550200")
    before = {key: await execute("DUMP", key) for key in await execute("KEYS", f"{log}*")}
    await node.receive("box", "+15550201")
    await node.receive("box", "+15550202")
    ann = await sign_in(node, "ann")
    await ann.send([Op.SUB, 1, [["box", "list"]]])
    _, _, epoch, seq, tip, *_ = await ann.got(Op.SNAP)
    await ann.end()
    for key in await execute("KEYS", f"{log}*"):
        await execute("DEL", key)
    for key, dump in before.items():
        await execute("RESTORE", key, 0, dump)
    await node.receive("box", "+15550301")
    await node.receive("box", "+15550302")
    head = await node.store.head(log=log)
    assert (head.epoch, head.seq) == (epoch, seq), "only the tip tells the histories apart"
    assert head.tip != tip
    follower = node.hub.followers.find("box")
    assert follower is not None
    await eventually(lambda: follower.ring.last_tip == head.tip)
    back = await sign_in(node, "ann")
    await back.send([Op.SUB, 1, [["box", "list", epoch, seq, tip]]])
    await back.got(Op.OK, _1=1)
    await back.end()
    return [frame[2] for frame in back.all(Op.RESET)], bool(back.all(Op.SNAP))


async def test_a_position_of_the_lost_history_is_reset(
    engine_url: str, client: EngineClient, prefix: str
) -> None:
    async with running(Node(engine_url, client, Keys(prefix), People())) as node:
        assert await _resume_after_failover(node) == (["fork"], True)


async def test_without_the_tip_the_position_silently_joins_another_history(
    engine_url: str, client: EngineClient, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ablation: (epoch, seq) alone, as usual elsewhere, notices nothing."""

    async def by_seq_alone(follower: InboxFollower, position: Position, _: Seat) -> str | None:
        known = position.epoch == follower.feed.epoch and position.seq <= follower.feed.hi
        return None if known else "fork"

    monkeypatch.setattr(InboxFollower, "_mismatch", by_seq_alone)
    async with running(Node(engine_url, client, Keys(prefix), People())) as node:
        assert await _resume_after_failover(node) == ([], False)
