"""The state at rest: rows are the log's (I5), indexes the rows' (I10), badges both's (I11)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from batonbox_server.domain.inbox import Inbox
from batonbox_server.domain.indicators import totals
from batonbox_server.domain.model import Row, is_room
from batonbox_server.domain.recount import board_key, places
from batonbox_server.domain.replay import row_of
from batonbox_server.torture.checking.clients import Follower
from batonbox_server.torture.checking.findings import Findings
from batonbox_server.torture.checking.rounds import InboxRound, Round
from batonbox_server.torture.record import Final

LISTS = frozenset({"op", "un", "done"})  # of the sorted indexes, those that a row alone decides
STALLED_BYTES = 256 * 1024  # what one connection that does not read may hold
SLACK_BYTES = 64 * 1024 * 1024  # what a process may grow for other reasons


def check_rows(box: InboxRound, replayed: dict[str, Row], findings: Findings) -> None:
    """I5 at the source: the engine's rows are what the log says."""
    final = box.end
    if final is None or is_room(box.inbox):
        return
    rows = {row["id"]: row_of(row) for row in final.rows}
    for conv, row in replayed.items():
        findings.expect(
            rows.get(conv) == row, "I5",
            f"{box.inbox}: {conv} is {rows.get(conv)}, its log says {row}", [box.end_record],
        )  # fmt: skip
    if box.first == 1:
        for conv in rows.keys() - replayed.keys():
            findings.wrong("I5", f"{box.inbox}: {conv} is in no event", [box.end_record])


def check_indexes(box: InboxRound, findings: Findings) -> None:
    """I10: every index holds what the rows say, no more and no less."""
    final = box.end
    if final is None or not final.indexes:
        return
    want = expected_indexes(final)
    for name in sorted(want.keys() | final.indexes.keys()):
        have, should = final.indexes.get(name, {}), want.get(name, {})
        wrong = {item for item in have | should if have.get(item) != should.get(item)}
        findings.expect(
            not wrong, "I10", f"{box.inbox}: the index {name} is wrong about {sorted(wrong)[:5]}",
            [box.end_record],
        )  # fmt: skip


def expected_indexes(final: Final) -> dict[str, dict[str, int]]:
    """The lists and sets that the rows and marks make, by key."""
    want: dict[str, dict[str, int]] = defaultdict(dict)
    for row in map(row_of, final.rows):
        for name, score in places(row, acted_ms=0, held=0).items():
            if name in LISTS or name.startswith("as:"):
                want[name][row.id] = score
        if key := board_key(row):
            want["unm"][key] = 0
    for user, marks in final.marks.items():
        if marks.get("green"):
            want[f"gm:{user}"] = dict.fromkeys(marks["green"], 0)
    return want


def inbox_of_final(final: Final) -> Inbox:
    """The inbox as a value, with everybody's marks."""
    inbox = Inbox(seq=final.head[0])
    inbox.rows = {row["id"]: row_of(row) for row in final.rows}
    for user, marks in final.marks.items():
        inbox.seen[user] = set(marks.get("seen", ()))
        inbox.green[user] = set(marks.get("green", ()))
    return inbox


def check_badges(
    box: InboxRound, whole: Round, followers: dict[str, Follower], findings: Findings
) -> None:
    """I11: a recount of the rows = what the engine counts = what every client shows."""
    final = box.end
    if final is None or is_room(box.inbox):
        return
    inbox = inbox_of_final(final)
    recount = {}
    for user in final.members.keys() | final.totals.keys() | set(whole.users.values()):
        counted = totals(inbox, user)
        recount[user] = (counted.blue, counted.green, counted.unassigned)
    for user, told in final.totals.items():
        findings.expect(
            tuple(told) == recount[user], "I11",
            f"{box.inbox}: the engine counts {tuple(told)} for {user}, the rows {recount[user]}",
            [box.end_record],
        )  # fmt: skip
    for client, seen in box.seen.items():
        user, badges = whole.users.get(client, ""), _badges(seen)
        member = final.members.get(user, {})
        follower = followers.get(client)
        if not badges or not member.get("joined") or follower is None or follower.gone:
            continue
        number, badge = badges[-1]
        findings.expect(
            badge == recount[user], "I11",
            f"{client} ({user}) shows {badge} for {box.inbox}, the rows make {recount[user]}",
            [number],
        )  # fmt: skip


def _badges(seen: list[tuple[int, Any]]) -> list[tuple[int, tuple[int, int, int]]]:
    return [(number, what.badge) for number, what in seen if what.kind == "badge" and what.badge]


def check_memory(whole: Round, findings: Findings) -> None:
    """I14: beside a node's first sample, stalled connections cost a constant each."""
    first: dict[str, int] = {}
    for number, sample in whole.samples:
        base = first.setdefault(sample.node, sample.resident_bytes)
        if sample.stalled:
            grown = sample.resident_bytes - base
            allowed = SLACK_BYTES + STALLED_BYTES * sample.connections
            findings.expect(
                grown <= allowed, "I14",
                f"{sample.node} grew by {grown >> 20} MiB over {sample.stalled} stalled clients",
                [number],
            )  # fmt: skip
