"""A process that dies while it writes its index: what is there is exactly what its place says."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from batonbox_server.search.index import SqliteIndex
from batonbox_server.service.search_port import Place

_WRITER = """
import asyncio, sys
from pathlib import Path
from batonbox_server.search.index import SqliteIndex
from batonbox_server.service.search_port import Message, Place, Purged

async def main():
    index = SqliteIndex(Path(sys.argv[1]))
    await index.open()
    places = await index.places()
    seq = places["a"].seq if "a" in places else 0
    if not seq:
        await index.restart("a", place=Place("e", 0, "t"))
    while True:
        seq += 1
        said = [f"gnu {seq}", "gnat"]
        changes = [Message("a.1", 2 * seq - 1 + at, seq, said[at]) for at in (0, 1)]
        if seq % 5 == 0:
            changes.append(Purged("a.1", 2 * seq - 6))
        await index.apply("a", changes, place=Place("e", seq, "t"))
        print(seq, flush=True)

asyncio.run(main())
"""


async def _written_and_killed(file: Path, lines: int) -> int:
    """The last place that was told of before the process died."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WRITER, str(file), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    told = 0
    for _ in range(lines):
        told = int(await asyncio.wait_for(process.stdout.readline(), 20))
    process.kill()
    await process.communicate()
    return told


async def _numbers(index: SqliteIndex) -> list[int]:
    seen, after = [], ""
    while True:
        hits, after = await index.find(
            "gn", logs=["a"], kinds=frozenset({"message"}), after=after, n=50
        )
        seen += [hit.n for hit in hits]
        if not after:
            return sorted(seen)


async def test_nothing_is_lost_or_half_written(tmp_path: Path) -> None:
    file, chance = tmp_path / "search.sqlite", random.Random(3)
    for _ in range(4):
        told = await _written_and_killed(file, chance.randint(1, 40))
        index = SqliteIndex(file)
        await index.open()
        place = (await index.places())["a"]
        assert place == Place("e", place.seq, "t")
        assert place.seq >= told
        purged = place.seq // 5 * 5 * 2 - 6 if place.seq >= 5 else 0
        assert await _numbers(index) == list(range(purged + 1, 2 * place.seq + 1))
        await index.aclose()
