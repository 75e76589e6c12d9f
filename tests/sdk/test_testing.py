"""`batonbox.testing`: the real server for other people's tests."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from batonbox import Bot, Conflict, Forbidden, MessageReceived, NotFound, NotUndoable, Resync
from batonbox.testing import LocalServer
from batonbox_server.config import ConfigError, Settings
from batonbox_server.for_tests import ForTests
from batonbox_server.store.library import load_folder
from tests.support import eventually


@pytest.fixture(scope="module")
def own() -> Iterator[LocalServer]:
    """An empty one: its clock, links and process may be played with."""
    with LocalServer(demo=False) as server:
        server.add_user("ana")
        server.add_user("robot", bot=True)
        server.add_inbox("sales", members=["ana", "robot"], numbers=["+14165550100"])
        yield server


async def test_a_customer_says_and_hears_and_a_dialogue_is_followed(
    batonbox_server: LocalServer,
) -> None:
    customer = batonbox_server.customer()
    async with (
        batonbox_server.client("agent1") as client,
        client.events(MessageReceived, inbox="sales") as events,
    ):
        conv = customer.says("hello")
        async for event in events:
            if isinstance(event, MessageReceived) and event.conversation.id == conv:
                await event.conversation.claim()
                for text in ("one", "two: 2", "three", "three"):
                    await event.conversation.reply(text)
                break
        assert await customer.hears() == "one"
        assert await customer.hears(re.compile(r"\d")) == "two: 2"
        assert await customer.hears("three") == "three"
        assert await customer.hears("three") == "three"
        assert customer.phone() == ["one", "two: 2", "three", "three"]
        with pytest.raises(AssertionError, match=r"did not hear 'one' within .*'two: 2'"):
            await customer.hears("one", timeout_s=0.1)
        with pytest.raises(AssertionError, match="did not hear anything"):
            customer.wait_for(timeout_s=0.1)


async def test_customers_are_new_unless_named_and_reach_the_number_they_text(
    batonbox_server: LocalServer,
) -> None:
    first, second = batonbox_server.customer(), batonbox_server.customer()
    assert first.number != second.number
    assert first.says("a") != second.says("a")
    assert first.says("b", to="+14165550101").startswith("support.")


async def test_a_bot_serves_and_what_its_handlers_raise_is_raised(
    batonbox_server: LocalServer,
) -> None:
    bot, begun = Bot(), list[str]()

    @bot.message()
    async def divides(event: MessageReceived) -> None:
        begun.append(event.text)
        await event.conversation.claim()
        await event.conversation.reply(f"{84 / int(event.text):g}")

    customer = batonbox_server.customer()
    async with batonbox_server.serving(bot, "agent1") as running:
        assert running is bot
        customer.says("2")
        await customer.hears("42")
    serving = batonbox_server.serving(bot, "agent2")
    await serving.__aenter__()
    customer.says("0", to="+14165550101")
    await eventually(lambda: "0" in begun)
    with pytest.raises(ZeroDivisionError):
        await serving.__aexit__(None, None, None)
    with pytest.raises(ExceptionGroup) as failed:
        await batonbox_server.serving(Bot(inboxes=["nowhere"]), "agent2").__aenter__()
    assert isinstance(failed.value.exceptions[0], Forbidden | NotFound)


async def test_links_are_reset_at_once_and_clients_go_on_without_a_gap(own: LocalServer) -> None:
    customer = own.customer()
    async with own.client("ana") as client, client.events(inbox="sales") as events:
        for number in range(3):
            assert own.drop_links() >= 1
            customer.says(str(number))
            event = await anext(events)
            assert not isinstance(event, Resync)
            assert isinstance(event, MessageReceived)
            assert event.text == str(number)
        await eventually(lambda: client.state == "connected")
        client._connection.last_error = None
        own.drop_links()
        await eventually(lambda: "1006" in str(client._connection.last_error))  # no close frame


async def test_the_clock_goes_ahead_and_what_is_due_happens(own: LocalServer) -> None:
    async with own.client("robot") as client:
        handle = await client.conversation(own.customer().says("later"))
        await handle.claim()
        await handle.release()
        own.advance(11.0)
        with pytest.raises(NotUndoable):
            await handle.undo()
        await handle.claim()
        for _ in range(2):  # the client's own idea of the time goes ahead, too
            async with client.events(inbox="sales") as events:
                await handle.snooze(seconds=3600)
                assert handle.now.snoozed_until > 0
                own.advance(3601.0)
                async for event in events:
                    if getattr(event, "reason", "") == "due":
                        break
        await handle.reply("now")


async def test_a_restart_keeps_data_and_clock_and_clients_come_back(own: LocalServer) -> None:
    async with own.client("ana") as client:
        conv = own.customer().says("before")
        own.advance(86_400.0)
        ahead_s = client.server_time_s()
        own.restart()
        handle = await client.conversation(conv)
        await handle.claim()
        assert handle.now.assignee == "ana"
        assert client.server_time_s() >= ahead_s
        with pytest.raises(Conflict):
            own.add_user("ana")
    assert own._running().ask(op="where")["ahead_s"] >= 86_400.0


def test_a_server_that_is_not_installed_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match="pip install batonbox-server"), LocalServer():
        pass


def test_a_server_that_does_not_start_says_what_it_wrote() -> None:
    wrong = LocalServer(settings={"text_max_chars": "many"})
    with pytest.raises(RuntimeError, match="BATONBOX_TEXT_MAX_CHARS must be a number"):
        wrong.start()
    assert wrong._folder is not None
    assert not wrong._folder.exists()


ABANDONS = """
import os
from batonbox.testing import LocalServer
server = LocalServer(demo=False)
server.start()
print(server._folder, server._running().ask(op="where")["pid"], flush=True)
os._exit(1)
"""


async def test_a_server_ends_with_the_process_that_started_it() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ABANDONS, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await process.communicate()
    folder, pid = told.decode().split()
    try:
        await eventually(lambda: not Path(f"/proc/{pid}").exists(), what="the server's end")
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "wrong",
    [
        {"redis_url": "redis://127.0.0.1:6379"},
        {"workers": 2},
        {"host": "0.0.0.0"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_clocks_are_not_changed_where_others_are_served(
    tmp_path: Path, wrong: dict[str, object]
) -> None:
    with pytest.raises(ConfigError, match="loopback"):
        ForTests(Settings(data_dir=str(tmp_path), **wrong))  # type: ignore[arg-type]


def test_clocks_are_not_changed_in_a_folder_that_held_data(tmp_path: Path) -> None:
    (tmp_path / "archive.sqlite").touch()
    with pytest.raises(ConfigError, match="empty folder"):
        ForTests(Settings(data_dir=str(tmp_path)))


def test_no_other_server_knows_of_such_a_clock() -> None:
    (library,) = {script.library for script in load_folder().values()}
    assert b"shifted" not in library.source
    assert b"for_tests" not in library.source


def test_the_plugin_loads_nothing_before_it_is_used() -> None:
    check = "import sys, pytest_batonbox; assert 'batonbox' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, env=os.environ | {"PYTHONPATH": ""})
