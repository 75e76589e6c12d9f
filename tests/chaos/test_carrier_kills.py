"""The server dies between a carrier's taking a message and its own note of it: what doubles?"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import httpx2
import pytest

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.store.keys import Keys
from tests.chaos.processes import Server
from tests.chaos.reaper import Pipe, Reaper, Site, reaping, to
from tests.integration import twilio_vendor
from tests.integration.test_webhook import SETTING, listening
from tests.kannel.gateway import Gateway, gateway
from tests.kannel.line import groups_of, settings_for
from tests.kannel.phones import FakeCentre, fake_centre
from tests.ports import free_port
from tests.served import CUSTOMER

KILLS = [pytest.param(2, id="2"), pytest.param(20, id="20", marks=pytest.mark.long)]
LEASE_S, WITHIN_S = 2.0, 30.0


@asynccontextmanager
async def mortal(
    tmp_path: Path, engine_url: str, space: str, reaper: Reaper, **settings: Any
) -> AsyncIterator[Site]:
    """A server on an engine that outlives it."""
    given = {"outbox_lease_s": LEASE_S, "outbox_sweep_s": 0.1, "redis_url": engine_url, **settings}
    server = Server(tmp_path / "data", key_space=space, **given)
    await server.start()
    try:
        async with httpx2.AsyncClient(base_url=server.url, timeout=5) as http:
            yield Site(server, reaper, http)
    finally:
        await server.stop()


def texts(kills: int) -> list[str]:
    """What agent1 writes."""
    return [f"answer {number}" for number in range(kills)]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kills", KILLS)
async def test_the_loopback_carrier_doubles_none(
    tmp_path: Path, engine: EmbeddedEngine, prefix: str, kills: int
) -> None:
    head, _, socket = engine.url.rpartition("@")

    async def connect() -> Pipe:
        return await asyncio.open_unix_connection(unquote(socket))

    path = f"{unquote(socket)}.r"
    phone = Keys(prefix).number(CUSTOMER).encode()
    async with (
        reaping(connect, path=path) as reaper,
        mortal(tmp_path, f"{head}@{quote(path)}", prefix, reaper) as site,
    ):
        await site.open("loopback")
        for text in texts(kills):
            await site.dies_while_sending(text, phone)
            await site.all_are("delivered", within_s=WITHIN_S)
        admin = {"authorization": f"Bearer {await site.server.token('admin')}"}
        asked = {"to": CUSTOMER}
        heard = await site.http.get("/v1/loopback/outbound", params=asked, headers=admin)
        assert [item["text"] for item in heard.json()["items"]] == texts(kills)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kills", KILLS)
async def test_the_webhook_carriers_receiver_can_tell(
    tmp_path: Path, engine_url: str, prefix: str, kills: int
) -> None:
    """It gets each a second time, under the id that it has already."""
    async with listening() as carrier:
        port = httpx2.URL(carrier.url).port or 0
        async with reaping(to(port)) as reaper:
            url = f"http://127.0.0.1:{reaper.port}/out"
            settings = {"webhook_secret": SETTING, "webhook_url": url}
            async with mortal(tmp_path, engine_url, prefix, reaper, **settings) as site:
                await site.open("webhook")
                for text in texts(kills):
                    await site.dies_while_sending(text, b"POST /out")
                    await site.all_are("sent", within_s=WITHIN_S)
        assert Counter(message["text"] for _, message in carrier.taken) == dict.fromkeys(
            texts(kills), 2
        )
        assert len({name for name, _ in carrier.taken}) == kills


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kills", KILLS)
async def test_twilio_is_asked_before_it_gets_one_again(
    tmp_path: Path, engine_url: str, prefix: str, kills: int
) -> None:
    """It has no key to know them by, but tells what it has."""
    async with (
        twilio_vendor.listening() as vendor,
        reaping(to(httpx2.URL(vendor.url).port or 0)) as reaper,
    ):
        settings = {
            "public_url": twilio_vendor.PUBLIC,
            "twilio_url": f"http://127.0.0.1:{reaper.port}",
            "twilio_account_sid": twilio_vendor.SID,
            "twilio_auth_token": twilio_vendor.TOKEN,
        }
        async with mortal(tmp_path, engine_url, prefix, reaper, **settings) as site:
            await site.open("twilio")
            for text in texts(kills):
                await site.dies_while_sending(text, b"POST /2010")
                await site.all_are("sent", within_s=WITHIN_S)
        assert [message["body"] for message in vendor.messages] == texts(kills)
        assert vendor.asked.count("POST") == kills


@asynccontextmanager
async def by_kannel(
    tmp_path: Path, engine_url: str, prefix: str, *, receipts: bool
) -> AsyncIterator[tuple[Site, FakeCentre, Gateway]]:
    """A server whose Kannel is behind a reaper; without `receipts` they lead nowhere."""
    async with gateway(tmp_path) as kannel, reaping(to(kannel.ports["sendsms"])) as reaper:
        settings = settings_for(kannel, 0)
        port = reaper.port
        settings["kannel_url"] = f"http://127.0.0.1:{port}/cgi-bin/sendsms"
        server = Server(tmp_path / "data")
        settings["public_url"] = server.url if receipts else f"http://127.0.0.1:{free_port()}"
        async with mortal(
            tmp_path, engine_url, prefix, reaper, port=server.port,
            **settings | ({"outbox_lease_s": 8.0} if receipts else {}),
        ) as site:  # fmt: skip
            admin = {"authorization": f"Bearer {await site.server.token('admin')}"}
            account = (await site.http.get("/v1/admin/carriers/kannel", headers=admin)).json()
            groups = groups_of(account["setup"])
            real = f"sendsms-port = {kannel.ports['sendsms']}"
            await kannel.start(groups.replace(f"sendsms-port = {port}", real))
            async with fake_centre(kannel.ports["fake"]) as phones:
                await site.open("kannel")
                yield site, phones, kannel


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kills", KILLS)
async def test_kannels_receipts_prevent_doubles(
    tmp_path: Path, engine_url: str, prefix: str, kills: int
) -> None:
    """As docs/kannel.md promises while they come within the lease; and nothing secret is logged."""
    async with by_kannel(tmp_path, engine_url, prefix, receipts=True) as (site, phones, kannel):
        for text in texts(kills):
            await site.dies_while_sending(text, b"POST /cgi-bin/sendsms")
            await site.all_are("delivered", within_s=WITHIN_S)
        assert await phones.hears(kills) == texts(kills)
        logged = site.server.log.read_text()
        token = kannel.configuration.read_text().partition("token=")[2].partition("&")[0]
        assert token
        assert token not in logged
        assert settings_for(kannel, 0)["kannel_password"] not in logged


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kills", KILLS)
async def test_without_receipts_kannel_sends_again(
    tmp_path: Path, engine_url: str, prefix: str, kills: int
) -> None:
    """Rather twice than never: docs/kannel.md says so."""
    async with by_kannel(tmp_path, engine_url, prefix, receipts=False) as (site, phones, _):
        for text in texts(kills):
            await site.dies_while_sending(text, b"POST /cgi-bin/sendsms")
            await site.all_are("sent", within_s=WITHIN_S)
        heard = Counter(await phones.hears(2 * kills))
        assert heard == dict.fromkeys(texts(kills), 2)
