"""Single lies told of a legal round, each with the invariants of which one has to notice it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.replay import chain
from batonbox_server.torture.checking.judge import SEARCH
from batonbox_server.torture.checking.witness import INVARIANT as WITNESS
from batonbox_server.torture.record import (
    Call,
    Entry,
    Final,
    Observed,
    Outcome,
    Record,
    Said,
    Sample,
)

T = TypeVar("T")
Records = list[Record]
Spoil = Callable[[Records, random.Random], Records | None]
SPOILS: dict[str, tuple[frozenset[str], Spoil]] = {}


def spoil(*names: str) -> Callable[[Spoil], Spoil]:
    """Registers a lie; None from it means: nothing in this round to tell it of."""

    def register(function: Spoil) -> Spoil:
        SPOILS[function.__name__] = (frozenset(names), function)
        return function

    return register


def indexes(
    records: Records, kind: type[T], which: Callable[[T], bool] = lambda _: True
) -> list[int]:
    """Where such records stand."""
    return [i for i, r in enumerate(records) if isinstance(r, kind) and which(r)]


def put(records: Records, i: int, **changes: Any) -> Records:
    """With one record changed."""
    return [*records[:i], replace(records[i], **changes), *records[i + 1 :]]


def final_of(records: Records) -> Final:
    """The truth at the end."""
    assert isinstance(records[-1], Final)
    return records[-1]


def rechained(final: Final, log: list[tuple[dict[str, Any], Any]]) -> Final:
    """The truth with another log, whose seqs and tips are in order."""
    tip, entries = "0" * 16, []
    for seq, (meta, body) in enumerate(log, start=1):
        core = b"\x96\x14" + b"".join(map(msgpack.packb, (final.inbox, seq, meta, body)))
        prev, tip = tip, chain(tip, core)
        entries.append(Entry(seq=seq, prev=prev, frame=core + b"\xb0" + tip.encode()))
    return replace(final, log=entries, head=(len(entries), tip))


def told(final: Final) -> list[tuple[dict[str, Any], Any]]:
    """The log's metas and bodies."""
    return [(entry.decoded()[1], entry.decoded()[2]) for entry in final.log]


def commands(records: Records, kind: str, *verbs: str) -> list[tuple[int, int]]:
    """Call and outcome of commands that ended so."""
    calls = {r.id: i for i, r in enumerate(records) if isinstance(r, Call) and r.verb in verbs}
    return [
        (calls[r.id], i)
        for i, r in enumerate(records)
        if isinstance(r, Outcome) and r.kind == kind and r.id in calls and not r.reply.get("noop")
    ]


# The log


@spoil("I1")
def an_entry_is_missing(records: Records, rng: random.Random) -> Records:
    final = final_of(records)
    i = rng.randrange(1, len(final.log) - 1)
    return put(records, len(records) - 1, log=final.log[:i] + final.log[i + 1 :])


@spoil("I1")
def every_other_entry_is_missing(records: Records, rng: random.Random) -> Records:
    """What is told by its number is not found by counting."""
    log = list(final_of(records).log)
    return put(records, len(records) - 1, log=[log[0], *log[-1:0:-2][::-1]])


@spoil("I2")
def a_byte_of_an_entry_is_changed(records: Records, rng: random.Random) -> Records:
    final = final_of(records)
    i = rng.randrange(len(final.log))
    entry = final.log[i]
    frame = entry.frame.replace(b"type", b"tYpe", 1)
    log = [*final.log[:i], replace(entry, frame=frame), *final.log[i + 1 :]]
    return put(records, len(records) - 1, log=log)


@spoil("I2")
def a_tip_is_wrong(records: Records, rng: random.Random) -> Records:
    final = final_of(records)
    i = rng.randrange(len(final.log))
    entry = final.log[i]
    wrong = replace(entry, frame=entry.frame[:-16] + b"f" * 16)
    return put(records, len(records) - 1, log=[*final.log[:i], wrong, *final.log[i + 1 :]])


@spoil("I2")
def the_head_is_another(records: Records, rng: random.Random) -> Records:
    return put(records, len(records) - 1, head=(final_of(records).head[0], "f" * 16))


