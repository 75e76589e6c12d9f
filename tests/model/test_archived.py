"""Random commands, and things that leave for the archive, come back, are held and erased."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from redis.exceptions import ResponseError

from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.errors import BatonboxError
from batonbox_server.store.archive_port import Archive
from batonbox_server.store.scripts import Scripts
from tests.model.archived_stories import MOVES, rare_paths
from tests.model.archived_world import ArchivedWorld, archived_world
from tests.model.conftest import Bench
from tests.model.sequences import VERBS, Draw, draws, play_one

COMMANDS, SEQUENCES = 50, 30
WEIGHTS = {
    "reads_lines": 10,
    "lets_go": 10,
    "reads_row": 14,
    "evicts": 12,
    "comes_back": 3,
    "holds": 3,
    "erases": 6,
    "hears_late": 3,
    "fails_meanwhile": 5,
    "ends_and_leaves": 10,
}
MIXED = (
    *(verb for verb in VERBS if verb not in ("episode", "pass", "options", "away", "offline")),
    *(("done", "receive", "note") * 5),
    *(move for move, weight in WEIGHTS.items() for _ in range(weight)),
)
# How often the played stories come to it; what is drawn varies with the modules that are loaded.
TOLD = {
    "trim:True": 7, "trim:False": 1, "evict:True": 17, "evict:False": 7, "thaw:True": 4,
    "thaw:False": 5, "brought back": 9, "purge:True": 5, "purge:whole": 5, "purge:held": 1,
    "retry:too_old": 2, "heard late": 1,
}  # fmt: skip


async def play(world: ArchivedWorld, drawn: list[Draw]) -> None:
    """Everything on the world, compared after each."""
    await world.open()
    for cid, draw in enumerate(drawn, start=1):
        verb, _, a, b, pick = draw
        if verb not in MOVES:
            await play_one(world, cid, draw)
            continue
        rows = sorted(world.model.rows.values(), key=lambda row: row.rev)
        if not rows:
            continue
        row = rows[a % len(rows)]
        if verb == "reads_row":
            row = next((r for r in rows[a % len(rows) :] if r.status == "done"), row)
        await MOVES[verb](world, row, pick)
        await world.compare()
        if row.id in world.model.rows:
            await world.compare_history(world.model.rows[row.id], 1 + b % 5)
    await world.compare_reads()
    await world.compare_leases()
    world.counts["sequences"] += 1


def sequences(
    scripts: Scripts, counts: Counter[str], archive: Archive, *, n: int
) -> Callable[[Bench], None]:
    """A callable that runs `n` sequences and raises AssertionError at the first disagreement."""

    @settings(
        max_examples=n,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn=st.lists(draws(MIXED), min_size=COMMANDS, max_size=COMMANDS))
    def run(bench: Bench, drawn: list[Draw]) -> None:
        world = archived_world(bench.client, scripts, counts, archive)
        bench.runner.run(play(world, drawn))

    return run


def directed(scripts: Scripts, counts: Counter[str], archive: Archive) -> Callable[[Bench], None]:
    """A callable that plays the rare paths in one world."""

    async def paths(world: ArchivedWorld) -> None:
        await world.open()
        await rare_paths(world)
        await world.compare_reads()

    return lambda bench: bench.runner.run(
        paths(archived_world(bench.client, scripts, counts, archive))
    )


@pytest.fixture
def archive(bench: Bench) -> Iterator[Archive]:
    """A file in memory where there is such a place: thousands of waits for a disk show nothing."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        archive = SqliteArchive(Path(folder) / "archive.sqlite")
        yield archive
        bench.runner.run(archive.aclose())


@pytest.mark.timeout(600)
def test_what_is_read_tells_nothing_of_the_archive(bench: Bench, archive: Archive) -> None:
    """Histories, lists, counts, indexes and events are those of an inbox that keeps everything."""
    counts: Counter[str] = Counter()
    directed(bench.scripts, counts, archive)(bench)
    for what, times in TOLD.items():
        assert counts[what] >= times, (what, counts)
    sequences(bench.scripts, counts, archive, n=SEQUENCES)(bench)
    assert counts["sequences"] == SEQUENCES


