"""The store on a real engine: what one script promises, and what many callers meet."""

from __future__ import annotations

import asyncio
import random
import shutil
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]
import pytest

from batonbox_server.domain.model import Role
from batonbox_server.errors import Refused
from batonbox_server.store.engine import Engine
from batonbox_server.store.library import FOLDER, load_folder
from batonbox_server.store.port import Applied
from batonbox_server.store.redis import RedisStore
from batonbox_server.store.scripts import Scripts
from batonbox_server.store.topology import engine_of
from tests.integration.store_harness import BODY, CUSTOMER, OUR, Box, refused


async def test_of_many_callers_exactly_one_owns(box: Box, engine_url: str) -> None:
    """I6: the losers learn who won and get the present row."""
    other = engine_of(engine_url)
    await other.connect()
    stores = [box.store, RedisStore(other, keys=box.keys)]
    users = [f"u{i}" for i in range(60)]
    for user in users:
        await box.store.join(inbox="box", user=user, role=Role.MEMBER, joined=True)
    conv = await box.receive()
    calls = [
        stores[i % 2].assign(conv=conv, actor=user, cid=f"c{i}") for i, user in enumerate(users)
    ]
    results = await asyncio.gather(*calls, return_exceptions=True)
    await other.aclose()
    winners = [user for user, r in zip(users, results, strict=True) if isinstance(r, Applied)]
    losers = [r for r in results if isinstance(r, Refused)]
    assert len(winners) == 1
    assert len(losers) == 59
    assert {r.slug for r in losers} == {"conflict"}
    assert all(r.cur and r.cur["assignee"] == winners[0] for r in losers)
    assert all(winners[0] in r.message for r in losers)


async def test_two_fast_messages_make_one_conversation(box: Box) -> None:
    """Get-or-create is part of the message's own step."""
    convs = await asyncio.gather(*(box.receive() for _ in range(20)))
    assert len(set(convs)) == 1
    thread = await box.store.history(conv=convs[0], actor="ann")
    assert thread.row["unanswered"] == 20
    assert [m[0] for m in thread.messages] == list(range(1, 21))


async def test_a_provider_id_arrives_once(box: Box) -> None:
    """I8 for inbound: the retry finds the first place and changes nothing."""
    first = await box.store.receive(
        inbox="box", our=OUR, customer=CUSTOMER, provider_id="p", body=BODY, preview="a"
    )
    seq = await box.seq()
    again = await box.store.receive(
        inbox="box", our=OUR, customer=CUSTOMER, provider_id="p", body=BODY, preview="a"
    )
    assert (again.conv, again.n, again.seq, again.duplicate) == (first.conv, 1, first.seq, True)
    assert await box.seq() == seq


RETRIED: dict[str, Callable[[Box, str, str], Awaitable[Applied]]] = {
    "release": lambda b, c, t: b.store.release(conv=c, actor="ann", cid="same", own_tok=t),
    "done": lambda b, c, t: b.store.done(conv=c, actor="ann", cid="same", own_tok=t, seen=None),
    "transfer": lambda b, c, t: b.store.transfer(
        conv=c, actor="ann", cid="same", own_tok=t, to="bob"
    ),
    "undo": lambda b, c, t: b.store.undo(conv=c, actor="ann", cid="same", own_tok=t),
    "reply": lambda b, c, t: b.store.reply(
        conv=c, actor="ann", cid="same", own_tok=t, body=BODY, preview="x"
    ),
    "note": lambda b, c, t: b.store.note(conv=c, actor="ann", cid="same", body=BODY),
    "unread": lambda b, c, t: b.store.unread(conv=c, actor="ann", cid="same"),
    "compose": lambda b, c, t: b.store.compose(
        inbox="box", actor="ann", cid="same", our=OUR, customer=CUSTOMER, body=BODY, preview="x"
    ),
}


