"""The ASGI application: the endpoints this node has, under one edge."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from batonbox_server.errors import Refused

from . import (
    admin,
    audit,
    availability,
    callbacks,
    carriers,
    contacts,
    export,
    inboxes_admin,
    interactions,
    keys,
    live,
    loopback,
    media,
    number_check,
    numbers,
    oidc,
    ops,
    rest,
    retention,
    rooms,
    search,
    session,
    sessions,
    setup,
    team,
    webhook,
    webhooks,
)
from .edge import Edge
from .endpoint import Endpoint, route_of
from .problem import problem
from .services import Services

__all__ = ["ALL_ENDPOINTS", "build_app"]

_ALWAYS: Final = (
    *ops.ENDPOINTS,
    *setup.ENDPOINTS,
    *session.ENDPOINTS,
    *sessions.ENDPOINTS,
    *oidc.ENDPOINTS,
    *keys.ENDPOINTS,
    *team.ENDPOINTS,
    *rest.ENDPOINTS,
    *rooms.ENDPOINTS,
    *search.ENDPOINTS,
    *interactions.ENDPOINTS,
    *availability.ENDPOINTS,
    *media.ENDPOINTS,
    *admin.ENDPOINTS,
    *inboxes_admin.ENDPOINTS,
    *numbers.ENDPOINTS,
    *number_check.ENDPOINTS,
    *carriers.ENDPOINTS,
    *callbacks.ENDPOINTS,
    *contacts.ENDPOINTS,
    *export.ENDPOINTS,
    *audit.ENDPOINTS,
    *retention.ENDPOINTS,
    *live.ENDPOINTS,
    *webhooks.ENDPOINTS,
)
ALL_ENDPOINTS: Final = (*_ALWAYS, *loopback.ENDPOINTS, *webhook.ENDPOINTS)


class _Application(Starlette):
    """Takes websockets before the layers of HTTP, none of which has a say in a handshake."""

    def __init__(self, *args: Any, sockets: Mapping[str, ASGIApp], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sockets = sockets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: ASGIApp = super().__call__
        if scope["type"] == "websocket":
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            answer = self._sockets.get(path, answer)
        await answer(scope, receive, send)


def build_app(
    services: Services,
    *,
    more: Iterable[BaseRoute] = (),
    sockets: Mapping[str, ASGIApp] | None = None,
) -> Starlette:
    """The application; `more` routes come first. `sockets`: what answers websockets, by path."""
    endpoints: list[Endpoint] = list(_ALWAYS)
    if services.phones is not None:
        endpoints += loopback.ENDPOINTS
    if services.webhook_secret:
        endpoints += webhook.ENDPOINTS
    return _Application(
        sockets=sockets or {},
        routes=[*more, *(route_of(endpoint, services) for endpoint in endpoints)],
        middleware=[Middleware(Edge)],
        exception_handlers={HTTPException: _refuse},
    )


async def _refuse(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        refused = Refused("unknown_op", "This path does not take this method.")
    elif error.status_code == 404:
        refused = Refused("not_found", "There is nothing at this path.")
    else:
        refused = Refused("bad_request", str(error.detail))
    answer = problem(refused, request_id=uuid.uuid4().hex, status=error.status_code)
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer
