"""Each mechanism of the scripts, taken out, is caught: proof that the model test can fail."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from batonbox_server.store.scripts import Scripts
from tests.model.conftest import Bench
from tests.model.sequences import directed, sequences

# invariant, mechanism: file, what stands there, what stands there without it
ABLATIONS = {
    "I2 the tip hashes its prefix": (
        "lib/log", 'redis.sha1hex(cx.tip .. "', 'redis.sha1hex("',
    ),
    "I6 one owner: assign looks at the status": (
        "assign", 'if c.status == "assigned" then', 'if c.assignee == owner then',
    ),
    "I6 the reply fence": (
        "reply", 'if c.status ~= "assigned" or c.assignee ~= actor then', "if false then",
    ),
    "I9 the ownership token": (
        "lib/command", 'own_tok ~= "" and own_tok ~= c.own_tok', "false",
    ),
    "I9 the token of a reply": (
        "reply", 'own_tok ~= "" and own_tok ~= c.own_tok', "false",
    ),
    "I9 a new token at every change": (
        "lib/change",
        'c.own_tok = mark(cx, "own" .. salt)',
        'if #c.own_tok == 0 then c.own_tok = mark(cx, "own") end',
    ),
    "R2 the done guard": ("done", 'seen ~= "*" and seen ~= c.in_seq', "false"),
    "role check inside the script": (
        "lib/command",
        "local me = member(cx, by.actor)",
        'local me = member(cx, by.actor) or {role = "member", joined = true, since = 0}',
    ),
    "a departed owner counts as nobody": (
        "lib/member", "return m ~= nil and m.since", "return m == nil or m.since",
    ),
    "coming back revives nothing": (
        "lib/member", 'm.since < tonumber(string.match(c.own_tok, "^%d+"))', "true",
    ),
    "I10 the board forgets what was taken": (
        "lib/commit", 'redis.call("SREM", key("unm"), old)', "old = nil",
    ),
    "I10 the owner's index": (
        "lib/commit", 'redis.call("ZREM", list_of(was), c.id)', "",
    ),
    "I11 a green mark goes with its owner": (
        "lib/commit", 'redis.call("SREM", key("gm", was_green), c.id)', "",
    ),
    "I11 who puts it back has seen it": (
        "lib/change", 'cx.saw[actor] = c.id .. ":" .. c.att', "cx.was = cx.was",
    ),
    "I11 handed over is green until opened": (
        "lib/change", 'c.att, c.unseen = mark(cx, "att" .. salt), true', "c.unseen = false",
    ),
    "I10 who waits is indexed by since when": (
        "lib/commit", 'redis.call("ZREM", key("wq"), c.id)', "",
    ),
    "I11 done zeroes": ("lib/change", 'c.att, c.unseen, c.unanswered, c.waiting_since = "", false',
                        "c.att, c.unseen, c.unanswered, c.waiting_since = c.att, false"),
    "I11 a claim is green only if it was unread": (
        "lib/change", 'redis.call("SISMEMBER", key("su", user), c.id .. ":" .. c.att) == 0', "true",
    ),
    "I11 seen compares the mark": ("seen", 'att == "" or now ~= att', "false"),
    "I11 joining sees the whole queue": (
        "join",
        "if fresh_join then cx.cleared[user] = true end",
        "",
    ),
    "I11 an admin who takes one joins with a clean slate": (
        "lib/command",
        "cx.cleared[user] = true",
        "",
    ),
    "I16 what is sent again goes to the end": ("lib/outbox", "RPUSH", "LPUSH"),
    "I16 what has ended leaves its line": ("sent", "dequeue(cx, conv, n)", "0"),
    "I17 every change of ownership is audited": (
        "lib/change", "  audit_change(cx, kind, c, was, actor, more.reason)\n", "",
    ),
    "I17 what is nobody's act has no origin": (
        "lib/change", 'audit(cx, actor ~= "" and cx.by or nil, act', "audit(cx, cx.by, act",
    ),
    "I17 a take-over is named": ("lib/change", 'act = "take_over"', 'act = "transfer"'),
    "I17 sending again is audited": ("retry", "audit(cx, cx.by,", "type(cx, cx.by,"),
    "undo only by its actor": ("undo", "and prev.actor == actor ", ""),
    "undo never into Done over a question": ("undo", "back = c.unanswered == 0", "back = true"),
    "I20 who is away with release loses what is written to": (
        "lib/available", 'if mode_of(c.assignee) == "release" then', "if false then",
    ),
    "I20 who is gone has a grace": (
        "lib/available", "grace > 0 and at - math.max", "at + math.max",
    ),
    "I20 the grace begins anew with what the owner does": (
        "lib/available", "at - math.max(since, c.acted_ms) >= grace", "at - since >= grace",
    ),
    "an own note is something": ("note", "if c.assignee == actor then c.acted_ms = at end", ""),
    "I10 silent since the later of question and act": (
        "lib/owned", "math.max(c.waiting_since, c.acted_ms)", "c.waiting_since",
    ),
    "I10 what is answered or put aside is not owed": (
        "lib/owned", 'if not now then redis.call("ZREM", key("ow"), c.id) end', "",
    ),
    "I10 what is owed leaves its owner": (
        "lib/owned", 'redis.call("ZREM", key("ow", before), c.id)', "",
    ),
    "I10 who comes back is not watched": (
        "lib/owned", 'redis.call("ZREM", key("gone"), user)', "",
    ),
    "I10 coming and going is indexed at once": ("offline", "watch_gone(user)", ""),
    "I10 what wakes leaves the sleepers": (
        "lib/owned", 'redis.call("ZREM", key("sno"), c.id)', "",
    ),
    "snoozes wake": ("due", "wake_due(cx, at)", ""),
    "I20 silent owners lose it": ("due", "silent_due(cx, at)", ""),
    "I20 gone owners lose it": ("due", "gone_due(cx, at)", ""),
    "removals go on": ("due", "left = select(2, sweep(cx, user))", "left = 0"),
    "I11 what wakes is unread": (
        "lib/due", 'c.att, c.unseen = mark(cx, "att" .. c.id), true', "",
    ),
    "I20 nothing wakes for somebody away": (
        "lib/due", "absent(c, at) or not owner_counts(cx, c)", "not owner_counts(cx, c)",
    ),
    "what a departed owner has is told as such": (
        "lib/due", 'owner_counts(cx, c) and reason or "membership"', "reason",
    ),
    "a batch is a hundred": ("lib/due", "BATCH - #cx.entries", "2 * BATCH"),
    "only its owner puts it aside": (
        "lib/command", 'c.status ~= "assigned" or c.assignee ~= actor', 'c.status ~= "assigned"',
    ),
    "a snooze ends": ("snooze", "till <= at or till > at + LONGEST_MS", "till <= at"),
    "a customer's message wakes": (
        "lib/change", "elseif c.snoozed_until > 0 then", "elseif false then",
    ),
    "a change of the owner wakes": (
        "lib/change", "c.snoozed_until, c.acted_ms = 0, status", "c.acted_ms = status",
    ),
    "back to the last owner only if they are available": (
        "lib/change", "and available(cx, last) then", "and member(cx, last) then",
    ),
    "back to the last owner only where the inbox says so": (
        "lib/change", 'options().reopen_to == "last_assignee"', "true",
    ),
    "available is who has joined": ("lib/available", "m.joined and mode_of", "mode_of"),
    "members hand out only where the inbox lets them": (
        "assign", "me.joined and options().members_may_dispatch", "me.joined",
    ),
    "members do not hand out what is done": (
        "assign", 'if member_hands and c.status == "done"', "if false",
    ),
    "options of an older position come too late": ("options", "if at < last", "if false"),
    "being away of an older position comes too late": ("away", "if at < last", "if false"),
    "an older going comes too late": ("offline", "if version < last", "if false"),
    "I17 giving it back to the last owner is audited": (
        "lib/change", 'act, reason = "assign", "reopened"', "act = nil",
    ),
    "I21 opting out fences replies": ("reply", "if c.blocked > 0 then", "if false then"),
    "I21 opting out fences new conversations": (
        "compose", "if c.blocked > 0 then", "if false then",
    ),
    "I21 opting out fences sending again": ("retry", "if c.blocked > 0 then", "if false then"),
    "I21 opting out stops what is queued": (
        "lease_outbox", "and blocked_since(c.our, c.customer) > 0", "and false",
    ),
    "the confirmation is sent all the same": (
        "lease_outbox", 'entry.head[4] ~= "answered" and ', "",
    ),
    "a keyword is nobody's business": ("receive", "if said.mute then", "if false then"),
    "a keyword releases nothing": (
        "receive", "if not said.mute then release_absent(cx, c) end", "release_absent(cx, c)",
    ),
    "I21 the later of two words counts": ("lib/optout", "at > math.abs(last)", "true"),
    "opting out is confirmed once": (
        "lib/optout", 'if newer and out == (word == "start") then', "if newer then",
    ),
    "START is a word like any other": (
        "lib/optout", 'elseif out then said.mute = "opt_in" end', 'else said.mute = "opt_in" end',
    ),
    "a row says that its customer opted out": (
        "lib/change", "cx.last_ms, c.blocked\n", "cx.last_ms, c.opted_out\n",
    ),
    "why a message failed is forgotten when it is sent again": (
        "retry", 'redis.call("HDEL", key("why")', 'redis.call("HGET", key("why")',
    ),
    "I8 stored replies: a retry has no second effect": (
        "lib/command", "if stored then return nil, stored end", "",
    ),
    "reads before writes: who is refused has written nothing": (
        "assign", 'return refuse(cx, {"conflict", cur(c)})',
        (
            'redis.call("HSET", key("c", c.id), "assignee", owner) '
            'return refuse(cx, {"conflict", cur(c)})'
        ),
    ),
    "I8 inbound dedupes": ("receive", "if place then return", "if place == 1 then return"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ABLATIONS))
def test_a_missing_mechanism_is_noticed(name: str, bench: Bench, tmp_path: Path) -> None:
    """Without it, a short run of the model test fails."""
    scripts = bench.without(ABLATIONS[name], tmp_path)
    with pytest.raises((AssertionError, ExceptionGroup, IndexError, KeyError)):
        compare(bench, scripts)


def compare(bench: Bench, scripts: Scripts) -> None:
    """The rare paths first, then random ones."""
    directed(scripts, Counter())(bench)
    sequences(scripts, Counter(), n=400)(bench)