@pytest.mark.parametrize("name", RETRIED)
async def test_a_retry_has_no_second_effect(box: Box, name: str) -> None:
    """I8: same command id, same answer, the log does not grow, even once the actor has left."""
    conv = await box.receive()
    token = (await box.assign(conv)).own_tok
    first = await RETRIED[name](box, conv, token)
    seq = await box.seq()
    assert await RETRIED[name](box, conv, token) == first
    await box.store.remove(inbox="box", user="ann", role=None)
    seq_left = await box.seq()
    assert await RETRIED[name](box, conv, token) == first
    assert seq_left > seq
    assert await box.seq() == seq_left


async def test_a_command_id_is_bound_to_its_arguments(box: Box) -> None:
    """R3: the same id with other arguments is refused by name."""
    one, two = await box.receive(), await box.receive("+15550201")
    await box.store.assign(conv=one, actor="ann", cid="same")
    error = await refused(box.store.assign(conv=two, actor="ann", cid="same"))
    assert error.slug == "idempotency_mismatch"
    assert (await box.store.assign(conv=two, actor="bob", cid="same")).conv == two


async def test_who_repeats_a_command_may_know_the_conversation_better(box: Box) -> None:
    """Conditions are no arguments: they are not compared."""
    conv = await box.receive()
    token = (await box.store.assign(conv=conv, actor="ann", cid="a")).own_tok
    said: dict[str, Any] = {"conv": conv, "actor": "ann", "cid": "r", "body": BODY, "preview": "x"}
    first = await box.store.reply(**said, own_tok=token)
    await box.store.release(conv=conv, actor="ann", cid="b", own_tok=token)
    assert await box.store.reply(**said, own_tok="1.00000000", seen="9.00000000") == first


async def test_refusals_are_not_stored(box: Box) -> None:
    """A refused command may succeed later under the same id."""
    conv = await box.receive()
    own = await box.assign(conv, "bob")
    assert (await refused(box.store.assign(conv=conv, actor="ann", cid="k"))).slug == "conflict"
    await box.store.release(conv=conv, actor="bob", cid="r", own_tok=own.own_tok)
    assert not (await box.store.assign(conv=conv, actor="ann", cid="k")).noop


async def test_two_owners_replies_never_mix(box: Box) -> None:
    """R1: of a reply and a transfer at once, the reply is in before the transfer or refused."""
    for round_ in range(20):
        conv = await box.receive(f"+1555{round_:04d}")
        own = (await box.assign(conv)).own_tok
        replies = [
            box.store.reply(
                conv=conv, actor="ann", cid=f"{round_}r{i}", own_tok=own, body=BODY, preview="x"
            )
            for i in range(5)
        ]
        move = box.store.transfer(conv=conv, actor="ann", cid=f"{round_}t", own_tok=own, to="bob")
        calls: list[Awaitable[Applied]] = [*replies[:2], move, *replies[2:]]
        await asyncio.gather(*calls, return_exceptions=True)
        kinds = [m[3] for m in (await box.store.history(conv=conv, actor="ann")).messages]
        assert "replied" not in kinds[kinds.index("transferred") :]


async def test_undo_ends_after_ten_seconds(box: Box) -> None:
    """The window is judged inside the script, on the log's clock."""
    conv = await box.receive()
    own = await box.assign(conv)
    row = f"{box.log}:c:{conv}"
    prev = msgpack.unpackb(await box.client.execute("HGET", row, "prev"))
    prev["at_ms"] -= 10_001
    await box.client.execute("HSET", row, "prev", msgpack.packb(prev))
    error = await refused(box.store.undo(conv=conv, actor="ann", cid="u", own_tok=own.own_tok))
    assert error.slug == "not_undoable"
    prev["at_ms"] += 5_000
    await box.client.execute("HSET", row, "prev", msgpack.packb(prev))
    await box.store.undo(conv=conv, actor="ann", cid="u", own_tok=own.own_tok)


