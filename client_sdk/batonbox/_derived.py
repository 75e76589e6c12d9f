"""Command ids that derive from what is being handled, for whoever sets them in the context."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Protocol

__all__ = ["IDS", "Ids", "derived_id"]


class Ids(Protocol):
    """Gives out ids of commands, the same ones whenever the same work is done again."""

    def of_command(self, command: str, target: str) -> str:
        """The id of the next `command` about `target`."""
        ...


# Of the handler that runs; what it starts inherits it.
IDS: ContextVar[Ids | None] = ContextVar("batonbox_ids", default=None)

_TARGETS = ("conv", "inbox", "to", "user", "name")


def derived_id(command: str, args: Mapping[str, Any]) -> str | None:
    """The id for a command that was given none, None outside of a handler.

    Commands about different things are counted apart, so that those which a handler runs at the
    same time have the same ids in whatever order they come.
    """
    ids = IDS.get()
    if ids is None:
        return None
    named = ("conv",) if "conv" in args else _TARGETS
    return ids.of_command(command, "\n".join(str(args.get(name) or "") for name in named))
