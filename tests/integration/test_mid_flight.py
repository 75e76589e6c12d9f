"""Access that ends while something is under way: what was begun before is not carried through."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest

from batonbox_server.wire import Op
from tests.integration.sign_in_harness import PASSWORD, Browser, person
from tests.served import Served, served
from tests.support import eventually

Act = Callable[[Served], Awaitable[httpx2.Response]]


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node; there is a second admin, so that the first may go."""
    async with served(engine_url, prefix) as site:
        made = await site.call("admin", "POST", "/v1/admin/users", BOSS)
        assert made.status_code == 201, made.text
        yield site


BOSS = {"id": "boss", "name": "Bo", "role": "admin"}


async def demoted(site: Served) -> httpx2.Response:
    """The second admin is none any more."""
    return await site.call("admin", "PATCH", "/v1/admin/users/boss", {"role": "member"})


async def deactivated(site: Served) -> httpx2.Response:
    """They are out."""
    return await site.call("admin", "POST", "/v1/admin/users/boss/deactivate")


async def deleted(site: Served) -> httpx2.Response:
    """They are no more."""
    return await site.call("admin", "DELETE", "/v1/admin/users/boss")


async def revoked(site: Served) -> httpx2.Response:
    """Their token is."""
    (token,) = (await site.get("admin", "/v1/admin/users/boss/tokens"))["items"]
    return await site.call("admin", "DELETE", f"/v1/admin/users/boss/tokens/{token['id']}")


ENDS = [(demoted, 403), (deactivated, 401), (deleted, 401), (revoked, 401)]


@pytest.mark.parametrize(("end", "status"), ENDS)
async def test_a_request_whose_body_came_late_is_not_carried_out(
    site: Served, end: Act, status: int
) -> None:
    """The head came while they were an admin, the body when they were none."""
    token, begun, go_on = await site.token("boss"), asyncio.Event(), asyncio.Event()
    raw = json.dumps({"id": "mole", "name": "Mole", "role": "admin"}).encode()

    async def slowly() -> AsyncIterator[bytes]:
        yield raw[:10]
        begun.set()
        await go_on.wait()
        yield raw[10:]

    async def create() -> httpx2.Response:
        return await site.http.post(
            "/v1/admin/users", content=slowly(),
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
        )  # fmt: skip

    async with asyncio.TaskGroup() as group:
        under_way = group.create_task(create())
        await begun.wait()
        await eventually(lambda: "boss" in site.node.directory._tokens.values())
        ended = await end(site)
        assert ended.is_success, ended.text
        go_on.set()
    answer = under_way.result()
    assert answer.status_code == status, answer.text
    users = await site.get("admin", "/v1/admin/users")
    assert "mole" not in {user["id"] for user in users["items"]}


async def _revoke_key(site: Served, _: Browser) -> tuple[str, httpx2.Response]:
    await site.token("boss")
    (token,) = (await site.get("admin", "/v1/admin/users/boss/tokens"))["items"]
    path = f"/v1/admin/users/boss/tokens/{token['id']}"
    return token["id"], await site.call("admin", "DELETE", path)


async def _by_an_admin(site: Served, browser: Browser) -> tuple[str, httpx2.Response]:
    path = "/v1/admin/users/agent1/sessions"
    session = await _session(browser)
    return session, await site.call("admin", "DELETE", f"{path}/{session}")


async def _one_of_ones_own(_: Served, browser: Browser) -> tuple[str, httpx2.Response]:
    session = await _session(browser)
    return session, await browser.call("DELETE", f"/v1/sessions/{session}")


async def _sign_out(_: Served, browser: Browser) -> tuple[str, httpx2.Response]:
    return await _session(browser), await browser.call("DELETE", "/v1/session")


async def _everywhere(_: Served, browser: Browser) -> tuple[str, httpx2.Response]:
    return await _session(browser), await browser.call("DELETE", "/v1/sessions")


async def _new_password(site: Served, browser: Browser) -> tuple[str, httpx2.Response]:
    other = await person(site, "agent1")
    words = {"old": PASSWORD, "new": "another correct horse"}
    return await _session(browser), await other.call("PUT", "/v1/me/password", words)


async def _password_by_an_admin(site: Served, browser: Browser) -> tuple[str, httpx2.Response]:
    path, words = "/v1/admin/users/agent1/password", {"password": "another correct horse"}
    return await _session(browser), await site.call("admin", "PUT", path, words)


async def _session(browser: Browser) -> str:
    found = (await browser.call("GET", "/v1/sessions")).json()["items"]
    return next(str(session["id"]) for session in found if session["current"])


