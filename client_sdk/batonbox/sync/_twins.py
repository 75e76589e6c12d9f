"""Events whose handles block, made of those that the connection tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

from batonbox._events import Event
from batonbox.sync import _events

__all__ = ["plain", "twin"]

_PLAIN: Final[dict[type[Event], type[Event]]] = {
    one: one.__bases__[0]
    for one in vars(_events).values()
    if isinstance(one, type) and one.__module__ == _events.__name__
}
_TWINS: Final = {base: one for one, base in _PLAIN.items()}


def plain(types: tuple[type[Event], ...]) -> tuple[type[Event], ...]:
    """What the connection calls these types."""
    return tuple(_PLAIN.get(each, each) for each in types)


def twin(event: Event, blocking: Callable[[Any], Any]) -> Event:
    """The same event, with what `blocking` makes of its handle; itself where it has none."""
    kind = _TWINS.get(type(event))
    if kind is None:
        return event
    return kind(**{f.name: blocking(getattr(event, f.name)) for f in fields(event)})
