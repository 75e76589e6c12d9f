"""What stands in the browser client's place where it was not built: why, and what to do."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from starlette.responses import HTMLResponse, Response

from batonbox_server import __version__

__all__ = ["missing"]

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; }
code { background: #8882; padding: .1em .3em; border-radius: .2em; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HTML: Final = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>batonbox</title>
<meta name="viewport" content="width=device-width"><style>{style}</style></head>
<body>
<h1>batonbox {version}</h1>
<p><strong>The browser client has not been built, so there is no page to show.</strong>
The server itself runs, and so does its API.</p>
<p>To build the page, run <code>make setup</code> in the project's folder (or
<code>pip install -e .</code>; its output says what went wrong) and start the server again. Building
needs the npm registry once.</p>
<ul>
<li>Websocket: <code>/v1/ws</code></li>
<li>HTTP API: <code>/v1/me</code>, <code>/v1/inboxes</code>, <code>/v1/conversations</code>,
<code>/v1/admin/users</code></li>
{loopback}<li><a href="/readyz">Is it ready?</a> <a href="/metrics">Metrics</a></li>
</ul>
<p>Every request carries <code>Authorization: Bearer &lt;token&gt;</code>;
<code>batonbox-server token USER</code> prints one.</p>
</body></html>
"""
_LOOPBACK: Final = """<li>Simulated phones: <code>POST /v1/loopback/inbound</code>,
<code>GET /v1/loopback/outbound?to=</code></li>
"""


def missing(*, loopback: bool) -> Response:
    """The page, with headers that allow it nothing but its own style."""
    html = _HTML.format(style=_STYLE, version=__version__, loopback=_LOOPBACK if loopback else "")
    policy = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(
        html, headers={"content-security-policy": policy, "cache-control": "no-cache"}
    )