async def test_removal_returns_a_hundred_at_once_and_the_rest_by_a_job(box: Box) -> None:
    """Whoever left owns nothing from that step on, however much there is to return."""
    convs = [await box.receive(f"+1555{i:04d}") for i in range(230)]
    await asyncio.gather(*(box.assign(conv) for conv in convs))
    removed = await box.store.remove(inbox="box", user="ann", role=None)
    assert (removed.returned, removed.remaining) == (100, 130)
    held = (await box.store.page(inbox="box", actor="bob", view="others")).rows[0]["id"]
    assert (await refused(
        box.store.reply(conv=held, actor="ann", cid="x", own_tok="", body=BODY, preview="x")
    )).slug == "forbidden"  # fmt: skip
    # A colleague may take what the job has not reached: the departed counts as nobody.
    await box.store.assign(conv=held, actor="bob", cid="y")
    # Coming back before the job is through revives nothing.
    await box.store.join(inbox="box", user="ann", role=Role.MEMBER, joined=True)
    while await box.store.due(inbox="box"):
        pass
    rows = (await box.store.page(inbox="box", actor="ann", view="mine", n=200)).rows
    assert rows == []
    assert (await box.store.snapshot(inbox="box")).counts["unassigned"] == 229


async def test_an_admin_takes_over_only_on_purpose(box: Box) -> None:
    """Assign never takes somebody's; transfer to oneself does, with the present token."""
    conv = await box.receive()
    own = await box.assign(conv)
    assert (await refused(box.assign(conv, "adm"))).slug == "conflict"
    call = box.store.transfer
    bare = await refused(call(conv=conv, actor="adm", cid="1", own_tok="", to="adm"))
    assert bare.slug == "bad_request"
    assert bare.cur
    stale = await refused(call(conv=conv, actor="adm", cid="2", own_tok="1.00000000", to="adm"))
    assert stale.slug == "stale_token"
    await call(conv=conv, actor="adm", cid="3", own_tok=own.own_tok, to="adm")
    marks = await box.store.marks(inbox="box", user="adm")
    assert marks.joined
    assert marks.green == [conv]


async def test_joining_sees_the_whole_queue_as_blue(box: Box) -> None:
    """An admin who looked from beside the inbox joins with a clean slate."""
    conv = await box.receive()
    att = (await box.store.history(conv=conv, actor="adm")).row["att"]
    assert await box.store.seen(conv=conv, actor="adm", att=att)
    await box.store.join(inbox="box", user="adm", role=Role.ADMIN, joined=True)
    marks = await box.store.marks(inbox="box", user="adm")
    assert (marks.seen, marks.keys) == (True, [])


async def test_a_walk_never_misses_a_row(box: Box) -> None:
    """Rows move between Open and Done while a complete walk goes on: repeats, never gaps."""
    rng = random.Random(7)
    convs = [await box.receive(f"+1555{i:04d}") for i in range(40)]
    for _ in range(15):
        met: set[str] = set()
        after = ""
        while True:
            page = await box.store.page(inbox="box", actor="bob", view="walk", after=after, n=5)
            met |= {row["id"] for row in page.rows}
            for conv in rng.sample(convs, 3):
                thread = await box.store.history(conv=conv, actor="bob", n=1)
                if thread.row["status"] == "done":
                    await box.receive(thread.row["customer"])
                else:
                    await box.store.done(
                        conv=conv, actor="bob", cid=uuid.uuid4().hex, own_tok="", seen=None
                    )
            after = page.next
            if not after:
                break
        assert met == set(convs)


async def test_times_order_the_rows_even_within_a_millisecond(box: Box) -> None:
    """last_ms is unique and rising in an inbox: one cursor pages through every list."""
    await asyncio.gather(*(box.receive(f"+1555{i:04d}") for i in range(200)))
    rows = (await box.store.page(inbox="box", actor="bob", view="open", n=200)).rows
    times = [row["last_ms"] for row in rows]
    assert len(set(times)) == 200
    assert times == sorted(times, reverse=True)


