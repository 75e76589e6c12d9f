"""A websocket on its transport: the fast path and the library's parser agree, whatever is sent."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from batonbox_server.asgi.transport import WebSocketTransport
from batonbox_server.asgi.upgrade import ACCEPT
from batonbox_server.hub.framing import framed
from batonbox_server.session.limits import Gcra
from batonbox_server.wire import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL
from batonbox_server.wire import Close as Code
from tests.ports import on_port
from tests.support import eventually

MAX_BYTES = 70_000


class Echo:
    """Keeps what it got, and answers every message with itself."""

    def __init__(self, transport: WebSocketTransport, *, text: bool) -> None:
        self.transport, self.text = transport, text
        self.got: list[bytes | str] = []
        self.ended = asyncio.Event()
        self.after: Callable[[], None] = lambda: None

    def received(self, message: bytes | str) -> None:
        self.got.append(message)
        data = message.encode() if isinstance(message, str) else message
        self.transport.write(framed(data, text=isinstance(message, str)))
        self.after()

    def stalled(self) -> None:
        pass  # who asks without reading is the transport's own to see

    def drained(self) -> None:
        pass

    def lost(self) -> None:
        self.ended.set()


class Server:
    """Accepts everybody of a subprotocol that it knows."""

    def __init__(self) -> None:
        self.peers: list[Echo] = []
        self.wait = asyncio.Event()
        self.wait.set()
        self.trusts = True

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await self.wait.wait()
        if scope["path"] == "/refuse":
            headers = [(b"retry-after", b"3")]
            start = {"type": "websocket.http.response.start", "status": 503, "headers": headers}
            await send(start)
            await send({"type": "websocket.http.response.body", "body": b"not now"})
            return
        if scope["path"] == "/close":
            await send({"type": "websocket.close"})
            return
        if scope["path"] == "/fail":
            raise RuntimeError("a fault whose text no client may see")
        subprotocol = scope["subprotocols"][0]
        transport = scope["extensions"][ACCEPT](subprotocol)
        if transport is None:
            return
        peer = Echo(transport, text=subprotocol == JSON_SUBPROTOCOL)
        self.peers.append(peer)
        if self.trusts:
            transport.trust()
        transport.attach(peer)


class Client:
    """A socket, and the library's client protocol for what comes back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.protocol = ClientProtocol(parse_uri("ws://127.0.0.1/"), state=State.OPEN)
        self.messages: list[bytes] = []
        self.pongs: list[bytes] = []

    def send(self, *frames: Frame, masked: bool = True) -> None:
        for frame in frames:
            self.writer.write(frame.serialize(mask=masked))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Read until something holds."""
        async with asyncio.timeout(10):
            while not holds():
                data = await self.reader.read(65536)
                if not data:
                    raise EOFError("the server closed")
                self._take(data)

    async def code(self) -> int | None:
        """The close code, once the server has closed."""
        async with asyncio.timeout(10):
            while data := await self.reader.read(65536):
                self._take(data)
        return self.protocol.close_rcvd.code if self.protocol.close_rcvd else None

    def _take(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        for frame in self.protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.PONG:
                self.pongs.append(bytes(frame.data))
            elif frame.opcode in {Opcode.TEXT, Opcode.BINARY}:
                self.messages.append(bytes(frame.data))


class Site:
    """The server, its port, and who dialled it."""

    def __init__(self, server: Server, port: int) -> None:
        self.server, self.port = server, port
        self._clients: list[Client] = []

    async def dial(
        self,
        *,
        path: str = "/",
        subprotocol: str = MSGPACK_SUBPROTOCOL,
        early: bytes = b"",
        other: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[Client, bytes]:
        """A connection after its handshake, and the answer's head; `other` headers replace ours."""
        client = Client(*await asyncio.open_connection("127.0.0.1", self.port))
        self._clients.append(client)
        headers = {
            "Host": "x",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": subprotocol,
            **other,
        }
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        client.writer.write("\r\n".join([*lines, "", ""]).encode())
        if early:
            await asyncio.sleep(0.05)
            client.writer.write(early)
        async with asyncio.timeout(10):
            return client, await client.reader.readuntil(b"\r\n\r\n")

    async def close(self) -> None:
        """Every client goes, and the server notices."""
        for client in self._clients:
            client.writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await client.writer.wait_closed()
        for peer in self.server.peers:
            await asyncio.wait_for(peer.ended.wait(), 20)


