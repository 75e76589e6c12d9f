"""Carrier accounts over HTTP: for admins."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct
from starlette.responses import Response

from batonbox_server.domain.policy import Action
from batonbox_server.store.account_port import AccountRecord
from batonbox_server.store.directory_port import OrgState

from .answers import Items
from .endpoint import Call, Endpoint
from .naming import id_or_new, listed

__all__ = ["ENDPOINTS"]

Name = Annotated[str, Meta(min_length=1, max_length=120)]
Secret = Annotated[str, Meta(max_length=4096)]
File = Annotated[str, Meta(max_length=1024)]
Rate = Annotated[float, Meta(ge=0, le=10_000)]


class NewCarrier(Struct, forbid_unknown_fields=True):
    """Body of POST carriers; `config` is what the kind takes, `id` is made up when left out.

    The secret is given here, or stands in `secret_file`, a path on the servers' machines.
    """

    kind: str
    name: Name
    id: str | None = None
    config: dict[str, Any] = {}
    secret: Secret = ""
    secret_file: File = ""
    rate_per_s: Rate = 0.0


class CarrierChange(Struct, forbid_unknown_fields=True):
    """Body of PATCH carriers; `config` as a whole. A secret that is left out stays."""

    name: Name | None = None
    config: dict[str, Any] | None = None
    secret: Secret | None = None
    secret_file: File | None = None
    rate_per_s: Rate | None = None


class Carrier(Struct):
    """A carrier account; its secret is never shown again.

    `built_in`: it comes from the server's settings. `inbound_url` and `status_url`: where the
    carrier is to call back, null when the server has no public URL or the kind needs none.
    `setup`: what to enter at the carrier.
    `problem`: "" or what stands in the way of its working, and the remedy. `rate_per_s`: most
    messages per second, 0: as many as there are.
    """

    id: str
    kind: str
    name: str
    config: dict[str, Any]
    secret: Literal["set", "file", "none"]
    secret_file: str
    rate_per_s: float
    built_in: bool
    numbers: list[str]
    inbound_url: str | None
    status_url: str | None
    setup: str
    problem: str


class CarrierCheck(Struct):
    """Whether the carrier takes the account's credentials, and in words why not."""

    ok: bool
    says: str


async def _list(call: Call) -> dict[str, Any]:
    """The carrier accounts that numbers of this server can use."""
    found = await call.services.account_admin.all()
    state = await call.services.organisation.state()
    return listed([_shown(call, record, state) for record in found])


async def _one(call: Call) -> dict[str, Any]:
    """A carrier account."""
    return await _now(call, await call.services.account_admin.one(call.path("account")))


async def _create(call: Call) -> dict[str, Any]:
    """Add a carrier account; its secret is kept sealed and never shown again."""
    body = await call.body(NewCarrier)
    record = await call.services.account_admin.create(
        id_or_new(body.id, "car"),
        kind=body.kind,
        name=body.name,
        config=body.config,
        secret=body.secret,
        secret_file=body.secret_file,
        rate_per_s=body.rate_per_s,
    )
    return await _now(call, record)


async def _edit(call: Call) -> dict[str, Any]:
    """Change a carrier account, or replace its secret."""
    body = await call.body(CarrierChange)
    record = await call.services.account_admin.edit(
        call.path("account"),
        name=body.name,
        config=body.config,
        secret=body.secret,
        secret_file=body.secret_file,
        rate_per_s=body.rate_per_s,
    )
    return await _now(call, record)


async def _delete(call: Call) -> Response:
    """Delete a carrier account that no number uses."""
    await call.services.account_admin.delete(call.path("account"))
    return Response(status_code=204)


async def _check(call: Call) -> dict[str, Any]:
    """Ask the carrier whether the credentials work."""
    says = await call.services.account_admin.check(call.path("account"))
    return {"ok": not says, "says": says}


async def _now(call: Call, record: AccountRecord) -> dict[str, Any]:
    return _shown(call, record, await call.services.organisation.state())


def _shown(call: Call, record: AccountRecord, state: OrgState) -> dict[str, Any]:
    accounts = call.services.accounts
    built_in = accounts.built_in.get(record.id)
    numbers = (n for n, r in state.routes.items() if record.id in (r.carrier, r.intended.carrier))
    return {
        "id": record.id,
        "kind": record.kind,
        "name": record.name,
        "config": dict(record.config),
        "secret": built_in.secret if built_in else record.secret,
        "secret_file": record.secret_file,
        "rate_per_s": record.rate_per_s,
        "built_in": built_in is not None,
        "numbers": sorted(numbers),
        "inbound_url": accounts.inbound_url(record.id) or None,
        "status_url": accounts.status_url(record.id) or None,
        "setup": accounts.setup(record.id),
        "problem": accounts.problem(record.id),
    }


_A: Final = Action.ADMINISTER
_ALL: Final = "/v1/admin/carriers"
_ONE: Final = "/v1/admin/carriers/{account}"
_WRITE: Final = ("conflict",)
ENDPOINTS: Final = (
    Endpoint("GET", _ALL, _A, _list, returns=Items[Carrier]),
    Endpoint("POST", _ALL, _A, _create, 201, body=NewCarrier, returns=Carrier, errors=_WRITE),
    Endpoint("GET", _ONE, _A, _one, returns=Carrier),
    Endpoint("PATCH", _ONE, _A, _edit, body=CarrierChange, returns=Carrier, errors=_WRITE),
    Endpoint("DELETE", _ONE, _A, _delete, status=204, errors=_WRITE),
    Endpoint("POST", f"{_ONE}/check", _A, _check, returns=CarrierCheck),
)
