"""Tokens that nodes know by heart are as dead as all others once they have ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from batonbox.bench import Address, Commander, open_one
from tests.served import Served, served


@pytest.fixture
async def sites(engine_url: str, prefix: str) -> AsyncIterator[list[Served]]:
    """Two nodes of one organisation."""
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        yield [east, west]


async def let_in(site: Served, token: str) -> bool:
    """Whether this node takes a connection with the token."""
    try:
        link = await open_one(lambda: Commander(Address.of(site.url), token))
    except Exception:
        return False
    link.cut()
    return True


async def admitted(sites: list[Served], token: str) -> list[bool]:
    """By which of the nodes it is let in."""
    return [await let_in(site, token) for site in sites]


async def refused(sites: list[Served], token: str) -> None:
    """By all of them, as soon as they have heard of it."""
    async with asyncio.timeout(10):
        while any(await admitted(sites, token)):
            await asyncio.sleep(0.05)


async def admin(site: Served, path: str, method: str = "POST") -> None:
    """The admin does this, and it is done."""
    answer = await site.call("admin", method, f"/v1/admin/users/agent1{path}")
    assert answer.is_success, answer.text


async def test_reactivation_revives_no_token(sites: list[Served]) -> None:
    east, _ = sites
    token = await east.token("agent1")
    assert await admitted(sites, token) == [True, True]
    await admin(east, "/deactivate")
    await admin(east, "/reactivate")
    await refused(sites, token)
    _, fresh = await east.node.identity.make_token(user="agent1")
    assert await admitted(sites, fresh) == [True, True]


async def test_one_that_was_revoked_at_another_node_is_known_nowhere(sites: list[Served]) -> None:
    east, west = sites
    made, secret = await east.node.identity.make_token(user="agent1")
    assert await admitted(sites, secret) == [True, True]
    await admin(west, f"/tokens/{made.id}", "DELETE")
    await refused(sites, secret)