@asynccontextmanager
async def serving(**more: Any) -> AsyncIterator[Site]:
    """A server that is asked for nothing but websockets."""
    server = Server()
    async with on_port(server, ws_max_size=MAX_BYTES, **more) as port:
        site = Site(server, port)
        try:
            yield site
        finally:
            await site.close()


def binary(data: bytes, *, fin: bool = True) -> Frame:
    return Frame(Opcode.BINARY, data, fin=fin)


def fragments(message: bytes, cuts: Sequence[int]) -> list[Frame]:
    """The message in pieces."""
    places = [0, *sorted(cut % (len(message) + 1) for cut in cuts), len(message)]
    parts = [message[a:b] for a, b in itertools.pairwise(places)]
    kinds = [Opcode.BINARY, *[Opcode.CONT] * (len(parts) - 1)]
    return [
        Frame(kind, part, fin=number == len(parts) - 1)
        for number, (kind, part) in enumerate(zip(kinds, parts, strict=True))
    ]


SIZES = (0, 1, 125, 126, 127, 65_535, 65_536, MAX_BYTES)


@pytest.mark.parametrize("http", ["httptools", "h11"])
async def test_messages_of_every_size_come_whole_after_uvicorns_handshake(http: str) -> None:
    """Both of uvicorn's HTTP protocols hand the transport over as `Upgrade` expects."""
    async with serving(http=http) as site:
        client, head = await site.dial()
        assert head.startswith(b"HTTP/1.1 101 ")
        assert f"Sec-WebSocket-Protocol: {MSGPACK_SUBPROTOCOL}".encode() in head
        sent = [os.urandom(size) for size in SIZES]
        client.send(*(binary(data) for data in sent))
        await client.until(lambda: len(client.messages) == len(sent))
        assert client.messages == site.server.peers[0].got == sent
        client.send(Frame(Opcode.CLOSE, Close(1000, "bye").serialize()))
        assert await client.code() == 1000
        await asyncio.wait_for(site.server.peers[0].ended.wait(), 20)


@settings(max_examples=60, deadline=None, phases=[Phase.generate])
@given(
    messages=st.lists(
        st.tuples(st.binary(max_size=300), st.lists(st.integers(0, 300))), max_size=6
    ),
    pings=st.lists(st.integers(0, 20), max_size=4),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=30),
)
def test_whole_messages_fragments_and_pings_in_any_pieces_are_the_same_messages(
    messages: list[tuple[bytes, list[int]]], pings: list[int], sizes: list[int]
) -> None:
    frames = [frame for message, cuts in messages for frame in fragments(message, cuts)]
    for place in pings:
        frames.insert(place % (len(frames) + 1), Frame(Opcode.PING, b"%d" % place))
    wire = b"".join(frame.serialize(mask=True) for frame in frames)
    wanted = [message for message, _ in messages]

    async def run() -> None:
        async with serving() as site:
            client, _ = await site.dial()
            at, turn = 0, itertools.cycle(sizes)
            transport = site.server.peers[0].transport
            while at < len(wire):  # straight into it: a socket would join the pieces
                size = next(turn)
                transport.data_received(wire[at : at + size])
                at += size
            await client.until(lambda: len(client.messages) == len(wanted))
            await client.until(lambda: len(client.pongs) == len(pings))
            assert site.server.peers[0].got == wanted

    asyncio.run(run())


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (binary(b"x").serialize(mask=False), 1002),
        (b"\xc2" + binary(b"x").serialize(mask=True)[1:], 1002),  # a reserved bit
        (b"\x83" + binary(b"x").serialize(mask=True)[1:], 1002),  # no such opcode
        (Frame(Opcode.CONT, b"x").serialize(mask=True), 1002),
        ((binary(b"x", fin=False).serialize(mask=True) + binary(b"y").serialize(mask=True)), 1002),
        (b"\x89\xfe\x00\x7e" + bytes(4 + 126), 1002),  # a ping that is too long
        (b"\x82\xff" + (MAX_BYTES + 1).to_bytes(8, "big"), 1009),
        (
            binary(bytes(MAX_BYTES), fin=False).serialize(mask=True)
            + Frame(Opcode.CONT, b"x").serialize(mask=True),
            1009,
        ),
        (Frame(Opcode.TEXT, b"\xff").serialize(mask=True), 1007),
        (Frame(Opcode.CLOSE, b"\x03").serialize(mask=True), 1002),
    ],
    ids=[
        "unmasked",
        "reserved bit",
        "no opcode",
        "continues nothing",
        "whole among pieces",
        "long ping",
        "too big",
        "too big in pieces",
        "no text",
        "half a code",
    ],
)
async def test_what_breaks_the_rules_is_told_so_and_closed(wire: bytes, code: int) -> None:
    async with serving() as site:
        client, _ = await site.dial()
        client.send(binary(b"before"))
        client.writer.write(wire)
        assert await client.code() == code
        assert site.server.peers[0].got == [b"before"]


