"""Nothing can be asked of the server without a row of the policy, or a reason to be open."""

from __future__ import annotations

import base64
import inspect
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route, WebSocketRoute

from batonbox import Client, Conversation, Room
from batonbox._calls import Calls
from batonbox._room_verbs import RoomVerbs
from batonbox_server.asgi.app import ALL_ENDPOINTS
from batonbox_server.asgi.socket import SocketPump
from batonbox_server.asgi.web import WebClient
from batonbox_server.domain.model import Role
from batonbox_server.domain.policy import COMMANDS as ACTIONS
from batonbox_server.domain.policy import FRAMES, TABLE, Action, may_ever
from batonbox_server.wire import CLIENT_FRAMES, COMMANDS, Op
from tests.served import Served, served

# Open on purpose: (method, path) -> why nobody has to be signed in.
OPEN: Final = {
    ("GET", "/livez"): "a probe that says nothing of the organisation",
    ("GET", "/readyz"): "a probe that says nothing of the organisation",
    ("GET", "/metrics"): "counts alone; operators keep the port to themselves",
    ("GET", "/openapi.json"): "what the API is, the same for everybody",
    ("GET", "/asyncapi.json"): "what the API is, the same for everybody",
    ("GET", "/docs/api"): "what the API is, the same for everybody",
    ("GET", "/docs/api.css"): "what the API is, the same for everybody",
    ("GET", "/v1/session"): "a page asks whether it is signed in",
    ("POST", "/v1/session"): "signing in",
    ("GET", "/v1/session/oidc"): "signing in",
    ("GET", "/v1/session/oidc/callback"): "signing in; takes the state and the code of one sign-in",
    ("POST", "/v1/session/link"): "signing in",
    ("POST", "/v1/session/invite"): "takes the one-time code of an invitation",
    ("POST", "/v1/session/invite/look"): "takes the one-time code of an invitation",
    ("DELETE", "/v1/session"): "ends the cookie's own session, if there is one",
    ("POST", "/v1/setup"): "takes the one-time token of an empty server",
    ("GET", "/v1/media/{media}"): "signed for one file, for five minutes",
    ("POST", "/v1/webhook/inbound"): "signed by the carrier",
    ("POST", "/v1/webhook/receipts"): "signed by the carrier",
    ("GET", "/v1/carriers/{account}/inbound"): "proved as the account's carrier proves",
    ("POST", "/v1/carriers/{account}/inbound"): "proved as the account's carrier proves",
    ("GET", "/v1/carriers/{account}/status"): "proved as the account's carrier proves",
    ("POST", "/v1/carriers/{account}/status"): "proved as the account's carrier proves",
}

# The SDK's public methods -> the action they ask for; None: what this client knows already.
VERBS: Final[dict[type, dict[str, Action | None]]] = {
    Client: {
        "__aenter__": Action.SIGN_IN,
        "__aexit__": None,
        "aclose": None,
        "position": None,
        "inboxes": Action.SIGN_IN,
        "badges": Action.SIGN_IN,
        "conversation": Action.SEE,
        "conversations": Action.SEE,
        "events": Action.SEE,
        "confirm_writes": Action.SEE,
        "presences": Action.SEE,
        "viewing": Action.SEE,
        "watchers": None,
        "server_time_s": None,
        "set_away": Action.ACCOUNT,
        "compose": Action.COMPOSE,
    },
    Calls: {  # what a client's other verbs stand on
        "row": None,
        "read_thread": Action.SEE,
        "send_seen": Action.MARK,
        "upload": Action.REPLY,
        "uploaded": Action.REPLY,
        "file": Action.SEE,
        "call": None,  # whichever command it is told: the command has its row
        "get": None,  # whichever route it is told: the route has its row
    },
    RoomVerbs: {
        "rooms": Action.SEE,
        "room": Action.SEE,
        "open_dm": Action.TALK,
        "create_channel": Action.CHANNELS,
        "join_channel": Action.TALK,
        "channels": Action.SEE,
        "room_totals": Action.SEE,
        "room_row": None,
        "room_counts": None,
        "contact": Action.SEE,
        "contacts": Action.SEE,
        "contact_by_id": Action.SEE,
        "search": Action.SEE,
    },
    Room: {
        "post": Action.TALK,
        "edit": Action.TALK,
        "delete": Action.TALK,
        "join": Action.TALK,
        "leave": Action.TALK,
        "invite": Action.CHANNELS,
        "remove": Action.CHANNELS,
        "rename": Action.CHANNELS,
        "archive": Action.CHANNELS,
        "mark_unread": Action.MARK,
        "seen": Action.MARK,
        "history": Action.SEE,
        "members": Action.SEE,
        "versions": Action.SEE,
        "media": Action.SEE,
        "events": Action.SEE,
        "viewing": Action.SEE,
    },
    Conversation: {
        "refresh": Action.SEE,
        "history": Action.SEE,
        "media": Action.SEE,
        "claim": Action.ASSIGN,
        "try_claim": Action.ASSIGN,
        "assign": Action.DISPATCH,
        "transfer": Action.TRANSFER,
        "release": Action.RETURN,
        "done": Action.FINISH,
        "undo": Action.UNDO,
        "reply": Action.REPLY,
        "note": Action.NOTE,
        "retry": Action.RETRY,
        "unread": Action.MARK,
        "seen": Action.MARK,
        "snooze": Action.SNOOZE,
        "wake": Action.SNOOZE,
        "viewing": Action.SEE,
    },
}


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """A node with everything it can have."""
    secret = "whsec_" + base64.b64encode(b"s" * 32).decode()
    given: dict[str, Any] = {"webhook_secret": secret, "webhook_url": "http://127.0.0.1:9/"}
    async with served(engine_url, prefix, **given) as site:
        yield site


