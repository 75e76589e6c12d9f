"""The bots of `examples/`, run as they stand against a real server."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from datetime import UTC, datetime, timedelta

import pytest

from batonbox._http import Http
from batonbox.testing import LocalServer
from tests.examples.running import EXAMPLES, Desk, load, running
from tests.support import eventually

READY = "ready as"


async def test_the_reply_bot_answers_goes_on_after_a_pause_and_hands_back(
    site: LocalServer,
) -> None:
    desk = Desk(site, "replies", "+14165550110", "replier")
    customer, impatient = desk.customer(), desk.customer()
    example = load("auto_reply")
    at = {"url": site.url, "token": site.token("replier")}
    async with running("auto_reply.py", **at) as bot:
        await bot.prints(READY)
        conv = customer.says("Hello")
        await customer.hears(example.HELLO)
        impatient.says("I want an agent")
        await impatient.hears(example.AGENT)
        site.drop_links()
        customer.says("What are your HOURS?")
        await customer.hears(example.ANSWERS["hours"])
        assert await bot.ends(signal.SIGTERM) == 0
    customer.says("And your prices?")  # nobody is there
    impatient.says("Hello?")
    async with running("auto_reply.py", **at) as bot:
        await customer.hears(example.ANSWERS["prices"])
        customer.says("Thank you")
        await customer.hears(example.BYE)
        async with site.client("admin") as admin:
            conversation = await admin.conversation(conv)
            await eventually(lambda: is_done(site, conv), what="being done")
            kinds = [line.kind for line in await conversation.history()]
            assert kinds.count("assigned") == 1
        assert await bot.ends(signal.SIGTERM) == 0
    assert impatient.phone() == [example.AGENT]


def is_done(site: LocalServer, conv: str) -> bool:
    return bool(site.api("GET", f"/v1/conversations/{conv}")["status"] == "done")


async def test_the_reply_bots_own_test_passes() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_auto_reply.py",
        cwd=EXAMPLES, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    assert process.returncode == 0, printed.decode()


async def test_the_assigner_gives_each_in_turn_and_what_is_returned_to_somebody_else(
    site: LocalServer,
) -> None:
    desk = Desk(site, "turns", "+14165550111", "ann", "bob", "cy")
    at = {"url": site.url, "token": site.token("admin")}
    async with site.client("ann") as ann, site.client("bob"), site.client("cy") as away:
        await away.set_away()
        async with running("round_robin.py", **at) as bot:
            await bot.prints(READY)
            convs = [desk.customer().says("Hello") for _ in range(4)]
            owners = [await owner(site, conv) for conv in convs]
            assert sorted(owners) == ["ann", "ann", "bob", "bob"]
            theirs = await ann.conversation(convs[owners.index("ann")])
            await theirs.release()
            assert await owner(site, theirs.id) == "bob"
            assert await bot.ends(signal.SIGTERM) == 0


async def owner(site: LocalServer, conv: str) -> str:
    """Whose it is, once it is somebody's."""
    owners = [""]

    def owned() -> str:
        owners.append(site.api("GET", f"/v1/conversations/{conv}")["assignee"] or "")
        return owners[-1]

    await eventually(owned, what="an owner")
    return owners[-1]


async def test_the_assigner_leaves_what_somebody_took_and_gives_what_nobody_could_have(
    site: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(site, "rest", "+14165550112", "eve", "fay")
    example = load("round_robin")
    caplog.set_level(logging.INFO, "round_robin")
    async with site.serving(example.bot, "admin") as bot:
        taken, left = desk.customer().says("Hello"), desk.customer().says("Hello")
        await eventually(lambda: f"nobody is there for {left}" in caplog.text)
        stale = await bot.client.conversation(taken)
        own = Http(site.url, site.token("eve"))
        await own.send("POST", f"/v1/conversations/{taken}/assign", {})
        async with site.client("fay"):
            await eventually(lambda: "fay" in bot.client.presence)
            await example.hand_out(stale)
            assert f"eve took {taken} themselves" in caplog.text
            assert example.last_turn["fay"] == 0  # it was not theirs
            await example.hand_out_what_is_left(bot)
            assert (await bot.client.conversation(left)).now.assignee == "fay"
    assert site.api("GET", f"/v1/conversations/{taken}")["assignee"] == "eve"


async def test_the_night_bot_answers_once_a_night_and_leaves_it_in_the_inbox(
    site: LocalServer,
) -> None:
    desk = Desk(site, "nights", "+14165550113", "owl")
    example = load("after_hours")
    customer, other = desk.customer(), desk.customer()
    told = "We are closed, and will answer on {} from 09:00."
    async with running("after_hours.py", url=site.url, token=site.token("owl")) as bot:
        await bot.prints(READY)
        to_time(site, example, weekday=5, hour=12)
        conv = customer.says("Hello?")
        await returned(site, conv, 1)
        customer.says("Hello??")
        await returned(site, conv, 2)
        to_time(site, example, weekday=6, hour=12)
        customer.says("It is Sunday")
        await returned(site, conv, 3)
        assert customer.phone() == [told.format("Monday")]
        other.says("Is anybody there?")
        await other.hears(told.format("Monday"))
        to_time(site, example, weekday=0, hour=10)
        customer.says("Now?")
        to_time(site, example, weekday=0, hour=18)
        customer.says("And now?")
        await returned(site, conv, 4)
        assert customer.phone() == [told.format("Monday"), told.format("Tuesday")]
        assert site.api("GET", f"/v1/conversations/{conv}")["status"] == "unassigned"
        assert await bot.ends(signal.SIGTERM) == 0


async def returned(site: LocalServer, conv: str, times: int) -> None:
    """Until it has come back to the inbox so often."""

    def so_often() -> bool:
        lines = site.api("GET", f"/v1/conversations/{conv}/messages")["items"]
        return [line["kind"] for line in lines].count("returned") >= times

    await eventually(so_often, what="its return")


def to_time(site: LocalServer, example: object, *, weekday: int, hour: int) -> None:
    """Let the server's clock go ahead to the next such time, as the bot's zone has it."""
    with site.sync_client("admin") as client:
        now = datetime.fromtimestamp(client.server_time_s(), UTC).astimezone(example.ZONE)  # type: ignore[attr-defined]
    then = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    while then <= now or then.weekday() != weekday:
        then += timedelta(days=1)
    site.advance((then - now).total_seconds())


NIGHTS = {  # as the clocks of the zone show it
    "2026-11-27 08:59": ("2026-11-26 20:00", "2026-11-27 09:00"),
    "2026-11-27 09:00": (None, "2026-11-30 09:00"),
    "2026-11-27 16:59": (None, "2026-11-30 09:00"),
    "2026-11-27 17:00": ("2026-11-27 17:00", "2026-11-30 09:00"),
    "2026-11-29 12:00": ("2026-11-27 17:00", "2026-11-30 09:00"),
    "2026-03-08 03:30": ("2026-03-06 17:00", "2026-03-09 09:00"),  # they went ahead at two
    "2026-10-31 12:00": ("2026-10-30 17:00", "2026-11-02 09:00"),  # they go back in between
}


@pytest.mark.parametrize("at", NIGHTS)
def test_a_night_is_what_the_table_says(at: str) -> None:
    example = load("after_hours")

    def moment(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=example.ZONE)

    closed, opens = NIGHTS[at]
    found = example.night_of(moment(at).astimezone(UTC))
    assert found == (moment(closed) if closed else None, moment(opens))
