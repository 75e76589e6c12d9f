"""What the administration's handlers share: lists, things by name, and new ids."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from batonbox_server.errors import Refused
from batonbox_server.service.texts import check_id

__all__ = ["id_or_new", "known", "listed", "unique"]

T = TypeVar("T")


def listed(items: list[Any]) -> dict[str, Any]:
    """A list that is whole."""
    return {"items": items, "next": None}


def known(table: Mapping[str, T], name: str) -> T:
    """The thing of this name; raises Refused("not_found")."""
    if name not in table:
        raise Refused("not_found", f"There is no {name!r}.")
    return table[name]


def id_or_new(given: str | None, prefix: str) -> str:
    """The id that was asked for, or a new one; raises Refused("bad_request")."""
    if given is not None:
        return check_id(given, field="id")
    # Begins with the time, so that ids sort by their making (the layout of UUIDv7 in hex).
    return f"{prefix}_{int(time.time() * 1000):012x}7{secrets.token_hex(10)[:19]}"


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Each once, in their order."""
    return tuple(dict.fromkeys(names))
