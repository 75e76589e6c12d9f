"""`batonbox`: watch, act, simulate a customer, race, measure."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from batonbox._client import Client
from batonbox._errors import (
    AlreadyAssigned,
    ApiError,
    BatonboxError,
    ConnectionLost,
    ProtocolError,
    Unauthorized,
)
from batonbox._events import (
    ConversationEvent,
    Event,
    LogEvent,
    Notified,
    Resync,
    Snoozed,
    TextEvent,
)
from batonbox._http import Http
from batonbox._race import Race, run_race
from batonbox._transport import base_url, websocket_url
from batonbox.bench.command import configure, fastest_loop, measured
from batonbox.bot._running import load_bot, run_until_signal

__all__ = ["main"]

OK, REFUSED, USAGE, UNREACHABLE, UNAUTHORIZED, INTERRUPTED = 0, 1, 2, 3, 4, 130

Command = Callable[[argparse.Namespace], Awaitable[int]]


async def tail(args: argparse.Namespace) -> int:
    """Print events as they happen."""
    async with _client(args) as client, client.events(inbox=args.inbox) as events:
        names = args.inbox or ", ".join(i.id for i in await client.inboxes())
        _say(f"following {names or 'no inbox'} as {client.user.id}; Ctrl-C ends it")
        async for event in events:
            _show(args, _event_map(event), _event_line(event))
    return OK


async def badges(args: argparse.Namespace) -> int:
    """Print badges as they change."""
    async with _client(args) as client:
        missing = {inbox.id for inbox in await client.inboxes() if inbox.joined}
        async for badge in client.badges():
            shown = {
                "inbox": badge.inbox,
                "blue": badge.blue,
                "green": badge.green,
                "unassigned": badge.unassigned,
            }
            line = f"blue {badge.blue}  green {badge.green}  unassigned {badge.unassigned}"
            _show(args, shown, f"{badge.inbox}  {line}")
            missing.discard(badge.inbox)
            if args.once and not missing:
                break
    return OK


async def claim(args: argparse.Namespace) -> int:
    """Assign to Me."""
    async with _client(args) as client:
        conv = await client.conversation(args.conversation)
        await conv.claim()
        shown = {"conversation": conv.id, "assignee": conv.now.assignee, "status": conv.now.status}
        _show(args, shown, f"{conv.id} is assigned to {conv.now.assignee}")
    return OK


async def reply(args: argparse.Namespace) -> int:
    """Answer the customer."""
    async with _client(args) as client:
        conv = await client.conversation(args.conversation)
        n = await conv.reply(args.text, [Path(path) for path in args.media])
        _show(args, {"conversation": conv.id, "n": n}, f"{conv.id}: message {n} is on its way")
    return OK


async def done(args: argparse.Namespace) -> int:
    """Mark as Done."""
    async with _client(args) as client:
        conv = await client.conversation(args.conversation)
        await conv.done()
        _show(args, {"conversation": conv.id, "status": "done"}, f"{conv.id} is done")
    return OK


async def away(args: argparse.Namespace) -> int:
    """Say that I am away: customers' next messages go back to the inbox."""
    async with _client(args) as client:
        await client.set_away(release=not args.keep)
        kept = "you keep your conversations" if args.keep else "next messages go to the inbox"
        _show(args, {"away": True, "release": not args.keep}, f"{client.user.id} is away; {kept}")
    return OK


async def back(args: argparse.Namespace) -> int:
    """Say that I am available again."""
    async with _client(args) as client:
        await client.set_away(False)
        _show(args, {"away": False, "release": False}, f"{client.user.id} is available")
    return OK


async def snooze(args: argparse.Namespace) -> int:
    """Put my conversation aside for a while; a customer's message wakes it."""
    async with _client(args) as client:
        conv = await client.conversation(args.conversation)
        await conv.snooze(seconds=args.time)
        until_ms = conv.now.snoozed_until
        until = time.strftime("%Y-%m-%d %H:%M", time.localtime(until_ms / 1000))
        shown = {"conversation": conv.id, "snoozed_until": until_ms}
        _show(args, shown, f"{conv.id} is put aside until {until}")
    return OK


