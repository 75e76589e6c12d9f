"""Searching over HTTP, and waiting until the index has everything."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any
from urllib.parse import quote

from tests.served import Served

__all__ = ["customers", "found", "said", "search"]

_numbers = itertools.count(1)


def customers() -> str:
    """Another customer's number each time."""
    return f"+1604555{next(_numbers):04}"


async def settled(site: Served) -> None:
    """Until this node's index is where all logs were at the call."""
    search = site.node.search
    search.feed.look()
    for _ in range(2000):
        progress = search.feed.progress
        if progress.complete and not progress.behind:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"the index never was complete: {search.feed.progress}")


async def search(site: Served, user: str, q: str, **more: str) -> dict[str, Any]:
    """The answer, once the index has everything."""
    await settled(site)
    query = "&".join(f"{name}={quote(value)}" for name, value in {"q": q, **more}.items())
    answer: dict[str, Any] = await site.get(user, f"/v1/search?{query}")
    return answer


async def found(site: Served, user: str, q: str) -> list[tuple[str, int]]:
    """(conversation, number) of the messages found."""
    answer = await search(site, user, q, kinds="messages", limit="50")
    return [(hit["conv"], hit["n"]) for hit in answer["messages"]]


async def said(site: Served, user: str, q: str) -> list[str]:
    """The excerpts of the messages found."""
    answer = await search(site, user, q, kinds="messages", limit="50")
    return [hit["excerpt"] for hit in answer["messages"]]
