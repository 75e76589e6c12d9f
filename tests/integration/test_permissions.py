"""Every cell of the permission table, on every transport: allowed, or refused by this very slug."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from batonbox_server.domain.policy import OPTIONAL, TABLE, Action, Held

from .permission_harness import ACTS, WHO, House, Who, housed

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Of no conversation, and offered over HTTP alone; everything else is a verb on every transport.
HTTP_ONLY: Final = frozenset(
    {Action.SIGN_IN, Action.ACCOUNT, Action.ADMINISTER, Action.SIMULATE, Action.CONTACTS}
)
CELLS: Final = [
    pytest.param(action, who, id=f"{action.name.lower()}-{who}")
    for action in Action
    for who in WHO
    if action not in HTTP_ONLY or who.held is Held.NOBODY
]
VERBS: Final = [cell for cell in CELLS if cell.values[0] not in HTTP_ONLY]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(engine_url: str) -> AsyncIterator[House]:
    """One node for all cells; each has an inbox of its own."""
    async with housed(engine_url, f"t{uuid.uuid4().hex[:12]}:") as house:
        yield house


OPTIONS: Final = [cell for cell in VERBS if cell.values[0] in OPTIONAL]


async def _cell(
    house: House, transport: str, action: Action, who: Who, *, lets: bool = False
) -> None:
    case = await house.case(action, who, lets=lets)
    before, seq = await house.row(case.conv), await house.seq(case.inbox)
    act = {"http": house.by_http, "socket": house.by_socket, "sdk": house.by_sdk}[transport]
    wanted = (OPTIONAL if lets else TABLE)[action].cell(who.standing, who.held)
    assert await act(action, case) == wanted
    if wanted:
        assert (await house.row(case.conv), await house.seq(case.inbox)) == (before, seq)


@pytest.mark.parametrize(("action", "who"), CELLS)
async def test_over_http(house: House, action: Action, who: Who) -> None:
    await _cell(house, "http", action, who)


@pytest.mark.parametrize(("action", "who"), VERBS)
async def test_over_the_websocket(house: House, action: Action, who: Who) -> None:
    await _cell(house, "socket", action, who)


@pytest.mark.parametrize(("action", "who"), VERBS)
async def test_by_the_sdk(house: House, action: Action, who: Who) -> None:
    await _cell(house, "sdk", action, who)


@pytest.mark.parametrize("transport", ["http", "socket", "sdk"])
@pytest.mark.parametrize(("action", "who"), OPTIONS)
async def test_where_an_option_lets_members(
    house: House, action: Action, who: Who, transport: str
) -> None:
    await _cell(house, transport, action, who, lets=True)


async def test_every_action_has_its_cells() -> None:
    assert TABLE.keys() == set(Action)
    assert ACTS.keys() == set(Action) - HTTP_ONLY
