"""A client's view of one inbox, kept as the protocol says, and written down as it was seen."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from .ledger import Ledger
from .record import Observed, ObservedKind

__all__ = ["Follow"]


@dataclass(slots=True)
class Follow:
    """Where `client` stands in `inbox` (`live`: it does), and the rows it was told of.

    `asked` is the number of the SUB under way, `subs` how many this connection had; `served`: it
    tells what happens. `torn`: what comes before the next snapshot continues nothing: behind a gap,
    and where the answer to a SUB was on its way when its position was taken away.
    """

    client: str
    user: str
    inbox: str
    ledger: Ledger
    epoch: str = ""
    seq: int = 0
    tip: str = ""
    live: bool = False
    served: bool = False
    asked: int | None = None
    subs: int = 0
    torn: bool = False
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    badge: tuple[int, int, int] | None = None

    def subscription(self) -> list[Any]:
        """The item of SUB: resumed where it stands."""
        self.subs += 1
        position = [self.epoch, self.seq, self.tip] if self.live else []
        return [self.inbox, "list", *position]

    def event(self, seq: int, meta: dict[str, Any], body: Any, tip: str) -> None:
        """EV; a gap ends the subscription, which has to be asked for anew."""
        # Asked for twice on one connection, events may come twice, and are to be ignored.
        if self.torn or (self.live and seq <= self.seq and self.subs > 1):
            return
        meta, digest = self.ledger.told(self.inbox, tip, meta, body)
        self._saw("event", seq=seq, tip=tip, meta=meta, body_hash=digest)
        if not self.live or seq <= self.seq:
            return
        if seq > self.seq + 1:
            self.torn = True
            self.ended()
            return
        self.seq, self.tip = seq, tip
        if row := meta.get("row"):
            self.rows[row["id"]] = row

    def snapshot(self, epoch: str, seq: int, tip: str, rows: list[dict[str, Any]]) -> None:
        """SNAP."""
        self.epoch, self.seq, self.tip = epoch, seq, tip
        self.live, self.served, self.torn = True, True, False
        self.rows = {row["id"]: row for row in rows}
        self._saw("snapshot", rows=rows)

    def badged(self, badge: tuple[int, int, int], seq: int) -> None:
        """BADGE."""
        self.badge = badge
        self._saw("badge", badge=badge, seq=seq)

    def reset(self, reason: str, lost: list[str]) -> None:
        """RESET; a SNAP follows, unless one may not see it any more."""
        self._saw("reset", reason=reason, lost=lost)
        self._forget()
        if reason == "perm":
            self.torn = self.torn or self.asked is not None
            self.ended()

    def unsubscribed(self, code: int) -> None:
        """UNSUBD, or SUB was refused."""
        self._saw("unsubscribed", reason=str(code))
        self.torn = self.torn or self.asked is not None
        self.ended()

    def closed(self, code: int) -> None:
        """The connection is gone; where it stood stays."""
        self._saw("closed", reason=str(code))
        self.asked, self.served, self.torn, self.subs = None, False, False, 0

    def ended(self) -> None:
        """Nothing more will be told, and nothing known counts."""
        self._forget()
        self.asked, self.served = None, False

    def _forget(self) -> None:
        self.live = False
        self.rows.clear()

    def _saw(self, kind: ObservedKind, **fields: Any) -> None:
        at = {"seq": self.seq, "tip": self.tip, **fields}
        self.ledger.add(
            Observed(
                client=self.client,
                user=self.user,
                inbox=self.inbox,
                epoch=self.epoch,
                kind=kind,
                at_ns=time.monotonic_ns(),
                **at,
            )
        )
