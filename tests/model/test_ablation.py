"""Each mechanism of the scripts, taken out, is caught: proof that the model test can fail."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from batonbox_server.store.scripts import FOLDER, Scripts
from tests.model.conftest import Bench
from tests.model.sequences import directed, sequences

# invariant, mechanism: file, what stands there, what stands there without it
ABLATIONS = {
    "I2 the tip hashes its prefix": (
        "lib/log", "redis.sha1hex(cx.tip .. core)", "redis.sha1hex(core)",
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
        "lib/commit", 'if not now[k] then redis.call("ZREM", k, c.id) end', "",
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
    "I11 seen compares the mark": ("seen", 'att == "" or c.att ~= att', "false"),
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
    "I8 inbound dedupes": ("receive", "if place then return", "if place == 1 then return"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ABLATIONS))
def test_a_missing_mechanism_is_noticed(name: str, bench: Bench, tmp_path: Path) -> None:
    """Without it, a short run of the model test fails."""
    file, old, new = ABLATIONS[name]
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    path = tmp_path / f"{file}.lua"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{file}.lua no longer holds {old!r}"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises((AssertionError, ExceptionGroup, IndexError, KeyError)):
        compare(bench, Scripts(bench.client, tmp_path))


def compare(bench: Bench, scripts: Scripts) -> None:
    """The rare paths first, then random ones."""
    directed(scripts, Counter())(bench)
    sequences(scripts, Counter(), n=400)(bench)
