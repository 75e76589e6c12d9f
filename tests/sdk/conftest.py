"""A client signed in to a scripted server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from batonbox import Backoff, Client
from tests.sdk.scripted import Peer, Script, scripted

SignIn = Callable[..., Awaitable[tuple[Client, Peer]]]


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    async with scripted() as script:
        yield script


@pytest.fixture
async def sign_in(script: Script) -> AsyncIterator[SignIn]:
    """`client, peer = await sign_in()`."""
    async with AsyncExitStack() as stack:

        async def sign_in(limits: dict[str, int] | None = None, **more: Any) -> tuple[Client, Peer]:
            options: dict[str, Any] = {"token": "t", "timeout_s": 5.0} | more
            client = Client(script.url, backoff=Backoff(0.001, 0.01), **options)
            async with asyncio.TaskGroup() as group:
                entered = group.create_task(stack.enter_async_context(client))
                peer = await script.next()
                await peer.welcome(**(limits or {}))
                await entered
            return client, peer

        yield sign_in