def _routes(app: Starlette) -> list[BaseRoute]:
    """Every route of the application; one of another kind could hide more, and fails."""
    for route in app.routes:
        assert isinstance(route, Route | WebSocketRoute), route
    return list(app.routes)


def _unexplained(app: Starlette) -> list[tuple[str, str]]:
    """Routes that neither name an action nor are open on purpose."""
    actions = {(e.method, e.path): e.action for e in ALL_ENDPOINTS}
    found = []
    for route in _routes(app):
        assert isinstance(route, Route | WebSocketRoute)
        owner = getattr(route.endpoint, "__self__", route.endpoint)
        if isinstance(owner, SocketPump | WebClient):
            continue  # the websocket asks by frame; the page is the same for everybody
        methods = getattr(route, "methods", None) or {"*"}
        for method in methods - {"HEAD"}:
            key = (method, route.path)
            if actions.get(key) is None and key not in OPEN:
                found.append(key)
    return found


async def test_every_route_of_the_application_has_a_policy(site: Served) -> None:
    app = site.node.app
    assert _unexplained(app) == []
    served_here = {
        (method, route.path)
        for route in _routes(app)
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    assert served_here >= {(e.method, e.path) for e in ALL_ENDPOINTS}
    assert not {key for key in OPEN if _action(key) is not None}, "open, and has a policy"


async def test_a_route_that_is_added_beside_the_table_is_found(site: Served) -> None:
    async def anything(_: Any) -> None:
        raise AssertionError("never called")

    app = Starlette(routes=[*site.node.app.routes, Route("/v1/more", anything, methods=["PUT"])])
    assert _unexplained(app) == [("PUT", "/v1/more")]


async def test_every_route_keeps_to_its_policy(site: Served) -> None:
    """Whoever the row excludes is refused before anything of the request is looked at."""
    for endpoint in ALL_ENDPOINTS:
        if endpoint.action is None:
            continue
        path = endpoint.path.replace("{", "").replace("}", "")
        nobody = await site.call("", endpoint.method, path)
        told = (endpoint.method, path, nobody.text)
        assert (nobody.status_code, nobody.json()["code"]) == (401, "unauthorized"), told
        if not may_ever(endpoint.action, Role.MEMBER):
            member = await site.call("agent1", endpoint.method, path)
            told = (endpoint.method, path, member.text)
            assert (member.status_code, member.json()["code"]) == (403, "forbidden"), told


def _action(key: tuple[str, str]) -> Action | None:
    return next((e.action for e in ALL_ENDPOINTS if (e.method, e.path) == key), None)


def test_every_frame_and_command_has_a_policy() -> None:
    assert FRAMES.keys() == {Op(op).name for op in CLIENT_FRAMES}
    assert ACTIONS.keys() == COMMANDS.keys() | {"seen"}
    assert set(ACTIONS.values()) <= TABLE.keys()


@pytest.mark.parametrize("kind", VERBS)
def test_every_verb_of_the_sdk_has_a_policy(kind: type) -> None:
    public = {
        name
        for name, member in vars(kind).items()
        if inspect.isfunction(member)
        and (not name.startswith("_") or name in {"__aenter__", "__aexit__"})
    }
    assert VERBS[kind].keys() == public


def test_every_action_has_a_row_and_is_asked_for_somewhere() -> None:
    assert TABLE.keys() == set(Action)
    asked = {e.action for e in ALL_ENDPOINTS} | set(FRAMES.values()) | set(ACTIONS.values())
    # Told apart by a command's `to` alone.
    assert set(Action) - asked == {Action.DISPATCH, Action.TAKE_OVER}


def test_who_may_never_is_refused_before_the_store_is_asked() -> None:
    never = {action for action in Action if not may_ever(action, Role.MEMBER)}
    assert never == {Action.ADMINISTER, Action.SIMULATE, Action.CHANNELS}
    assert all(may_ever(action, Role.ADMIN) for action in Action)
