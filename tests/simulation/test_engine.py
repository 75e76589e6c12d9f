"""The model engine beside the real scripts: the same story, the same log, the same answers."""

from __future__ import annotations

import random
from typing import Any

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.replay import chain
from batonbox_server.domain.transitions import Refusal
from batonbox_server.store.by import by_command
from batonbox_server.store.engine import Engine as Client
from batonbox_server.store.inbox_reads import InboxReads
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore
from batonbox_server.store.scripts import Scripts
from tests.simulation.engine import OUR, Engine

USERS = ("ann", "bob", "cy")
STEPS = 200
VERBS = ("receive", "receive", "assign", "assign", "transfer", "release", "done", "undo", "reply",
         "note", "unread", "seen", "again", "membership")  # fmt: skip
SAME = ("type", "conv", "actor", "cid", "unseen", "n", "before", "user")
ROW = ("id", "status", "assignee", "n", "unanswered", "last_assignee", "preview")


class Both:
    """The same inbox on a real engine and in the model."""

    def __init__(self, client: Client, space: str) -> None:
        self.client, self.keys = client, Keys(space)
        self.prefix = self.keys.inbox("box")
        self.scripts = Scripts(client)
        self.store: InboxReads = RedisStore(client, keys=self.keys)
        self.model = Engine("box")
        self.own: dict[str, tuple[str, str]] = {}  # conversation: its token here and there
        self.told: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.base = 0

    async def open(self) -> None:
        """Two events of the real log come before the first of the model's."""
        await self.scripts.create_inbox(self.prefix, epoch="e1", keep=10_000)
        await self.scripts.number(self.prefix, number=OUR, on=1, at=0, brought=1)
        self.base = (await self.store.head(log=self.prefix)).seq
        # An hour ahead the log's clock goes by one with each event, as the model's does.
        await self.client.execute("HINCRBY", f"{self.prefix}:meta", "last_ms", 3_600_000)
        for user in USERS:
            await self.member(user, inside=True)

    async def member(self, user: str, *, inside: bool) -> None:
        """Join, or be removed."""
        if inside:
            await self.scripts.join(self.prefix, user=user, role="member", joined=1, at=0)
        else:
            await self.scripts.remove(self.prefix, user=user, role="", at="")
        self.model.run("join" if inside else "remove", to=user)

    async def receive(self, conv: str, customer: str, provider_id: str, text: str) -> None:
        """A customer's message."""
        await self.scripts.receive(
            self.prefix, candidate=conv, our=OUR, customer=customer, provider_id=provider_id,
            body=msgpack.packb({"text": text}), preview=text, turn=0, keyword=b"",
        )  # fmt: skip
        self.model.run("receive", conv=conv, our=OUR, customer=customer, provider_id=provider_id,
                       text=text)  # fmt: skip

    async def command(self, verb: str, actor: str, cid: str, conv: str, **more: Any) -> None:
        """A command; both say the same."""
        real, model = dict(more), dict(more)
        if "own_tok" in more:
            here, there = self.own.get(conv, ("", "")) if more["own_tok"] else ("1.0", "1.0")
            real["own_tok"], model["own_tok"] = here, there
        await self._both(verb, actor, cid, conv, real, model)
        self.told.append((verb, {"actor": actor, "cid": cid, "conv": conv, **real}, model))

    async def again(self, verb: str, real: dict[str, Any], model: dict[str, Any]) -> None:
        """The very same command once more."""
        real = dict(real)
        await self._both(verb, real.pop("actor"), real.pop("cid"), real.pop("conv"), real, model)

    async def _both(
        self, verb: str, actor: str, cid: str, conv: str, real: dict[str, Any],
        model: dict[str, Any],
    ) -> None:  # fmt: skip
        text = real.pop("text", "")
        args: dict[str, Any] = dict(real)
        if verb in ("reply", "note"):
            args["body"] = msgpack.packb({"text": text})
        if verb == "reply":
            args |= {"preview": text, "seen": ""}
        if verb == "transfer":
            args["note"] = ""
        if verb == "note":
            args["mentions"] = b""
        by = by_command(actor=actor, cid=cid, digest="d" * 40, keep=10_000)
        reply = await getattr(self.scripts, verb)(self.prefix, conv=conv, by=by, **args)
        try:
            self.model.run(verb, actor=actor, cid=cid, conv=conv, **model)
            word = "ok"
        except Refusal as refusal:
            word = refusal.word
        assert reply[0].decode() == word, (verb, actor, conv, real)

    async def compare(self) -> None:
        """Heads, boards, marks, snapshots and the whole log."""
        entries = await self.store.range(log=self.prefix, first=self.base + 1, last=1 << 40)
        mine = self.model.range(1, 1 << 40)
        assert len(entries) == len(mine)
        for entry, model in zip(entries, mine, strict=True):
            frame, theirs = msgpack.unpackb(entry.frame), msgpack.unpackb(model.frame)
            meta, expected = frame[3], theirs[3]
            # The tips differ, for maps are packed in another order; what they hash does not.
            assert chain(entry.prev, entry.frame[:-17]) == frame[5]
            assert chain(model.prev, model.frame[:-17]) == theirs[5]
            assert entry.frame[:2] == model.frame[:2]
            assert entry.frame[-17:-16] == model.frame[-17:-16]
            assert _shown(meta) == _shown(expected)
            if "row" in meta:
                tokens = meta["row"]["own_tok"], expected["row"]["own_tok"]
                self.own[meta["row"]["id"]] = tokens
                assert int(tokens[0].split(".")[0]) - self.base == int(tokens[1].split(".")[0])
        snapshot, ours = await self.store.snapshot(inbox="box"), self.model.snapshot()
        assert snapshot.counts == ours.counts
        assert [row["id"] for row in snapshot.rows] == [row["id"] for row in ours.rows]
        board = await self.store.board(inbox="box")
        assert (board.unassigned, len(board.keys)) == (
            self.model.board().unassigned, len(self.model.board().keys),
        )  # fmt: skip
        for user in USERS:
            real, model_marks = (
                await self.store.marks(inbox="box", user=user),
                self.model.marks(user),
            )
            for name in ("mv", "role", "joined", "seen", "blue"):
                assert getattr(real, name) == getattr(model_marks, name), (user, name)
            assert sorted(real.green) == model_marks.green
            assert len(real.keys) == len(model_marks.keys)


