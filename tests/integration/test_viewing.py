"""Who looks at a conversation, and who is typing: over two nodes, in time, to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from batonbox_server.hub import watching
from batonbox_server.wire import Op
from tests.served import SUPPORT, Served, served
from tests.support import eventually

from .socket_harness import Peer, dial


class Town:
    """Two nodes of one organisation, and people who speak frames with one of them."""

    def __init__(self, sites: tuple[Served, Served], stack: AsyncExitStack) -> None:
        self.sites = sites
        self._stack = stack

    async def peer(self, user: str, at: int = 0) -> Peer:
        """Signed in, with a seat at every inbox the user joined."""
        site = self.sites[at]
        peer = await dial(site)
        self._stack.push_async_callback(peer.end)
        await peer.send([Op.HELLO, await site.token(user), "test/1"])
        await peer.got(Op.ORG)
        joined = site.node.directory.joined_by(user)
        await eventually(lambda: {badge[1] for badge in peer.all(Op.BADGE)} >= joined)
        return peer


@pytest.fixture
async def town(engine_url: str, prefix: str) -> AsyncIterator[Town]:
    async with (
        served(engine_url, prefix) as one,
        served(engine_url, prefix) as other,
        AsyncExitStack() as stack,
    ):
        yield Town((one, other), stack)


def who(peer: Peer, conv: str) -> dict[str, str] | None:
    """What the connection was told last about this conversation; None: nothing ever."""
    told = [frame[2] for frame in peer.all(Op.TYPING) if frame[1] == conv]
    return told[-1] if told else None


async def unheard(_: str, __: bytes) -> None:
    """In place of a node's `publish`: as of a process that was killed, it says no farewell."""


async def sees(peer: Peer, conv: str, expected: dict[str, str], within_s: float = 5.0) -> None:
    await eventually(
        lambda: who(peer, conv) == expected, timeout_s=within_s, what=f"{who(peer, conv)}"
    )


async def test_two_who_look_see_each_other_over_two_nodes(town: Town) -> None:
    conv = await town.sites[0].texts("hello")
    ana, ben = await town.peer("agent1"), await town.peer("agent2", at=1)
    await ana.send([Op.VIEWING, conv, False])
    await asyncio.sleep(0.6)  # so long that nothing is about to be said again
    assert who(ana, conv) is None  # oneself is nobody to be told about
    # Whoever comes later asks, and has the others at once.
    await ben.send([Op.VIEWING, conv, True])
    await sees(ben, conv, {"agent1": "viewing"}, within_s=1.5)
    await sees(ana, conv, {"agent2": "typing"}, within_s=1.5)
    await ben.send([Op.VIEWING, conv, False])
    await sees(ana, conv, {"agent2": "viewing"}, within_s=1.5)
    await ben.send([Op.VIEWING, None, False])
    await sees(ana, conv, {}, within_s=1.5)


async def test_one_connection_looks_at_one_conversation_and_many_of_one_user_are_one(
    town: Town,
) -> None:
    conv = await town.sites[0].texts("hello")
    second = await town.sites[0].texts("hello", customer="+14165550143")
    ana = await town.peer("agent1")
    tabs = [await town.peer("agent2", at=at) for at in (0, 1, 1)]
    await ana.send([Op.VIEWING, conv, False])
    for tab in tabs:
        await tab.send([Op.VIEWING, conv, tab is tabs[2]])
    await sees(ana, conv, {"agent2": "typing"})
    await sees(tabs[0], conv, {"agent1": "viewing"})
    await tabs[2].send([Op.VIEWING, second, False])
    await sees(ana, conv, {"agent2": "viewing"})
    for tab in tabs[:2]:
        await tab.end()
    await sees(ana, conv, {})
    await ana.send([Op.VIEWING, second, False])
    await sees(ana, second, {"agent2": "viewing"})
    await sees(tabs[2], second, {"agent1": "viewing"})


