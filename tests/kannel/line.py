"""A node of ours and a Kannel that know each other, as the account's setup tells an operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from batonbox_server.carriers.kannel_setup import PASSWORD_HERE
from tests.kannel.gateway import Gateway
from tests.ports import free_port
from tests.served import SALES, Served, served

__all__ = ["PASSWORD", "USERNAME", "connected", "groups_of", "settings_for"]

USERNAME: Final = "batonbox"
PASSWORD: Final = "a-password-of-kannels"


def settings_for(kannel: Gateway, port: int) -> dict[str, Any]:
    """Of a server on this port, with the account `kannel`."""
    return {
        "public_url": f"http://127.0.0.1:{port}",
        "kannel_url": kannel.url,
        "kannel_username": USERNAME,
        "kannel_password": PASSWORD,
    }


def groups_of(setup: str) -> str:
    """What an operator makes of it: the password typed in; and asking again after 1 s, not 10."""
    assert "http-queue-delay = 10" in setup
    return setup.replace(PASSWORD_HERE, PASSWORD).replace(
        "http-queue-delay = 10", "http-queue-delay = 1"
    )


@asynccontextmanager
async def connected(
    engine_url: str, prefix: str, kannel: Gateway, *, port: int = 0, **settings: Any
) -> AsyncIterator[Served]:
    """The node, its Sales number on Kannel, and Kannel started, unless it runs already."""
    port = port or free_port()
    given = {**settings_for(kannel, port), **settings}
    async with served(engine_url, prefix, port=port, **given) as site:
        body = {"inbox": "sales", "carrier": "kannel"}
        answer = await site.call("admin", "PUT", f"/v1/admin/numbers/{SALES}", body)
        assert answer.status_code == 200, answer.text
        if not kannel.running:
            account = await site.get("admin", "/v1/admin/carriers/kannel")
            await kannel.start(groups_of(account["setup"]))
        yield site