# mechanism: file, what stands there, what stands there without it
ABLATIONS: dict[str, tuple[str, str, str]] = {
    "lines leave as they were archived": (
        "trim", "if digest_of(lines, reasons) ~= digest then", "if false then",
    ),
    "the proof holds every line": ("lib/leaving", "table.concat(lines) ..", "lines[#lines] .."),
    "what is on its way stays": ("lines_out", 'state == "queued" or ', ""),
    "lines that left are not found by counting from the end": (
        "lib/thread", "if n <= trimmed then return nil end", "",
    ),
    "why a message failed leaves with it": (
        "trim", 'redis.call("HDEL", key("why"), unpack(items))', "",
    ),
    "appending counts": ("lib/commit", "index_held(c.id, c.n", "fullness(c.n"),
    "letting go counts": ("trim", "index_held(conv, c.n", "fullness(c.n"),
    "rows leave as they were archived": (
        "evict", 'or row_digest(redis.call("HGETALL", key("c", conv))) ~= digest', "",
    ),
    "what is held stays": (
        "lib/leaving", 'key("hold"), c.id) == 0', 'key("hold"), c.id) >= 0',
    ),
    "only what is done leaves": ("lib/leaving", 'c.status == "done" and', ""),
    "lines leave before their row": ("lib/leaving", "and c.trimmed == c.n", ""),
    "what is away is counted": (
        "evict", 'redis.call("HINCRBY", key("meta"), "away", 1)', "",
    ),
    "what is back is not counted": (
        "thaw", 'redis.call("HINCRBY", key("meta"), "away", -1)', "",
    ),
    "what is back is listed": (
        "thaw", 'redis.call("ZADD", key("done"), c.last_ms, conv)',
        'redis.call("ZCARD", key("done"))',
    ),
    "what is here is not put back": (
        "thaw", 'if redis.call("EXISTS", key("c", conv)) == 1 then', "if false then",
    ),
    "what was erased does not come back": ("thaw", "~= conv then return", '== "" then return'),
    "what was erased is not listed": (
        "where", 'redis.call("HGET", key("cx"), asked[i + 1]) == asked[i]',
        'redis.call("HGET", key("cx"), asked[i + 1]) ~= 1',
    ),
    "nothing held is erased": (
        "purge", 'if redis.call("HEXISTS", key("hold"), conv) == 1 then', "if false then",
    ),
    "only what was archived is erased": ("purge", "math.min(upto, c.trimmed,", "math.min(upto,"),
    "what was erased is not read": ("history", "math.max(purged + 1, last", "math.max(1, last"),
    "what is unread stays so": (
        "purge", 'key("gm", c.assignee), conv) == 1', 'key("gm", c.assignee), conv) == 2',
    ),
    "a preview goes with its message": ("purge", "if not shows and", "if false and"),
    "who is erased wholly is a stranger": (
        "purge", 'redis.call("HDEL", key("cx"), c.our .. "|" .. c.customer)',
        'redis.call("HGET", key("cx"), c.our)',
    ),
    "a customer who is away is known": (
        "receive", "if known then c = load(cx, known) else c =", "c = known and load(cx, known) or",
    ),
    "pages go on behind what is here": (
        "page", 'redis.call("HGET", key("meta"), "away") or 0', "0",
    ),
}  # fmt: skip


NOTICED = (AssertionError, BatonboxError, ResponseError, ExceptionGroup, KeyError)


@pytest.mark.parametrize("name", sorted(ABLATIONS))
def test_a_missing_mechanism_is_noticed(
    name: str, bench: Bench, archive: Archive, tmp_path: Path
) -> None:
    """Without it, a short run of the model test fails."""
    scripts = bench.without(ABLATIONS[name], tmp_path / "lua")
    with pytest.raises(NOTICED):
        compare(bench, scripts, archive)


def compare(bench: Bench, scripts: Scripts, archive: Archive) -> None:
    """The rare paths first, then random ones."""
    directed(scripts, Counter(), archive)(bench)
    sequences(scripts, Counter(), archive, n=60)(bench)
