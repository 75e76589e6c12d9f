"""Plans of numbers and destinations: records, inboxes and jobs agree, whatever is asked."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from batonbox_server.domain.model import Destination, Role
from batonbox_server.errors import Refused
from batonbox_server.store.directory_plan import Plan
from batonbox_server.store.directory_port import Inbox, OrgState, Route, User
from batonbox_server.store.directory_records import (
    inbox_from,
    inbox_map,
    route_from,
    route_map,
    unpack,
)
from batonbox_server.store.inbox_plan import plan_inbox, plan_inbox_gone, plan_new_inbox
from batonbox_server.store.number_plan import (
    plan_edited_number,
    plan_number,
    plan_number_gone,
    plan_taken,
)

NUMBERS = [f"+1416555010{n}" for n in range(4)]
ONE = NUMBERS[0]
EMPTY = OrgState("e", 0, "", {"ann": User("ann", "Ann", Role.MEMBER)}, {}, {})


def after(state: OrgState, plan: Plan) -> OrgState:
    """The directory once the plan is written."""
    inboxes, routes = dict(state.inboxes), dict(state.routes)
    tables: dict[str, tuple[dict[str, Any], Any]] = {
        "inboxes": (inboxes, inbox_from),
        "routes": (routes, route_from),
    }
    for table, name, raw in plan.writes:
        found, read = tables[table]
        if raw:
            found[name] = read(unpack(raw))
        else:
            found.pop(name)
    return replace(state, seq=state.seq + 1, inboxes=inboxes, routes=routes)


def done(state: OrgState, plan: Plan) -> OrgState:
    """And once its jobs are done."""
    state = after(state, plan)
    for job in plan.jobs:
        if job.data["take"]:
            state = done(state, plan_taken(state, job.data["take"]))
    return state


def with_inboxes(*names: str) -> OrgState:
    """Destinations without numbers."""
    state = EMPTY
    for name in names:
        state = done(state, plan_new_inbox(state, Inbox(name, name), carrier="loopback"))
    return state


def assigned(state: OrgState, number: str, inbox: str, *, messaging: bool = True) -> OrgState:
    """The number goes there."""
    return done(state, plan_number(state, Route(number, inbox, "loopback", messaging)))


def test_a_move_is_taken_first_flipped_then_let_go() -> None:
    state = assigned(with_inboxes("desk", "night"), ONE, "desk")
    plan = plan_number(state, Route(ONE, "night", "loopback"))
    between = after(state, plan)
    assert between.routes[ONE].delivers == "desk"
    assert between.routes[ONE].taker == "night"
    assert (between.inboxes["desk"].numbers, between.inboxes["night"].live) == ((ONE,), False)
    assert [job.inbox for job in plan.jobs] == ["night"]
    flip = plan_taken(between, plan.jobs[0].data["take"])
    state = after(between, flip)
    assert state.routes[ONE] == Route(ONE, "night", "loopback")
    assert [job.inbox for job in flip.jobs] == ["desk"]
    assert (state.inboxes["desk"].numbers, state.inboxes["night"].numbers) == ((), (ONE,))
    assert state.inboxes["desk"].live
    assert not plan_taken(state, plan.jobs[0].data["take"]).events


def test_a_move_that_was_asked_anew_is_not_done_by_the_job_of_the_first() -> None:
    state = assigned(with_inboxes("desk", "night"), ONE, "desk")
    first = plan_number(state, Route(ONE, "night", "loopback"))
    state = after(state, first)
    back = plan_edited_number(state, ONE, inbox="desk", carrier=None, messaging=None)
    assert [job.inbox for job in back.jobs] == ["night"]  # which must not accept it any longer
    state = after(state, back)
    assert not plan_taken(state, first.jobs[0].data["take"]).events
    again = plan_number(state, Route(ONE, "night", "loopback"))
    state = after(state, again)
    assert not plan_taken(state, first.jobs[0].data["take"]).events
    assert plan_taken(state, again.jobs[0].data["take"]).events


def test_an_inbox_is_live_from_its_first_messaging_number_on() -> None:
    state = assigned(with_inboxes("desk"), ONE, "desk", messaging=False)
    assert (state.inboxes["desk"].live, state.inboxes["desk"].numbers) == (False, ())
    on = plan_edited_number(state, ONE, inbox=None, carrier=None, messaging=True)
    state = done(state, on)
    assert (state.inboxes["desk"].live, state.inboxes["desk"].numbers) == (True, (ONE,))
    state = done(state, plan_number_gone(state, ONE))
    assert (state.inboxes["desk"].live, state.inboxes["desk"].numbers) == (True, ())


def test_a_deleted_inbox_leaves_its_numbers() -> None:
    state = assigned(with_inboxes("desk", "night"), ONE, "desk")
    moving = after(state, plan_number(state, Route(ONE, "night", "loopback")))
    without_giver = done(moving, plan_inbox_gone(moving, "desk"))
    assert without_giver.routes[ONE].delivers == "night"
    without_taker = done(moving, plan_inbox_gone(moving, "night"))
    assert without_taker.routes[ONE] == Route(ONE, "desk", "loopback")
    alone = done(state, plan_inbox_gone(state, "desk"))
    assert alone.routes[ONE] == Route(ONE, "", "loopback")


def test_extensions_belong_to_one() -> None:
    state = EMPTY
    first = Inbox("desk", "Front desk", extension="7", kind=Destination.RING_GROUP)
    state = done(state, plan_new_inbox(state, first, carrier="loopback"))
    with pytest.raises(Refused, match="'Front desk'"):
        plan_new_inbox(state, Inbox("x", "X", extension="7"), carrier="loopback")
    state = done(state, plan_inbox(state, replace(first, extension=""), numbers=None, carrier=""))
    assert plan_new_inbox(state, Inbox("x", "X", extension="7"), carrier="loopback").events


def test_records_of_before_load_as_they_were_meant() -> None:
    old = {"id": "desk", "name": "Desk", "members": ["ann"], "numbers": [], "deleted": False}
    assert inbox_from(old) == Inbox("desk", "Desk", ("ann",), live=True)
    assert route_from({"number": ONE, "inbox": "desk", "carrier": "loopback"}) == Route(
        ONE, "desk", "loopback"
    )


@pytest.mark.parametrize("seed", range(20))
def test_numbers_and_inboxes_agree_after_any_changes(seed: int) -> None:
    draw = random.Random(seed)
    state = with_inboxes("a", "b", "c")
    for _ in range(120):
        plan = _some_change(state, draw)
        # Some plans are overtaken: their jobs are done later, or never.
        state = done(state, plan) if draw.random() < 0.6 else after(state, plan)
        for name, inbox in state.inboxes.items():
            here = {n for n, route in state.routes.items() if route.delivers == name}
            assert set(inbox.numbers) == here
            assert len(inbox.numbers) == len(here)
            assert inbox.live >= bool(here)
            assert inbox_from(inbox_map(inbox)) == inbox
        for route in state.routes.values():
            assert route_from(route_map(route)) == route
            assert {route.inbox, route.taker} <= {"", *state.inboxes}


def _some_change(state: OrgState, draw: random.Random) -> Plan:
    number, name = draw.choice(NUMBERS), draw.choice([*state.inboxes, ""])
    match draw.randrange(6):
        case 0 if number in state.routes:
            messaging = draw.choice([None, True, False])
            return plan_edited_number(
                state, number, inbox=draw.choice([None, name]), carrier=None, messaging=messaging
            )
        case 1 if number in state.routes:
            return plan_number_gone(state, number)
        case 2 if len(state.inboxes) > 1 and name:
            return plan_inbox_gone(state, name)
        case 3 if len(state.inboxes) < 5:
            made = Inbox(f"n{state.seq}", "N")
            return plan_new_inbox(state, made, carrier="loopback")
        case 4 if name:
            numbers = tuple(draw.sample(NUMBERS, draw.randrange(3)))
            found = state.inboxes[name]
            return plan_inbox(state, found, numbers=numbers, carrier="loopback")
    return plan_number(state, Route(number, name, "loopback", draw.random() < 0.7))
