"""A bot as a process: signals, its connection's end, the command line."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from batonbox._wire import Op
from tests.sdk.scripted import Peer, Script, event, snap

BOT = """
import asyncio
import batonbox

bot = batonbox.Bot()

@bot.message("wait")
async def waits(event):
    print("began", flush=True)
    await event.conversation.note("slowly")
    print("ended", flush=True)

@bot.message("hang")
async def hangs(event):
    print("began", flush=True)
    await asyncio.Event().wait()

@bot.message()
async def never(event):
    print("never", flush=True)

class desk:
    of_class = bot

if __name__ == "__main__":
    bot.run()
"""
RUN = [sys.executable, "my_bot.py"]
COMMAND = [sys.executable, "-m", "batonbox", "bot"]


@asynccontextmanager
async def process(
    folder: Path, *command: str, url: str = "http://127.0.0.1:1", token: str = "t"
) -> AsyncIterator[asyncio.subprocess.Process]:
    (folder / "my_bot.py").write_text(BOT)
    env = os.environ | {"BATONBOX_URL": url, "BATONBOX_TOKEN": token}
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=env, stdout=pipe, stderr=pipe
    )
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def followed(script: Script) -> Peer:
    """The bot's connection, once it follows its inbox."""
    peer = await script.next()
    await peer.welcome()
    asked = await peer.expect(Op.SUB)
    await peer.send(snap(1))
    await peer.ok(asked)
    return peer


async def line(child: asyncio.subprocess.Process) -> str:
    assert child.stdout is not None
    async with asyncio.timeout(20):
        return (await child.stdout.readline()).decode().strip()


async def until_stopping(child: asyncio.subprocess.Process) -> None:
    assert child.stderr is not None
    async with asyncio.timeout(20):
        while b"stopping (SIG" not in await child.stderr.readline():
            pass


async def status(child: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(20):
        return await child.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_ends_it_well(
    script: Script, tmp_path: Path, number: signal.Signals
) -> None:
    command = RUN if number == signal.SIGTERM else [*COMMAND, "my_bot:bot"]
    async with process(tmp_path, *command, url=script.url) as child:
        peer = await followed(script)
        await peer.send(event(2, body={"text": "wait"}), event(3, body={"text": "x"}))
        assert await line(child) == "began"
        note = await peer.expect(Op.CMD)
        child.send_signal(number)
        await until_stopping(child)
        await peer.send(event(4, body={"text": "x"}))
        await peer.ok(note, conv="sales.c1", n=2)
        assert await line(child) == "ended"
        assert await asyncio.wait_for(peer.closed, 20) == 1000
        assert (await status(child), await line(child)) == (0, "")


async def test_a_second_signal_ends_it_at_once(script: Script, tmp_path: Path) -> None:
    async with process(tmp_path, *COMMAND, "my_bot:desk.of_class", url=script.url) as child:
        peer = await followed(script)
        await peer.send(event(2, body={"text": "hang"}))
        assert await line(child) == "began"
        child.terminate()
        await until_stopping(child)
        child.terminate()
        assert await status(child) == -signal.SIGTERM


WRONG = {
    "my_bot": (2, "MODULE:BOT"),
    "nowhere:bot": (2, "there is no module 'nowhere'"),
    "my_bot:none": (2, "is no batonbox.Bot but None"),
    "my_bot:bot": (3, "is the server running"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_what_cannot_run_says_why(tmp_path: Path, name: str) -> None:
    wanted, says = WRONG[name]
    async with process(tmp_path, *COMMAND, name, "--timeout", "0.5") as child:
        _, told = await child.communicate()
        assert (child.returncode, says in told.decode()) == (wanted, True), told.decode()


async def test_without_a_token_it_says_what_to_set(tmp_path: Path) -> None:
    async with process(tmp_path, *COMMAND, "my_bot:bot", token="") as child:
        _, told = await child.communicate()
        assert (child.returncode, b"BATONBOX_TOKEN" in told) == (4, True)
