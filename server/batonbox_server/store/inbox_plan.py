"""Routing destinations: made, changed and deleted, planned against one instant; pure."""

from __future__ import annotations

from dataclasses import replace

from batonbox_server.errors import Refused
from batonbox_server.store.directory_port import Inbox, OrgState, Route

from .directory_plan import Plan, existing_inbox, existing_user
from .number_plan import plan_numbers

__all__ = ["plan_inbox", "plan_inbox_gone", "plan_member", "plan_new_inbox"]


def plan_new_inbox(state: OrgState, inbox: Inbox, *, carrier: str) -> Plan:
    """Create an inbox whose id, extension and numbers are free."""
    if inbox.id in state.inboxes:
        raise Refused("conflict", f"There is an inbox {inbox.id!r} already; choose another id.")
    for number in inbox.numbers:
        bound = state.routes.get(number)
        if bound is not None and bound.intended.inbox:
            raise Refused("conflict", f"{number} delivers to {bound.intended.inbox!r}.")
    made = replace(inbox, numbers=(), live=False)
    return plan_inbox(state, made, numbers=inbox.numbers, carrier=carrier)


def plan_member(state: OrgState, *, inbox: str, user: str, on: bool) -> Plan:
    """Put a user into an inbox, or take them out."""
    found = existing_inbox(state, inbox)
    existing_user(state, user)
    if (user in found.members) == on:
        return Plan()
    kept = tuple(m for m in found.members if m != user)
    wanted = replace(found, members=(*kept, user) if on else kept)
    return plan_inbox(state, wanted, numbers=None, carrier="")


def plan_inbox(
    state: OrgState, inbox: Inbox, *, numbers: tuple[str, ...] | None, carrier: str
) -> Plan:
    """Create or change an inbox; `numbers`, if given, come here from wherever they were.

    A number that has no record yet gets one with this carrier.
    """
    _check_members(state, inbox)
    _check_extension(state, inbox)
    old = state.inboxes.get(inbox.id)
    wanted = {} if numbers is None else _wanted_numbers(state, inbox.id, numbers, carrier=carrier)
    if old == inbox and not wanted:
        return Plan()
    left = [m for m in old.members if m not in inbox.members] if old else []
    came = [m for m in inbox.members if old is None or m not in old.members]
    return plan_numbers(state, wanted, inbox=inbox, gone=left, come=came)


def plan_inbox_gone(state: OrgState, inbox: str) -> Plan:
    """Delete an inbox; its numbers stay, and deliver nowhere."""
    existing_inbox(state, inbox)
    left = {
        number: replace(
            route,
            inbox="" if route.inbox == inbox else route.inbox,
            move=None if route.taker == inbox else route.move,
        )
        for number, route in state.routes.items()
        if inbox in (route.inbox, route.taker)
    }
    rest = {name: found for name, found in state.inboxes.items() if name != inbox}
    plan = Plan()
    told = plan_numbers(replace(state, inboxes=rest), left)
    plan.writes, plan.events, plan.jobs = told.writes, told.events, told.jobs
    plan.drop("inboxes", inbox, "inbox_deleted", {"id": inbox})
    plan.sync(inbox)
    return plan


def _wanted_numbers(
    state: OrgState, inbox: str, numbers: tuple[str, ...], *, carrier: str
) -> dict[str, Route | None]:
    wanted: dict[str, Route | None] = {}
    for number in numbers:
        route = state.routes.get(number, Route(number, "", carrier)).intended
        if route.inbox != inbox:
            wanted[number] = replace(route, inbox=inbox)
    for number, route in state.routes.items():
        if route.intended.delivers == inbox and number not in numbers:
            wanted[number] = replace(route.intended, inbox="")
    return wanted


def _check_members(state: OrgState, inbox: Inbox) -> None:
    for member in inbox.members:
        if member not in state.users:
            raise Refused("not_found", f"There is no user {member!r} to put into the inbox.")
        if not state.users[member].active:
            raise Refused("conflict", f"{member!r} is deactivated; reactivate them first.")


def _check_extension(state: OrgState, inbox: Inbox) -> None:
    for other in state.inboxes.values():
        if inbox.extension and other.extension == inbox.extension and other.id != inbox.id:
            raise Refused(
                "conflict",
                f"Extension {inbox.extension} is that of {other.name!r}; choose another.",
            )
