"""Signing in and out over HTTP, for browsers: the session stands in a cookie."""

from __future__ import annotations

from typing import Annotated, Any, Final

from msgspec import Meta, Struct
from starlette.responses import Response

from batonbox_server import __version__
from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.service.sign_in import Session
from batonbox_server.service.views import frame_of_user
from batonbox_server.session.ports import Principal

from . import answers
from .endpoint import Call, Endpoint, allowed, json_response
from .origins import Credentials, address_of, cookie_of, is_loopback, set_cookie

__all__ = ["ENDPOINTS", "begun"]

Typed = Annotated[str, Meta(max_length=1024)]


class ByPassword(Struct, forbid_unknown_fields=True):
    """Body of POST session."""

    user: Typed
    password: Typed


class ByLink(Struct, forbid_unknown_fields=True):
    """Body of POST session/link."""

    code: Typed


class PasswordChange(Struct, forbid_unknown_fields=True):
    """Body of PUT me/password."""

    old: Typed
    new: Typed


async def _look(call: Call) -> dict[str, Any]:
    """Who is signed in; never 401: a page asks this first."""
    services, principal = call.services, await _somebody(call)
    simulates = principal is not None and allowed(services, principal, Action.SIMULATE)
    body: dict[str, Any] = {
        "signed_in": principal is not None,
        "setup": services.setup.wanted,
        "demo": services.demo,
        "loopback": services.phones is not None,
        "simulator": services.phones is not None and simulates,
        "build": services.build,
        "version": __version__,
        "oidc": {"name": services.oidc.name} if services.oidc is not None else None,
    }
    if principal is not None:
        body["user"] = frame_of_user(services.directory.users[principal.user])
    return body


async def _sign_in(call: Call) -> Response:
    """Sign in with a password; the session stands in a cookie."""
    call.services.origins.check(call.request.scope)
    body = await call.body(ByPassword)
    address = address_of(call.request.scope)
    session = await call.services.sign_in.by_password(body.user, body.password, address=address)
    return await begun(call, session)


async def _by_link(call: Call) -> Response:
    """Sign in with a one-click link of a demo server."""
    scope = call.request.scope
    call.services.origins.check(scope)
    if not call.services.demo or not is_loopback((scope.get("client") or [""])[0]):
        raise Refused(
            "forbidden",
            "One-click links open on the machine of a demo server only; sign in by password.",
        )
    body = await call.body(ByLink)
    session = await call.services.sign_in.by_link(body.code, address=address_of(scope))
    return await begun(call, session)


async def begun(call: Call, session: Session) -> Response:
    """The answer to signing in: the cookie, and whose it is."""
    scope = call.request.scope
    await _end_session(call)  # this browser's old one: nothing would ever name it again
    answer = json_response({"user": frame_of_user(session.user)})
    answer.headers["set-cookie"] = set_cookie(scope, session.secret, max_age_s=session.max_age_s)
    return answer


async def _sign_out(call: Call) -> Response:
    """End this browser's session."""
    call.services.origins.check(call.request.scope)
    await _end_session(call)
    return _without_cookie(call, Response(status_code=204))


async def _sign_out_everywhere(call: Call) -> Response:
    """End every session of the caller."""
    await call.services.sign_in.sign_out_everywhere(call.principal.user)
    return _without_cookie(call, Response(status_code=204))


async def _change_password(call: Call) -> Response:
    """Change one's own password; the other sessions end."""
    body = await call.body(PasswordChange)
    await call.services.sign_in.change_password(
        call.principal, old=body.old, new=body.new, address=address_of(call.request.scope)
    )
    return Response(status_code=204)


async def _somebody(call: Call) -> Principal | None:
    given = Credentials.of(call.request.scope, call.services.origins)
    try:
        return await given.principal(call.services.identity)
    except Refused as refused:
        if refused.code.http == 401:
            return None
        raise


async def _end_session(call: Call) -> None:
    cookie = cookie_of(call.request.scope)
    if cookie:
        await call.services.sign_in.sign_out(cookie)


def _without_cookie(call: Call, answer: Response) -> Response:
    answer.headers["set-cookie"] = set_cookie(call.request.scope, "", max_age_s=0)
    return answer


ENDPOINTS: Final = (
    Endpoint(
        "GET", "/v1/session", None, _look, returns=answers.SessionState, errors=("forbidden",)
    ),
    Endpoint(
        "POST",
        "/v1/session",
        None,
        _sign_in,
        body=ByPassword,
        returns=answers.SignedIn,
        errors=("unauthorized", "forbidden", "rate_limited"),
    ),
    Endpoint(
        "DELETE",
        "/v1/session",
        None,
        _sign_out,
        status=204,
        errors=("forbidden",),
        vital=True,
        ends=True,
    ),
    Endpoint(
        "POST",
        "/v1/session/link",
        None,
        _by_link,
        body=ByLink,
        returns=answers.SignedIn,
        errors=("unauthorized", "forbidden", "rate_limited"),
    ),
    Endpoint(
        "DELETE",
        "/v1/sessions",
        Action.ACCOUNT,
        _sign_out_everywhere,
        status=204,
        vital=True,
        ends=True,
    ),
    Endpoint(
        "PUT",
        "/v1/me/password",
        Action.ACCOUNT,
        _change_password,
        status=204,
        body=PasswordChange,
        errors=("rate_limited",),
        ends=True,
    ),
)