async def wake(args: argparse.Namespace) -> int:
    """End the snooze of my conversation now."""
    async with _client(args) as client:
        conv = await client.conversation(args.conversation)
        await conv.wake()
        _show(args, {"conversation": conv.id, "snoozed_until": 0}, f"{conv.id} is awake")
    return OK


async def send_inbound(args: argparse.Namespace) -> int:
    """Write as a customer would (loopback carrier, an admin's token)."""
    body = {"from": args.from_, "to": args.to, "text": args.text}
    if args.id:
        body["id"] = args.id
    http = Http(base_url(args.url), args.token, timeout_s=args.timeout)
    result = await http.send("POST", "/v1/loopback/inbound", body)
    _show(args, result, result["conv"] if args.quiet else f"delivered: {json.dumps(result)}")
    return OK


async def race(args: argparse.Namespace) -> int:
    """Many agents want every conversation; says whether exactly one got each."""
    began_s = time.monotonic()

    def progress(text: str) -> None:
        _say(f"[{time.monotonic() - began_s:6.1f} s] {text}")

    websocket_url(base_url(args.url))
    report = await run_race(
        Race(
            url=base_url(args.url),
            token=args.token,
            agents=args.agents,
            conversations=args.conversations,
            progress=progress,
        )
    )
    figures = report.as_map()
    rows = [f"{name.replace('_', ' '):18} {value}" for name, value in figures.items()]
    _show(args, figures, "\n".join(rows))
    return OK if report.passed else REFUSED


async def bot(args: argparse.Namespace) -> int:
    """Run a bot until SIGINT or SIGTERM, e.g. `batonbox bot my_bots:bot`."""
    found = load_bot(args.bot)
    await run_until_signal(found, _client(args) if found._given is None else None)
    return OK


