"""Phone numbers and the inboxes they deliver to, kept consistent in one plan; pure.

A number goes to another inbox in two steps, so that at every moment somebody accepts its messages:
its record says where it is about to go and a job makes that inbox accept it (`place`); then the
record flips (`plan_taken`), and a job makes the inbox before let go.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace

from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import Inbox, Move, OrgState, Route

from .directory_plan import Plan, existing_inbox
from .directory_records import inbox_map, route_map

__all__ = [
    "plan_edited_number",
    "plan_number",
    "plan_number_gone",
    "plan_numbers",
    "plan_taken",
]


def plan_number(state: OrgState, wanted: Route) -> Plan:
    """Make a number's record, or replace it; Refused("not_found") of its inbox."""
    if wanted.inbox:
        existing_inbox(state, wanted.inbox)
    return plan_numbers(state, {wanted.number: wanted})


def plan_edited_number(
    state: OrgState,
    number: str,
    *,
    inbox: str | None,
    carrier: str | None,
    messaging: bool | None,
) -> Plan:
    """Change what is not None; Refused("not_found") of the number or its inbox."""
    old = _existing(state, number).intended
    wanted = Route(
        number,
        old.inbox if inbox is None else inbox,
        carrier or old.carrier,
        old.messaging if messaging is None else messaging,
    )
    return plan_number(state, wanted)


def plan_number_gone(state: OrgState, number: str) -> Plan:
    """Take the number's record away; Refused("not_found")."""
    _existing(state, number)
    return plan_numbers(state, {number: None})


def plan_taken(state: OrgState, tickets: Mapping[str, str]) -> Plan:
    """Flip the records of moves that still stand: their inbox accepts the numbers."""
    flipped: dict[str, Route | None] = {}
    for number, ticket in tickets.items():
        route = state.routes.get(number)
        if route is not None and route.move is not None and route.move.ticket == ticket:
            flipped[number] = route.intended
    plan = Plan()
    _settle(plan, state, flipped, {})
    return plan


def plan_numbers(
    state: OrgState,
    wanted: Mapping[str, Route | None],
    *,
    inbox: Inbox | None = None,
    gone: list[str] | None = None,
    come: list[str] | None = None,
) -> Plan:
    """Records of numbers as they are wanted (None: away), and the inboxes that follow from them.

    `inbox`: a record made or changed by the same plan, which users `gone` leave and `come` join.
    """
    plan = Plan()
    placed = {
        number: None if route is None else _placed(state.routes.get(number), route)
        for number, route in wanted.items()
    }
    changed = {n: route for n, route in placed.items() if state.routes.get(n) != route}
    records = {} if inbox is None else {inbox.id: inbox}
    _settle(plan, state, changed, records, gone=gone, come=come)
    return plan


def _placed(old: Route | None, wanted: Route) -> Route:
    """The record that is written now: as wanted, or with the move that makes it so."""
    if wanted.delivers in ("", old.delivers if old else ""):
        return wanted
    move = Move(uuid.uuid4().hex, wanted.inbox, wanted.carrier)
    return replace(old or replace(wanted, inbox=""), move=move)


def _settle(
    plan: Plan,
    state: OrgState,
    changed: Mapping[str, Route | None],
    records: Mapping[str, Inbox],
    *,
    gone: list[str] | None = None,
    come: list[str] | None = None,
) -> None:
    after = dict(state.routes)
    for number, route in changed.items():
        if route is None:
            del after[number]
            plan.drop("routes", number, "route_deleted", {"number": number})
        else:
            after[number] = route
            plan.put("routes", number, "route_changed", route_map(route))
    touched = [
        records.get(name) or state.inboxes[name]
        for name in dict.fromkeys((*records, *_concerned(changed, state.routes)))
        if name in records or name in state.inboxes
    ]
    for inbox in touched:
        record = _with_numbers(inbox, after)
        if record != state.inboxes.get(inbox.id):
            plan.put("inboxes", inbox.id, "inbox_changed", inbox_map(record))
        tickets = _tickets(inbox.id, changed)
        accepts = _accepted(inbox.id, state.routes), _accepted(inbox.id, after)
        if inbox.id in records or tickets or accepts[0] != accepts[1]:
            theirs = {"gone": gone, "away": come} if inbox.id in records else {}
            plan.sync(inbox.id, take=tickets, **theirs)
    # First the inbox that receives a number, then the one that gives it.
    plan.jobs.sort(key=lambda job: not job.data["take"])


def _concerned(changed: Mapping[str, Route | None], before: Mapping[str, Route]) -> Iterator[str]:
    for number, route in changed.items():
        for one in (before.get(number), route):
            if one is not None:
                yield from (one.delivers, one.taker)


def _with_numbers(inbox: Inbox, routes: Mapping[str, Route]) -> Inbox:
    here = {number for number, route in routes.items() if route.delivers == inbox.id}
    kept = [number for number in inbox.numbers if number in here]
    numbers = (*kept, *sorted(here.difference(kept)))
    return replace(inbox, numbers=numbers, live=inbox.live or bool(numbers))


def _accepted(inbox: str, routes: Mapping[str, Route]) -> set[str]:
    return {n for n, route in routes.items() if inbox in (route.delivers, route.taker)}


def _tickets(inbox: str, changed: Mapping[str, Route | None]) -> dict[str, str]:
    return {
        number: route.move.ticket
        for number, route in changed.items()
        if route is not None and route.move is not None and route.move.inbox == inbox
    }


def _existing(state: OrgState, number: str) -> Route:
    if number not in state.routes:
        raise Refused("not_found", f"There is no number {number}; add it first.")
    return state.routes[number]