@spoil("I6")
def an_owned_one_is_assigned(records: Records, rng: random.Random) -> Records | None:
    final = final_of(records)
    log = told(final)
    owned = [i for i, (m, _) in enumerate(log) if m["type"] == "transferred"]
    if not owned:
        return None
    i = rng.choice(owned)
    log[i] = ({**log[i][0], "type": "assigned"}, log[i][1])
    return [*records[:-1], rechained(final, log)]


@spoil("I6")
def somebody_elses_reply_is_in_the_log(records: Records, rng: random.Random) -> Records | None:
    final = final_of(records)
    log = told(final)
    replies = [i for i, (m, _) in enumerate(log) if m["type"] == "replied"]
    if not replies:
        return None
    i = rng.choice(replies)
    log[i] = ({**log[i][0], "actor": "eve"}, log[i][1])
    return [*records[:-1], rechained(final, log)]


# What clients saw


def _events(records: Records) -> list[int]:
    return indexes(records, Observed, lambda o: o.kind == "event")


@spoil("I3")
def a_client_holds_another_tip(records: Records, rng: random.Random) -> Records:
    last = {o.client: i for i, o in enumerate(records) if isinstance(o, Observed) and o.tip}
    return put(records, rng.choice(sorted(last.values())), tip="f" * 16)


@spoil("I3")
def a_client_came_from_another_past(records: Records, rng: random.Random) -> Records | None:
    after = [i for i in _events(records) if _next_of(records, i) is not None]
    return put(records, rng.choice(after), tip="f" * 16) if after else None


def _next_of(records: Records, i: int) -> int | None:
    """The same client's next event, with nothing between."""
    one = records[i]
    assert isinstance(one, Observed)
    for j in range(i + 1, len(records)):
        other = records[j]
        if isinstance(other, Observed) and other.client == one.client:
            return j if other.kind == "event" else None
    return None


@spoil("I4")
def an_event_comes_twice(records: Records, rng: random.Random) -> Records:
    i = rng.choice(_events(records))
    return [*records[: i + 1], records[i], *records[i + 1 :]]


@spoil("I4")
def an_event_is_left_out(records: Records, rng: random.Random) -> Records | None:
    between = [i for i in _events(records) if _next_of(records, i) is not None]
    i = rng.choice(between)
    return [*records[:i], *records[i + 1 :]]


@spoil("I3", "I4")
def two_events_are_swapped(records: Records, rng: random.Random) -> Records:
    i = rng.choice([i for i in _events(records) if _next_of(records, i) is not None])
    j = _next_of(records, i)
    assert j is not None
    swapped = list(records)
    swapped[i], swapped[j] = swapped[j], swapped[i]
    return swapped


@spoil("I3", "I5")
def a_client_is_told_another_owner(records: Records, rng: random.Random) -> Records | None:
    # The last event about a conversation, so that nothing later puts it right.
    last: dict[tuple[str, str], int] = {}
    for i in _events(records):
        event = records[i]
        assert isinstance(event, Observed) and event.meta is not None
        if "row" in event.meta:
            last[event.client, event.meta["conv"]] = i
    if not last:
        return None
    i = rng.choice(sorted(last.values()))
    event = records[i]
    assert isinstance(event, Observed) and event.meta is not None
    row = {**event.meta["row"], "assignee": "eve"}
    return put(records, i, meta={**event.meta, "row": row})


@spoil("I5")
def the_engines_row_is_not_the_logs(records: Records, rng: random.Random) -> Records | None:
    rows = list(final_of(records).rows)
    if not rows:
        return None
    i = rng.randrange(len(rows))
    rows[i] = {**rows[i], "unanswered": rows[i]["unanswered"] + 1}
    return put(records, len(records) - 1, rows=rows)


@spoil("I12")
def the_removed_hear_one_more(records: Records, rng: random.Random) -> Records | None:
    gone = indexes(records, Observed, lambda o: o.kind == "unsubscribed")
    if not gone:
        return None
    i = rng.choice(gone)
    one = records[i]
    assert isinstance(one, Observed)
    removal = max(r.seq for r in records[:i] if isinstance(r, Observed) and r.client == one.client)
    heard = [
        r
        for r in records
        if isinstance(r, Observed) and r.kind == "event" and r.seq == removal + 1
        and r.client != one.client
    ]  # fmt: skip
    if not heard or (heard[0].meta or {}).get("user") == one.user:
        return None
    late = replace(heard[0], client=one.client, user=one.user)
    return [*records[:i], late, *records[i:]]


