"""The address book over HTTP: everybody looks up, adds and changes; admins do the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response

from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.service.contact_csv import check_region
from batonbox_server.service.contact_import import Report

from .answers_contacts import ContactItem, ContactList, LookedUp
from .endpoint import Call, Endpoint
from .rest import admitted_cid
from .shapes import contact_json
from .streamed import Streamed

__all__ = ["ENDPOINTS"]

Name = Annotated[str, Meta(min_length=1, max_length=120)]
Numbers = Annotated[list[str], Meta(max_length=100)]
Note = Annotated[str, Meta(max_length=2000)]
_FILE_MOST: Final = 20 * 1024 * 1024
_TRANSFER_S: Final = 300.0
_NDJSON: Final = "application/x-ndjson"
_CSV: Final = "text/csv"


class Listing(Struct):
    """Query of contacts; `q` is how a name, a word of one or a number begins."""

    q: Annotated[str, Meta(max_length=120)] = ""
    after: str = ""
    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class Lookup(Struct):
    """Query of lookup: up to 100 numbers, with commas between."""

    numbers: str


class Importing(Struct):
    """Query of import: a country for numbers without +; whether to try only."""

    region: Annotated[str, Meta(max_length=2)] = ""
    dry_run: Literal["true", "false"] = "false"


class NewContact(Struct, forbid_unknown_fields=True):
    """Body of POST contacts."""

    name: Name
    numbers: Numbers = []
    note: Note = ""


class ContactChange(Struct, forbid_unknown_fields=True):
    """Body of PATCH contacts; what is left out stays. With `rev` only if nobody was faster."""

    name: Name | None = None
    numbers: Numbers | None = None
    note: Note | None = None
    rev: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None


class Merging(Struct, forbid_unknown_fields=True):
    """Body of merge: the contact that is no more afterwards."""

    contact: str


async def _contacts(call: Call) -> dict[str, Any]:
    """Contacts by name; with `q` those with a name, a word of it or a number that begins so."""
    query = call.query(Listing)
    page = await call.services.contacts.page(after=query.after, n=query.limit, begins=query.q)
    items = [contact_json(contact) for contact in page.items]
    return {"items": items, "next": page.next or None, "total": page.total}


async def _lookup(call: Call) -> dict[str, Any]:
    """Whose these numbers are; numbers that are nobody's are left out."""
    # A + that was not escaped arrives as a blank.
    given = [part.strip() for part in call.query(Lookup).numbers.split(",")]
    numbers = [f"+{number.lstrip('+')}" for number in given if number]
    found = await call.services.contacts.lookup(numbers)
    return {"numbers": {number: contact_json(contact) for number, contact in found.items()}}


async def _contact(call: Call) -> dict[str, Any]:
    """One contact."""
    return contact_json(await call.services.contacts.contact(call.path("contact")))


async def _create(call: Call) -> dict[str, Any]:
    """Make a contact; a number that is another's is refused."""
    body = await call.body(NewContact)
    made = await call.services.contacts.create(
        actor=call.principal.user,
        cid=admitted_cid(call),
        name=body.name,
        numbers=body.numbers,
        note=body.note,
    )
    return contact_json(made)


async def _edit(call: Call) -> dict[str, Any]:
    """Change a contact."""
    body = await call.body(ContactChange)
    admitted_cid(call)
    changed = await call.services.contacts.edit(
        call.path("contact"),
        actor=call.principal.user,
        name=body.name,
        numbers=body.numbers,
        note=body.note,
        rev=body.rev,
    )
    return contact_json(changed)


async def _delete(call: Call) -> Response:
    """Delete a contact; its numbers are nobody's, conversations stay."""
    await call.services.contacts.delete(call.path("contact"), actor=call.principal.user)
    return Response(status_code=204)


async def _merge(call: Call) -> dict[str, Any]:
    """Give this contact another's numbers and note; the other is no more."""
    body = await call.body(Merging)
    merged = await call.services.contacts.merge(
        into=call.path("contact"),
        gone=body.contact,
        actor=call.principal.user,
        cid=admitted_cid(call),
    )
    return contact_json(merged)


async def _import(call: Call) -> Response:
    """Make and change contacts from a CSV file; answers with a line of JSON for each of its lines.

    Lines: {kind: "line", line, outcome: created, updated, unchanged or error, contact, name,
    error}; the last is {kind: "end", created, updated, unchanged, error, dry_run}. A line is about
    the contact that has its id or one of its numbers. Sent again it changes nothing more.
    """
    query = call.query(Importing)
    region, dry = check_region(query.region), query.dry_run == "true"
    try:
        async with asyncio.timeout(_TRANSFER_S):
            data = await call.raw_body(_FILE_MOST)
    except TimeoutError:
        told = f"The file did not arrive within {_TRANSFER_S:g} s."
        raise Refused("bad_request", told) from None
    found = await call.services.contacts.begin_import(
        data, actor=call.principal.user, region=region, dry=dry
    )
    return Streamed(
        _reports(found, dry=dry), media_type=_NDJSON, headers={"cache-control": "no-store"}
    )


async def _export(call: Call) -> Response:
    """Every contact as CSV, to be read by a spreadsheet or to be imported again as it was."""
    found = await call.services.contacts.export()
    headers = {
        "content-disposition": 'attachment; filename="contacts.csv"',
        "cache-control": "no-store",
    }
    return Streamed(call.while_allowed(found), media_type=_CSV, headers=headers)


async def _reports(
    found: AsyncIterator[list[Report] | dict[str, int]], *, dry: bool
) -> AsyncIterator[bytes]:
    encode = msgspec.json.encode
    async for reports in found:
        if isinstance(reports, dict):
            yield encode({"kind": "end", **reports, "dry_run": dry}) + b"\n"
        else:
            yield b"".join(encode({"kind": "line", **asdict(r)}) + b"\n" for r in reports)


_SEE: Final = Action.SEE
_WRITE: Final = Action.CONTACTS
_A: Final = Action.ADMINISTER
_ALL: Final = "/v1/contacts"
_ONE: Final = "/v1/contacts/{contact}"
_CHANGING: Final = ("conflict", "rate_limited")
_KEYED: Final = (*_CHANGING, "idempotency_mismatch")
ENDPOINTS: Final = (
    Endpoint("GET", _ALL, _SEE, _contacts, query=Listing, returns=ContactList),
    Endpoint(
        "POST",
        _ALL,
        _WRITE,
        _create,
        201,
        body=NewContact,
        returns=ContactItem,
        errors=_KEYED,
        keyed=True,
    ),
    Endpoint("GET", f"{_ALL}/lookup", _SEE, _lookup, query=Lookup, returns=LookedUp),
    Endpoint(
        "POST",
        f"{_ALL}/import",
        _A,
        _import,
        query=Importing,
        takes=(_CSV,),
        returns=str,
        types=(_NDJSON,),
        errors=("conflict",),
        statuses=(("bad_request", 413),),
    ),
    Endpoint("GET", f"{_ALL}/export", _A, _export, returns=str, types=(_CSV,)),
    Endpoint("GET", _ONE, _SEE, _contact, returns=ContactItem),
    Endpoint(
        "PATCH", _ONE, _WRITE, _edit, body=ContactChange, returns=ContactItem, errors=_CHANGING
    ),
    Endpoint("DELETE", _ONE, _A, _delete, status=204, errors=("conflict",)),
    Endpoint(
        "POST",
        f"{_ONE}/merge",
        _A,
        _merge,
        body=Merging,
        returns=ContactItem,
        errors=_KEYED,
        keyed=True,
    ),
)
