"""Searching over HTTP: everything the caller may see, from one box."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Final, cast

from msgspec import Meta, Struct

from batonbox_server.domain.model import is_room
from batonbox_server.domain.policy import Action
from batonbox_server.errors import Refused
from batonbox_server.service.search import KINDS, Kind, Marks
from batonbox_server.service.search_port import Hit

from .answers_search import SearchFound
from .endpoint import Call, Endpoint
from .shapes import contact_json, room_json, row_json, timestamp

__all__ = ["ENDPOINTS"]


class Asked(Struct):
    """Query of search; `kinds` with commas between, all by default; `limit` is of each kind.

    `after` is the last answer's `next`, and takes one kind.
    """

    q: Annotated[str, Meta(min_length=1, max_length=200)]
    kinds: Annotated[str, Meta(max_length=80)] = ""
    after: Annotated[str, Meta(max_length=64)] = ""
    limit: Annotated[int, Meta(ge=1, le=50)] = 10


async def _search(call: Call) -> dict[str, Any]:
    """Messages, conversations, contacts, channels and people, the newest first.

    Every word has to be there, in any order, as the beginning of one; case and accents do not
    count. "Words in quotes" follow each other. A phone number is found however it is written. Only
    what the caller may see is looked at, archived or not.
    """
    query = call.query(Asked)
    found = await call.services.search.find(
        call.principal, query.q, kinds=_kinds(query.kinds), after=query.after, n=query.limit
    )
    return {
        "messages": [_message(hit, row) for hit, row in found.messages],
        "conversations": [
            {"conversation": row_json(row), **_why(hit.excerpt, hit.marks)}
            for hit, row in found.conversations
        ],
        "contacts": [
            {"contact": contact_json(contact), **_why(hit.excerpt, hit.marks)}
            for hit, contact in found.contacts
        ],
        "channels": [
            {
                "id": channel.id,
                "name": channel.name,
                "kind": channel.kind,
                "archived_at": timestamp(channel.archived),
                "member": member,
                **_why(channel.name, marks),
            }
            for channel, member, marks in found.channels
        ],
        "people": [
            {"id": user.id, "name": user.name, **_why(user.name, marks)}
            for user, marks in found.people
        ],
        "next": found.next or None,
        "index": asdict(found.index),
    }


def _message(hit: Hit, row: dict[str, Any]) -> dict[str, Any]:
    room = is_room(hit.conv)
    return {
        "conv": hit.conv,
        "n": hit.n,
        "at_ms": hit.at_ms,
        "at": timestamp(hit.at_ms),
        "conversation": None if room else row_json(row),
        "room": room_json(row) if room else None,
        **_why(hit.excerpt, hit.marks),
    }


def _why(excerpt: str, marks: Marks) -> dict[str, Any]:
    return {"excerpt": excerpt, "marks": [list(mark) for mark in marks]}


def _kinds(text: str) -> tuple[Kind, ...]:
    if not text:
        return KINDS
    asked = text.split(",")
    if unknown := [kind for kind in asked if kind not in KINDS]:
        raise Refused("bad_request", f"kinds: {unknown[0]!r} is none of {', '.join(KINDS)}.")
    return cast(tuple[Kind, ...], tuple(asked))


ENDPOINTS: Final = (
    Endpoint("GET", "/v1/search", Action.SEE, _search, query=Asked, returns=SearchFound),
)
