"""One open websocket on its transport: whole messages in, framed bytes out, and nothing else.

What clients send nearly always, one whole masked message of the connection's kind, is unpacked
here.  Everything unusual (control frames, fragments, the other kind, what breaks the rules) goes,
one whole frame at a time, to the parser of `websockets`, which lives only as long as it is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from batonbox_server import wire
from batonbox_server.hub.framing import BINARY, TEXT
from batonbox_server.session.limits import Gcra

from .paced import Paced

apply_mask: Callable[[bytes, bytes], bytes]
try:
    from websockets.speedups import apply_mask
except ImportError:  # an installation without the compiled part
    from websockets.utils import apply_mask

__all__ = ["Peer", "WebSocketTransport"]

_MASKED: Final = 0x80
_LENGTH_BYTES: Final = {126: 2, 127: 8}
_BAD_TEXT: Final = 1007
# Of anybody: what thousands who have not signed in can make us keep of a frame that does not end.
_STRANGER_MAX_BYTES: Final = 65_535
# Frames that are no whole message cost as much as one, and are answered or kept: so many at once.
_UNUSUAL_PER_S: Final = 100.0
_UNUSUAL_BURST: Final = 1000
# Of one connection in a turn of the loop; what else it sent waits until others had theirs.
_TURN_FRAMES: Final = 32
_TURN_BYTES: Final = 16_384


class Peer(Protocol):
    """Whose websocket it is; all of it is synchronous and must not raise."""

    def received(self, message: bytes | str, /) -> None:
        """One message."""

    def stalled(self) -> None:
        """The other side reads too slowly, or has gone: write no more until `drained`."""

    def drained(self) -> None:
        """There is room again."""

    def lost(self) -> None:
        """It has ended; nothing more is called."""


class _Unusual:
    """The library's parser, and as much of a message in fragments as it has seen."""

    __slots__ = ("begun", "data", "protocol", "text")

    def __init__(self, max_bytes: int) -> None:
        self.protocol = ServerProtocol(state=State.OPEN, max_size=max_bytes)
        self.data = bytearray()  # not a list: fragments may be empty, and any number
        self.begun = self.text = False

    def message(self, frame: Frame) -> bytes | str | None:
        """The message that this frame ends; raises UnicodeDecodeError."""
        if frame.opcode is not Opcode.CONT:
            self.text = frame.opcode is Opcode.TEXT
        self.data += frame.data
        self.begun = not frame.fin
        if self.begun:
            return None
        data = bytes(self.data)
        self.data.clear()
        return data.decode() if self.text else data