async def bench(args: argparse.Namespace) -> int:
    """Measure a server of yours: fan-out, latency, memory, handshakes, commands, a storm."""
    right = await measured(args, show=lambda text: print(text, flush=True), say=_say)
    return OK if right else REFUSED


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--url", help="server's base address (default: $BATONBOX_URL or :8080)")
    shared.add_argument("--token", help="API token (default: $BATONBOX_TOKEN)")
    shared.add_argument("--timeout", type=float, default=10.0, metavar="S", help="seconds to wait")
    lines = argparse.ArgumentParser(add_help=False)
    lines.add_argument("--json", action="store_true", help="one JSON value per line")
    top = argparse.ArgumentParser(prog="batonbox", description="A team's inboxes, from a shell.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(run: Command, name: str) -> argparse.ArgumentParser:
        says = run.__doc__ or ""
        parents = [shared] if run in {bench, bot} else [shared, lines]
        sub = commands.add_parser(name, help=says, description=says, parents=parents)
        sub.set_defaults(run=run)
        return sub

    add(tail, "tail").add_argument("--inbox", help="only this inbox")
    add(badges, "badges").add_argument("--once", action="store_true", help="print once and leave")
    for run, name in ((claim, "claim"), (done, "done"), (reply, "reply")):
        sub = add(run, name)
        sub.add_argument("conversation", metavar="CONVERSATION")
    sub.add_argument("text", metavar="TEXT")
    sub.add_argument("--media", action="append", default=[], metavar="FILE", help="a file to send")
    sub = add(away, "away")
    sub.add_argument("--keep", action="store_true", help="keep conversations when customers write")
    add(back, "back")
    sub = add(snooze, "snooze")
    sub.add_argument("conversation", metavar="CONVERSATION")
    sub.add_argument("time", type=_duration, metavar="TIME", help="30m, 2h or 3d")
    add(wake, "wake").add_argument("conversation", metavar="CONVERSATION")
    sub = add(send_inbound, "send-inbound")
    sub.add_argument("--from", dest="from_", required=True, metavar="PHONE", help="the customer")
    sub.add_argument("--to", required=True, metavar="PHONE", help="one of our numbers")
    sub.add_argument("--id", help="provider's message id: sent twice, delivered once")
    sub.add_argument("-q", "--quiet", action="store_true", help="print the conversation's id alone")
    sub.add_argument("text", metavar="TEXT")
    sub = add(race, "race")
    sub.add_argument("--agents", type=_positive, default=200, metavar="N")
    sub.add_argument("--conversations", type=_positive, default=100, metavar="N")
    add(bot, "bot").add_argument("bot", metavar="MODULE:BOT", help="an importable module's Bot")
    configure(add(bench, "bench"))
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the return value is the exit status."""
    args = parser().parse_args(argv)
    args.token = args.token or os.environ.get("BATONBOX_TOKEN", "")
    if not args.token and args.run is not bot:  # it may bring one of its own
        _say("batonbox: no token; pass --token or set BATONBOX_TOKEN")
        return UNAUTHORIZED
    try:
        with asyncio.Runner(loop_factory=fastest_loop if args.run is bench else None) as runner:
            status: int = runner.run(args.run(args))
            return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone; the interpreter's last flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except (ValueError, OSError) as error:
        _say(f"batonbox: {error}")
        return USAGE
    except BatonboxError as error:
        return _explained(error)
    except BaseExceptionGroup as group:
        return _explained(_first(group))


def _explained(error: BaseException) -> int:
    if isinstance(error, AlreadyAssigned):
        _say(f"batonbox: {error.by} owns it already")
        return REFUSED
    if isinstance(error, ApiError):
        _say(f"batonbox: {error.message} ({error.slug})")
        return UNAUTHORIZED if isinstance(error, Unauthorized) else REFUSED
    if isinstance(error, ConnectionLost | ProtocolError):
        _say(f"batonbox: {error}; is the server running, and --url its base address?")
        return UNREACHABLE
    if isinstance(error, BatonboxError):
        _say(f"batonbox: {error}")
        return REFUSED
    raise error


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _client(args: argparse.Namespace) -> Client:
    return Client(args.url, args.token, timeout_s=args.timeout)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("has to be 1 or more")
    return value


def _duration(text: str) -> float:
    """Seconds of `30m`, `2h`, `3d`."""
    unit = {"m": 60, "h": 3600, "d": 86400}.get(text[-1:])
    if unit is None or not text[:-1].isdecimal() or not int(text[:-1]):
        raise argparse.ArgumentTypeError("has to be like 30m, 2h or 3d")
    return float(int(text[:-1]) * unit)


def _event_map(event: Event) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": type(event).__name__, "inbox": event.inbox}
    if isinstance(event, LogEvent):
        shown |= {"seq": event.seq, "actor": event.actor}
    if isinstance(event, ConversationEvent):
        row = event.row
        shown |= {"conversation": row.id, "status": row.status, "assignee": row.assignee}
        more = {name: getattr(event, name, "") for name in ("state", "reason")}
        shown |= {name: value for name, value in more.items() if value}
    if isinstance(event, Snoozed):
        shown["snoozed_until"] = event.row.snoozed_until
    if isinstance(event, TextEvent):
        shown["text"] = event.text
    if isinstance(event, Notified):
        shown |= {"kind": event.kind, "conversation": event.conversation.id, "by": event.by}
    if isinstance(event, Resync):
        shown |= {"reason": event.reason, "lost": [write.cid for write in event.lost]}
    return shown


def _event_line(event: Event) -> str:
    shown = _event_map(event)
    head = f"{time.strftime('%H:%M:%S')} {shown.pop('type')}"
    return " ".join([head, *(f"{name}={value}" for name, value in shown.items() if value != "")])


def _show(args: argparse.Namespace, value: Any, line: str) -> None:
    print(json.dumps(value) if args.json else line, flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