async def test_what_is_not_said_again_is_forgotten(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_TYPING_S", 1.0)
    monkeypatch.setattr(watching, "_VIEWING_S", 3.0)
    conv = await town.sites[0].texts("hello")
    ana, ben = await town.peer("agent1"), await town.peer("agent2", at=1)
    tab = await town.peer("agent1")
    for _ in range(5):  # ana stays
        await ana.send([Op.VIEWING, conv, False])
        if not who(ana, conv):
            await ben.send([Op.VIEWING, conv, True])
            await sees(ana, conv, {"agent2": "typing"})
        await asyncio.sleep(0.3)
    await sees(ana, conv, {"agent2": "viewing"}, within_s=3)
    await tab.send([Op.VIEWING, conv, False])
    await sees(ana, conv, {}, within_s=6)
    await eventually(lambda: town.sites[1].node.hub._watching._rooms == {})


async def test_a_node_that_dies_takes_its_viewers_with_it(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_TYPING_S", 1.0)
    monkeypatch.setattr(watching, "_VIEWING_S", 3.0)
    conv = await town.sites[0].texts("hello")
    ana, ben = await town.peer("agent1"), await town.peer("agent2", at=1)
    await ana.send([Op.VIEWING, conv, False])
    await ben.send([Op.VIEWING, conv, True])
    await sees(ana, conv, {"agent2": "typing"})
    monkeypatch.setattr(town.sites[1].node.hub._watching, "_publish", unheard)
    await ben.end()
    for _ in range(60):
        await ana.send([Op.VIEWING, conv, False])
        await asyncio.sleep(0.1)
        if not who(ana, conv):
            break
    shown = [frame[2].get("agent2") for frame in ana.all(Op.TYPING)]
    assert shown == ["typing", "viewing", None]  # neither for ever


async def test_a_stranger_neither_shows_nor_sees(town: Town) -> None:
    """Support is not agent1's; what they send is not answered, and tells nobody anything."""
    conv = await town.sites[0].texts("hello", to=SUPPORT)
    strangers = [await town.peer("agent1", at=at) for at in (0, 1)]
    ben, cleo = await town.peer("agent2"), await town.peer("agent3", at=1)
    for stranger in strangers:
        await stranger.send([Op.VIEWING, conv, True])
    for member in (ben, cleo):
        await member.send([Op.VIEWING, conv, True])
    await sees(ben, conv, {"agent3": "typing"})
    await sees(cleo, conv, {"agent2": "typing"})
    await asyncio.sleep(0.6)
    told = [frame[2] for member in (ben, cleo) for frame in member.all(Op.TYPING)]
    assert not any("agent1" in one for one in told)
    for stranger in strangers:
        assert not stranger.all(Op.TYPING)
        assert not stranger.all(Op.ERR)


async def test_whoever_is_removed_vanishes_and_hears_no_more(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    conv = await town.sites[0].texts("hello", to=SUPPORT)
    ben, cleo = await town.peer("agent2"), await town.peer("agent3", at=1)
    for member in (ben, cleo):
        await member.send([Op.VIEWING, conv, False])
    await sees(ben, conv, {"agent3": "viewing"})
    await sees(cleo, conv, {"agent2": "viewing"})
    # By the event that ends the access, whatever the other node says or does not say any more.
    monkeypatch.setattr(town.sites[1].node.hub._watching, "_publish", unheard)
    path = "/v1/admin/inboxes/support/members/agent3"
    assert (await town.sites[0].call("admin", "DELETE", path)).status_code == 204
    await sees(ben, conv, {}, within_s=1.5)
    await cleo.got(Op.UNSUBD, _1="support")
    before = len(cleo.all(Op.TYPING))
    await cleo.send([Op.VIEWING, conv, True])  # it may say so still
    for typing in (True, False, True):
        await ben.send([Op.VIEWING, conv, typing])
        await asyncio.sleep(0.3)
    assert len(cleo.all(Op.TYPING)) == before
    assert who(ben, conv) == {}


async def test_an_admin_who_only_looks_in_is_seen_too(town: Town) -> None:
    conv = await town.sites[0].texts("hello", to=SUPPORT)
    for user in ("admin",):
        path = f"/v1/admin/inboxes/support/members/{user}"
        assert (await town.sites[0].call("admin", "DELETE", path)).status_code == 204
    boss, ben = await town.peer("admin"), await town.peer("agent2", at=1)
    await boss.send([Op.VIEWING, conv, False])
    await ben.send([Op.VIEWING, conv, False])
    await sees(ben, conv, {"admin": "viewing"})
    await sees(boss, conv, {"agent2": "viewing"})
    assert "support" not in {badge[1] for badge in boss.all(Op.BADGE)}


async def test_the_sdk_says_it_again_on_a_new_connection(town: Town) -> None:
    one, other = town.sites
    conv = await one.texts("hello")
    async with await one.sdk("agent1") as ana, await other.sdk("agent2") as ben:
        hers, his = await ana.conversation(conv), await ben.conversation(conv)
        async with hers.viewing() as view, his.viewing() as his_view:
            await eventually(lambda: dict(view.watchers) == {"agent2": "viewing"})
            his_view.typing()
            await eventually(lambda: dict(hers.watchers) == {"agent2": "typing"})
            ben._connection.drop()
            await eventually(lambda: dict(his.watchers) == {"agent1": "viewing"})
            await eventually(lambda: dict(hers.watchers) == {"agent2": "typing"})
        assert not his.watchers
        async with hers.viewing() as view:
            await asyncio.sleep(0.5)
            # What was said before he left may still come, and that he did; stale it stays longer.
            await eventually(lambda: not view.watchers)
