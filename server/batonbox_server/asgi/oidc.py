"""Signing in at an identity provider, for browsers: two addresses that only ever send them on."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import Any, Final
from urllib.parse import quote, urlencode

from msgspec import Struct
from starlette.responses import Response

from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.service.oidc import CALLBACK, TTL_S, Answer, Oidc, is_state
from batonbox_server.store.oidc_port import NoEntry

from .endpoint import Call, Endpoint
from .origins import address_of, set_cookie

__all__ = ["ENDPOINTS"]

_NEXT_CHARS: Final = 1000


class Begin(Struct):
    """Query of GET session/oidc: where to go afterwards, a path of this server."""

    next: str = ""


class Back(Struct):
    """Query of GET session/oidc/callback, as the provider makes it."""

    state: str = ""
    code: str = ""
    error: str = ""
    iss: str = ""


async def _begin(call: Call) -> Response:
    """Send the browser to the identity provider; why not is told at /sign-in#error=<code>."""
    oidc, given = call.services.oidc, call.request.query_params
    next_ = _local(given.get("next", ""))
    if oidc is None:
        return _sorry("off", next_)
    try:
        going = await oidc.begin(next_=next_, address=address_of(call.request.scope))
    except NoEntry as error:
        return _sorry(error.code, error.next)
    answer = _to(going.url, status=302)
    cookie = _cookie(oidc, going.state, going.browser, max_age_s=TTL_S)
    answer.headers.append("set-cookie", cookie)
    return answer


async def _back(call: Call) -> Response:
    """Where the identity provider sends the browser back: a session begins, and the page opens.

    What goes wrong is told at /sign-in#error=<code>.
    """
    oidc, request = call.services.oidc, call.request
    if oidc is None:
        return _sorry("off", "")
    given = request.query_params
    state = given.get("state", "") if is_state(given.get("state", "")) else ""
    answer = Answer(
        state=state,
        code=given.get("code", ""),
        error=given.get("error", ""),
        issuer=given.get("iss"),
    )
    browser = request.cookies.get(_name(oidc, state), "")
    try:
        session, next_ = await oidc.finish(
            answer, browser=browser, address=address_of(request.scope)
        )
    except NoEntry as error:
        sent = _sorry(error.code, error.next)
    else:
        # The cookie is Strict: it does not come with this redirect, which another site began, but
        # with what the page then asks for.
        sent = _to(next_ or "/", status=303)
        cookie = set_cookie(request.scope, session.secret, max_age_s=session.max_age_s)
        sent.headers.append("set-cookie", cookie)
    if browser:
        sent.headers.append("set-cookie", _cookie(oidc, state, "", max_age_s=0))
    return sent


async def _forget(call: Call) -> Response:
    """Unlink the user's identity at the provider; signing in there links one anew."""
    oidc = call.services.oidc
    if oidc is None:
        raise Refused("not_found", "This server has no identity provider.")
    await oidc.forget(call.path("user"))
    return Response(status_code=204)


def _local(path: str) -> str:
    """The path if it leads to a page of this server, whatever a browser makes of it; else ""."""
    plain = path.startswith("/") and path.isprintable() and path.isascii() and "\\" not in path
    return path if plain and not path.startswith("//") and len(path) <= _NEXT_CHARS else ""


def _sorry(code: str, next_: str) -> Response:
    query = f"?{urlencode({'next': next_})}" if next_ else ""
    return _to(f"/sign-in{query}#error={quote(code)}", status=303)


def _to(url: str, *, status: int) -> Response:
    headers = {"location": url, "cache-control": "no-store"}
    return Response(status_code=status, headers=headers)


def _name(oidc: Oidc, state: str) -> str:
    """Sign-ins in two tabs have a cookie each."""
    return f"{'__Secure-' if oidc.secure else ''}batonbox-oidc-{state[:8]}"


def _cookie(oidc: Oidc, state: str, value: str, *, max_age_s: int) -> str:
    """Lax: it comes along when the provider sends the browser back, and to nothing else."""
    name = _name(oidc, state)
    cookie: SimpleCookie = SimpleCookie({name: value})
    attributes: dict[str, Any] = {
        "path": CALLBACK,
        "max-age": max_age_s,
        "httponly": True,
        "samesite": "Lax",
    }
    cookie[name].update({**attributes, "secure": True} if oidc.secure else attributes)
    return cookie[name].OutputString()


ENDPOINTS: Final = (
    Endpoint("GET", "/v1/session/oidc", None, _begin, status=302, also=303, query=Begin),
    Endpoint("GET", CALLBACK, None, _back, status=303, query=Back),
    Endpoint("DELETE", "/v1/admin/users/{user}/identity", Action.ADMINISTER, _forget, status=204),
)
