"""A page's blocks as somebody follows them, from first to last: one shell, folder and server."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx2

from batonbox_server.gen import ROOT
from tests.docs.blocks import Block, Malformed
from tests.docs.fragment import is_fragment
from tests.docs.kinds import RUN, SHOWN
from tests.docs.printed import as_shown
from tests.integration.media_harness import PDF, PNG
from tests.ports import free_port

__all__ = ["lives", "told"]

_LONGEST_S: Final = 60.0
_COMING_S: Final = 30.0
_END: Final = "---- end of block ----"
# Whatever goes on ends with the shell, which ends with the tests, however they do.
_ENDING: Final = b"""trap 'trap "" TERM; kill 0' EXIT\n"""
_SERVERS: Final = {"demo": "batonbox-server serve --demo", "empty": "batonbox-server serve"}
_FRAGMENT: Final = Path(__file__).with_name("fragment.py")
# What the folder has of the repository, for pages that are followed in a checkout.
_LINKED: Final = re.compile(r"(?!data$|build$|dist$)[A-Za-z].*")


async def told(blocks: Sequence[Block], folder: Path) -> None:
    """Follow them; raises AssertionError where something else happens than the page says."""
    async with AsyncExitStack() as stack:
        world: World | None = None
        for number, (block, after) in enumerate(zip(blocks, [*blocks[1:], None], strict=True)):
            if "not run" in block.marks or "run by" in block.marks:
                continue
            if block.kind not in RUN and "file" not in block.marks:
                continue
            if world is None or "begins" in block.marks:
                await stack.aclose()
                begins = block.marks.get("begins", "demo")
                world = await stack.enter_async_context(_beginning(begins, folder / str(number)))
            output = after is not None and after.follows and after.kind in SHOWN
            await world.follow(block, after if output else None)


@asynccontextmanager
async def _beginning(begins: str, folder: Path) -> AsyncIterator[World]:
    """A folder and a shell in it; and a server, unless the page begins with "nothing"."""
    if begins not in {"nothing", *_SERVERS}:
        raise Malformed(f"begins: {begins}; it takes nothing, demo or empty")
    _furnish(folder)
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BATONBOX_", "CURL_"))}
    environment |= {
        "PATH": os.pathsep.join([str(folder / ".venv" / "bin"), os.environ["PATH"]]),
        "BATONBOX_PORT": str(port),
        "BATONBOX_URL": f"http://127.0.0.1:{port}",
        "NO_PROXY": "*",
    }
    errors = folder / ".told" / "errors"
    with errors.open("wb") as to:
        shell = await asyncio.create_subprocess_exec(
            "sh", "-eu", cwd=folder, env=environment, start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=to,
        )  # fmt: skip
    assert shell.stdin is not None
    shell.stdin.write(_ENDING)
    world = World(shell, folder, port)
    try:
        if begins in _SERVERS:
            await world.keep(_SERVERS[begins], None)
        yield world
    finally:
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        await shell.wait()
        shell._transport.close()  # type: ignore[attr-defined]


def _furnish(folder: Path) -> None:
    """What a checkout has, with an environment that make finds made; and files to send."""
    folder.mkdir()
    (folder / ".told").mkdir()
    (folder / ".venv").mkdir()
    for inner in Path(sys.prefix).iterdir():
        (folder / ".venv" / inner.name).symlink_to(inner)
    (folder / ".venv" / ".stamp").unlink(missing_ok=True)
    (folder / ".venv" / ".stamp").touch()
    for entry in ROOT.iterdir():
        if _LINKED.fullmatch(entry.name):
            (folder / entry.name).symlink_to(entry)
    (folder / "plan.png").write_bytes(PNG)
    (folder / "terms.pdf").write_bytes(PDF)


class World:
    """One shell in one folder, and what goes on beside it."""

    def __init__(self, shell: asyncio.subprocess.Process, folder: Path, port: int) -> None:
        self._shell = shell
        self._folder = folder
        self._port = port
        self._count = 0

    async def follow(self, block: Block, shown: Block | None) -> None:
        """Do what the block says; what is shown after it is what it prints."""
        text = re.sub(r"(?<=[:= ])8080\b", str(self._port), block.text)
        if "file" in block.marks:
            where = Path((await self._printed("pwd", block)).strip()) / block.marks["file"]
            self._keep_file(where, text, block)
        elif block.kind == "python":
            await self._python(text, block, shown)
        elif "goes on" in block.marks:
            await self.keep(text, shown)
        else:
            await self._compared(text, block, shown)

    def _keep_file(self, where: Path, text: str, block: Block) -> None:
        if not where.resolve().is_relative_to(self._folder.resolve()):
            raise Malformed(f"{block}: {where.name} would be written into the repository")
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text, encoding="utf-8")

    async def _python(self, text: str, block: Block, shown: Block | None) -> None:
        file = self._file(text, "py")
        if await self._connections() >= 0:
            await self._printed(
                'export BATONBOX_TOKEN="${BATONBOX_TOKEN:-$(batonbox-server token agent1)}"', block
            )
        if _goes_on(text):
            pid = await self.keep(f"exec python {file}", shown)
            os.kill(pid, signal.SIGTERM)
            await self._compared(f"wait {pid}", block, None)
        elif "\ndef test_" in f"\n{text}" or "\nasync def test_" in f"\n{text}":
            named = file.rename(file.with_name(f"test_{file.name}"))
            await self._compared(f"python -m pytest -q -p no:cacheprovider {named}", block, None)
        else:
            how = f"{_FRAGMENT} " if is_fragment(text) else ""
            await self._compared(f"python {how}{file}", block, shown)

    async def _compared(self, text: str, block: Block, shown: Block | None) -> None:
        deadline = asyncio.get_running_loop().time() + _COMING_S
        while True:
            printed = await self._printed(text, block)
            if shown is None or as_shown(shown.kind, shown.text, printed):
                return
            late = asyncio.get_running_loop().time() > deadline
            if "repeated" not in block.marks or late:
                raise AssertionError(
                    f"{block}:\n{text}\nprinted\n{printed}\nand the page says\n{shown.text}"
                )

    async def _printed(self, text: str, block: Block) -> str:
        """What these commands print; they have to succeed."""
        file = self._file(text, "sh")
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f". {file} < /dev/null; echo '{_END}'\n".encode())
        try:
            async with asyncio.timeout(_LONGEST_S):
                told = await self._shell.stdout.readuntil(f"{_END}\n".encode())
        except (asyncio.IncompleteReadError, TimeoutError, BrokenPipeError) as error:
            said = getattr(error, "partial", b"").decode()
            kind = "took too long" if isinstance(error, TimeoutError) else "failed"
            errors = (self._folder / ".told" / "errors").read_text()
            raise AssertionError(f"{block} {kind}:\n{text}\nprinted\n{said}\n{errors}") from error
        return told.decode().removesuffix(f"{_END}\n").replace("\r\n", "\n")

    async def keep(self, text: str, shown: Block | None) -> int:
        """Start what goes on, in another terminal as it were, until it is there; its process id."""
        file, log = self._file(text, "sh"), self._file("", "log")
        before = await self._connections()
        block = Block("what goes on", 0, "sh", text)
        started = await self._printed(f"( . {file} ) > {log} 2>&1 < /dev/null & echo $!", block)
        pid = int(started)

        async def there() -> bool:
            said = log.read_text(encoding="utf-8")
            assert lives(pid), f"it ended:\n{text}\nprinted\n{said}"
            if shown is not None:
                return as_shown(shown.kind, shown.text, said)
            now = await self._connections()
            return before < now if before >= 0 or now < 0 else True

        try:
            async with asyncio.timeout(_COMING_S):
                while not await there():
                    await asyncio.sleep(0.05)
        except TimeoutError as error:
            wanted = shown.text if shown else "a server that is ready, or a connection to it"
            raise AssertionError(
                f"{text}\nprinted\n{log.read_text()}\nand not\n{wanted}"
            ) from error
        return pid

    async def _connections(self) -> int:
        """Open websockets of the server; -1: none is ready."""
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{self._port}") as http:
            try:
                ready = await http.get("/readyz")
                metrics = await http.get("/metrics")
            except httpx2.HTTPError:
                return -1
        found = re.search(r"^batonbox_connections (\d+)", metrics.text, re.MULTILINE)
        return int(found[1]) if found and ready.is_success else -1

    def _file(self, text: str, ending: str) -> Path:
        self._count += 1
        file = self._folder / ".told" / f"{self._count}.{ending}"
        file.write_text(text, encoding="utf-8")
        return file


def lives(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def _goes_on(code: str) -> bool:
    """Whether it ends with something like `bot.run()`, which runs until it is told to stop."""
    match ast.parse(code).body[-1:]:
        case [ast.Expr(ast.Call(ast.Attribute(ast.Name(name), "run")))]:
            return name not in {"asyncio", "subprocess"}
    return False
