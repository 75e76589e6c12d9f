"""The commands, in a process of their own, against a scripted server."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from batonbox import cli
from batonbox._wire import Close, Op
from tests.sdk.scripted import TIP, Script, event, row, snap

Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start(script: Script) -> AsyncIterator[Start]:
    """`process = await start("tail", "--json")`; ended with the test however that ends."""
    started: list[Process] = []
    # Run in the background of a shell we are deaf to Ctrl-C, and so would be what we start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    async def start(*args: str) -> Process:
        command = [sys.executable, "-m", "batonbox", *args, "--url", script.url, "--token", "t"]
        started.append(await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE))
        return started[-1]

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    signal.signal(signal.SIGINT, before)


async def ended(process: Process) -> tuple[int, str, str]:
    async with asyncio.timeout(20):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_claim_says_whose_it_is_now(script: Script, start: Start) -> None:
    process = await start("claim", "sales.c1", "--json")
    peer = await script.next()
    await peer.welcome()
    await peer.ok(await peer.expect(Op.HISTORY), row=row(), messages=[], next=0, seq=1)
    await peer.ok(await peer.expect(Op.CMD), conv="sales.c1", seq=2, tip=TIP, own_tok="2.t")
    code, out, err = await ended(process)
    assert (code, err) == (0, "")
    shown = {"conversation": "sales.c1", "assignee": "agent1", "status": "assigned"}
    assert json.loads(out) == shown


async def test_losing_names_the_owner_and_fails(script: Script, start: Start) -> None:
    process = await start("claim", "sales.c1")
    peer = await script.next()
    await peer.welcome()
    await peer.ok(await peer.expect(Op.HISTORY), row=row(), messages=[], next=0, seq=1)
    request = await peer.expect(Op.CMD)
    taken = row(rev=2, status="assigned", assignee="agent2")
    await peer.send([int(Op.ERR), request[1], 120, "conflict", "taken", None, taken])
    assert await ended(process) == (1, "", "batonbox: agent2 owns it already\n")


async def test_tail_prints_one_line_per_event_until_interrupted(
    script: Script, start: Start
) -> None:
    process = await start("tail", "--json")
    peer = await script.next()
    await peer.welcome()
    await peer.ok(await peer.expect(Op.SUB))
    await peer.send(snap(1), event(2, body={"text": "hello", "media": []}))
    assert process.stdout is not None
    async with asyncio.timeout(20):
        line = json.loads(await process.stdout.readline())
    assert (line["type"], line["seq"], line["text"]) == ("MessageReceived", 2, "hello")
    assert "reason" not in line
    failed, returned = event(3, "delivery_changed"), event(4, "returned")
    failed[3] |= {"state": "failed", "reason": "number unreachable"}
    returned[3] |= {"reason": "away"}
    await peer.send(failed, returned, event(5, "snoozed", snoozed_until=7))
    async with asyncio.timeout(20):
        lines = [json.loads(await process.stdout.readline()) for _ in range(3)]
    assert (lines[0]["state"], lines[0]["reason"]) == ("failed", "number unreachable")
    assert (lines[1]["reason"], lines[2]["snoozed_until"]) == ("away", 7)
    process.send_signal(signal.SIGINT)
    code, _, err = await ended(process)
    assert code == 130
    assert "Traceback" not in err
    async with asyncio.timeout(20):
        assert await peer.closed == 1000


async def test_badges_once_prints_each_inbox_and_leaves(script: Script, start: Start) -> None:
    process = await start("badges", "--once")
    peer = await script.next()
    await peer.welcome()
    await peer.send([int(Op.BADGE), "sales", 2, 1, 3, 9])
    assert await ended(process) == (0, "sales  blue 2  green 1  unassigned 3\n", "")


async def test_a_wrong_token_is_one_sentence(script: Script, start: Start) -> None:
    process = await start("tail")
    peer = await script.next()
    await peer.expect(Op.HELLO)
    await peer.close(Close.UNAUTHORIZED, "Send a valid token.")
    code, out, err = await ended(process)
    assert (code, out, err) == (4, "", "batonbox: Send a valid token. (unauthorized)\n")


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (["tail", "--url", "nonsense", "--token", "t"], 2, "base address"),
        (["tail", "--url", "http://127.0.0.1:1"], 4, "no token"),
        (
            ["tail", "--url", "http://127.0.0.1:1", "--token", "t", "--timeout", "0.2"],
            3,
            "is the server running",
        ),
        (["race", "--url", "http://127.0.0.1:1", "--token", "t"], 3, "is the server running"),
        (["bench", "--url", "ws://127.0.0.1:1", "--token", "t"], 3, "is the server running"),
        (["bench", "--url", "nonsense", "--token", "t"], 2, "base address"),
        (
            [
                "send-inbound",
                "--from",
                "+1",
                "--to",
                "+2",
                "hi",
                "--token",
                "t",
                "--url",
                "http://127.0.0.1:1",
            ],
            3,
            "is the server running",
        ),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(
    args: list[str],
    status: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BATONBOX_TOKEN", raising=False)
    assert cli.main(args) == status
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["dance"],
        ["race", "--agents", "0"],
        ["reply", "sales.c1"],
        ["bench", "--only", "dance"],
        ["bench", "--seconds", "0"],
    ],
)
def test_a_wrong_usage_exits_with_two(args: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main(args)
    assert left.value.code == 2


async def test_away_and_back_say_what_follows(script: Script, start: Start) -> None:
    process = await start("away", "--keep")
    peer = await script.next()
    await peer.welcome()
    request = await peer.expect(Op.CMD)
    assert (request[2], request[3]["away"], request[3]["release"]) == ("set_away", True, False)
    await peer.ok(request, user="agent1", away=True, release=False)
    assert await ended(process) == (0, "agent1 is away; you keep your conversations\n", "")
    process = await start("back", "--json")
    peer = await script.next()
    await peer.welcome()
    request = await peer.expect(Op.CMD)
    assert (request[2], request[3]["away"]) == ("set_away", False)
    await peer.ok(request, user="agent1", away=False, release=False)
    code, out, _ = await ended(process)
    assert (code, json.loads(out)) == (0, {"away": False, "release": False})


async def test_snooze_takes_a_time_and_wake_ends_it(script: Script, start: Start) -> None:
    process = await start("snooze", "sales.c1", "2h", "--json")
    peer = await script.next()
    await peer.welcome()
    mine = row(status="assigned", assignee="agent1")
    await peer.ok(await peer.expect(Op.HISTORY), row=mine, messages=[], next=0, seq=1)
    request = await peer.expect(Op.CMD)
    await peer.ok(request, conv="sales.c1", seq=2, tip=TIP, own_tok=mine["own_tok"])
    code, out, _ = await ended(process)
    shown = {"conversation": "sales.c1", "snoozed_until": request[3]["until_ms"]}
    assert (code, json.loads(out)) == (0, shown)
    process = await start("wake", "sales.c1")
    peer = await script.next()
    await peer.welcome()
    await peer.ok(await peer.expect(Op.HISTORY), row=mine, messages=[], next=0, seq=1)
    await peer.ok(await peer.expect(Op.CMD), conv="sales.c1", seq=3, tip=TIP, own_tok="1.t")
    assert await ended(process) == (0, "sales.c1 is awake\n", "")


@pytest.mark.parametrize("text", ["", "h", "0h", "2", "2w", "-1h", "1.5h"])
def test_a_time_that_is_none_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.parser().parse_args(["snooze", "sales.c1", f"{text}"])
    assert "30m, 2h or 3d" in capsys.readouterr().err or text.startswith("-")
