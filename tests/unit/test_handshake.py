"""Who is turned away is told until when; and what is no overload is not taken for one."""

from __future__ import annotations

import asyncio
import resource
from typing import Any

import pytest

from batonbox_server import wire
from batonbox_server.asgi.admission import Bounds, LoadShedder, Pressure
from batonbox_server.asgi.handshake import Denial, Handshakes, deny
from batonbox_server.asgi.requests import _vital
from batonbox_server.session.steps import Run

UPGRADE: Any = {
    "extensions": {"websocket.http.response": {}},
    "headers": [],
    "subprotocols": [wire.MSGPACK_SUBPROTOCOL],
}


async def denied(denial: Denial) -> dict[bytes, bytes]:
    """The headers of the answer."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await deny(denial, UPGRADE, send)
    assert sent[0]["status"] == denial.status
    return dict(sent[0]["headers"])


@pytest.mark.parametrize("draining", [True, False])
async def test_an_upgrade_that_is_turned_away_has_a_retry_after(draining: bool) -> None:
    shedder = LoadShedder(Bounds())
    handshakes = Handshakes(shedder, origins=())
    assert handshakes.judge(UPGRADE, 0) == wire.MSGPACK_SUBPROTOCOL
    handshakes.draining = draining
    if not draining:
        shedder.measured(Pressure(engine_s=3.0), 0.0)
    denial = handshakes.judge(UPGRADE, 0)
    assert isinstance(denial, Denial)
    assert (denial.status, denial.retry_after_s > 0) == (503, True)
    headers = await denied(denial)
    assert headers[b"retry-after"] == str(denial.retry_after_s).encode()
    assert b"retry-after" not in await denied(Denial(403, "no"))


def test_a_crowd_is_not_asked_to_spread_for_longer_than_a_moment() -> None:
    shedder = LoadShedder(Bounds(handshakes_per_s=10.0))
    shedder.crowd.connections = 10
    assert shedder.reconnect_ms() == 1000
    shedder.crowd.connections = 100_000
    assert shedder.reconnect_ms() == 3000


def test_connections_leave_some_of_the_open_files() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        assert LoadShedder(Bounds()).counts["connections_max"] == soft - 256
    assert LoadShedder(Bounds(connections_max=7)).counts["connections_max"] == 7


async def test_replies_that_a_late_loop_has_not_read_are_not_the_engines_fault() -> None:
    shedder = LoadShedder(Bounds(), engine=lambda: (3.0, 0.0))
    try:
        now_s = asyncio.get_running_loop().time()
        shedder._sample(now_s - 3.0)
        assert shedder.pressure.engine_s == 0.0
        for _ in range(3):
            shedder._sample(asyncio.get_running_loop().time())
        assert shedder.pressure.engine_s > 2.0
    finally:
        shedder.close()


def test_a_reply_and_coming_back_are_served_whatever_the_load() -> None:
    args: Any = None
    assert _vital(wire.Sub(1, []))
    assert _vital(wire.Refresh(1, "token"))
    assert _vital(Run(1, "reply", args))
    assert not _vital(Run(1, "note", args))
    assert not _vital(wire.Page(1, "sales", "all"))
