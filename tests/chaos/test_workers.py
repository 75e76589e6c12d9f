"""`serve --workers`: several processes that are one server, replaced one by one, or killed."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import signal
import sys
import termios
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from batonbox_server.engine import EmbeddedEngine
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore
from batonbox_server.wire import JSON_SUBPROTOCOL
from tests.chaos.processes import Server, serving
from tests.chaos.test_channel import LOG, Listener, listening
from tests.integration.sign_in_harness import until
from tests.integration.test_cli import run, status_of
from tests.support import eventually

DEATHS = re.compile(r'^batonbox_worker_deaths_total\{worker="\d"\} (\d+)', re.M)
CONNECTIONS = re.compile(r'^batonbox_connections\{worker="(\d+)"\} (\d+)', re.M)


async def get(server: Server, path: str) -> str:
    """A GET over a connection of its own."""
    async with httpx2.AsyncClient(timeout=10) as http:
        return (await http.get(f"{server.url}{path}")).text


async def connected(server: Server) -> list[int]:
    """How many websockets each worker has, whichever of them is asked."""
    found = dict(CONNECTIONS.findall(await get(server, "/metrics")))
    return [int(found[number]) for number in sorted(found)]


async def whole(server: Server) -> bool:
    """Whether both workers serve."""
    return "\nbatonbox_workers 2\n" in await get(server, "/metrics")


async def knock(server: Server) -> ClientConnection:
    """A websocket that says nothing; not to be let in is an exception."""
    url = server.url.replace("http", "ws")
    while True:
        try:
            return await connect(f"{url}/v1/ws", subprotocols=[JSON_SUBPROTOCOL])  # type: ignore[list-item]
        except InvalidStatus as refused:
            # By a machine that has too much to do, as one with tests may; by nothing else.
            if b"busy" not in (refused.response.body or b""):
                raise
            await asyncio.sleep(0.1)


def said(server: Server, event: str) -> int:
    """How often the server has logged it."""
    return server.log.read_text().count(f'"event": "{event}"')


class Customers:
    """They text, and somebody connects, without a pause; each over a connection of its own."""

    def __init__(self, server: Server, token: str) -> None:
        self.server = server
        self.token = token
        self.texts = self.knocks = 0

    async def run(self) -> None:
        """Until cancelled; nothing may be refused."""
        while True:
            headers = {"authorization": f"Bearer {self.token}"}
            body = {"from": f"+1416555{self.texts % 50 + 1000}", "to": "+14165550100", "text": "x"}
            async with httpx2.AsyncClient(headers=headers, timeout=10) as http:
                answer = await http.post(f"{self.server.url}/v1/loopback/inbound", json=body)
            assert answer.is_success, answer.text
            self.texts += 1
            async with await knock(self.server):
                self.knocks += 1


@asynccontextmanager
async def customers(server: Server) -> AsyncIterator[Customers]:
    """At it while the block runs."""
    they = Customers(server, await server.token("admin"))
    task = asyncio.get_running_loop().create_task(they.run())
    try:
        yield they
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def all_heard(engine: EmbeddedEngine, listeners: list[Listener]) -> None:
    """Every event of Sales, once, in order, by everybody."""
    client = EngineClient(engine.url)
    await client.connect()
    try:
        head = await RedisStore(client, keys=Keys()).head(log=LOG)
    finally:
        await client.aclose()
    await eventually(lambda: all(at.seqs and at.seqs[-1] == head.seq for at in listeners))
    for listener in listeners:
        assert listener.seqs == list(range(listener.start + 1, head.seq + 1))
        assert listener.resyncs == []


async def test_workers_are_one_server(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with serving(folder, workers=2, hello_timeout_s=60) as server, AsyncExitStack() as stack:
        assert len(server.worker_pids()) == 2
        assert server.log.read_text().count("serves the demo organisation") == 1
        for _ in range(80):
            await stack.enter_async_context(await knock(server))
        counts = await connected(server)
        # By chance alone one of them has fewer than 16 once in many million times.
        assert sum(counts) == 80
        assert min(counts) >= 16
        text = await get(server, "/metrics")
        assert text.count("# TYPE batonbox_connections gauge") == 1
        assert 'batonbox_engine_up{worker="0"} 1.0' in text
        assert 'batonbox_engine_up{worker="1"} 1.0' in text
        # What the shell asks of one is so for all.
        token = await server.token("agent1")
        assert {await status_of(server, token) for _ in range(8)} == {200}
        status, out, _ = await run("reindex", data_dir=folder)
        assert (status, out.splitlines()[-1].split(":")[0]) == (0, "complete")
        assert (await run("export", str(tmp_path / "all"), data_dir=folder))[0] == 0
        assert (await run("archive", "status", data_dir=folder))[0] == 0
        status, out, _ = await run("link", "agent1", data_dir=folder)
        assert (status, out.startswith(f"{server.url}/sign-in#code=")) == (0, True)
        assert (await run("password", "nobody", data_dir=folder))[0] == 1
        await stack.aclose()
        assert await server.stop() == 0
        assert not list(folder.glob("*.sock"))


async def test_nobody_notices_a_rolling_restart(tmp_path: Path, engine: EmbeddedEngine) -> None:
    settings = {"redis_url": engine.url, "connections_per_user": 20, "drain_s": 3, "workers": 2}
    async with serving(tmp_path / "data", **settings) as server, listening([server], 16) as all_:
        before, counts = server.worker_pids(), await connected(server)
        async with customers(server) as they:
            server.process.send_signal(signal.SIGHUP)
            await eventually(lambda: said(server, "rolling_restart_done"), timeout_s=60)
        assert they.texts > 10
        after = server.worker_pids()
        assert (len(after), set(after) & set(before)) == (2, set())
        await all_heard(engine, all_)
        # Those who left one are with its successor, and with nobody else.
        assert await connected(server) == counts


async def test_a_rolling_restart_waits_for_the_start(tmp_path: Path) -> None:
    server = Server(tmp_path / "data", workers=2)
    starting = asyncio.get_running_loop().create_task(server.start())
    try:
        begun = lambda: hasattr(server, "process") and len(server.worker_pids()) == 2  # noqa: E731
        await eventually(begun, timeout_s=30)
        first = server.worker_pids()
        server.process.send_signal(signal.SIGHUP)
        await starting
        await eventually(lambda: said(server, "rolling_restart_done"), timeout_s=60)
        after = server.worker_pids()
        assert (len(after), set(after) & set(first)) == (2, set())
        await server.ready()
    finally:
        await server.stop()


async def test_a_server_that_starts_can_be_stopped(tmp_path: Path) -> None:
    """Even while one of its workers hangs."""
    server = Server(tmp_path / "data", workers=2)
    starting = asyncio.get_running_loop().create_task(server.start())
    begun = lambda: hasattr(server, "process") and len(server.worker_pids()) == 2  # noqa: E731
    await eventually(begun, timeout_s=30)
    starting.cancel()
    children = server.children()
    os.kill(server.worker_pids()[0], signal.SIGSTOP)
    assert await server.stop() == 0
    assert left(children) == []


def left(pids: Iterable[int]) -> list[int]:
    """Those that are still there."""
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def worker_of(server: Server, port: int) -> int:
    """The worker that has the connection from this port of ours."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = (f":{server.port:04X}", f":{port:04X}")
    (inode,) = [row[9] for row in rows if (row[1][-5:], row[2][-5:]) == ends]
    for pid in server.worker_pids():
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            if str(descriptor.readlink()) == f"socket:[{inode}]":
                return pid
    return 0


