"""Interactions over HTTP: conversations with customers and rooms in one list."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from batonbox_server.domain.model import RoomKind
from batonbox_server.domain.policy import Action
from batonbox_server.service.interactions import Filter, Interaction

from .answers import Items
from .answers_rooms import InteractionItem
from .endpoint import Call, Endpoint
from .rest import Limit
from .shapes import my_room_json, row_json

__all__ = ["ENDPOINTS"]


class Shown(msgspec.Struct):
    """Query of Interactions; `after` is the last answer's `next`."""

    filter: Filter = "all"
    after: str = ""
    limit: Limit = 50


async def _interactions(call: Call) -> dict[str, Any]:
    """Every conversation and room the caller may see, newest first."""
    query = call.query(Shown)
    found, after = await call.services.interactions.page(
        call.principal, show=query.filter, after=query.after, n=query.limit
    )
    return {"items": [_item(each) for each in found], "next": after}


def _item(found: Interaction) -> dict[str, Any]:
    if found.room is None:
        return {"kind": "external", "conversation": row_json(found.row)}
    kind = "direct" if found.row["kind"] == RoomKind.DIRECT else "channel"
    return {"kind": kind, "room": my_room_json(found.room)}


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    Endpoint(
        "GET",
        "/v1/interactions",
        Action.SEE,
        _interactions,
        query=Shown,
        returns=Items[InteractionItem],
    ),
)