async def test_of_a_stranger_no_long_frame_is_waited_for() -> None:
    async with serving() as site:
        site.server.trusts = False
        client, _ = await site.dial()
        client.writer.write(b"\x82\xff" + (65_536).to_bytes(8, "big"))
        assert await client.code() == 1009
        client, _ = await site.dial()
        client.send(binary(bytes(65_535)))
        await client.until(lambda: len(client.messages) == 1)


async def test_text_is_the_other_kind_of_each_subprotocol() -> None:
    async with serving() as site:
        for subprotocol in (JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL):
            client, _ = await site.dial(subprotocol=subprotocol)
            client.send(Frame(Opcode.TEXT, "grüß".encode()), binary(b"\xff"))
            await client.until(lambda c=client: len(c.messages) == 2)  # type: ignore[misc]
            assert site.server.peers[-1].got == ["grüß", b"\xff"]
        client, _ = await site.dial(subprotocol=JSON_SUBPROTOCOL)
        client.send(Frame(Opcode.TEXT, b"\xff"))
        assert await client.code() == 1007
        assert site.server.peers[-1].got == []


async def test_nothing_is_delivered_while_it_is_held_and_all_of_it_afterwards() -> None:
    async with serving() as site:
        client, _ = await site.dial()
        client.send(binary(b"0"))
        await client.until(lambda: client.messages == [b"0"])
        peer = site.server.peers[0]
        peer.after = peer.transport.hold  # each message is the last for now
        sent = [b"%d" % number for number in range(1, 50)]
        client.send(*map(binary, sent))
        for number in range(1, 50):
            await client.until(lambda n=number: len(client.messages) > n)  # type: ignore[misc]
            await asyncio.sleep(0)
            assert len(peer.got) == number + 1
            peer.transport.release()
        assert peer.got == [b"0", *sent]


async def test_what_comes_before_the_answer_is_kept_within_bounds() -> None:
    async with serving() as site:
        site.server.wait.clear()
        asyncio.get_running_loop().call_later(0.2, site.server.wait.set)
        client, head = await site.dial(early=binary(b"early").serialize(mask=True))
        assert head.startswith(b"HTTP/1.1 101 ")
        client.send(binary(b"late"))
        await client.until(lambda: client.messages == [b"early", b"late"])
        site.server.wait.clear()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await site.dial(early=bytes(100_000))
        site.server.wait.set()


async def test_after_goodbye_messages_are_ignored_and_the_answer_ends_it() -> None:
    async with serving() as site:
        client, _ = await site.dial()
        client.send(binary(b"1"))
        await client.until(lambda: client.messages == [b"1"])
        peer = site.server.peers[0]
        peer.transport.close(4000, "elsewhere")
        client.send(binary(b"2"))
        await client.until(lambda: client.protocol.close_rcvd is not None)
        assert client.protocol.close_rcvd is not None
        assert (client.protocol.close_rcvd.code, peer.got) == (4000, [b"1"])
        client.writer.write(b"".join(client.protocol.data_to_send()))
        await asyncio.wait_for(peer.ended.wait(), 20)


