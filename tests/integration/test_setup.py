"""First start: an empty server gets its organisation and its first admin, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from batonbox_server.serving import answer
from batonbox_server.wire import Op
from tests.chaos.processes import Server
from tests.integration.sign_in_harness import Browser
from tests.integration.test_cli import run
from tests.served import Served, served

SETUP = {
    "organisation": "Acme Ltd",
    "user": "dana",
    "name": "Dana Smith",
    "password": "correct horse",
}


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A node with nobody in it."""
    async with served(engine_url, prefix, empty=True) as site:
        yield site


async def set_up(browser: Browser, token: str, **more: Any) -> httpx2.Response:
    """POST /v1/setup."""
    return await browser.call("POST", "/v1/setup", {"token": token, **SETUP, **more})


async def test_the_link_makes_the_organisation_and_signs_its_admin_in(site: Served) -> None:
    browser = Browser(site)
    assert (await browser.look())["setup"] is True
    token = await site.node.setup.offer()
    made = await set_up(browser, token)
    assert made.status_code == 200, made.text
    assert made.json()["user"]["role"] == "admin"
    looked = await browser.look()
    assert (looked["setup"], looked["signed_in"], looked["user"]["id"]) == (False, True, "dana")
    me = (await browser.call("GET", "/v1/me")).json()
    assert me["organisation"] == {"name": "Acme Ltd"}
    async with browser.line() as line:
        kind, data = (await line.until(Op.ORG))[1:3]
        assert (kind, data["organisation"]) == ("state", {"name": "Acme Ltd"})
    assert (await Browser(site).sign_in("dana")).status_code == 200


async def test_it_works_once_and_never_when_there_is_somebody(site: Served) -> None:
    token = await site.node.setup.offer()
    answers = await asyncio.gather(
        *(set_up(Browser(site), token, user=f"user{n}", organisation=f"No {n}") for n in range(5))
    )
    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409, 409]
    winner = next(n for n, a in enumerate(answers) if a.status_code == 200)
    state = await site.node.organisation.state()
    assert (list(state.users), state.name) == ([f"user{winner}"], f"No {winner}")
    assert {a.json()["code"] for a in answers if a.status_code == 409} == {"conflict"}
    assert await site.node.setup.offer() == ""
    assert await site.node.organisation.setup_offered() == ""


async def test_only_the_last_link_counts_and_guesses_are_limited(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix, empty=True, sign_in_address_burst=3) as site:
        old = await site.node.setup.offer()
        token = await site.node.setup.offer()
        stranger = Browser(site, address="203.0.113.7")
        codes = [(await set_up(stranger, wrong)).json()["code"] for wrong in (old, "", "x", token)]
        assert codes == ["unauthorized"] * 3 + ["rate_limited"]
        kept = await site.node.client.execute("HGETALL", f"{site.node.keys.org}:profile")
        assert token.encode() not in b"".join(kept)
        assert (await set_up(Browser(site), token)).status_code == 200


async def test_nothing_is_made_of_what_is_refused(site: Served) -> None:
    token = await site.node.setup.offer()
    browser = Browser(site)
    for wrong, said in (
        ({"user": "Dana Smith"}, "user"),
        ({"password": "short"}, "password"),
        ({"organisation": "  "}, "organisation"),
        ({"name": "two\nlines"}, "name"),
    ):
        refused = await set_up(browser, token, **wrong)
        assert (refused.status_code, refused.json()["code"]) == (400, "bad_request"), wrong
        assert said in refused.json()["detail"]
    foreign = await browser.call("POST", "/v1/setup", {"token": token, **SETUP}, origin="http://x")
    assert foreign.status_code == 403
    state = await site.node.organisation.state()
    assert (state.users, state.name, browser.cookie) == ({}, "", "")
    assert (await set_up(browser, token)).status_code == 200


async def test_another_node_and_what_was_open_know_at_once(engine_url: str, prefix: str) -> None:
    async with (
        served(engine_url, prefix, empty=True) as east,
        served(engine_url, prefix, empty=True) as west,
    ):
        token = await east.node.setup.offer()
        # The offer stands in the engine: whichever node the page is served by.
        assert (await set_up(Browser(west), token)).status_code == 200
        assert (await set_up(Browser(east), token)).status_code == 409
        dana = Browser(east)
        assert (await dana.sign_in("dana")).status_code == 200
        async with dana.line() as line:
            await line.until(Op.ORG)
            await west.node.administration.set_name("Acme Inc")
            assert (await line.until(Op.ORG))[1:3] == ["organisation", {"name": "Acme Inc"}]


async def test_who_owns_the_data_needs_no_link(site: Served) -> None:
    asked = {"op": "setup", "organisation": "Acme", "user": "dana", "name": "Dana", "password": ""}
    made = await answer(site.node, asked)
    assert (await Browser(site).sign_in("dana", made["password"])).status_code == 200


async def test_a_token_still_makes_the_first_user_an_admin(site: Served) -> None:
    offered = await site.node.setup.offer()
    token = (await answer(site.node, {"op": "token", "user": "ops"}))["token"]
    headers = {"authorization": f"Bearer {token}"}
    me = await site.http.get("/v1/me", headers=headers)
    assert me.json()["role"] == "admin"
    assert (await set_up(Browser(site), offered)).status_code == 409


async def test_the_console_says_how_and_the_command_does_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    server = Server(folder, demo=False)
    try:
        await server.start()
        first = await printed(server, "/setup#token=")
        assert "batonbox-server setup --organisation" in server.log.read_text()
        assert await server.stop() == 0
        await server.start()
        token = (await printed(server, "/setup#token=", after=first)).partition("#token=")[2]
        assert token not in first
        async with httpx2.AsyncClient(base_url=server.url) as http:
            old = {"token": first.partition("#token=")[2], **SETUP}
            answered = await http.post("/v1/setup", json=old, headers={"origin": server.url})
            assert answered.status_code == 401
        asked = ["setup", "--organisation", "Acme", "--admin", "dana", "--name", "Dana"]
        assert await run(*asked, "--stdin", stdin="correct horse\n", data_dir=folder) == (0, "", "")
        status, out, err = await run(*asked, data_dir=folder)
        assert (status, out) == (1, "")
        assert "set up already" in err
        async with httpx2.AsyncClient(base_url=server.url) as http:
            body = {"user": "dana", "password": "correct horse"}
            signed = await http.post("/v1/session", json=body, headers={"origin": server.url})
            assert signed.status_code == 200
    finally:
        await server.stop()


async def printed(server: Server, what: str, *, after: str = "") -> str:
    """The line of the console that has this, and is another one than `after`."""
    async with asyncio.timeout(30):
        while True:
            lines = [line for line in server.log.read_text().splitlines() if what in line]
            if lines and lines[-1] != after:
                return lines[-1].strip()
            await asyncio.sleep(0.05)


async def test_without_a_server_the_command_sets_up_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    asked = ["setup", "--organisation", "Acme", "--admin", "dana", "--name", "Dana"]
    status, out, err = await run(*asked, data_dir=folder)
    assert (status, err, len(out.strip())) == (0, "", 19)
    status, out, err = await run("token", "stranger", data_dir=folder)
    assert (status, out) == (1, "")
