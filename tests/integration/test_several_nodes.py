"""Two nodes behind a balancer that has no sticky sessions: each request meets the other one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from batonbox_server.wire import Op
from tests.integration import (
    test_contacts_files,
    test_main_job,
    test_media_sending,
    test_oidc,
    test_session_list,
    test_setup,
    test_sign_in_limits,
    test_team,
)
from tests.integration.oidc_harness import trusting
from tests.integration.sign_in_harness import PASSWORD, person
from tests.oidc_process import openid_provider
from tests.ports import free_port
from tests.served import Served, served


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """Both of them, at one address; two people have a password."""
    slow: dict[str, Any] = {"sign_in_user_every_s": 600.0, "sign_in_address_every_s": 600.0}
    async with served(engine_url, prefix, nodes=2, as_demo=True, **slow) as site:
        for user in ("agent1", "agent2"):
            await site.node.sign_in.set_password(user, PASSWORD)
        yield site


@pytest.mark.parametrize(
    "job",
    [
        test_main_job.test_a_customers_message_from_arrival_to_done_and_back,
        test_media_sending.test_files_arrive_on_the_phone,
        test_team.test_an_invitation_makes_the_member_it_says,
        test_sign_in_limits.test_a_link_works_once,
        test_sign_in_limits.test_only_failures_count,
        test_session_list.test_a_session_says_what_signed_in_and_from_where,
        test_contacts_files.test_a_line_is_about_whoever_has_one_of_its_numbers,
    ],
)
async def test_what_is_done_by_turns(
    site: Served, job: Callable[[Served], Awaitable[None]]
) -> None:
    await job(site)


async def test_a_server_is_set_up_by_turns(engine_url: str, prefix: str) -> None:
    async with served(engine_url, prefix, nodes=2, empty=True) as site:
        await test_setup.test_the_link_makes_the_organisation_and_signs_its_admin_in(site)


async def test_a_provider_sends_people_back_to_another_node(engine_url: str, prefix: str) -> None:
    port = free_port()
    callback = f"http://127.0.0.1:{port}/v1/session/oidc/callback"
    async with (
        openid_provider(callback) as provider,
        trusting(provider.issuer, engine_url, prefix, port=port, nodes=2) as site,
    ):
        await test_oidc.test_somebody_whom_the_provider_names_is_signed_in(site)


async def test_a_session_holds_at_every_turn_and_ends_at_all(site: Served) -> None:
    ana = await person(site, "agent1")
    for _ in range(4):
        assert (await ana.call("GET", "/v1/me")).json()["id"] == "agent1"
        foreign = await ana.call("POST", "/v1/me/set_away", {}, origin="http://x")
        assert foreign.status_code == 403
    async with ana.line() as first, ana.line() as second:
        await first.until(Op.ORG)
        await second.until(Op.ORG)
        assert (await ana.call("DELETE", "/v1/session")).status_code == 204
        assert await first.close_code() == await second.close_code()
    for _ in range(2):
        assert (await ana.look())["signed_in"] is False
