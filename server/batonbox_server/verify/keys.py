"""Every key, once: what has to end ends in time, and nothing is left of what is no more."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final

from batonbox_server.store.verifying import VerifyingReads
from batonbox_server.store.words import KEEP_MS

from .findings import Finding, Report

__all__ = ["LIFETIMES", "check_keys"]

_AT_ONCE: Final = 32
_DAY_MS: Final = 86_400_000
# How long what is kept for a while is kept, at most, by the first part of the key's name.
LIFETIMES: Final = {
    "i": _DAY_MS,
    "p": 7 * _DAY_MS,
    "pm": 7 * _DAY_MS,
    "pin": 7 * _DAY_MS,
    "word": KEEP_MS,
    "left": 60_000,
}
_KEY: Final = re.compile(
    r"^(?P<prefix>.*?\{(?P<tag>[^}]*)\}):(?P<kind>\w+)(?::(?P<rest>.*))?$", re.S
)


Known = Callable[[str], Awaitable[bool]]


async def check_keys(reads: VerifyingReads, report: Report, *, known: Known) -> None:
    """`known(log)`: whether there is an inbox or a room of this id now."""
    async for names in reads.every_key():
        report.checked["keys"] += len(names)
        parsed = [(name, match) for name in names if (match := _KEY.match(name))]
        await _lifetimes(reads, report, parsed)
        for at in range(0, len(parsed), _AT_ONCE):
            some = parsed[at : at + _AT_ONCE]
            await asyncio.gather(*(_orphan(reads, report, *each, known) for each in some))


async def _lifetimes(
    reads: VerifyingReads, report: Report, parsed: list[tuple[str, re.Match[str]]]
) -> None:
    ending = [
        (name, LIFETIMES[m["kind"]]) for name, m in parsed if m["rest"] and m["kind"] in LIFETIMES
    ]
    if not ending:
        return
    left = await reads.each(*(("PTTL", name) for name, _ in ending))
    for (name, most_ms), ms in zip(ending, left, strict=True):
        report.checked["lifetimes"] += 1
        if ms == -1 or ms > most_ms:  # -2: it has ended meanwhile
            is_now = "it never ends" if ms == -1 else f"it ends in {ms} ms"
            report.add([Finding("lifetime", name, is_now, f"within {most_ms} ms")])


async def _orphan(
    reads: VerifyingReads, report: Report, name: str, match: re.Match[str], known: Known
) -> None:
    kind, rest, prefix = match["kind"], match["rest"], match["prefix"]
    log = match["tag"].removeprefix("ib:")
    if log == match["tag"]:
        return
    if kind == "meta":
        epoch, deleted = await reads.ask("HMGET", name, "epoch", "deleted")
        if epoch and deleted is None and not await known(log):
            report.add([Finding("orphan", name, "a log that the directory does not know", "none")])
    elif kind in {"m", "out"} and rest:
        here, still = await reads.each(("EXISTS", f"{prefix}:c:{rest}"), ("EXISTS", name))
        if still and not here:
            report.add(
                [Finding("orphan", name, "it belongs to a conversation without a row", "a row")]
            )
    elif kind == "c" and rest and not log.startswith("~"):
        our, customer = await reads.ask("HMGET", name, "our", "customer")
        if our is None or customer is None:
            return
        named = await reads.ask("HGET", f"{prefix}:cx", our + b"|" + customer)
        if named != rest.encode() and await reads.ask("EXISTS", name):
            pair = (our + b"|" + customer).decode(errors="replace")
            is_now = f"{pair} names {named.decode() if named else 'nothing'}"
            report.add([Finding("pair_wrong", rest, is_now, rest)])
