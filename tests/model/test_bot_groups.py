"""Bot groups: random lives of copies, and each mechanism taken out is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batonbox import Position
from batonbox._group_share import Line, Share
from batonbox_server.store.scripts import Scripts
from tests.model.conftest import Bench
from tests.model.group_stories import stories
from tests.model.group_world import walk

WALKS, STEPS = 12, 90

ABLATIONS = {
    "I29 only the holder is believed": ("lib/group", "g.holder[i] == copy and ", ""),
    "I29 only of the generation that it was given in": (
        "lib/group", "and g.since[i] == since and", "and",
    ),
    "I29 only who read the log as it is": (
        "lib/group", "if tip_after(cx, said.at) ~= said.tip then return end", "",
    ),
    "I29 what was handled stays so": ("lib/group", "math.max(g.handled[i], seq)", "seq"),
    "I29 what is under way is asked back, not taken": (
        "lib/group",
        "g.asked[mine[at]], over = 1, over - 1",
        'g.holder[mine[at]], over = "", over - 1',
    ),
    "I29 who says nothing for a lease is dead": (
        "lib/group", "if c[2] > cx.now then", "if true then",
    ),
    "I29 what is given goes on to another": (
        "lib/group", 'if gives[held[1]] then g.holder[i] = "" end', "",
    ),
    "I29 what is missing is said": (
        "lib/group", 'g.lost, g.lost_gen = other and "epoch" or "trimmed", gen', "",
    ),
}  # fmt: skip


async def walks(bench: Bench, scripts: Scripts, first: int, count: int) -> None:
    """The rare paths first, then random ones."""
    await stories(bench.client, scripts)
    for seed in range(first, first + count):
        try:
            await walk(bench.client, scripts, seed, steps=STEPS)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def test_whatever_happens_each_event_is_handled_to_its_end_by_one_copy(bench: Bench) -> None:
    bench.runner.run(walks(bench, bench.scripts, 0, WALKS))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_many_lives(bench: Bench) -> None:
    bench.runner.run(walks(bench, bench.scripts, 1000, 1000))


@pytest.mark.parametrize("name", sorted(ABLATIONS))
def test_a_missing_mechanism_is_noticed(name: str, bench: Bench, tmp_path: Path) -> None:
    scripts = bench.without(ABLATIONS[name], tmp_path)
    with pytest.raises(AssertionError, match=r"seed|_"):
        bench.runner.run(walks(bench, scripts, 0, 4 * WALKS))


def says_all(_: Share, line: Line, at: Position) -> int:
    """What is under way, too."""
    del line
    return at.seq


_told = Share.told


def never_goes_back(share: Share, told: dict[str, Any], *, renew: bool) -> bool:
    """What it gets, it reads from where it is."""
    at = share.at
    _told(share, told, renew=renew)
    share.at = at
    return False


@pytest.mark.parametrize(
    ("of", "name", "instead"),
    [
        (Share, "_reached", says_all),
        (Line, "idle", True),
        (Share, "told", never_goes_back),
    ],
)
def test_a_client_that_does_it_otherwise_is_noticed(
    of: type, name: str, instead: object, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of, name, instead)
    with pytest.raises(AssertionError, match=r"seed|_"):
        bench.runner.run(walks(bench, bench.scripts, 0, 4 * WALKS))
