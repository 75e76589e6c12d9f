"""Random histories of rooms on the engine equal the same as plain values; each guard is needed."""

from __future__ import annotations

import random
import uuid
from pathlib import Path
from typing import Final

import pytest

from batonbox_server.store.scripts import Scripts
from tests.model.conftest import Bench
from tests.model.rooms_world import World, drawn

_SEEDS: Final = range(10)
_STEPS: Final = 100

# mechanism: file, what stands there, what stands there without it
ABLATIONS: Final = {
    "only who is in it posts": (
        "post", "if not member(cx, actor) then", "if false then",
    ),
    "only who is in it is named": ("post", "if outsider(cx, named) then", "if false then"),
    "an archived channel takes no posts": ("post", "if c.archived > 0 then", "if false then"),
    "the author has read it": (
        "post", 'redis.call("HSET", key("rd"), actor, c.posts)', "",
    ),
    "the author is not named any more": ("post", 'redis.call("DEL", key("at", actor))', ""),
    "a mark is never lowered": ("room_seen", "if read <= mark_of(actor) then", "if false then"),
    "a mark is not beyond the last post": (
        "room_seen", "read = math.min(read, posts)", "",
    ),
    "what is seen names nobody": (
        "lib/room", 'redis.call("ZREMRANGEBYSCORE", key("at", user), "-inf", read)', "",
    ),
    "one's own last post is not unread": (
        "room_unread", "c.last_by ~= actor and mark_of", "mark_of",
    ),
    "strangers join public channels alone": (
        "room_member", 'not (myself and (was or c.kind == "public"))', "not myself",
    ),
    "a direct room keeps its two": (
        "room_member", 'if c.kind == "direct" then', "if false then",
    ),
    "who is taken out is out": ("lib/room", 'redis.call("HDEL", key("mem"), user)', ""),
    "joining forgets what one had not seen": (
        "lib/room", 'redis.call("DEL", key("at", user))', "",
    ),
    "one edits one's own": (
        "edit", "if entry.head[5] ~= actor and not admin then", "if false then",
    ),
    "in a direct room nobody deletes the other's": (
        "edit", ' and ARGV[7] == "1" and c.kind ~= "direct"', ' and ARGV[7] == "1"',
    ),
    "what was deleted stays so": ("edit", 'if entry.head[7] == "deleted" then', "if false then"),
    "what stood there is kept": ("edit", 'redis.call("RPUSH", key("e", n), before)', ""),
    "the preview is the last post's": ("edit", "if n == c.last_n then", "if true then"),
    "a retry has no second effect": (
        "lib/room", "if stored then return nil, stored end", "",
    ),
    "a system line is no post": ("edit", 'entry.head[4] ~= "posted"', "false"),
    "the tip hashes its prefix": (
        "lib/log", 'redis.sha1hex(cx.tip .. "', 'redis.sha1hex("',
    ),
    "the index forgets who left": (
        "org_room_settle", 'redis.call("SREM", key("ru", user), room)', "",
    ),
}  # fmt: skip


async def _play(bench: Bench, scripts: Scripts, seed: int) -> None:
    world = World(bench.client, f"t{uuid.uuid4().hex[:8]}", scripts)
    await world.open()
    for act in drawn(random.Random(seed), _STEPS):
        await world.run(act)


async def _play_all(bench: Bench, scripts: Scripts) -> None:
    for seed in _SEEDS:
        await _play(bench, scripts, seed)


@pytest.mark.parametrize("seed", _SEEDS)
def test_rooms_do_what_the_plain_model_does(bench: Bench, seed: int) -> None:
    """Members, marks, mentions, lines, versions, log and index."""
    bench.runner.run(_play(bench, bench.scripts, seed))


@pytest.mark.parametrize("name", sorted(ABLATIONS))
def test_a_missing_mechanism_of_rooms_is_noticed(name: str, bench: Bench, tmp_path: Path) -> None:
    """Without it, one of the same histories fails."""
    scripts = bench.without(ABLATIONS[name], tmp_path)
    with pytest.raises(Exception):  # noqa: B017, PT011 - any difference or error counts
        bench.runner.run(_play_all(bench, scripts))