async def test_history_pages_backwards(box: Box) -> None:
    """Every message once, ascending within a page."""
    conv = ""
    for _ in range(25):
        conv = await box.receive()
    numbers: list[int] = []
    before = 0
    while True:
        thread = await box.store.history(conv=conv, actor="ann", before=before, n=10)
        numbers = [m[0] for m in thread.messages] + numbers
        before = thread.next
        if not before:
            break
    assert numbers == list(range(1, 26))


async def test_a_deleted_inbox_is_gone_and_may_come_again(box: Box) -> None:
    """Access goes in the first step; a new inbox of the same id is another lineage."""
    for i in range(250):
        await box.receive(f"+1555{i:04d}")
        if i % 50 == 0:
            await box.reply(f"+1555{i:04d}")
    epoch = (await box.store.head(log=box.log)).epoch
    assert not await box.store.delete_inbox(inbox="box")
    assert (
        await refused(box.store.page(inbox="box", actor="ann", view="open"))
    ).slug == "not_found"
    while not await box.store.delete_inbox(inbox="box"):
        pass
    left = await box.client.execute("KEYS", f"{box.keys.space}*")
    assert all(b":p:" in key or b":i:" in key for key in left)  # these end by themselves
    await box.open()
    assert (await box.store.head(log=box.log)).epoch != epoch


async def test_check_tells_which_writes_are_missing(box: Box) -> None:
    """Positions of another lineage are reported, those of this one are not."""
    await box.receive()
    head = await box.store.head(log=box.log)
    positions = [(head.seq, head.tip), (head.seq, "f" * 16), (head.seq + 5, head.tip)]
    missing = await box.store.check(inbox="box", positions=positions)
    assert missing == [[head.seq, "f" * 16], [head.seq + 5, head.tip]]


async def test_a_forgotten_library_heals(box: Box) -> None:
    """A failover or a loss leaves an engine without it: the call goes through all the same."""
    conv = await box.receive()
    await box.client.execute("FUNCTION", "FLUSH")
    await box.assign(conv)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("#!lua\n", ""),
        ("-- derives meta", "-- derives mete"),
        ('{"conflict", row}', '{"conflicts", row}'),
        ("-- ARGV[3] to", "-- ARGV[4] to"),
    ],
)
def test_a_header_that_disagrees_with_its_body_does_not_load(
    tmp_path: Path, old: str, new: str
) -> None:
    """The header is the signature; nobody may trust one that lies."""
    shutil.copytree(FOLDER / "lib", tmp_path / "lib")
    target = tmp_path / "assign.lua"
    target.write_bytes((FOLDER / "assign.lua").read_bytes())
    assert "assign" in load_folder(tmp_path)
    text = target.read_text(encoding="utf-8")
    assert old in text
    target.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=r"assign\.lua"):
        load_folder(tmp_path)


async def test_a_wrong_name_in_a_call_is_a_type_error(client: Engine) -> None:
    """Arguments go by name."""
    scripts = Scripts(client)
    with pytest.raises(TypeError, match="takes conv"):
        await scripts.seen("x{ib:a}", conv="c", actor="a", mark="m")
    with pytest.raises(AttributeError):
        await scripts.sean("x{ib:a}")


async def test_marks_of_somebody_who_gives_back_and_never_looks_are_bounded(box: Box) -> None:
    conv = await box.receive()
    for _ in range(90):
        taken = await box.assign(conv)
        await box.store.release(conv=conv, actor="ann", cid=uuid.uuid4().hex, own_tok=taken.own_tok)
    # Two for each that waits, and 64, looked at for each sixteenth: see lib/compact.lua.
    assert await box.client.execute("SCARD", f"{box.log}:su:ann") < 2 + 64 + 16
    assert (await box.store.marks(inbox="box", user="ann")).blue == 0