@pytest.mark.parametrize(
    "end",
    [
        _revoke_key,
        _by_an_admin,
        _one_of_ones_own,
        _sign_out,
        _everywhere,
        _new_password,
        _password_by_an_admin,
    ],
)
async def test_who_ended_an_access_is_answered_once_this_node_knows(
    site: Served,
    end: Callable[[Served, Browser], Awaitable[tuple[str, httpx2.Response]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log tells of it, and its news may come later than an answer would."""
    browser, directory = await person(site, "agent1"), site.node.directory
    await directory.heard()
    really, loop = directory.on_event, asyncio.get_running_loop()
    monkeypatch.setattr(directory, "on_event", lambda *args: loop.call_later(0.2, really, *args))
    token, answer = await end(site, browser)
    assert answer.status_code == 204, answer.text
    assert directory.was_revoked(token)


async def test_a_node_that_hears_nothing_answers_all_the_same(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = await person(site, "agent1")
    await site.node.directory.heard()
    monkeypatch.setattr(site.node.directory, "on_event", lambda *_: None)
    _, answer = await _everywhere(site, browser)
    assert answer.status_code == 204
    assert (await browser.look())["signed_in"] is False


async def test_a_role_that_changes_between_the_look_and_the_step_decides_in_the_step(
    site: Served,
) -> None:
    """The node takes somebody for an admin; when the engine decides they are none any more."""
    conv = await site.texts("hello")
    assert (await site.act("agent1", conv, "assign")).is_success
    own = (await site.get("admin", f"/v1/conversations/{conv}"))["own_tok"]
    joined = await site.call("admin", "PUT", "/v1/admin/inboxes/sales/members/boss")
    assert joined.status_code == 204
    store, really = site.node.store, site.node.store.transfer

    async def late(**args: Any) -> Any:
        assert (await demoted(site)).status_code == 200
        return await really(**args)

    store.transfer = late  # type: ignore[method-assign]
    try:
        taken = await site.act("boss", conv, "transfer", to="boss", own_tok=own)
    finally:
        del store.transfer
    assert (taken.status_code, taken.json()["code"]) == (409, "not_owner")
    assert (await site.get("admin", f"/v1/conversations/{conv}"))["assignee"] == "agent1"


async def test_a_member_who_is_taken_out_between_the_look_and_the_step_does_nothing(
    site: Served,
) -> None:
    conv = await site.texts("hello")
    store, really = site.node.store, site.node.store.assign
    path = "/v1/admin/inboxes/sales/members/agent1"

    async def late(**args: Any) -> Any:
        assert (await site.call("admin", "DELETE", path)).status_code == 204
        return await really(**args)

    store.assign = late  # type: ignore[method-assign]
    try:
        taken = await site.act("agent1", conv, "assign")
    finally:
        del store.assign
    assert (taken.status_code, taken.json()["code"]) == (403, "forbidden")
    assert (await site.get("admin", f"/v1/conversations/{conv}"))["assignee"] is None


@pytest.mark.parametrize("end", [deactivated, deleted, revoked])
async def test_a_stolen_token_opens_nothing_once_it_is_revoked(site: Served, end: Act) -> None:
    """Nor does anything that was made with it: connections, connection tokens, signed requests."""
    token = await site.token("boss")
    bearer = {"authorization": f"Bearer {token}"}
    derived = (await site.http.post("/v1/connection-tokens", headers=bearer)).json()["token"]
    thief = Browser(site, address="198.51.100.66")
    async with thief.line(token=token) as line, thief.line(token=derived) as second:
        for opened in (line, second):
            await opened.until(Op.WELCOME)
        assert (await end(site)).is_success
        for opened in (line, second):
            assert await opened.close_code() in {4101, 4102}
    for stolen in (token, derived):
        answer = await thief.call("GET", "/v1/me", authorization=f"Bearer {stolen}")
        assert answer.status_code == 401
        async with thief.line(token=stolen) as line:
            assert await line.close_code() != 0


async def test_a_session_that_is_known_before_is_not_taken_over_by_signing_in(
    site: Served,
) -> None:
    """Nobody is given a session that somebody else knows: each sign-in makes one of its own."""
    attacker = await person(site, "agent2")
    planted = attacker.cookie
    victim = Browser(site)
    victim.cookie = planted
    assert (await victim.call("POST", "/v1/session", SIGN_IN)).status_code == 401
    await site.node.sign_in.set_password("agent1", SIGN_IN["password"])
    assert (await victim.call("POST", "/v1/session", SIGN_IN)).status_code == 200
    assert victim.cookie != planted
    # What the attacker holds ended, and is nobody's.
    attacker.cookie = planted
    assert (await attacker.look())["signed_in"] is False


SIGN_IN = {"user": "agent1", "password": "correct horse"}


async def test_an_admin_who_was_demoted_meanwhile_makes_no_admins_key(site: Served) -> None:
    """Nor anything else: each request is asked about with the role of its moment."""
    assert (await demoted(site)).is_success
    for method, path, body in (
        ("POST", "/v1/admin/users/boss/tokens", {}),
        ("PATCH", "/v1/admin/users/boss", {"role": "admin"}),
        ("GET", "/v1/admin/audit", None),
    ):
        answer = await site.call("boss", method, path, body)
        assert answer.status_code == 403, (path, answer.text)


async def test_an_export_is_cut_when_its_reader_may_not_have_it_any_more(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    conv = await site.texts("hello")
    store, really = site.node.store, site.node.audit.export
    for _ in range(200):
        await store.assign(conv=conv, actor="agent1", cid=uuid.uuid4().hex)
        await store.release(conv=conv, actor="agent1", cid=uuid.uuid4().hex, own_tok="")

    async def export(wanted: Any, *, form: str) -> AsyncIterator[Any]:
        found = await really(wanted, form=form)

        async def slowly() -> AsyncIterator[Any]:
            count = 0
            async for entry in found:
                count += 1
                if count == 250:
                    assert (await demoted(site)).is_success
                yield entry

        return slowly()

    monkeypatch.setattr(site.node.audit, "export", export)
    with pytest.raises(httpx2.RemoteProtocolError):
        await site.call("boss", "GET", "/v1/admin/audit/export")