@spoil("I15")
def a_client_stays_behind(records: Records, rng: random.Random) -> Records | None:
    tops = [
        i for i in _events(records) if getattr(records[i], "seq", 0) == final_of(records).head[0]
    ]
    if not tops:
        return None
    i = rng.choice(tops)
    return [*records[:i], *records[i + 1 :]]


@spoil("I15")
def a_client_is_late(records: Records, rng: random.Random) -> Records | None:
    tops = [
        i for i in _events(records) if getattr(records[i], "seq", 0) == final_of(records).head[0]
    ]
    if not tops:
        return None
    i = rng.choice(tops)
    event = records[i]
    assert isinstance(event, Observed)
    return put(records, i, at_ns=event.at_ns + 11_000_000_000)


# Indexes and badges


@spoil("I10")
def an_index_forgets_one(records: Records, rng: random.Random) -> Records | None:
    held = {name: dict(items) for name, items in final_of(records).indexes.items()}
    full = sorted(name for name, items in held.items() if items)
    name = rng.choice(full)
    held[name].pop(rng.choice(sorted(held[name])))
    return put(records, len(records) - 1, indexes=held)


@spoil("I10")
def an_index_keeps_one_too_many(records: Records, rng: random.Random) -> Records:
    held = {name: dict(items) for name, items in final_of(records).indexes.items()}
    held[rng.choice(sorted(held))]["box.nobody"] = 0
    return put(records, len(records) - 1, indexes=held)


@spoil("I11")
def a_badge_is_one_too_high(records: Records, rng: random.Random) -> Records | None:
    shown = indexes(records, Observed, lambda o: o.kind == "badge")
    if not shown:
        return None
    i = rng.choice(shown)
    badge = getattr(records[i], "badge", None)
    assert badge is not None
    one = rng.randrange(3)
    return put(records, i, badge=tuple(n + (k == one) for k, n in enumerate(badge)))


@spoil("I11")
def the_engine_counts_wrong(records: Records, rng: random.Random) -> Records:
    totals = dict(final_of(records).totals)
    user = rng.choice(sorted(totals))
    blue, green, unassigned = totals[user]
    totals[user] = (blue, green + 1, unassigned)
    return put(records, len(records) - 1, totals=totals)


# Commands


@spoil("I7")
def it_began_after_it_was_in_the_log(records: Records, rng: random.Random) -> Records | None:
    done = commands(records, "ok", "assign", "transfer", "return", "done", "reply")
    if len(done) < 4:
        return None
    call, outcome = done[0]
    late = max(r.ended_ns for r in records if isinstance(r, Outcome)) + 1_000_000
    return put(put(records, call, began_ns=late), outcome, ended_ns=late + 1_000_000)


@spoil("I8")
def it_took_effect_twice(records: Records, rng: random.Random) -> Records | None:
    final = final_of(records)
    log = told(final)
    replies = [i for i, (m, _) in enumerate(log) if m["type"] == "replied"]
    if not replies:
        return None
    i = rng.choice(replies)
    return [*records[:-1], rechained(final, [*log[: i + 1], log[i], *log[i + 1 :]])]


@spoil("I8")
def a_refused_one_took_effect(records: Records, rng: random.Random) -> Records | None:
    done = commands(records, "ok", "assign", "transfer", "return", "reply")
    if not done:
        return None
    _, i = rng.choice(done)
    return put(records, i, kind="refused", slug="not_owner", seq=None, tip=None, reply={})


@spoil("I8")
def a_message_came_in_twice(records: Records, rng: random.Random) -> Records | None:
    final = final_of(records)
    log = told(final)
    received = [i for i, (m, _) in enumerate(log) if m["type"] == "received"]
    if not received:
        return None
    i = rng.choice(received)
    return [*records[:-1], rechained(final, [*log, log[i]])]


@spoil("I9")
def a_stale_token_was_accepted(records: Records, rng: random.Random) -> Records | None:
    done = commands(records, "ok", "transfer", "return", "done", "reply", "undo")
    if not done:
        return None
    i, _ = rng.choice(done)
    call = records[i]
    assert isinstance(call, Call)
    return put(records, i, args={**call.args, "own_tok": "1.00000000"})


