"""The package as it is installed: typed, and at home on every CPython that is here."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

import batonbox
from batonbox.testing import LocalServer

SDK = Path(__file__).parents[2] / "client_sdk"
MINORS = range(11, 16)
SMOKE = """
import asyncio, platform, sys
import batonbox
from batonbox import Bot, sync
from batonbox._wire import SUBPROTOCOLS, decode, encode
from batonbox.testing import BotTester

assert "batonbox_server" not in sys.modules
for codec in SUBPROTOCOLS:
    frame = [1, 7, "reply", {"text": "h\\u00e9llo \\u2603", "n": 2**40}]
    (again,) = decode(encode(frame, codec), codec)
    assert again == frame, (codec, again)

url, token, conv = sys.argv[1:]
with sync.Client(url, token) as client:
    handle = client.conversation(conv)
    handle.claim()
    handle.reply("hello from " + platform.python_version())
    handle.done()

async def blocked():
    async with batonbox.Client(url, token, codec="json") as client:
        return (await client.conversation(conv)).now.status

assert asyncio.run(blocked()) == "done"
bot = Bot()

@bot.message("hello")
async def hello(event):
    await event.conversation.claim()
    await event.conversation.reply("hello")

async def played():
    async with BotTester(bot) as t:
        await t.says("+14165550142", "hello")
        return t.replies

assert asyncio.run(played()) == [("+14165550142", "hello")]
"""


def interpreter(minor: int) -> str:
    """A CPython 3.`minor`: this one, on PATH, or one of pyenv's, which need not be on it; or ""."""
    name = f"python3.{minor}"
    own = Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/{name}")
    for place in (sys.executable, shutil.which(name), *map(str, sorted(own))):
        if place is not None and version_of(place).startswith(f"3.{minor}."):
            return place
    return ""


def version_of(python: str) -> str:
    """ "" where it does not run, as a shim without its version."""
    asked = "import platform; print(platform.python_implementation(), platform.python_version())"
    done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
    name, _, version = done.stdout.strip().partition(" ")
    return version if name == "CPython" else ""


def test_the_package_says_that_it_is_typed_and_on_what_it_runs() -> None:
    assert Path(batonbox.__file__).with_name("py.typed").exists()
    told = metadata("batonbox")
    assert told["Requires-Python"] == ">=3.11"
    needs = {re.split(r"[ ;<>=]", each)[0] for each in told.get_all("Requires-Dist") or []}
    assert needs == {"msgpack", "msgspec", "websockets"}


def test_the_python_that_runs_this_is_found() -> None:
    assert interpreter(sys.version_info.minor) == sys.executable


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SDK's, built from the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(SDK)], check=True)
    (made,) = folder.iterdir()
    return made


@pytest.mark.long  # an environment each
@pytest.mark.parametrize("minor", MINORS)
def test_the_main_job_is_done_on_each_python_that_is_here(
    minor: int, wheel: Path, tmp_path: Path, batonbox_server: LocalServer
) -> None:
    found = interpreter(minor)
    if not found:
        pytest.skip(f"there is no python3.{minor} here")
    print(f"on {found}, {version_of(found)}")
    subprocess.run([found, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(wheel)], check=True)
    customer = batonbox_server.customer()
    given = [batonbox_server.url, batonbox_server.token("agent1"), customer.says("hello")]
    subprocess.run([python, "-W", "error", "-c", SMOKE, *given], check=True, cwd=tmp_path)
    assert customer.wait_for(f"hello from {version_of(found)}")
