"""The benchmarks' own reckoning: medians, ratios, goals, and tables in their places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.bench.figures import Figures
from tests.bench.goals import judged, judged_peers
from tests.bench.peers_report import Peers, joined
from tests.bench.report import Run, into, tables, text

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"


def run_of(**values: float) -> Run:
    figures = Figures()
    for name, value in values.items():
        figures.add(name, "us", [value])
    return Run(
        {"date": "2026-01-01", "quick": False, "machine": {"cpu": "one"}, "figures": figures.rows}
    )


def peers_of(*, channels: int = 1, window: int = 64, **rates: float) -> Peers:
    machine = {"channels": channels, "window": window, "cpu": "one", "cores": 2, "kernel": "6"}
    peers = {}
    for name, rate in rates.items():
        measured = {"rate": rate, "deliveries": 10, "redis_cpu": 1e-5, "cpu_per_million": 2.5}
        measured |= {"p50_ms": 1.0, "p99_ms": 2.0, "window": window, "noise": 0.01}
        measured |= {"lost": 7, "dup": 0, "out_of_order": 0}
        peers[name.replace("_", "-")] = {"throughput": {"1000": {"window": measured}}}
    return Peers({"date": "2026-01-01", "machine": machine, "ns": [1000], "peers": peers})


def verdicts(run: Run) -> dict[str, tuple[str, bool]]:
    return {each.title.partition(":")[0]: (each.found, each.kept) for each in judged(run.value)}


def test_a_figure_is_the_median_of_its_rounds_and_nothing_of_none() -> None:
    figures = Figures()
    assert figures.add("part.server.case.what", "us", [9, 1, 2]) == 2
    figures.add("part.server.case.none", "us", [])
    assert [row["name"] for row in figures.rows] == ["part.server.case.what"]
    assert figures.rows[0]["rounds"] == [9, 1, 2]


def test_a_goal_is_missed_on_its_wrong_side_only() -> None:
    single = "one event at a time to 1,000"
    names = ("fanout.batonbox.single.cpu", "fanout.floor.single.cpu")
    near = run_of(**dict(zip(names, (2.6, 2.0), strict=True)))
    assert verdicts(near)[single] == ("1.30x", True)
    above = run_of(**dict(zip(names, (2.7, 2.0), strict=True)))
    assert verdicts(above)[single] == ("1.35x", False)
    few = run_of(**{"handshakes.batonbox.signed-in.core": 3999})
    assert verdicts(few) == {"handshakes per second and core, signed in": ("3,999 /s", False)}


def test_what_was_not_measured_is_not_judged() -> None:
    assert judged(run_of(**{"fanout.batonbox.single.cpu": 2.0}).value) == []
    assert judged_peers(peers_of(batonbox=5).peers, channels=1, window=64, ours="batonbox") == []


def test_a_peer_counts_in_its_own_shape() -> None:
    beside = peers_of(batonbox=2999, nchan_redis=1000)
    one = judged_peers(beside.peers, channels=1, window=64, ours="batonbox")
    assert [(each.found, each.kept) for each in one] == [("3.00x", False)]
    many = judged_peers(beside.peers, channels=100, window=64, ours="batonbox")
    assert [(each.found, each.kept) for each in many] == [("3.00x", True)]


def test_servers_stand_beside_each_other_and_noise_is_not_compared() -> None:
    run = run_of(
        **{
            "fanout.batonbox.1000.cpu": 2.0,
            "fanout.naive.1000.cpu": 16.0,
            "fanout.batonbox.1000.noise": 1.0,
            "fanout.naive.1000.noise": 2.0,
        }
    )
    table = tables([run])["fanout"]
    assert "|  | batonbox | naive | naive / batonbox |" in table
    assert "| 1000 cpu (us) | 2 | 16 | 8.00 |" in table
    assert "| 1000 noise (us) | 1 | 2 |  |" in table


def test_growth_has_a_column_for_each_size() -> None:
    names = ("growth.engine.note.1000", "growth.engine.note.1000000", "growth.ratio.engine.note")
    table = tables([run_of(**dict(zip(names, (10, 15, 1.5), strict=True)))])["growth"]
    assert "|  | 1,000 | 1,000,000 | last / first |" in table
    assert "| engine note (us) | 10 | 15 | 1.50 |" in table


def test_losses_of_peers_are_shown() -> None:
    found = tables([], [peers_of(floor=100, batonbox=50)])
    line = "| batonbox | 50 | 0.50 | 2.50 | 1 | 1 / 2 | 64 | 7 | 0 | 0 | 1% |"
    assert line in found["peers-1000"]
    assert set(tables([], [peers_of(channels=100, floor=1)])) == {"peers-inboxes-1000"}
    assert set(tables([], [peers_of(window=1, floor=1)])) == {"peers-single-1000"}


def test_runs_of_one_shape_become_their_median_and_nothing_wrong_is_averaged_away() -> None:
    runs = [peers_of(floor=100, batonbox=rate) for rate in (10, 30, 20)]
    runs[1].peers["batonbox"]["throughput"]["1000"]["window"]["dup"] = 1
    one, other = joined([*runs, peers_of(channels=100, floor=100)])
    line = "| batonbox | 20 | 0.20 | 2.50 | 1 | 1 / 2 | 64 | 7 | 1 | 0 | 1% |"
    assert line in tables([], [one])["peers-1000"]
    assert (one.runs, other.runs) == (3, 1)


def test_tables_replace_what_stood_in_their_places_and_nothing_else() -> None:
    kept = "<!-- end -->\nb\n<!-- bench: page -->\nkept\n<!-- end -->\n"
    once = into(f"a\n<!-- bench: idle -->\nold\n{kept}", {"idle": "new"})
    assert once == f"a\n<!-- bench: idle -->\n\nnew\n\n{kept}"
    assert into(once, {"idle": "new"}) == once


def test_the_page_has_a_place_for_every_part_and_every_shape() -> None:
    from tests.bench.__main__ import PARTS

    peers = {
        "peers-1000",
        "peers-5000",
        "peers-flood-1000",
        "peers-inboxes-1000",
        "peers-single-1000",
    }
    wanted = {"targets", "machine", "peers-latency", "peers-idle", *peers, *PARTS} - {"capacity"}
    filled: dict[str, Any] = dict.fromkeys(wanted, "filled")
    assert into(PAGE.read_text(), filled).count("\nfilled\n") == len(wanted)


def test_a_later_run_is_judged_in_place_of_an_earlier_one() -> None:
    name = "handshakes.batonbox.signed-in.core"
    found = tables([run_of(**{name: 3000}), run_of(**{name: 5000})])["targets"]
    assert found.count("handshakes per second") == 1
    assert "| ≥ 4,000 /s | 5,000 /s | kept |" in found


def test_one_part_alone_is_shown_alone() -> None:
    run = run_of(**{"idle.batonbox.10000.memory": 6000.0, "page.chromium.push.ms": 3.0})
    assert text([run], only="idle").startswith("## idle\n\n|  | batonbox |")
    assert "page" not in text([run], only="idle")
    assert text([run], only="search") == ""