def _shown(meta: dict[str, Any]) -> dict[str, Any]:
    shown = {name: meta[name] for name in SAME if name in meta}
    if shown.get("before"):  # positions differ by what came before the model began
        shown["before"] = {**shown["before"], "att": bool(shown["before"]["att"])}
    row = meta.get("row")
    return shown | ({"row": [row[name] for name in ROW]} if row else {})


async def _seen(both: Both, user: str, conv: str) -> None:
    att = await both.client.execute("HGET", f"{both.prefix}:c:{conv}", "att")
    reply = await both.scripts.seen(both.prefix, conv=conv, actor=user, att=att.decode())
    row = both.model.state.inbox.rows[conv]
    word = "ok"
    try:
        both.model.run("seen", actor=user, conv=conv, seen=row.att)
    except Refusal as refusal:
        word = refusal.word
    assert reply[0].decode() == word


def _arguments(verb: str, cid: str, rng: random.Random) -> dict[str, Any]:
    more: dict[str, Any] = {"assign": {"to": ""}, "done": {"seen": "*"}}.get(verb, {})
    if verb in ("transfer", "release", "done", "undo", "reply"):
        more = {**more, "own_tok": "present" if rng.random() < 0.9 else ""}
    if verb == "transfer":
        more["to"] = rng.choice(USERS)
    if verb in ("reply", "note"):
        more["text"] = cid
    return more


async def _step(both: Both, number: int, rng: random.Random) -> None:
    rows = list(both.model.state.inbox.rows.values())
    verb = rng.choice(VERBS) if rows else "receive"
    user, cid = rng.choice(USERS), f"c{number}"
    if verb == "receive":
        customer = f"+1555020{rng.randrange(4)}"
        await both.receive(f"box.{number}", customer, f"p{number - (number % 9 == 0)}", cid)
    elif verb == "membership":
        await both.member("cy", inside="cy" not in both.model.state.inbox.members)
    elif verb == "again":
        if both.told:
            await both.again(*rng.choice(both.told[-5:]))
    elif verb == "seen":
        await _seen(both, user, rng.choice(rows).id)
    else:
        row = rng.choice(rows)
        likely = row.assignee and rng.random() < 0.7
        user = row.assignee if likely and verb != "assign" else user
        await both.command(verb, user, cid, row.id, **_arguments(verb, cid, rng))


async def test_the_model_engine_is_the_real_one_in_small(client: Client, prefix: str) -> None:
    rng = random.Random(4)
    both = Both(client, prefix)
    await both.open()
    for number in range(STEPS):
        await _step(both, number, rng)
        await both.compare()
