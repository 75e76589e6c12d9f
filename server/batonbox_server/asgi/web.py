"""The browser client as built: one page for every address of the app, and the files it loads."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from batonbox_server import __version__

from .page import missing

__all__ = ["FOLDER", "WebClient"]

FOLDER: Final = Path(__file__).parents[1] / "web"
_INDEX: Final = "index.html"
# The addresses people see; what stands behind them is the client's affair.
_PAGES: Final = (
    "/",
    "/inboxes",
    "/inboxes/{inbox}",
    "/interactions",
    "/interactions/{rest:path}",
    "/admin",
    "/admin/{rest:path}",
    "/phone",
    "/settings",
    "/sign-in",
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
_FRESH: Final = "no-cache"
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class WebClient:
    """Routes over a folder that `vite build` wrote; `build` names its content."""

    def __init__(self, folder: Path = FOLDER, *, loopback: bool = False) -> None:
        self._folder = folder
        self._loopback = loopback
        self._files = StaticFiles(directory=folder, check_dir=False)
        self.built = (folder / _INDEX).is_file()
        self.build = _build_of(folder)

    @property
    def routes(self) -> list[BaseRoute]:
        """The pages; and, when it was built, hashed assets and the files beside the page."""
        routes: list[BaseRoute] = [Route(path, self._page, methods=["GET"]) for path in _PAGES]
        if not self.built:
            return routes
        routes += [
            Route(f"/{path.name}", self._beside, methods=["GET"])
            for path in sorted(self._folder.iterdir())
            if path.is_file() and path.name != _INDEX and not path.name.startswith(".")
        ]
        return [*routes, Mount("/assets", GZipMiddleware(self._asset, minimum_size=1024))]

    async def _page(self, request: Request) -> Response:
        request.scope["batonbox.route"] = "page"
        if not self.built:
            return missing(loopback=self._loopback)
        return await self._file(_INDEX, request.scope, cache=_FRESH)

    async def _beside(self, request: Request) -> Response:
        request.scope["batonbox.route"] = "asset"
        return await self._file(request.url.path.lstrip("/"), request.scope, cache=_FRESH)

    async def _asset(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["batonbox.route"] = "asset"
        path = "assets/" + scope["path"].rpartition("/assets/")[2]
        answer = await self._file(path, scope, cache=_FOR_EVER)
        await answer(scope, receive, send)

    async def _file(self, path: str, scope: Scope, *, cache: str) -> Response:
        answer = await self._files.get_response(path, scope)
        answer.headers.update({**_HEADERS, "cache-control": cache})
        if path.endswith(".webmanifest"):
            answer.headers["content-type"] = "application/manifest+json"
        return answer


def _build_of(folder: Path) -> str:
    """`<version>+<hash of every file>`; the bare version where nothing was built."""
    digest = hashlib.sha256()
    paths = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    for path in paths:
        digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}" if paths else __version__