async def flood(client: Client) -> None:
    """Pings, until neither side's buffers take any more."""
    ping = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 1000
    while True:
        client.writer.write(ping)
        await client.writer.drain()


async def test_who_floods_pings_without_reading_is_not_read() -> None:
    async with serving() as site:
        client, _ = await site.dial()
        client.send(binary(b"1"))
        await client.until(lambda: client.messages == [b"1"])
        transport: Any = site.server.peers[0].transport
        transport._budget = Gcra(per_s=1e9, burst=10**9)  # or their number would end it first
        async with asyncio.TaskGroup() as flooding:
            task = flooding.create_task(flood(client))
            await eventually(lambda: not transport._transport.is_reading())
            assert transport._transport.get_write_buffer_size() < 1 << 20
            assert len(transport._rest) < 1 << 20
            task.cancel()


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Opcode.PING, b"x"),
        Frame(Opcode.PONG, b""),
        Frame(Opcode.CONT, b"", fin=False),
        Frame(Opcode.CONT, b"x", fin=False),
    ],
    ids=["pings", "pongs", "empty fragments", "fragments of a byte"],
)
async def test_who_floods_with_what_is_no_message_is_closed(frame: Frame) -> None:
    async with serving() as site:
        client, _ = await site.dial()
        if frame.opcode is Opcode.CONT:
            client.send(binary(b"x", fin=False))
        client.writer.write(frame.serialize(mask=True) * 1500)
        assert await client.code() == Code.RATE
        assert site.server.peers[0].got == []


async def test_fragments_are_kept_by_their_bytes_not_by_their_number() -> None:
    async with serving() as site:
        client, _ = await site.dial()
        transport: Any = site.server.peers[0].transport
        transport._budget = Gcra(per_s=1e9, burst=10**9)
        client.send(binary(b"x", fin=False))
        client.writer.write(Frame(Opcode.CONT, b"", fin=False).serialize(mask=True) * 20_000)
        client.send(Frame(Opcode.PING, b"there"))
        await client.until(lambda: client.pongs == [b"there"])
        unusual = transport._unusual
        kept = sum(sys.getsizeof(getattr(unusual, name)) for name in unusual.__slots__)
        assert kept < 1000


async def test_a_frame_that_comes_byte_by_byte_is_looked_at_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks, read = 0, WebSocketTransport._read

    def counted(transport: WebSocketTransport) -> None:
        nonlocal looks
        looks += 1
        read(transport)

    monkeypatch.setattr(WebSocketTransport, "_read", counted)
    async with serving() as site:
        client, _ = await site.dial()
        peer = site.server.peers[0]
        for size in (200, 60_000, 70_000):
            whole = binary(os.urandom(size)).serialize(mask=True)
            looks = 0
            for at in range(len(whole)):
                peer.transport.data_received(whole[at : at + 1])
            assert looks < 20
        client.send(binary(b"last"))
        await client.until(lambda: client.messages[-1:] == [b"last"])
        assert [len(message) for message in peer.got] == [200, 60_000, 70_000, 4]


@pytest.mark.parametrize(
    ("path", "head", "body"),
    [
        ("/refuse", b"HTTP/1.1 503 Service Unavailable\r\n", b"not now"),
        ("/close", b"HTTP/1.1 403 Forbidden\r\n", b""),
        ("/fail", b"HTTP/1.1 500 Internal Server Error\r\n", b"Internal error."),
    ],
)
async def test_an_upgrade_that_is_refused_is_answered_over_http(
    path: str, head: bytes, body: bytes
) -> None:
    async with serving() as site:
        client, answer = await site.dial(path=path)
        assert answer.startswith(head)
        assert (b"retry-after: 3" in answer.lower()) == (path == "/refuse")
        assert await client.reader.read() == body


@pytest.mark.parametrize(
    "broken", ["Sec-WebSocket-Version: 12", "Sec-WebSocket-Key: short", "Upgrade: websocket, h2c"]
)
async def test_a_handshake_that_is_none_is_refused(broken: str) -> None:
    name, _, value = broken.partition(": ")
    async with serving() as site:
        _, answer = await site.dial(other={name: value})
        assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 ", b"HTTP/1.1 500 "))
