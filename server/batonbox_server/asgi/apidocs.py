"""The API's documents and their page, as somebody else renders them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

__all__ = ["ApiDocs", "routes_of"]

# The page has a stylesheet of its own, links, and nothing else.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True)
class ApiDocs:
    """The rendered documents."""

    openapi: str
    asyncapi: str
    page: str
    style: str


def routes_of(render: Callable[[], ApiDocs]) -> list[BaseRoute]:
    """What needs no sign-in: it says nothing about this server's people. `render` should cache."""

    def serve(path: str, media_type: str, choose: Callable[[ApiDocs], str]) -> Route:
        async def answer(request: Request) -> Response:
            request.scope["batonbox.route"] = path
            headers = {"cache-control": "no-cache", "content-security-policy": _POLICY}
            return Response(choose(render()), media_type=media_type, headers=headers)

        handler: Callable[[Request], Awaitable[Response]] = answer
        return Route(path, handler, methods=["GET"])

    return [
        serve("/openapi.json", "application/json", lambda docs: docs.openapi),
        serve("/asyncapi.json", "application/json", lambda docs: docs.asyncapi),
        serve("/docs/api", "text/html; charset=utf-8", lambda docs: docs.page),
        serve("/docs/api.css", "text/css; charset=utf-8", lambda docs: docs.style),
    ]
