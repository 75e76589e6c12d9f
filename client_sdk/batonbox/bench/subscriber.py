"""Subscribers that check every event they get, and those who belong together."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from batonbox._errors import ApiError, ProtocolError, api_error
from batonbox._wire import Frame, Op
from batonbox.bench.address import Address
from batonbox.bench.digest import Digests, Run
from batonbox.bench.lean import Lean, packed
from batonbox.bench.meter import until
from batonbox.bench.tally import Account, Tally

__all__ = ["Audience", "Subscriber"]

NAME: Final = "bench"
_SUB_ID: Final = 1
_AGAIN_S: Final = 0.25
_TRIES: Final = 80


class Audience:
    """Subscribers of the same inboxes; counts what all of them got.

    `timed` records how long each event took from its stamp to each subscriber, in `took_s`.
    Audiences may share `digests`, and with them their memory.
    `reached` is called whenever `total` has grown to `threshold` or beyond.
    """

    def __init__(self, *, timed: bool = False, digests: Digests | None = None) -> None:
        self.digests: Digests = digests or Digests(timed=timed)
        self.members: list[Subscriber] = []
        self.took_s: array[float] = array("d")
        self.total = 0
        self.messages = 0
        self.threshold: float = float("inf")
        self.reached: Callable[[], None] = lambda: None

    def slowest(self, inbox: str) -> int:
        """The highest event that every member has got, with all before it."""
        return min(member.tallies[inbox].next for member in self.members) - 1

    def behind(self, inbox: str, seq: int) -> int:
        """Deliveries that are left until everybody has event `seq`."""
        ends = (member.tallies[inbox].next for member in self.members)
        return sum(max(0, seq + 1 - end) for end in ends)

    def account(self, upto: dict[str, int]) -> Account:
        """Against the numbers of the newest events of each inbox."""
        result = Account(closed=sum(bool(member.ended) for member in self.members))
        for member in self.members:
            for inbox, tally in member.tallies.items():
                result += Account(
                    delivered=tally.got,
                    lost=tally.lost(upto.get(inbox, 0)),
                    doubled=tally.doubled,
                    disordered=tally.disordered,
                    resets=tally.resets,
                )
        return result

    async def until(self, upto: dict[str, int], *, timeout_s: float) -> bool:
        """Wait until everybody has got everything; False when the time is over first."""
        return await until(
            lambda: all(self.slowest(inbox) >= seq for inbox, seq in upto.items()),
            timeout_s=timeout_s,
        )


class Subscriber(Lean):
    """Signs in and takes these inboxes at the level `list`; ready once all are followed.

    `tallies` of an earlier connection resume where that ended.  `welcome` is the server's WELCOME.
    """

    __slots__ = ("_left", "_tries", "audience", "tallies", "welcome")

    def __init__(
        self,
        address: Address,
        token: str,
        inboxes: Iterable[str],
        audience: Audience,
        *,
        tallies: dict[str, Tally] | None = None,
    ) -> None:
        self.audience: Audience = audience
        self.tallies: dict[str, Tally] = tallies or {inbox: Tally() for inbox in inboxes}
        self.welcome: Frame = []
        self._left = list(self.tallies)
        self._tries = 0
        hello = [int(Op.HELLO), token, NAME]
        super().__init__(address, hello=packed(hello, self._sub()))

    @property
    def reconnect_s(self) -> float:
        """Over how long the server wants those to spread who come back after a break."""
        limits = self.welcome[4] if self.welcome else {}
        return float(limits.get("reconnect_ms", 0)) / 1000

    def message(self, payload: bytes) -> None:
        audience = self.audience
        audience.messages += 1
        for item in audience.digests.of(payload):
            if type(item) is not Run:
                self._frame(item)  # type: ignore[arg-type]
                continue
            tally = self.tallies.get(item.inbox)
            if tally is None:
                continue
            tally.take(item.first, item.last, item.tip)
            audience.total += item.last - item.first + 1
            if item.sent_s:
                now_s = time.perf_counter()
                audience.took_s.extend([now_s - sent_s for sent_s in item.sent_s])
        if audience.total >= audience.threshold:
            audience.reached()

    def _frame(self, frame: Frame) -> None:
        match frame[0]:
            case Op.WELCOME:
                self.welcome = frame
            case Op.SNAP:
                if frame[1] in self.tallies:
                    self.tallies[frame[1]].start(frame[2], frame[3], frame[4])
            case Op.OK:
                if frame[1] == _SUB_ID:
                    self._subscribed(frame[2]["subs"])
            case Op.ERR:
                self.fail(api_error(frame[2], frame[3], frame[4]))
            case Op.RESET:
                if frame[1] in self.tallies:
                    self.tallies[frame[1]].resets += 1
            case Op.PING:
                self.write(packed([int(Op.PONG)]))

    def _subscribed(self, results: Sequence[Sequence[str | int]]) -> None:
        self._left = [str(inbox) for inbox, how, _ in results if how == "refused"]
        if not self._left:
            if not self.ready.done():
                self.ready.set_result(None)
            return
        # A fresh member's rights reach every server process within seconds.
        self._tries += 1
        if self._tries > _TRIES:
            self.fail(_refused(results))
            return
        asyncio.get_running_loop().call_later(_AGAIN_S, self._again)

    def _again(self) -> None:
        self.write(packed(self._sub()))

    def _sub(self) -> Frame:
        items = []
        for inbox in self._left:
            tally = self.tallies[inbox]
            position = [tally.epoch, tally.next - 1, tally.tip] if tally.begun else []
            items.append([inbox, "list", *position])
        return [int(Op.SUB), _SUB_ID, items]


def _refused(results: Sequence[Sequence[str | int]]) -> ApiError | ProtocolError:
    for inbox, how, number in results:
        if how == "refused":
            return api_error(int(number), "", f"the server refuses a subscription to {inbox}")
    return ProtocolError("the server refuses a subscription")