class WebSocketTransport(asyncio.Protocol):
    """`write` takes framed bytes (`hub.framing`); call it only while `writing` may go on.

    `hold` stops the messages, what came already included, until `release`.  Frames and messages may
    have `max_bytes` after `trust`, and less before.  Who sends hundreds of frames a second that are
    no whole message is closed with `wire.Close.RATE`.  Who sends much at once takes turns with
    others who do, at the pace of `turns`.
    """

    __slots__ = (
        "_budget",
        "_closing",
        "_held",
        "_max_bytes",
        "_most_bytes",
        "_open",
        "_peer",
        "_rest",
        "_stalled",
        "_transport",
        "_turns",
        "_unusual",
        "_waits",
        "_wants",
        "_whole",
        "write",
    )

    def __init__(
        self, transport: asyncio.Transport, *, text: bool, max_bytes: int, turns: Paced
    ) -> None:
        self._transport = transport
        self._turns = turns
        self.write = transport.write
        self._whole = TEXT if text else BINARY
        self._max_bytes = min(max_bytes, _STRANGER_MAX_BYTES)
        self._most_bytes = max_bytes
        self._peer: Peer | None = None
        self._rest: bytes | bytearray = b""
        self._wants = 0  # as much of `_rest` has to be there before a frame can be whole
        self._unusual: _Unusual | None = None
        self._budget: Gcra | None = None  # of unusual frames; most connections send none
        self._held = True  # until there is a peer
        self._waits = False  # for its turn
        self._stalled = self._closing = False
        self._open = True

    def attach(self, peer: Peer) -> None:
        """Whose it is; called once, and what came already follows."""
        self._held = False
        if not self._open:
            peer.lost()
            return
        self._peer = peer
        if self._rest:
            self._go_on()

    def trust(self) -> None:
        """It is known whose it is: messages may be as long as is set."""
        self._max_bytes = self._most_bytes

    def hold(self) -> None:
        """No message until `release`."""
        if not self._held:
            self._held = True
            self._transport.pause_reading()

    def release(self) -> None:
        """Messages again."""
        if self._held:
            self._held = False
            self._go_on()

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; then messages are ignored, and the other side's goodbye ends it."""
        if self._open and not self._closing:
            self._closing = True
            close = Frame(Opcode.CLOSE, Close(code, reason).serialize())
            self._write_now(close.serialize(mask=False))
            self.release()

    def abort(self) -> None:
        """End it now, whatever is unsent."""
        self._transport.abort()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if not self._rest:
            self._rest = data
        else:
            # A frame may come byte by byte: what came is neither copied nor looked at each time.
            if type(self._rest) is bytes:
                self._rest = bytearray(self._rest)
            self._rest += data
        if not self._held and not self._waits and len(self._rest) >= self._wants:
            self._read()

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        self._stalled = True
        if self._peer is not None:
            self._peer.stalled()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._stalled = False
        if self._peer is not None and self._open:
            self._peer.drained()
        if not self._held:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """See asyncio.Protocol."""
        self._open = False
        self._rest, self._unusual = b"", None
        peer, self._peer = self._peer, None
        if peer is not None:
            peer.lost()

    # Reading

    def _go_on(self) -> None:
        if self._open and not self._waits:
            self._read()
        if self._open and not self._held and not self._waits:
            self._transport.resume_reading()

    def _wait(self) -> None:
        """Read no more before its next turn."""
        self._waits = True
        self._transport.pause_reading()
        self._turns.add(self._turn)

    def _turn(self) -> None:
        self._waits = False
        if not self._held:
            self._go_on()

    def _read(self) -> None:
        data, whole, at, wants = bytes(self._rest), self._whole, 0, 0
        size, left = len(data), _TURN_FRAMES
        self._rest, self._wants = b"", 0
        while size - at > 1 and self._open and not self._held:
            if not left or at > _TURN_BYTES:
                self._wait()
                break
            left -= 1
            length = data[at + 1] - _MASKED
            if data[at] != whole or not 0 <= length < 127 or self._unusual is not None:
                end = self._frame(data, at)
                if end > size:
                    wants = end - at
                    break
                at = end
                continue
            body = at + 6 if length < 126 else at + 8
            if body > size:
                break
            if length == 126:
                length = data[at + 2] << 8 | data[at + 3]
            end = body + length
            if end > size:
                wants = end - at
                break
            message = apply_mask(data[body:end], data[body - 4 : body])
            at = end
            self._deliver(message, text=whole == TEXT)
        if self._open and at < size:
            self._rest = data[at:] + self._rest
            self._wants = 0 if self._held else wants

    def _deliver(self, message: bytes, *, text: bool) -> None:
        if self._closing or self._peer is None:
            return
        if not text:
            self._peer.received(message)
            return
        try:
            decoded = message.decode()
        except UnicodeDecodeError:
            self._fail_text()
            return
        self._peer.received(decoded)

    # What is unusual

    def _frame(self, data: bytes, at: int) -> int:
        """One frame to the parser: where the next one begins, beyond `data`: it is not whole."""
        size, kind, masked = len(data), data[at + 1] & 0x7F, data[at + 1] & _MASKED
        start = at + 2 + _LENGTH_BYTES.get(kind, 0)
        if start > size:
            return start
        length = kind if kind < 126 else int.from_bytes(data[at + 2 : start], "big")
        end = start + (4 if masked else 0) + length
        # What can only be refused is not waited for.
        wrong = not masked or length > self._max_bytes
        if end > size and not wrong:
            return end
        if not self._affords():
            return size
        unusual = self._unusual or _Unusual(self._max_bytes)
        self._unusual = unusual
        unusual.protocol.receive_data(data[at:end])
        self._take(unusual)
        if not unusual.begun:
            self._unusual = None
        return min(end, size)

    def _affords(self) -> bool:
        """Whether another unusual frame is taken; else this was the last one."""
        if self._budget is None:
            self._budget = Gcra(per_s=_UNUSUAL_PER_S, burst=_UNUSUAL_BURST)
        if not self._budget.admit(1000 * asyncio.get_running_loop().time()):
            return True
        self.close(wire.Close.RATE, "too many control frames or fragments")
        self._end()
        return False

    def _take(self, unusual: _Unusual) -> None:
        frames = unusual.protocol.events_received()
        answers = b"".join(unusual.protocol.data_to_send())
        if answers and not self._closing:
            self._write_now(answers)
        for frame in frames:
            assert isinstance(frame, Frame)
            if frame.opcode in {Opcode.TEXT, Opcode.BINARY, Opcode.CONT}:
                self._fragment(unusual, frame)
        if unusual.protocol.state is not State.OPEN:
            self._end()
        elif self._stalled and answers:
            # Who asks for answers without reading them is not read either.
            self._transport.pause_reading()

    def _fragment(self, unusual: _Unusual, frame: Frame) -> None:
        try:
            message = unusual.message(frame)
        except UnicodeDecodeError:
            self._fail_text()
            return
        if message is not None and not self._closing and self._peer is not None:
            self._peer.received(message)

    def _fail_text(self) -> None:
        self.close(_BAD_TEXT, "invalid UTF-8")
        self._end()

    def _end(self) -> None:
        """The other side said goodbye, or broke the rules and was told so."""
        self._open = False
        self._rest = b""
        self._transport.close()
        if self._peer is not None:
            self._peer.stalled()  # a closed transport takes nothing more

    def _write_now(self, data: bytes) -> None:
        try:
            self.write(data)
        except RuntimeError:
            pass  # uvloop says so of a transport that is closed; `connection_lost` follows
