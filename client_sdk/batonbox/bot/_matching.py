"""Which events a handler wants."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from batonbox._events import ConversationEvent, MessageReceived, TextEvent

__all__ = ["Filter", "Matcher", "Names", "named", "names_of"]

# One name, or any of several.
Names: TypeAlias = str | Collection[str]
Filter: TypeAlias = Callable[[Any], bool | Awaitable[bool]]

STATUSES: Final = frozenset({"unassigned", "assigned", "done"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """All of what is given has to hold.

    `waits`: a customer's message only if it waits for somebody, which keywords ("STOP") do not.
    """

    types: tuple[type[ConversationEvent], ...] = (ConversationEvent,)
    pattern: re.Pattern[str] | None = None
    inboxes: frozenset[str] | None = None
    statuses: frozenset[str] | None = None
    reasons: frozenset[str] | None = None
    filter: Filter | None = None
    waits: bool = False

    async def match(self, event: ConversationEvent) -> re.Match[str] | bool:
        """The pattern's match, else whether it is wanted; raises what the filter raises."""
        found = self._by_fields(event)
        if not found or self.filter is None:
            return found
        wanted = self.filter(event)
        if inspect.isawaitable(wanted):
            wanted = await wanted
        return found if wanted else False

    def _by_fields(self, event: ConversationEvent) -> re.Match[str] | bool:
        reason = getattr(event, "reason", "")
        if not (
            isinstance(event, self.types)
            and (self.inboxes is None or event.inbox in self.inboxes)
            and (self.statuses is None or event.row.status in self.statuses)
            and (self.reasons is None or reason in self.reasons)
            and not (self.waits and reason)
        ):
            return False
        if self.pattern is None:
            return True
        return (isinstance(event, TextEvent) and self.pattern.search(event.text)) or False


def matcher_of_messages(
    pattern: str | re.Pattern[str] | None,
    *,
    inbox: Names | None,
    status: Names | None,
    filter: Filter | None,  # noqa: A002
) -> Matcher:
    """Of customers' messages; raises TypeError, ValueError."""
    if pattern is not None and not isinstance(pattern, str | re.Pattern):
        raise TypeError(f"message() takes a pattern as str or re.Pattern, not {named(pattern)}")
    statuses = names_of("status", status)
    if statuses is not None and not statuses <= STATUSES:
        raise ValueError(f"status= is one of {', '.join(sorted(STATUSES))}, not {status!r}")
    return Matcher(
        types=(MessageReceived,),
        pattern=re.compile(pattern) if isinstance(pattern, str) else pattern,
        inboxes=names_of("inbox", inbox),
        statuses=statuses,
        filter=_filter(filter),
        waits=True,
    )


def matcher_of_updates(
    types: tuple[Any, ...],
    *,
    reason: Names | None,
    inbox: Names | None,
    filter: Filter | None,  # noqa: A002
) -> Matcher:
    """Of what happened to conversations; raises TypeError, ValueError."""
    for each in types:
        if not (isinstance(each, type) and issubclass(each, ConversationEvent)):
            raise TypeError(
                f"updated() takes types of events of conversations (Assigned, Done, ...), "
                f"not {named(each)}"
            )
    return Matcher(
        types=types or (ConversationEvent,),
        inboxes=names_of("inbox", inbox),
        reasons=names_of("reason", reason),
        filter=_filter(filter),
    )


def names_of(argument: str, given: Names | None) -> frozenset[str] | None:
    """A set of the names, None for None; raises TypeError, ValueError."""
    if given is None:
        return None
    names = frozenset([given]) if isinstance(given, str) else frozenset(given)
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{argument}= takes a str, or several, not {given!r}")
    if not names:
        raise ValueError(f"{argument}= names nothing: leave it out for any")
    return names


def named(value: object) -> str:
    """A value as messages of errors show it; a function is most likely a decorated one."""
    if inspect.isroutine(value):
        return f"a function: write the decorator with parentheses ({value.__name__})"
    return repr(value)


def _filter(given: Filter | None) -> Filter | None:
    if given is not None and not callable(given):
        raise TypeError(f"filter= takes a function of the event, not {given!r}")
    return given