@spoil("I13")
def an_acknowledged_command_is_lost(records: Records, rng: random.Random) -> Records | None:
    done = commands(records, "ok", "assign", "transfer", "return", "reply")
    if not done:
        return None
    _, i = rng.choice(done)
    return put(records, i, tip="f" * 16)


@spoil("I13")
def an_answer_names_a_neighbour(records: Records, rng: random.Random) -> Records | None:
    done = commands(records, "ok", "assign", "transfer", "return", "reply")
    final = final_of(records)
    if not done:
        return None
    _, i = rng.choice(done)
    seq = getattr(records[i], "seq", 0)
    if not 1 < seq <= len(final.log):
        return None
    return put(records, i, seq=seq - 1, tip=final.log[seq - 2].frame[-16:].decode())


@spoil("I13")
def an_acknowledged_message_is_lost(records: Records, rng: random.Random) -> Records | None:
    said = indexes(records, Said, lambda s: s.acknowledged_ns is not None)
    return put(records, rng.choice(said), text="never said") if said else None


@spoil("I8")
def a_message_that_came_again_was_kept_again(
    records: Records, rng: random.Random
) -> Records | None:
    said = indexes(records, Said, lambda s: len(s.places) > 1)
    if not said:
        return None
    i = rng.choice(said)
    conv, n = getattr(records[i], "places", [])[0]
    return put(records, i, places=[(conv, n), (conv, n + 1)])


@spoil("I13")
def a_carrier_was_told_of_another_conversation(
    records: Records, rng: random.Random
) -> Records | None:
    said = indexes(records, Said, lambda s: bool(s.places))
    return put(records, rng.choice(said), places=[("box.other", 1)]) if said else None


@spoil("I14")
def a_stalled_client_costs_memory(records: Records, rng: random.Random) -> Records:
    samples = [
        Sample(node="n1", at_ns=1, resident_bytes=80 << 20, connections=9, stalled=0),
        Sample(node="n1", at_ns=2, resident_bytes=400 << 20, connections=10, stalled=1),
    ]
    return [*records[:-1], *samples, records[-1]]


# Ownership


@spoil(WITNESS)
def two_won_the_race(records: Records, rng: random.Random) -> Records | None:
    """A refused assign says OK instead; whatever it says of its position is true of the log."""
    final = final_of(records)
    refused = [
        i
        for i in indexes(records, Outcome, lambda o: o.slug == "conflict")
        if (getattr(records[i], "cur", None) or {}).get("rev")
    ]
    if not refused:
        return None
    i = rng.choice(refused)
    one = records[i]
    assert isinstance(one, Outcome) and one.cur is not None
    seq = one.cur["rev"]
    tip = final.log[seq - 1].frame[-16:].decode()
    reply = {"conv": one.cur["id"], "own_tok": "999.ffffffff", "seq": seq, "tip": tip, "noop": True}
    return put(records, i, kind="ok", slug=None, cur=None, seq=seq, tip=tip, reply=reply)


@spoil(WITNESS, SEARCH, "I8")
def the_owner_was_refused(records: Records, rng: random.Random) -> Records | None:
    return _to_refused(records, rng, "not_owner")


@spoil(SEARCH)
def a_refusal_shows_an_owner_there_never_was(
    records: Records, rng: random.Random
) -> Records | None:
    shown = indexes(records, Outcome, lambda o: bool(o.cur) and o.slug == "conflict")
    if not shown:
        return None
    i = rng.choice(shown)
    cur = getattr(records[i], "cur", None)
    assert cur is not None
    return put(records, i, cur={**cur, "assignee": "eve"})


@spoil(SEARCH)
def the_row_at_rest_has_another_owner(records: Records, rng: random.Random) -> Records | None:
    rows = list(final_of(records).rows)
    owned = [i for i, row in enumerate(rows) if row["assignee"]]
    if not owned:
        return None
    i = rng.choice(owned)
    rows[i] = {**rows[i], "assignee": "eve"}
    return put(records, len(records) - 1, rows=rows)


def _to_refused(records: Records, rng: random.Random, slug: str) -> Records | None:
    """A reply of the owner is told to be refused, and is not in the log."""
    done = commands(records, "ok", "reply")
    if not done:
        return None
    _, i = rng.choice(done)
    return put(records, i, kind="refused", slug=slug, seq=None, tip=None, reply={})
