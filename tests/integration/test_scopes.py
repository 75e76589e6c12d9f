"""Every action with every scope, on every transport; what scopes let nobody do, by whatever way."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
import pytest_asyncio

from batonbox import Client, Conversation, Forbidden
from batonbox_server.domain.model import Role
from batonbox_server.domain.policy import (
    OPTIONAL,
    SCOPES,
    TABLE,
    Action,
    Held,
    Rule,
    Scope,
    Standing,
)
from batonbox_server.store.directory_port import User
from batonbox_server.wire import Op

from .permission_harness import BOTS, MEMBERS, Case, House, Who, housed

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Keys of admins: what they are refused is refused for the scope alone.
KEYS: Final = {
    "key-read": {Scope.READ},
    "key-act": {Scope.ACT},
    "key-admin": {Scope.ADMIN},
    "key-work": {Scope.READ, Scope.ACT},
    "key-all": set(Scope),
}
HTTP_ONLY: Final = frozenset(
    {Action.SIGN_IN, Action.ACCOUNT, Action.ADMINISTER, Action.SIMULATE, Action.CONTACTS}
)
CELLS: Final = [
    pytest.param(action, user, held, id=f"{action.name.lower()}-{user}-{held.name.lower()}")
    for action in Action
    for user in KEYS
    for held in (Held.CALLER, Held.OTHER)
    if action not in HTTP_ONLY or held is Held.OTHER
]
VERBS: Final = [cell for cell in CELLS if cell.values[0] not in HTTP_ONLY]
# Of the SDK's verbs those that ask for rows need `read` before anything else.
SDK: Final = [cell for cell in VERBS if Scope.READ in KEYS[str(cell.values[1])]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(engine_url: str) -> AsyncIterator[House]:
    """One node for all cells; the keys' admins are members everywhere."""
    async with housed(engine_url, f"t{uuid.uuid4().hex[:12]}:") as house:
        house.programs = BOTS | KEYS.keys()
        house.members = (*MEMBERS, *KEYS)
        for user, scopes in KEYS.items():
            await house.site.node.administration.create_user(User(user, user, Role.ADMIN))
            _, secret = await house.site.node.identity.make_token(user=user, scopes=scopes)
            house.site._tokens[user] = secret
        yield house


def _wanted(rule: Rule, action: Action, user: str, held: Held) -> str:
    scopes = KEYS[user]
    if SCOPES[action] not in {None, *scopes}:
        return "forbidden"
    standing = Standing.ADMIN if Scope.ADMIN in scopes else Standing.MEMBER
    return rule.cell(standing, held)


async def _cell(
    house: House, transport: str, action: Action, user: str, held: Held, *, lets: bool = False
) -> None:
    case = await house.case(action, Who(user, Standing.ADMIN, held), lets=lets)
    before, seq = await house.row(case.conv), await house.seq(case.inbox)
    act = {"http": house.by_http, "socket": house.by_socket, "sdk": house.by_sdk}[transport]
    wanted = _wanted((OPTIONAL if lets else TABLE)[action], action, user, held)
    assert await act(action, case) == wanted
    if wanted:
        assert (await house.row(case.conv), await house.seq(case.inbox)) == (before, seq)


@pytest.mark.parametrize(("action", "user", "held"), CELLS)
async def test_over_http(house: House, action: Action, user: str, held: Held) -> None:
    await _cell(house, "http", action, user, held)


@pytest.mark.parametrize(("action", "user", "held"), VERBS)
async def test_over_the_websocket(house: House, action: Action, user: str, held: Held) -> None:
    await _cell(house, "socket", action, user, held)


@pytest.mark.parametrize(("action", "user", "held"), SDK)
async def test_by_the_sdk(house: House, action: Action, user: str, held: Held) -> None:
    await _cell(house, "sdk", action, user, held)


@pytest.mark.parametrize("transport", ["http", "socket"])
@pytest.mark.parametrize("user", KEYS)
async def test_a_members_key_hands_out_where_members_may(
    house: House, user: str, transport: str
) -> None:
    for held in Held:
        await _cell(house, transport, Action.DISPATCH, user, held, lets=True)


async def test_every_action_has_a_scope() -> None:
    assert SCOPES.keys() == set(Action)


