"""Records of rounds that never went over a network: legal by construction."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.indicators import totals
from batonbox_server.domain.transitions import Refusal
from batonbox_server.torture.record import Call, Observed, Outcome, Record, Said
from tests.simulation.engine import OUR, Engine, public

INBOX = "box"
USERS = ("ann", "bob", "cy")
CUSTOMERS = ("+15550200", "+15550201")
WIRE = {"return": "release"}  # the verbs that scripts name otherwise
MS = 1_000_000


@dataclass
class Observer:
    """A client that listens; `behind` is what it has not been told of yet."""

    client: str
    user: str
    inside: bool = True
    behind: list[tuple[int, Any]] = field(default_factory=list)


class Story:
    """One round: commands that overlap in time and know the past, and three who watch."""

    def __init__(self, seed: int, *, steps: int = 60) -> None:
        self.rng = random.Random(seed)
        self.engine = Engine(INBOX)
        self.at_ns = 1_000 * MS
        self.timed: list[tuple[int, Record]] = []
        self.observers = [Observer(f"c-{user}", user) for user in USERS]
        self.known: list[dict[str, dict[str, Any]]] = [{}]
        for user in USERS:
            self.engine.run("join", to=user)
        for observer in self.observers:
            self._snapshot(observer)
        for number in range(steps):
            self._step(number)
        self._rest()

    @property
    def records(self) -> list[Record]:
        """In the order of time; the truth is the last."""
        ordered = [record for _, record in sorted(self.timed, key=lambda pair: pair[0])]
        return [*ordered, self.engine.final(self.at_ns + 1_000 * MS)]

    def _note(self, at_ns: int, record: Record) -> None:
        self.timed.append((at_ns, record))

    def _step(self, number: int) -> None:
        self.at_ns += self.rng.randint(1, 20) * MS
        first = self.engine.state.inbox.seq
        drawn = self.rng.random()
        if drawn < 0.25:
            self._said(number)
        elif drawn < 0.32:
            self._membership(number)
        else:
            self._command(number)
        self._spread(first)
        rows = self.engine.state.inbox.rows.values()
        self.known = [*self.known[-4:], {row.id: public(row) for row in rows}]

    def _around(self) -> tuple[int, int]:
        return (
            self.at_ns - self.rng.randint(1, 30) * MS,
            self.at_ns + self.rng.randint(1, 30) * MS,
        )

    def _said(self, number: int) -> None:
        began, ended = self._around()
        customer, text = self.rng.choice(CUSTOMERS), f"said {number}"
        unheard = self.rng.random() < 0.1
        if not (unheard and self.rng.random() < 0.5):
            self.engine.run("receive", conv=f"{INBOX}.{number}", our=OUR, customer=customer,
                            provider_id=f"p{number}", text=text)  # fmt: skip
        rows = self.engine.state.inbox.rows.values()
        (conv,) = [row.id for row in rows if row.customer == customer] or [""]
        place = (conv, self.engine.state.inbox.rows[conv].n if conv else 0)
        self._note(began, Said(
            provider_id=f"p{number}", inbox=INBOX, customer=customer, began_ns=began, text=text,
            acknowledged_ns=None if unheard else ended, carrier="webhook",
            places=[] if unheard else [place] * self.rng.randint(1, 3),
        ))  # fmt: skip

    def _membership(self, number: int) -> None:
        inside = "cy" in self.engine.state.inbox.members
        verb = "remove" if inside else "join"
        began, ended = self._around()
        wire = f"member_{'remove' if inside else 'add'}"
        self._called(number, "ann", wire, "", {"user": "cy", "role": "member"}, began)
        reply = self.engine.run(verb, to="cy")
        self._note(ended, Outcome(id=number, kind="ok", ended_ns=ended, reply=reply))

    def _called(
        self, number: int, user: str, verb: str, conv: str, args: dict[str, Any], began: int
    ) -> None:
        self._note(began, Call(
            id=number, client=f"c-{user}", user=user, node="n1", verb=verb, inbox=INBOX, conv=conv,
            cid=f"cid{number}" if not verb.startswith("member") else "", args=args, began_ns=began,
        ))  # fmt: skip

    def _command(self, number: int) -> None:
        known = self.rng.choice(self.known)
        if not known:
            return
        row = self.rng.choice(list(known.values()))
        verb = self.rng.choice(("assign", "assign", "transfer", "return", "done", "undo", "reply"))
        user = self.rng.choice(USERS)
        if verb != "assign" and row["assignee"] and self.rng.random() < 0.8:
            user = row["assignee"]
        args: dict[str, Any] = {} if verb == "assign" else {"own_tok": row["own_tok"]}
        if verb == "transfer":
            args["to"] = self.rng.choice(USERS)
        began, ended = self._around()
        self._called(number, user, verb, row["id"], args, began)
        unheard, never = self.rng.random() < 0.12, self.rng.random() < 0.5
        more = {"seen": "*"} if verb == "done" else {}
        if verb == "reply":
            more = {"text": f"reply {number}"}
        try:
            if unheard and never:
                return
            reply = self.engine.run(WIRE.get(verb, verb), actor=user, cid=f"cid{number}",
                                    conv=row["id"], **args, **more)  # fmt: skip
            outcome = Outcome(id=number, kind="ok", ended_ns=ended, seq=reply["seq"],
                              tip=reply["tip"], reply=reply)  # fmt: skip
        except Refusal as refusal:
            now = public(self.engine.state.inbox.rows[row["id"]])
            cur = now if refusal.word in ("conflict", "not_owner", "stale_token") else None
            outcome = Outcome(id=number, kind="refused", ended_ns=ended, slug=refusal.word, cur=cur)
        if not unheard:
            self._note(ended, outcome)

    # Who watches

    def _snapshot(self, observer: Observer) -> None:
        snapshot = self.engine.snapshot()
        observer.inside, observer.behind = True, []
        self._note(self.at_ns, Observed(
            client=observer.client, user=observer.user, inbox=INBOX, epoch=snapshot.epoch,
            kind="snapshot", seq=snapshot.seq, tip=snapshot.tip, at_ns=self.at_ns,
            rows=snapshot.rows,
        ))  # fmt: skip

    def _spread(self, first: int) -> None:
        for entry in self.engine.range(first + 1, 1 << 40):
            _, _, _, meta, _, tip = msgpack.unpackb(entry.frame)
            for observer in self.observers:
                self._tell(observer, entry.seq, tip, meta, self.at_ns + 1_000 * (entry.seq - first))

    def _tell(
        self, observer: Observer, seq: int, tip: str, meta: dict[str, Any], at_ns: int
    ) -> None:
        joins = meta.get("user") == observer.user
        if joins and meta["type"] == "member_joined":
            self._snapshot(observer)
        elif observer.inside:
            self._note(at_ns, Observed(
                client=observer.client, user=observer.user, inbox=INBOX, epoch="e1", kind="event",
                seq=seq, tip=tip, at_ns=at_ns, meta=meta, body_hash=tip,
            ))  # fmt: skip
            if joins:
                observer.inside = False
                self._note(at_ns, Observed(
                    client=observer.client, user=observer.user, inbox=INBOX, epoch="e1",
                    kind="unsubscribed", seq=0, tip="", at_ns=at_ns, reason="103",
                ))  # fmt: skip

    def _rest(self) -> None:
        self.at_ns += 100 * MS
        inbox = self.engine.state.inbox
        for observer in self.observers:
            if not observer.inside:
                continue
            counted = totals(inbox, observer.user)
            self._note(self.at_ns, Observed(
                client=observer.client, user=observer.user, inbox=INBOX, epoch="e1", kind="badge",
                seq=inbox.seq, tip="", at_ns=self.at_ns,
                badge=(counted.blue, counted.green, counted.unassigned),
            ))  # fmt: skip
