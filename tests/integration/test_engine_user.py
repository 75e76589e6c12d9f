"""An engine user with the rights that the manual lists, and TLS in front of the engine."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batonbox_server.engine import EngineBinary
from batonbox_server.errors import EngineUnavailable, EngineUnsuitable
from batonbox_server.store.connect import EngineClient
from batonbox_server.torture.sites.standalone import StandaloneSite
from tests.certificates import certificate
from tests.relay import Cutter
from tests.served import CUSTOMER, SALES, Served, served

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "server" / "batonbox_server"
MANUAL = ROOT / "docs" / "operations.md"


def rule(
    *, password: str, space: str, engine: EngineBinary | None = None, in_cluster: bool = False
) -> list[str]:
    """The manual's line, for another password and key space; with what it adds and takes away."""
    text = MANUAL.read_text()
    (line,) = re.findall(r"^ *(ACL SETUSER batonbox .*)$", text, re.MULTILINE)
    words = line.split()
    if in_cluster:
        (more,) = re.findall(r"In a cluster `([^`]+)` as", text)
        words += more.split()
    if engine is not None and engine.version < (7, 2):
        (less,) = re.findall(r"Redis before 7.2 has no ([^.]+)\.", text)
        words = [word for word in words if word not in set(re.findall("`([^`]+)`", less))]
    return [word.replace("PASSWORD", password).replace("bb{", f"{space}{{") for word in words]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[StandaloneSite]:
    """An engine on TCP."""
    site = StandaloneSite(tmp_path)
    try:
        await site.start()
        yield site
    finally:
        await site.stop()


@pytest.fixture
async def operator(site: StandaloneSite) -> AsyncIterator[EngineClient]:
    """Who may do everything."""
    client = EngineClient(site.url)
    await client.connect()
    yield client
    await client.aclose()


async def test_the_rights_that_the_manual_lists_are_enough(
    site: StandaloneSite, operator: EngineClient
) -> None:
    await operator.execute(*rule(password="secret", space="desk"))
    url = f"redis://batonbox:secret@127.0.0.1:{site.engine.port}"
    async with served(url, "desk", nodes=2) as node:
        await _work(node)
    assert await operator.execute("ACL", "LOG") == []


async def test_without_the_right_to_load_functions_it_says_so_at_once(
    site: StandaloneSite, operator: EngineClient
) -> None:
    words = [word for word in rule(password="secret", space="desk") if word != "+function|load"]
    await operator.execute(*words)
    url = f"redis://batonbox:secret@127.0.0.1:{site.engine.port}"
    with pytest.raises(EngineUnsuitable, match=r"refuses our user: .*function\|load"):
        async with served(url, "desk"):
            pass


async def test_another_key_space_is_out_of_reach(
    site: StandaloneSite, operator: EngineClient
) -> None:
    await operator.execute(*rule(password="secret", space="desk"))
    client = EngineClient(f"redis://batonbox:secret@127.0.0.1:{site.engine.port}")
    await client.connect()
    for words in (("GET", "other{org}"), ("SPUBLISH", "other{org}:ev", "x"), ("FLUSHALL",)):
        with pytest.raises(Exception, match=r"NOPERM|permissions"):
            await client.execute(*words)
    await client.aclose()


async def test_no_command_of_the_sources_is_missing_in_the_rule(operator: EngineClient) -> None:
    """The workload above does not come by every line."""
    words = rule(password="secret", space="desk")
    allowed = {word[1:].partition("|")[0].lower() for word in words if word[0] == "+"}
    for category in (word[2:] for word in words if word.startswith("+@")):
        allowed |= {name.decode() for name in await operator.execute("ACL", "CAT", category)}
    scripts = "".join(path.read_text() for path in SOURCES.rglob("*.lua"))
    used = {word.lower() for word in re.findall(r"redis\.p?call\([^()]*?\"([A-Z]+)\"", scripts)}
    used |= {word.lower() for word in re.findall(r"and \"([A-Z]+)\" or", scripts)}
    store = "".join(path.read_text() for path in (SOURCES / "store").glob("*.py"))
    used |= {
        word.lower()
        for word in re.findall(r"(?:execute|ask|pack|request)\(\(?\s*\"([A-Z]+)\"", store)
    }
    assert len(used) > 40
    # Of sentinels and clusters only; those have lines of their own in the manual.
    assert used - allowed <= {"sentinel", "cluster", "asking"}


async def _work(node: Served) -> None:
    """What a team does on a day, over HTTP."""
    conv = await node.texts("hello")
    steps = [
        ("agent1", "assign", {}),
        ("agent1", "reply", {"text": "hi"}),
        ("agent1", "note", {"text": "a regular"}),
        ("agent1", "transfer", {"to": "agent2"}),
        ("agent2", "return", {}),
        ("agent1", "assign", {}),
        ("agent1", "done", {}),
    ]
    for user, verb, body in steps:
        answer = await node.act(user, conv, verb, **body)
        assert answer.is_success, answer.text
    assert await node.phone_with(1) == ["hi"]
    await node.texts("STOP", to=SALES, customer=CUSTOMER)
    async with await node.sdk("agent1") as client:
        room = await client.open_dm("agent2")
        await room.post("over to you")
        await client.confirm_writes()


@asynccontextmanager
async def behind_tls(port: int, folder: Path) -> AsyncIterator[tuple[str, Path]]:
    """What speaks TLS in front of the server on `port`; gives `host:port` and whom to trust."""
    trusted, key = certificate(folder)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(trusted, key)
    cutter = Cutter(port)
    listener = await asyncio.start_server(cutter.serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield f"127.0.0.1:{listener.sockets[0].getsockname()[1]}", trusted
    finally:
        listener.close()
        await cutter.aclose()


async def test_over_tls_with_an_authority_of_ones_own(
    site: StandaloneSite, tmp_path: Path, prefix: str
) -> None:
    async with behind_tls(site.engine.port, tmp_path) as (at, trusted):
        url = f"rediss://:{site.engine.password}@{at}?ssl_ca_certs={trusted}"
        async with served(url, prefix) as node:
            assert (await node.act("agent1", await node.texts("hello"), "assign")).is_success
        stranger = url.partition("?")[0]
        with pytest.raises(EngineUnavailable, match=r"(?i)certificate"):
            await EngineClient(stranger).connect()
