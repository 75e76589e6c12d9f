"""The browser client as built: one page for every address of the app, and the files it loads."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from batonbox_server import __version__

from .bundle import INDEX, digest_of, read
from .page import missing

__all__ = ["FOLDER", "WebClient"]

FOLDER: Final = Path(__file__).parents[1] / "web"
# The addresses people see; what stands behind them is the client's affair.
_PAGES: Final = (
    "/",
    "/inboxes",
    "/inboxes/{inbox}",
    "/interactions",
    "/interactions/{rest:path}",
    "/contacts",
    "/admin",
    "/admin/{rest:path}",
    "/phone",
    "/settings",
    "/sign-in",
    "/setup",
)
_RULES: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "worker-src 'self'",
    "media-src 'self' blob:",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "object-src 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types batonbox-sw",
)
_CLOSED: Final = (
    "accelerometer", "autoplay", "camera", "display-capture", "encrypted-media", "fullscreen",
    "geolocation", "gyroscope", "hid", "magnetometer", "microphone", "midi", "payment",
    "picture-in-picture", "publickey-credentials-get", "screen-wake-lock", "serial", "usb",
    "xr-spatial-tracking",
)  # fmt: skip
_HEADERS: Final = {
    "content-security-policy": "; ".join(_RULES),
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": ", ".join(f"{name}=()" for name in _CLOSED),
}


class WebClient:
    """Routes over a folder that `vite build` wrote, read once; `build` names its content.

    A build that is made meanwhile is served after a restart: a page and its parts belong together.
    """

    def __init__(self, folder: Path = FOLDER, *, loopback: bool = False) -> None:
        self._files = read(folder)
        self._loopback = loopback
        self.built = bool(self._files)
        self.build = __version__
        if self.built:
            self.build += f"+{digest_of(self._files)[:12]}"

    @property
    def routes(self) -> list[BaseRoute]:
        """The pages; and, when it was built, hashed assets and the files beside the page."""
        routes: list[BaseRoute] = [Route(path, self._page, methods=["GET"]) for path in _PAGES]
        if not self.built:
            return routes
        beside = sorted(name for name in self._files if "/" not in name and name != INDEX)
        routes += [Route(f"/{name}", self._file, methods=["GET"]) for name in beside]
        return [*routes, Route("/assets/{name:path}", self._file, methods=["GET"])]

    async def _page(self, request: Request) -> Response:
        request.scope["batonbox.route"] = "page"
        if self.built:
            return self._files[INDEX].answer(request.scope, _HEADERS)
        answer = missing(loopback=self._loopback)
        for name, value in _HEADERS.items():
            answer.headers.setdefault(name, value)
        return answer

    async def _file(self, request: Request) -> Response:
        request.scope["batonbox.route"] = "asset"
        found = self._files.get(request.url.path.lstrip("/"))
        if found is None:
            raise HTTPException(404)
        return found.answer(request.scope, _HEADERS)