async def _case(house: House, user: str, held: Held = Held.NOBODY) -> Case:
    return await house.case(Action.ASSIGN, Who(user, Standing.ADMIN, held))


async def test_the_refusal_names_the_scope_that_is_missing(house: House) -> None:
    case = await _case(house, "key-read")
    path = f"/v1/conversations/{case.conv}/assign"
    told = (await house.http("key-read", "POST", path, {})).json()
    assert told["code"] == "forbidden"
    assert "scope act" in told["detail"]
    _, frame = await house.ask("key-read", Op.PAGE, case.inbox, "open")
    assert "rows" in frame
    client = await house.client("key-read")
    conv: Conversation = await client.conversation(case.conv)
    with pytest.raises(Forbidden, match="scope act"):
        await conv.claim()


async def test_a_connection_token_is_no_wider_than_the_key_that_made_it(house: House) -> None:
    case = await _case(house, "key-read")
    made = (await house.http("key-read", "POST", "/v1/connection-tokens")).json()["token"]
    async with Client(house.site.url, made) as client:
        conv = await client.conversation(case.conv)
        with pytest.raises(Forbidden, match="scope act"):
            await conv.note("x")
    bearer = {"authorization": f"Bearer {made}"}
    again = await house.site.http.post("/v1/connection-tokens", headers=bearer)
    bearer = {"authorization": f"Bearer {again.json()['token']}"}
    answer = await house.site.http.get("/v1/admin/users", headers=bearer)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("scopes", [None, ["read"], ["act", "admin"]])
async def test_a_key_makes_no_wider_key(house: House, scopes: list[str] | None) -> None:
    path = "/v1/admin/users/joan/tokens"
    body: dict[str, Any] = {} if scopes is None else {"scopes": scopes}
    refused = await house.http("key-admin", "POST", path, body)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    made = await house.http("key-admin", "POST", path, {"scopes": ["admin"]})
    assert made.json()["scopes"] == ["admin"]


async def test_a_connection_is_not_widened_in_place(house: House) -> None:
    _, wider = await house.site.node.identity.make_token(user="key-read")
    slug, frame = await house.ask("key-read", Op.REFRESH, wider)
    assert (slug, "other scopes" in frame[4]) == ("forbidden", True)


async def test_without_read_a_connection_is_sent_no_badges(house: House) -> None:
    case = await _case(house, "key-act")
    reads, acts = await house.peer("key-work"), await house.peer("key-act")
    assert not (await house.ask("key-act", Op.CMD, "assign", {"cid": "a", "conv": case.conv}))[0]
    await reads.got(Op.BADGE, _1=case.inbox)
    await house.ask("key-act", Op.PAGE, case.inbox, "open")
    assert acts.all(Op.BADGE) == []


async def test_without_read_nothing_that_was_written_is_answered(house: House) -> None:
    """A command's answer or refusal has the row, and that the newest message."""
    for user, reads in (("key-act", False), ("key-work", True)):
        case = await _case(house, user)
        answer = await house.http(user, "POST", f"/v1/conversations/{case.conv}/assign", {})
        assert answer.is_success and ("hello" in answer.text) is reads
        taken = await _case(house, user, Held.OTHER)
        answer = await house.http(user, "POST", f"/v1/conversations/{taken.conv}/assign", {})
        assert answer.status_code == 409 and ("hello" in answer.text) is reads
        made = await house.http("key-all", "POST", "/v1/rooms", {"name": uuid.uuid4().hex})
        room = made.json()["conv"]
        await house.http("key-all", "POST", f"/v1/rooms/{room}/post", {"text": "secret"})
        answer = await house.http(user, "POST", f"/v1/rooms/{room}/join", {})
        assert answer.is_success and ("secret" in answer.text) is reads
        join = {"cid": uuid.uuid4().hex, "conv": room}
        slug, result = await house.ask(user, Op.CMD, "join", join)
        assert (slug, "row" in result) == ("", reads)


async def test_an_admin_who_joined_nothing_acts_nowhere_with_a_members_key(house: House) -> None:
    members, house.members = house.members, MEMBERS
    try:
        case = await _case(house, "key-work")
    finally:
        house.members = members
    assert await house.by_http(Action.ASSIGN, case) == "forbidden"
    assert await house.by_http(Action.SEE, case) == ""