async def test_nobody_asks_an_old_worker_by_a_connection_that_was_kept(tmp_path: Path) -> None:
    """Else a balancer would ask it for upgrades, which it refuses by then."""
    ended: list[str] = []
    async with serving(tmp_path / "data", workers=2, drain_s=3, hello_timeout_s=60) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

        async def ask() -> None:
            writer.write(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            await reader.readuntil(b"}")

        await ask()
        worker = worker_of(server, writer.get_extra_info("sockname")[1])
        async with AsyncExitStack() as stack:
            while True:
                line = await stack.enter_async_context(await knock(server))
                if worker_of(server, line.local_address[1]) == worker:
                    break

            async def until_kept_ends() -> None:
                # Busy, or it would be closed for having been idle.
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    while True:
                        await ask()
                        await asyncio.sleep(0.1)
                ended.append("kept")

            async def until_line_ends() -> None:
                await line.wait_closed()
                ended.append("line")

            server.process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(60):
                await asyncio.gather(until_kept_ends(), until_line_ends())
        writer.close()
    assert ended == ["kept", "line"]


async def test_a_worker_that_dies_is_replaced(tmp_path: Path, engine: EmbeddedEngine) -> None:
    settings = {"redis_url": engine.url, "connections_per_user": 20, "workers": 2}
    async with serving(tmp_path / "data", **settings) as server, listening([server], 8) as all_:
        for number in (1, 2):
            first, second = server.worker_pids()
            os.kill(first, signal.SIGKILL)
            await eventually(lambda n=number: said(server, "worker_died") == n)  # type: ignore[misc]
            # Meanwhile the other serves those, too, who come by the dead one's socket.
            async with customers(server) as they:
                await eventually(lambda: they.knocks >= 10, timeout_s=30)
                await until(lambda: whole(server))
            assert second in server.worker_pids()
            deaths = DEATHS.findall(await get(server, "/metrics"))
            assert sum(map(int, deaths)) == number
            await all_heard(engine, all_)


async def test_workers_outlive_the_engine_and_no_kill_of_their_parent(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", workers=2) as server:
        token = await server.token()
        workers = server.worker_pids()
        server.kill_engine()

        async def again() -> bool:  # whichever worker answers: each comes back by itself
            return {await status_of(server, token) for _ in range(8)} == {200}

        await until(again)
        assert server.worker_pids() == workers
        await server.kill()  # and with it its children, within a moment
        await server.start()
        assert await status_of(server, token) == 200
        assert len(list(server.folder.glob("process-*.sock"))) == 3, "those of before are gone"


async def test_a_worker_that_cannot_start_ends_the_server(tmp_path: Path) -> None:
    status, out, err = await run(
        "serve", "--workers", "2", "--port", "0", data_dir=tmp_path, search_index="nowhere"
    )
    assert (status, out) == (1, "")
    assert "BATONBOX_SEARCH_INDEX must be auto" in err.splitlines()[-1]
    status, _, err = await run("serve", "--port", "0", data_dir=tmp_path, workers="65")
    assert (status, "BATONBOX_WORKERS" in err) == (1, True)


async def test_a_port_of_another_server_is_not_shared(tmp_path: Path) -> None:
    async with serving(tmp_path / "one", workers=2) as server:
        port = str(server.port)
        status, _, err = await run(
            "serve", "--workers", "2", "--port", port, data_dir=tmp_path / "two"
        )
        assert (status, port in err.splitlines()[-1]) == (1, True)


async def test_one_worker_is_not_restarted_in_turn(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        server.process.send_signal(signal.SIGHUP)
        await eventually(lambda: said(server, "hangup_ignored"))
        await server.ready()
        assert server.worker_pids() == []


async def test_a_server_ends_with_its_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "batonbox_server", "serve", "--port", "0",
        env={**os.environ, "BATONBOX_DATA_DIR": str(tmp_path)},
        stdin=theirs, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(theirs)
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), 30)
    os.close(ours)
    assert await asyncio.wait_for(process.wait(), 30) == 0
