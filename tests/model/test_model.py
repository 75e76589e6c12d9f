"""Random commands through the domain and through Lua on a real engine: everything must agree."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.model.conftest import Bench
from tests.model.sequences import COMMANDS, VERBS, directed, sequences


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("n", [100, pytest.param(2000, marks=pytest.mark.long)])
def test_domain_and_lua_agree(bench: Bench, n: int) -> None:
    """Every row, index, badge and event, after every command; every verb succeeded and refused.

    What random commands meet only with luck is played first.
    """
    counts: Counter[str] = Counter()
    directed(bench.scripts, counts)(bench)
    assert counts["undo:not_undoable"] == 4
    sequences(bench.scripts, counts, n=n)(bench)
    assert counts["sequences"] >= n
    assert counts["commands"] >= n * COMMANDS * 9 // 10
    mixed = {"pass", "episode"}
    never_ok = {verb for verb in set(VERBS) - mixed if counts[f"{verb}:ok"] < n // 10}
    assert not never_ok, counts
    assert counts["again"] >= 2 * n
    by_itself = ("returned away", "returned offline", "returned silent", "returned woken",
                 "returned membership", "woken due", "received reopened", "received opt_out",
                 "received opt_in", "answered ", "lease:0", "lease:1")  # fmt: skip
    assert not {what: counts[what] for what in by_itself if counts[what] < 2}
    for word in (
        "forbidden",
        "conflict",
        "not_owner",
        "stale_token",
        "token_required",
        "new_activity",
        "not_undoable",
        "target_not_member",
        "number_not_routed",
        "not_failed",
        "recipient_opted_out",
        "bad_time",
        "stale",
    ):
        assert sum(n for key, n in counts.items() if key.endswith(f":{word}")), (word, counts)
