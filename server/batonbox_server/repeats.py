"""A log that an outage does not flood: what is said again and again is said once in a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, MutableMapping
from typing import Any, Final

import structlog

__all__ = ["Repeats"]

_LEVELS: Final = frozenset({"warning", "error", "critical"})
_KINDS_MAX: Final = 256


class Repeats:
    """A structlog processor; stands after those that add level and `request_id`.

    Warnings and errors with the same event and the same `error`, which is what was raised, are one
    kind.  Of a kind one line is written each `every_s`; the next one says in `repeated` how many
    were left out before it.  Lines of a request are all written: whoever has its id has to find
    them.  At most 256 kinds are kept; of more the one written longest ago is forgotten, with its
    count.
    """

    def __init__(
        self, *, every_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._every_s = every_s
        self._clock = clock
        self._kinds: dict[Hashable, tuple[float, int]] = {}

    def __call__(
        self, _: Any, __: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Raises structlog.DropEvent for one that is left out."""
        error = event.get("error")
        if error is None or event.get("level") not in _LEVELS or "request_id" in event:
            return event
        kind = (event.get("event"), str(error))
        now_s = self._clock()
        written_s, left_out = self._kinds.get(kind, (float("-inf"), 0))
        if now_s - written_s < self._every_s:
            self._kinds[kind] = (written_s, left_out + 1)
            raise structlog.DropEvent
        self._kinds.pop(kind, None)  # to the end: the first is the one written longest ago
        self._kinds[kind] = (now_s, 0)
        if len(self._kinds) > _KINDS_MAX:
            del self._kinds[next(iter(self._kinds))]
        if left_out:
            event["repeated"] = left_out
        return event
