"""One table row per endpoint: method, path, what it takes to call it, and the handler."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import msgspec
import structlog
from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from batonbox_server.domain.model import Role
from batonbox_server.domain.policy import Action, may_ever
from batonbox_server.errors import BatonboxError, Refused
from batonbox_server.origin import Origin, Via, act_as
from batonbox_server.service.scopes import check_request
from batonbox_server.session.ports import Principal

from .admission import BUSY
from .origins import Credentials, address_of, agent_of, client_address
from .problem import problem, refusal_of
from .request_id import request_id_of
from .services import Services

__all__ = [
    "Call",
    "Endpoint",
    "Handler",
    "TooBig",
    "allowed",
    "decode",
    "json_response",
    "route_of",
]

_log = structlog.get_logger(__name__)
T = TypeVar("T")
_NOBODY = Principal("", "member")


class TooBig(Refused):
    """A body beyond the limit."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__("bad_request", f"The body is larger than {max_bytes} bytes.")


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way through a handler."""

    request: Request
    services: Services
    principal: Principal
    request_id: str
    endpoint: Endpoint

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def query(self, shape: type[T]) -> T:
        """The query's parameters as the row's `query`; unknown or repeated ones are refused."""
        assert shape is self.endpoint.query, "the endpoint's row has to declare this query"
        given = self.request.query_params
        known = {field.encode_name for field in msgspec.structs.fields(shape)}  # type: ignore[arg-type]
        for name, _ in given.multi_items():
            if name not in known or len(given.getlist(name)) > 1:
                raise Refused("bad_request", f"{name}: unknown or repeated query parameter.")
        try:
            return msgspec.convert(dict(given), shape, strict=False)
        except msgspec.ValidationError as error:
            raise Refused("bad_request", f"query: {error}") from error

    async def raw_body(self, most: int = 0) -> bytes:
        """The body, bounded (0: as every body is); raises TooBig as soon as it is too long."""
        most = most or self.services.limits.body_max_bytes
        if int(self.request.headers.get("content-length") or 0) > most:
            raise TooBig(most)
        read = bytearray()
        async for chunk in self.request.stream():
            read += chunk
            if len(read) > most:
                raise TooBig(most)
        self.check_access()
        return bytes(read)

    def check_access(self) -> None:
        """A request may take its time, and who asks may have lost the right meanwhile.

        Raises Refused: `unauthorized`, `forbidden`.
        """
        if self.endpoint.action is None:
            return
        principal, directory = self.principal, self.services.directory
        user = directory.users.get(principal.user)
        if user is None or not user.active or directory.was_revoked(principal.token):
            raise Refused("unauthorized", "Your access ended during this request.")
        now = replace(principal, role=str(user.role))
        if not allowed(self.services, now, self.endpoint.action):
            raise Refused("forbidden", "Your role changed during this request.")

    async def while_allowed(self, pieces: AsyncIterator[T]) -> AsyncIterator[T]:
        """A long answer for as long as the caller may have it; then it is cut."""
        async for piece in pieces:
            self.check_access()
            yield piece

    async def body(self, shape: type[T]) -> T:
        """The body as the row's `body`; raises Refused("bad_request") that names the field."""
        assert shape is self.endpoint.body, "the endpoint's row has to declare this body"
        return decode(await self.raw_body(), shape)


def decode(raw: bytes, shape: type[T]) -> T:
    """JSON as `shape`; nothing counts as {}."""
    try:
        return msgspec.json.decode(raw or b"{}", type=shape)
    except msgspec.MsgspecError as error:
        raise Refused("bad_request", f"body: {error}") from error
    except UnicodeDecodeError as error:
        raise Refused("bad_request", "body: not UTF-8.") from error


Answer: TypeAlias = dict[str, Any] | Response
Handler = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`action` None: nobody has to sign in (probes, signing in, what is signed another way).

    The API's documents derive from this row: what the handler reads (`body`, `query`), what it
    answers (`returns`, with `status` or `also`; `str` is plain text, `bytes` a file), the `errors`
    beyond those every endpoint can answer, whether it takes an Idempotency-Key (`keyed`). The
    handler's docstring is its description. `vital`: an overloaded server does it all the same.
    `ends`: somebody's access may end by it, and has ended here when it is answered.
    """

    method: str
    path: str
    action: Action | None
    handler: Handler
    status: int = 200
    body: type[Struct] | None = None
    query: type[Struct] | None = None
    returns: Any = None
    errors: tuple[str, ...] = ()
    also: int = 0
    keyed: bool = False
    via: Via = "web"  # from where they act who need not sign in
    types: tuple[str, ...] = ("text/plain",)  # of what `returns` str or bytes
    takes: tuple[str, ...] = ()  # the body is a file of one of these types
    statuses: tuple[tuple[str, int], ...] = ()  # of errors, where not (only) their table's
    vital: bool = False
    ends: bool = False


def json_response(value: Any, *, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(
        msgspec.json.encode(value),
        status_code=status,
        media_type="application/json",
        headers={"cache-control": "no-store"},
    )


def route_of(endpoint: Endpoint, services: Services) -> Route:
    """The endpoint as a Starlette route."""

    async def serve(request: Request) -> Response:
        request_id = request_id_of(request.scope)
        request.scope["batonbox.route"] = endpoint.path
        try:
            return await _answer(endpoint, services, request, request_id)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            if not isinstance(error, BatonboxError):
                _log.exception("request_failed", path=endpoint.path, request_id=request_id)
            status = 413 if isinstance(error, TooBig) else 0
            return problem(refusal_of(error), request_id=request_id, status=status)

    return Route(endpoint.path, serve, methods=[endpoint.method])


async def _answer(
    endpoint: Endpoint, services: Services, request: Request, request_id: str
) -> Response:
    if retry_ms := services.shedder.refuses_request(vital=_vital(endpoint)):
        raise Refused("unavailable", BUSY, retry_ms=retry_ms)
    principal, origin = _NOBODY, _nobodys(endpoint, request)
    if endpoint.action is not None or not _vital(endpoint):
        # Before anything is looked up: not even a wrong token costs more than this beyond the rate.
        await services.rates.address(address_of(request.scope))
    if endpoint.action is not None:
        given = Credentials.of(request.scope, services.origins)
        principal = await given.principal(services.identity)
        if not _vital(endpoint):
            await services.rates.principal(principal)
        origin = given.origin(principal)
        if not allowed(services, principal, endpoint.action):
            raise Refused("forbidden", "This takes an admin.")
        check_request(principal, endpoint.action)
    with act_as(principal.user, origin, request_id):
        answer = await endpoint.handler(Call(request, services, principal, request_id, endpoint))
    if endpoint.ends:
        await services.directory.heard()
    if isinstance(answer, Response):
        return answer
    return json_response(answer, status=endpoint.status)


def _vital(endpoint: Endpoint) -> bool:
    # Not every carrier brings a customer's message again that it could not deliver.
    return endpoint.vital or endpoint.via == "carrier"


def _nobodys(endpoint: Endpoint, request: Request) -> Origin:
    scope = request.scope
    return Origin(endpoint.via, address=client_address(scope), agent=agent_of(scope))


def allowed(services: Services, principal: Principal, action: Action) -> bool:
    """Whether somebody of this role may ever do so; a demo's phones are everybody's."""
    if services.demo and action is Action.SIMULATE:
        return True
    return may_ever(action, Role(principal.role))
