"""The bench's client speaks TLS, and trusts only whom it should."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.server import serve
from websockets.typing import Subprotocol

from batonbox import ConnectionLost
from batonbox._wire import SUBPROTOCOLS, Op
from batonbox.bench import Address, Commander, open_one
from tests.certificates import certificate
from tests.sdk.scripted import Script

HOST = "127.0.0.1"


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[tuple[Script, Path]]:
    """A scripted server behind TLS, and the certificate to trust."""
    trusted, key = certificate(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(trusted, key)
    script = Script()
    offered = [Subprotocol(name) for name in SUBPROTOCOLS]
    async with serve(
        script.serve, HOST, 0, subprotocols=offered, compression=None, ssl=tls
    ) as server:
        script.url = f"wss://{HOST}:{next(iter(server.sockets)).getsockname()[1]}"
        yield script, trusted


async def test_commands_go_through_tls(secure: tuple[Script, Path]) -> None:
    script, trusted = secure
    tls = ssl.create_default_context(cafile=str(trusted))
    address = dataclasses.replace(Address.of(script.url), tls=tls)
    opening = asyncio.get_running_loop().create_task(open_one(lambda: Commander(address, "t")))
    peer = await script.next()
    await peer.welcome()
    commander = await opening
    text = "x" * 100_000  # more than one record
    asking = asyncio.get_running_loop().create_task(commander.ask(Op.PAGE, "sales", "all", None, 1))
    await peer.ok(await peer.expect(Op.PAGE), rows=[text])
    assert (await asking)["rows"] == [text]
    commander.close()
    await peer.closed


async def test_a_certificate_of_nobody_is_refused(secure: tuple[Script, Path]) -> None:
    script, _ = secure
    with pytest.raises(ConnectionLost, match="certificate"):
        await open_one(lambda: Commander(Address.of(script.url), "t"))
