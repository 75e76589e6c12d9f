"""`batonbox bench` in a process of its own against a real server: what it says and leaves."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from batonbox import cli
from batonbox.bench import Tally
from tests.ports import free_port
from tests.served import Served, served

Start = Callable[..., Awaitable[Process]]
SMALL = ("--clients", "6", "--seconds", "0.3")


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """`process = await start(site, token, "--only", "storm")`; ended with the test."""
    started: list[Process] = []
    # Run in the background of a shell we are deaf to Ctrl-C, and so would be what we start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    async def start(url: str, token: str, *args: str) -> Process:
        command = [sys.executable, "-m", "batonbox", "bench", "--url", url, "--token", token]
        process = await asyncio.create_subprocess_exec(*command, *args, stdout=PIPE, stderr=PIPE)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    signal.signal(signal.SIGINT, before)


async def ended(process: Process) -> tuple[int, str, str]:
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def until_says(process: Process, text: str) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(30):
        while text.encode() not in (line := await process.stderr.readline()):
            assert line, "it ended before"


async def left(site: Served, token: str = "") -> list[Any]:
    """Inboxes, people and tokens that the server has; asks with the admin's `token`."""
    known = {"authorization": f"Bearer {token or await site.token('admin')}"}
    found = []
    for path in ("/v1/inboxes", "/v1/admin/users", "/v1/admin/users/admin/tokens",
                 "/v1/admin/users/agent1/tokens"):  # fmt: skip
        items = (await site.http.get(path, headers=known)).json()["items"]
        found.append(sorted(item["id"] for item in items if item.get("active", True)))
    return found


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    async with served(engine_url, prefix) as site:
        await site.token("admin")
        await site.token("agent1")
        yield site


async def test_a_run_measures_everything_checks_it_and_removes_what_it_made(
    site: Served, start: Start, tmp_path: Path
) -> None:
    before, file = await left(site), tmp_path / "figures.json"
    process = await start(site.url, await site.token("admin"), *SMALL, "--json", str(file))
    code, out, err = await ended(process)
    assert code == 0, err
    told = json.loads(file.read_text(encoding="utf-8"))
    work = told["workloads"]
    assert list(work) == ["fanout", "latency", "idle", "handshakes", "commands", "storm"]
    assert told["right"] is True
    assert told["server"]["build"].startswith("0.")
    assert told["client"]["cores"] >= 1
    for name in ("fanout", "latency", "commands", "storm"):
        assert work[name]["delivered"] > 0
    for name in work.keys() - {"handshakes"}:
        wrong = ("lost", "doubled", "disordered", "closed")
        assert [work[name][fault] for fault in wrong] == [0, 0, 0, 0], name
    assert work["fanout"]["delivered"] % 6 == 0
    assert work["fanout"]["deliveries_per_s"] > 0
    assert work["fanout"]["client_ceiling_per_s"] > 0
    assert work["latency"]["delivery_p50_ms"] <= work["latency"]["delivery_p99_ms"]
    assert work["idle"]["connections"] == 6
    assert work["handshakes"]["handshakes_per_s"] > 0
    assert work["commands"]["commands_per_s"] > 0
    assert work["storm"]["all_back_s"] > 0
    assert "nothing lost, nothing doubled, all in order" in out
    assert "could not remove" not in err
    assert await left(site) == before


@pytest.mark.parametrize(("times", "fault"), [(0, "lost"), (2, "doubled")])
async def test_one_event_that_does_not_come_once_fails_the_run(
    site: Served,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    times: int,
    fault: str,
) -> None:
    """The network of one subscriber drops the third event, or brings it again."""
    seen, taken = [0], Tally.take

    def take(self: Tally, first: int, last: int, tip: str) -> None:
        seen[0] += 1
        for _ in range(times if seen[0] == 3 else 1):
            taken(self, first, last, tip)

    monkeypatch.setattr(Tally, "take", take)
    args = cli.parser().parse_args(
        ["bench", "--url", site.url, "--token", await site.token("admin"), "--only", "latency",
         "--clients", "4", "--seconds", "0.3"]
    )  # fmt: skip
    assert await cli.bench(args) == 1
    out = capsys.readouterr().out
    assert re.search(rf"[1-9]\d* {fault}", out)
    assert "WRONG" in out.splitlines()[-1]


async def test_one_line_of_json_for_programs_about_several_inboxes(
    site: Served, start: Start
) -> None:
    before = await left(site)
    arguments = (*SMALL, "--only", "fanout", "--inboxes", "3", "--json", "-")
    process = await start(site.url.replace("http", "ws"), await site.token("admin"), *arguments)
    code, out, err = await ended(process)
    assert code == 0, err
    work = json.loads(out)["workloads"]
    assert list(work) == ["fanout"]
    assert (work["fanout"]["inboxes"], work["fanout"]["subscribers"]) == (3, 6)
    assert work["fanout"]["delivered"] > 0
    assert work["fanout"]["right"] is True
    assert await left(site) == before


@pytest.mark.parametrize(
    ("user", "code", "says"),
    [("", 4, "unauthorized"), ("agent1", 1, "give it an admin's token")],
)
async def test_whose_token_will_not_do_is_said_in_one_sentence(
    site: Served, start: Start, user: str, code: int, says: str
) -> None:
    before = await left(site)
    process = await start(site.url, await site.token(user) if user else "bb_no", *SMALL)
    status, out, err = await ended(process)
    assert (status, out) == (code, "")
    assert says in err.splitlines()[-1]
    assert await left(site) == before


async def test_simulated_customers_are_needed_and_that_is_said(
    engine_url: str, prefix: str, start: Start
) -> None:
    async with served(engine_url, prefix, loopback=False) as site:
        process = await start(site.url, await site.token("admin"), *SMALL)
        code, _, err = await ended(process)
    assert code == 1
    assert "BATONBOX_LOOPBACK" in err.splitlines()[-1]


async def test_the_servers_limit_is_named_with_what_to_raise(
    engine_url: str, prefix: str, start: Start
) -> None:
    async with served(engine_url, prefix, handshakes_per_s=10) as site:
        arguments = ("--only", "idle", "--clients", "14", "--seconds", "0.3")
        process = await start(site.url, await site.token("admin"), *arguments)
        code, out, err = await ended(process)
    assert code == 0, err
    assert "BATONBOX_HANDSHAKES_PER_S" in out


async def test_ctrl_c_leaves_nothing_behind(site: Served, start: Start) -> None:
    before = await left(site)
    process = await start(site.url, await site.token("admin"), "--only", "latency",
                          "--clients", "6", "--seconds", "60")  # fmt: skip
    await until_says(process, "latency:")
    process.send_signal(signal.SIGINT)
    code, _, err = await ended(process)
    assert code == 130
    assert "Traceback" not in err
    assert await left(site) == before


@pytest.mark.parametrize("workload", ["fanout", "commands", "storm"])
async def test_a_server_that_goes_away_ends_the_run(
    engine_url: str, prefix: str, start: Start, workload: str
) -> None:
    port = free_port()
    async with served(engine_url, prefix, port=port) as site:
        token = await site.token("admin")
        before = await left(site, token)
        process = await start(site.url, token, "--only", workload, "--clients", "6",
                              "--seconds", "3")  # fmt: skip
        await until_says(process, f"{workload.replace('fanout', 'fan-out')}:")
        await asyncio.sleep(0.5)
    async with served(engine_url, prefix, port=port, empty=True) as site:
        code, _, err = await ended(process)
        assert code == 3, err
        assert "is the server running" in err.splitlines()[-1]
        assert "could not remove" not in err
        assert await left(site, token) == before
