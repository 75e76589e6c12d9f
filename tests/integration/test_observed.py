"""What operators see of a running node: how long, how far behind, and whose a line is."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import AsyncIterator

import pytest
import structlog

from batonbox_server import wire
from batonbox_server.cli_base import log_to_stderr
from batonbox_server.measured import CLIENT_LAG
from batonbox_server.service.commands import InboxCommands
from tests.integration.socket_harness import Peer, dial
from tests.served import Served, served
from tests.support import eventually

Op = wire.Op


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    async with served(engine_url, prefix, ping_s=0.3) as it:
        yield it


async def _counted(site: Served, name: str) -> float:
    """A sample of /metrics; 0: it is not there."""
    text = (await site.http.get("/metrics")).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def _peer(site: Served, user: str) -> Peer:
    peer = await dial(site)
    await peer.send([Op.HELLO, await site.token(user), "test/1"])
    await peer.got(Op.WELCOME)
    return peer


async def test_a_command_and_its_script_are_timed_by_name(site: Served) -> None:
    conv = await site.texts("Hello")
    commands = 'batonbox_command_seconds_count{command="assign"}'
    scripts = 'batonbox_script_seconds_count{script="assign"}'
    before = [await _counted(site, name) for name in (commands, scripts)]
    peer = await _peer(site, "agent1")
    await peer.send([Op.CMD, 1, "assign", {"conv": conv, "cid": "c1"}])
    await peer.got(Op.OK, _1=1)
    after = [await _counted(site, name) for name in (commands, scripts)]
    assert [now - was for now, was in zip(after, before, strict=True)] == [1.0, 1.0]
    await peer.end()


async def test_how_a_subscription_began_and_what_was_reset_are_counted(site: Served) -> None:
    await site.texts("Hello")
    names = [
        f'batonbox_resumes_total{{kind="{kind}"}}' for kind in ("snapshot", "resumed", "epoch")
    ]
    names.append('batonbox_resets_total{reason="epoch"}')
    before = [await _counted(site, name) for name in names]
    peer = await _peer(site, "agent1")
    await peer.send([Op.SUB, 1, [["sales", "list"]]])
    _, _, epoch, seq, tip, *_ = await peer.got(Op.SNAP)
    await peer.send([Op.SUB, 2, [["sales", "list", epoch, seq, tip]]])
    await peer.got(Op.OK, _1=2)
    await peer.send([Op.SUB, 3, [["sales", "list", "another", seq, tip]]])
    await peer.got(Op.OK, _1=3)
    after = [await _counted(site, name) for name in names]
    assert [now - was for now, was in zip(after, before, strict=True)] == [1.0, 1.0, 1.0, 1.0]
    await peer.end()


async def test_a_client_that_is_behind_shows_in_the_lag(site: Served) -> None:
    await site.texts("Hello")
    peer = await _peer(site, "agent1")
    await peer.send([Op.SUB, 1, [["sales", "list"]]])
    snap = await peer.got(Op.SNAP)
    seq = snap[3]

    def counts() -> list[int]:
        return list(CLIENT_LAG.counts.get("", [0] * 7))

    before = counts()
    await peer.send([Op.PONG, [["sales", seq]]])
    await peer.send([Op.PONG, [["sales", seq - 1]]])
    await eventually(lambda: sum(counts()) >= sum(before) + 2)
    grown = [now - was for now, was in zip(counts(), before, strict=True)]
    assert grown[0] >= 1
    assert grown[1] >= 1
    await peer.end()


@pytest.mark.parametrize("given", ["trace-7.A_b", "x" * 64])
async def test_a_request_keeps_the_name_it_came_with(site: Served, given: str) -> None:
    answer = await site.call("agent1", "GET", "/v1/conversations/sales.none", x_request_id=given)
    assert answer.headers["x-request-id"] == given
    assert answer.json()["request_id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", 'a"b', "a\\u0000"])
async def test_a_name_that_does_not_fit_a_log_is_replaced(site: Served, given: str) -> None:
    answer = await site.call("agent1", "GET", "/v1/conversations/sales.none", x_request_id=given)
    named = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", named)
    assert answer.json()["request_id"] == named


async def test_lines_written_for_a_request_have_its_name(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over HTTP and over the websocket, from code that knows nothing of either."""
    conv = await site.texts("Hello")
    written = io.StringIO()
    kept = structlog.get_config()
    monkeypatch.setattr(sys, "stderr", written)
    real = InboxCommands.run

    async def run(self: InboxCommands, *args: object) -> object:
        structlog.get_logger("deep").warning("deep_inside")
        return await real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(InboxCommands, "run", run)
    log_to_stderr("info")
    try:
        await site.call(
            "agent1", "POST", f"/v1/conversations/{conv}/assign", {}, x_request_id="over-http"
        )
        peer = await _peer(site, "agent1")
        await peer.send([Op.CMD, 7, "return", {"conv": conv, "cid": "c1", "own_tok": "0.x"}])
        await peer.got(Op.ERR, _1=7)
    finally:
        structlog.configure(**kept)
    connection = (peer.all(Op.WELCOME))[0][1]
    lines = [json.loads(line) for line in written.getvalue().splitlines() if "deep_inside" in line]
    assert [line["request_id"] for line in lines] == ["over-http", f"{connection}/7"]
    await peer.end()
