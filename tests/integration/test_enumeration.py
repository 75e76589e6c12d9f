"""Who asks for what is not there learns nothing: the same answer after the same work, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from batonbox_server.service import passwords
from tests.integration.sign_in_harness import PASSWORD, Browser
from tests.served import Served, served

# What signing in asks of the engine and of the processor; timers ask for other things meanwhile.
SIGNING_IN: Final = {
    "hash", "HGET pw", "HINCRBY failed", "GET link", "HVALS invites",
    "org_take_attempt", "org_return_attempt", "org_add_token", "org_token", "org_set_password",
}  # fmt: skip


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node; agent1 has a password."""
    async with served(engine_url, prefix, as_demo=True) as site:
        await site.node.sign_in.set_password("agent1", PASSWORD)
        yield site


class Work:
    """What one attempt asked of the engine and of the password's hash."""

    def __init__(self, site: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: Counter[str] = Counter()
        self.watching = False
        client = site.node.client
        evaluate, execute = client.evaluate, client.execute
        matches = passwords._matches

        def evaluated(function: str, *args: Any) -> Any:
            self._note(function.rpartition("_")[0])
            return evaluate(function, *args)

        def executed(*args: Any, **more: Any) -> Any:
            kind = str(args[1]).partition("}:")[2].partition(":")[0] if len(args) > 1 else ""
            self._note(f"{args[0]} {kind}")
            return execute(*args, **more)

        def matched(*args: Any) -> bool:
            self._note("hash")
            return matches(*args)

        monkeypatch.setattr(client, "evaluate", evaluated)
        monkeypatch.setattr(client, "execute", executed)
        monkeypatch.setattr(passwords, "_matches", matched)

    def _note(self, what: str) -> None:
        if self.watching:
            self.done[what] += 1

    async def of(self, call: Any) -> tuple[Any, Counter[str]]:
        """The answer, and what of signing in was done for it."""
        self.done, self.watching = Counter(), True
        answer = await call
        self.watching = False
        return answer, Counter({k: v for k, v in self.done.items() if k in SIGNING_IN})


def told(answer: Any) -> dict[str, Any]:
    """All that a stranger is told, but for the request's own id."""
    own = {"date", "content-length", "x-request-id"}
    named = {name: value for name, value in answer.headers.items() if name not in own}
    return {**answer.json(), "request_id": "", "headers": named, "status": answer.status_code}


async def test_an_unknown_user_is_a_wrong_password(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work(site, monkeypatch)
    found = {}
    # agent2 has no password; a deactivated one lost theirs.
    await site.call("admin", "POST", "/v1/admin/users/agent3/deactivate")
    for user in ("agent1", "agent2", "agent3", "nobody", "no such id"):
        answer, done = await work.of(Browser(site).sign_in(user, "wrong horse"))
        found[user] = (told(answer), done)
    assert found["agent1"][1]["hash"] == 1
    for user, same in found.items():
        assert same == found["agent1"], user


async def test_a_password_that_would_be_right_is_told_from_nothing(site: Served) -> None:
    """Of somebody who was deactivated since."""
    await site.call("admin", "POST", "/v1/admin/users/agent1/deactivate")
    right = told(await Browser(site).sign_in("agent1", PASSWORD))
    wrong = told(await Browser(site).sign_in("agent1", "wrong horse"))
    assert right == wrong == told(await Browser(site).sign_in("nobody", PASSWORD))


async def test_a_token_that_ended_is_one_that_never_was(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, secret = await site.node.identity.make_token(user="agent1")
    await site.node.organisation.delete_token(made.id)
    work = Work(site, monkeypatch)

    async def with_token(token: str) -> Any:
        return await site.http.get("/v1/me", headers={"authorization": f"Bearer {token}"})

    ended = await work.of(with_token(secret))
    never = await work.of(with_token("bb_" + "x" * 43))
    assert (told(ended[0]), ended[1]) == (told(never[0]), never[1])
    assert ended[0].status_code == 401


async def test_a_code_that_was_used_is_one_that_never_was(
    site: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of invitations and links: used, revoked, guessed."""
    body = {"name": "Zoë", "user": "zoe"}
    revoked = (await site.call("admin", "POST", "/v1/admin/invites", body)).json()
    gone = await site.call("admin", "DELETE", f"/v1/admin/invites/{revoked['id']}")
    assert gone.status_code == 204
    used = await site.node.sign_in.make_link("agent1")
    assert (await _by_link(site, used)).status_code == 200
    work = Work(site, monkeypatch)
    for ask, code in ((_look, revoked["code"]), (_accept, revoked["code"]), (_by_link, used)):
        dead = await work.of(ask(site, code))
        guessed = await work.of(ask(site, "x" * 43))
        assert (told(dead[0]), dead[1]) == (told(guessed[0]), guessed[1]), ask.__name__
        assert dead[0].status_code == 401


async def _look(site: Served, code: str) -> Any:
    return await Browser(site).call("POST", "/v1/session/invite/look", {"code": code})


async def _accept(site: Served, code: str) -> Any:
    body = {"code": code, "password": PASSWORD}
    return await Browser(site).call("POST", "/v1/session/invite", body)


async def _by_link(site: Served, code: str) -> Any:
    return await Browser(site).call("POST", "/v1/session/link", {"code": code})


async def test_a_stranger_learns_no_names(site: Served) -> None:
    """Of inboxes, users, conversations, rooms, contacts, numbers and accounts: 401 first."""
    conv = await site.texts("hello")
    for there, nowhere in (
        ("/v1/inboxes/sales", "/v1/inboxes/nothing"),
        (f"/v1/conversations/{conv}", "/v1/conversations/sales.nothing"),
        ("/v1/admin/users/agent1/tokens", "/v1/admin/users/nobody/tokens"),
        ("/v1/admin/carriers/loopback", "/v1/admin/carriers/nothing"),
    ):
        one, other = await site.http.get(there), await site.http.get(nowhere)
        assert told(one) == told(other), there
        assert one.status_code == 401
