"""The ASGI application: the endpoints this node has, under one edge."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

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


def build_app(services: Services, *, more: Iterable[BaseRoute] = ()) -> Starlette:
    """The application; `more` routes (the websocket's) come first."""
    endpoints: list[Endpoint] = list(_ALWAYS)
    if services.phones is not None:
        endpoints += loopback.ENDPOINTS
    if services.webhook_secret:
        endpoints += webhook.ENDPOINTS
    return Starlette(
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
