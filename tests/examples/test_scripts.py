"""The scripts of `examples/`, run as they stand against a real server."""

from __future__ import annotations

import csv
import os
import signal
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from batonbox.testing import LocalServer
from tests.examples.running import EXAMPLES, Desk, finished, load, running
from tests.support import eventually

PYTHONS = sorted(path.name for path in EXAMPLES.glob("*.py") if not path.name.startswith("test_"))


async def test_the_export_has_the_lines_of_that_day_and_no_formulas(site: LocalServer) -> None:
    desk = Desk(site, "days", "+14165550114", "dan")
    customer, later = desk.customer(), desk.customer()
    async with site.client("dan") as dan:
        customer.says("the day before")
        site.advance(86_400)
        conversation = await dan.conversation(customer.says('=HYPERLINK("https://example.com")'))
        at = datetime.fromtimestamp(dan.server_time_s(), UTC)
        await conversation.claim()
        await conversation.reply('Grüße, "Dan"\n+1')
        await conversation.transfer("admin", note="@admin")
        site.advance(86_400)
        customer.says("the day after")
        later.says("the day after")
    day = (at.date().isoformat(), "--inbox", "days")
    lines = await exported(site, *day)
    delivery = {line.pop("state") for line in lines}
    assert delivery <= {"", "queued", "sent", "delivered"}
    texts = [line["text"] for line in lines if line["kind"] != "assigned"]
    assert texts == ['\'=HYPERLINK("https://example.com")', 'Grüße, "Dan"\n+1', "'@admin"]
    kinds = [(line["kind"], line["by"], line["to"]) for line in lines]
    number = lines[0]["customer"]
    assert number.startswith("'+1")
    assert kinds == [
        ("received", number, ""),
        ("assigned", "dan", "dan"),
        ("replied", "dan", ""),
        ("transferred", "dan", "admin"),
    ]
    assert {line["conversation"] for line in lines} == {conversation.id}
    # Where it is another day at that moment.
    zone = next(
        name
        for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago")
        if at.astimezone(ZoneInfo(name)).date() != at.date()
    )
    there = at.astimezone(ZoneInfo(zone)).date()
    lines = await exported(site, there.isoformat(), "--inbox", "days", "--zone", zone)
    assert "'@admin" in [line["text"] for line in lines]
    assert {line["time"][:10] for line in lines} == {there.isoformat()}


async def exported(site: LocalServer, *words: str) -> list[dict[str, str]]:
    at = {"url": site.url, "token": site.token("admin")}
    status, printed, errors = await finished("export_day.py", *words, **at)
    assert (status, errors) == (0, "")
    return list(csv.DictReader(printed.decode("utf-8-sig").splitlines(keepends=True)))


def test_the_export_misses_nothing_that_moves_while_it_reads(site: LocalServer) -> None:
    desk = Desk(site, "moves", "+14165550115", "mo")
    example = load("export_day")
    example.PAGE = 1
    oldest, *others = customers = [desk.customer() for _ in range(3)]
    convs = [customer.says("Hello") for customer in customers]
    with site.sync_client("mo") as client:
        begins = datetime.fromtimestamp(client.server_time_s(), UTC) - timedelta(hours=1)
        found = example.changed_since(client, begins, "moves")
        first = next(found).id
        oldest.says("Hello again")  # it is the newest now, and was to be the last one
        assert sorted([first, *(conversation.id for conversation in found)]) == sorted(convs)
        for number in range(5):
            others[0].says(f"{number}")
        handle = client.conversation(convs[1])
        ends = begins + timedelta(days=1)
        texts = [message.text for message in example.messages(handle, begins, ends)]
        assert texts == ["Hello", *"01234"]


WRONG = {
    "2026-13-01": "invalid fromisoformat value",
    "2026-11-30 --zone America/Nowhere": "America/Nowhere is no time zone",
    "2026-11-30 --inbox nowhere": "not_found",
}


@pytest.mark.parametrize("words", WRONG)
async def test_the_export_says_what_it_cannot_do(site: LocalServer, words: str) -> None:
    at = {"url": site.url, "token": site.token("admin")}
    status, _, errors = await finished("export_day.py", *words.split(), **at)
    assert status != 0
    assert WRONG[words] in errors
    assert "Traceback" not in errors


RECORDER = """#!/bin/sh
printf '%s|' "$@" >> {file}
echo >> {file}
exit {status}
"""


@pytest.mark.parametrize("desktop", ["shown", "refused", "missing"])
async def test_the_notifier_tells_of_more_and_not_of_less(
    site: LocalServer, tmp_path: Path, desktop: str
) -> None:
    desk = Desk(site, f"new-{desktop}", site.customer().number, f"nat-{desktop}")
    told = tmp_path / "told"
    told.touch()
    if desktop != "missing":
        program = tmp_path / "notify-send"
        program.write_text(RECORDER.format(file=told, status=int(desktop == "refused")))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    customer = desk.customer()
    conv = customer.says("Hello")
    at = {"url": site.url, "token": site.token(f"nat-{desktop}")}
    async with running("badge_notifier.py", **at, PATH=os.fspath(tmp_path)) as notifier:

        async def tells(text: str) -> None:
            if desktop == "shown":
                await eventually(lambda: told.read_text().splitlines()[-1:] == [text])
            else:
                title, said = text.split("|")[1:3]
                await notifier.prints(f"^{title}: {said}$")

        begin = f"--app-name=batonbox|new-{desktop}|"
        await tells(f"{begin}1 new in the inbox, 0 of yours|")
        async with site.client(f"nat-{desktop}") as client:
            conversation = await client.conversation(conv)
            conversation.seen()
            async for badge in client.badges():
                if badge.blue == 0:
                    break  # less is no news
            await conversation.claim()
            customer.says("Are you there?")
            await tells(f"{begin}0 new in the inbox, 1 of yours|")
        desk.customer().says("Hello")
        await tells(f"{begin}1 new in the inbox, 1 of yours|")
        assert await notifier.ends(signal.SIGINT) == 0
    if desktop == "shown":
        assert len(told.read_text().splitlines()) == 3


async def test_the_race_has_one_winner_each_and_leaves_nothing(site: LocalServer) -> None:
    site.token("admin")
    before = [site.api("GET", path)["items"] for path in ("/v1/admin/users", "/v1/inboxes")]
    at = {"url": site.url, "token": site.token("admin")}
    status, printed, errors = await finished("race.py", "30", **at)
    assert (status, errors) == (0, "")
    said = printed.decode().splitlines()
    assert said[0].startswith("300 claims in")
    assert said[-1] == "one winner each"
    after = [site.api("GET", path)["items"] for path in ("/v1/admin/users", "/v1/inboxes")]
    assert after == before


async def test_the_race_says_that_it_takes_an_admin(site: LocalServer) -> None:
    Desk(site, "nobodys", "+14165550116", "ned")
    at = {"url": site.url, "token": site.token("ned")}
    status, _, errors = await finished("race.py", "2", **at)
    assert status == 1
    assert "takes an admin" in errors


@pytest.mark.parametrize("name", [*PYTHONS, "node_bot.mjs"])
async def test_without_a_token_it_says_what_to_set(name: str, site: LocalServer) -> None:
    words = ["2026-11-30"] if name == "export_day.py" else []
    status, _, errors = await finished(name, *words, url=site.url, token="")
    assert status == 1
    assert "BATONBOX_TOKEN" in errors.splitlines()[-1]
