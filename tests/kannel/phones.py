"""Customers' phones, behind either of the two message centres that tests give Kannel."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.node_packages import node_with
from tests.support import eventually

__all__ = ["Centre", "FakeCentre", "Said", "centre", "fake_centre"]

_HERE: Final = Path(__file__).parent / "smsc"
_UCS2: Final = 8


@dataclass(frozen=True, slots=True)
class Said:
    """What arrived at a phone: one message, or one of `parts` of a longer one.

    `id`: the message centre's own, by which it sends receipts; "" where Kannel makes them up.
    """

    our: str
    customer: str
    text: str
    parts: int = 1
    coding: int = 0
    id: str = ""


def whole(heard: list[Said]) -> list[str]:
    """The texts as a phone shows them, once all parts are there; Kannel cuts between surrogates."""
    texts: list[str] = []
    left = 0
    for said in heard:
        if left:
            texts[-1] += said.text
            left -= 1
        else:
            texts.append(said.text)
            left = said.parts - 1
    if left:
        texts.pop()
    return [text.encode("utf-16", "surrogatepass").decode("utf-16") for text in texts]


@dataclass(slots=True)
class FakeCentre:
    """A client of Kannel's own driver for tests: a message is a line, both ways.

    Kannel itself reports each message as delivered.
    """

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[Said] = field(default_factory=list)

    def says(self, text: str, *, customer: str, our: str) -> None:
        """A customer writes; a line, so without line ends."""
        self.writer.write(f"{customer} {our} text {text}\n".encode())

    async def listen(self) -> None:
        """Until Kannel hangs up."""
        while line := await self.reader.readline():
            self.heard.append(_said(line.decode().rstrip("\n")))

    async def hears(self, count: int, *, within_s: float = 10.0) -> list[str]:
        """The texts on the phones, once there are so many."""
        what = f"{count} messages to phones"
        await eventually(lambda: len(whole(self.heard)) >= count, timeout_s=within_s, what=what)
        return whole(self.heard)


def _said(line: str) -> Said:
    our, customer, kind, rest = line.split(" ", 3)
    if kind == "udh":
        header, kind, rest = rest.split(" ", 2)
        parts = urllib.parse.unquote_to_bytes(header)[4]
    else:
        parts = 1
    raw = urllib.parse.unquote_to_bytes(rest.replace("+", " ")) if kind != "text" else b""
    text = {"text": rest, "ucs-2": raw.decode("utf-16-be") if kind == "ucs-2" else ""}
    return Said(our, customer, text.get(kind, raw.decode("utf-8", "replace")), parts)


@asynccontextmanager
async def fake_centre(port: int) -> AsyncIterator[FakeCentre]:
    """Phones on the port of a group `smsc = fake`."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    it = FakeCentre(reader, writer)
    listening = asyncio.get_running_loop().create_task(it.listen())
    try:
        yield it
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        listening.cancel()
        await asyncio.wait([listening], timeout=5)


@dataclass(slots=True)
class Centre:
    """A message centre that speaks SMPP 3.4, in a process of its own (`smsc/smsc.mjs`)."""

    process: asyncio.subprocess.Process
    port: int = 0
    heard: list[Said] = field(default_factory=list)
    bound: int = 0
    delivered: int = 0
    refused: int = 0

    def says(self, text: str, *, customer: str, our: str) -> None:
        """A customer writes; as many parts as it takes."""
        self._order(order="says", text=text, **{"from": customer, "to": our})

    def reports(self, said: Said, stat: str = "DELIVRD", *, err: str = "000") -> None:
        """A delivery receipt for one of the `heard`."""
        way = {"from": said.customer, "to": said.our}
        self._order(order="receipt", id=said.id, stat=stat, err=err, **way)

    def refuses(self, *statuses: int) -> None:
        """Answer the next submits with these SMPP statuses (0: take it)."""
        self._order(order="refuse", statuses=list(statuses))

    async def hears(self, count: int, *, within_s: float = 10.0) -> list[str]:
        """The texts on the phones, once there are so many."""
        await self.until(lambda: len(whole(self.heard)) >= count, f"{count} submits", within_s)
        return whole(self.heard)

    async def until(self, holds: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
        """Poll the counts."""
        await eventually(holds, timeout_s=within_s, what=what)

    async def listen(self) -> None:
        """Until the process ends."""
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self._heard(json.loads(line))

    def _order(self, **order: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order).encode() + b"\n")

    def _heard(self, said: dict[str, Any]) -> None:
        match said.pop("event"):
            case "listening":
                self.port = said["port"]
            case "bound":
                self.bound += 1
            case "delivered":
                self.delivered += 1
            case "refused":
                self.refused += 1
            case "submit":
                parts = bytes.fromhex(said["udh"])[3] if said["udh"] else 1  # without its length
                way = (f"+{said['from']}".replace("++", "+"), f"+{said['to']}".replace("++", "+"))
                self.heard.append(Said(*way, said["text"], parts, said["coding"], said["id"]))


@asynccontextmanager
async def centre() -> AsyncIterator[Centre]:
    """A message centre on a free port, that Kannel can bind to."""
    node = node_with(_HERE)
    process = await asyncio.create_subprocess_exec(
        str(node), "smsc.mjs", cwd=_HERE,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    it = Centre(process)
    listening = asyncio.get_running_loop().create_task(it.listen())
    try:
        await it.until(lambda: it.port > 0, "the message centre")
        yield it
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await asyncio.wait([listening], timeout=5)
