"""Tables of a run of the side-by-side benchmark, in which batonbox stands beside its peers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any, Final

from .markdown import number, table

__all__ = ["Peers", "joined", "peers_tables"]

# What must not happen is not averaged: the most that any run saw.
_WRONG: Final = frozenset({"lost", "dup", "out_of_order", "kicked", "stale"})


class Peers:
    """The same load on each peer, one after the other; `runs` times, if they are `joined`."""

    def __init__(self, told: dict[str, Any], *, runs: int = 1) -> None:
        self.told = told
        self.runs = runs
        self.peers: dict[str, Any] = told["peers"]
        self.channels = int(told["machine"]["channels"])
        self.window = int(told["machine"]["window"])

    @property
    def place(self) -> str:
        """Which places of the document it fills."""
        if self.channels > 1:
            return "peers-inboxes"
        return "peers-single" if self.window == 1 else "peers"


def joined(runs: Iterable[Peers]) -> list[Peers]:
    """One for each shape of load and each part of it: medians of the runs that have it."""
    shapes: dict[tuple[int, int, frozenset[str]], list[Peers]] = {}
    for run in runs:
        parts = frozenset(part for peer in run.peers.values() for part in peer)
        shapes.setdefault((run.channels, run.window, parts), []).append(run)
    return [Peers(_median([run.told for run in same]), runs=len(same)) for same in shapes.values()]


def _median(values: list[Any], name: str = "") -> Any:
    """Of numbers the median; of anything else the last."""
    last = values[-1]
    if isinstance(last, dict):
        return {
            key: _median([each[key] for each in values if key in each], key)
            for key in dict.fromkeys(key for each in values for key in each)
        }
    if isinstance(last, list) and last and isinstance(last[0], dict):
        of_same = zip(*(each for each in values if len(each) == len(last)), strict=True)
        return [_median(list(each), name) for each in of_same]
    if isinstance(last, bool):
        return any(values)
    if not isinstance(last, int | float):
        return last
    return max(values) if name in _WRONG else median(values)


def peers_tables(run: Peers) -> dict[str, str]:
    """Place -> table; only of what was measured."""
    found = {}
    for subscribers in run.told["ns"]:
        rows = list(_saturated(run, str(subscribers)))
        if rows:
            head = ["peer", "deliveries/s", "of the floor", "CPU s / M", "engine CPU s / M"]
            head += ["p50 / p99 ms", "window", "lost", "doubled", "disordered", "noise"]
            found[f"{run.place}-{subscribers}"] = f"{table(head, rows)}\n\n{_of(run)}"
        rows = list(_flooded(run, str(subscribers)))
        if rows:
            head = ["peer", "events", "deliveries/s", "p99 ms", "lost", "doubled", "disordered"]
            head += ["cut off", "late"]
            found[f"{run.place}-flood-{subscribers}"] = f"{table(head, rows)}\n\n{_of(run)}"
    paced = [row for rows in map(_paced, run.peers.items()) for row in rows]
    if paced:
        head = ["peer", "events/s", "p50 ms", "p99 ms", "max ms", "core", "lost", "doubled"]
        found[f"{run.place}-latency"] = f"{table(head, paced)}\n\n{_of(run)}"
    idle = [row for row in map(_idle, run.peers.items()) if row]
    if idle:
        head = ["peer", "connections", "bytes each", "handshakes/s", "CPU ms each"]
        found[f"{run.place}-idle"] = f"{table(head, idle)}\n\n{_of(run)}"
    return found


def _saturated(run: Peers, subscribers: str) -> Iterator[list[str]]:
    floor = _window(run.peers.get("floor", {}), subscribers).get("rate")
    for name, peer in run.peers.items():
        window = _window(peer, subscribers)
        if not window:
            continue
        deliveries = max(1, window["deliveries"])
        yield [
            name,
            number(window["rate"]),
            number(window["rate"] / floor) if floor else "-",
            number(window.get("cpu_per_million")),
            number(1e6 * window["redis_cpu"] / deliveries),
            f"{number(window['p50_ms'])} / {number(window['p99_ms'])}",
            str(window["window"]),
            *(number(window[what]) for what in ("lost", "dup", "out_of_order")),
            f"{window['noise']:.0%}",
        ]


def _flooded(run: Peers, subscribers: str) -> Iterator[list[str]]:
    for name, peer in run.peers.items():
        flood = peer.get("throughput", {}).get(subscribers, {}).get("flood", {})
        if not flood.get("published"):
            continue
        late = 1 - flood["deliveries"] / flood["expected"] if flood.get("unfinished") else 0.0
        yield [
            name,
            *(number(flood[what]) for what in ("published", "rate", "p99_ms")),
            *(number(flood[what]) for what in ("lost", "dup", "out_of_order", "kicked")),
            f"{late:.0%}",
        ]


def _window(peer: dict[str, Any], subscribers: str) -> dict[str, Any]:
    found: dict[str, Any] = peer.get("throughput", {}).get(subscribers, {}).get("window", {})
    return found if found.get("deliveries") else {}


def _paced(named: tuple[str, dict[str, Any]]) -> list[list[str]]:
    name, peer = named
    return [
        [
            name,
            number(run["events_per_s"]),
            *(number(run[what]) for what in ("p50_ms", "p99_ms", "max_ms")),
            f"{run['core_share']:.0%}",
            *(number(run[what]) for what in ("lost", "dup")),
        ]
        for run in peer.get("latency", {}).get("paced", [])
    ]


def _idle(named: tuple[str, dict[str, Any]]) -> list[str]:
    name, peer = named
    idle = peer.get("memory", {}).get("idle")
    if not idle:
        return []
    connect = idle["connect"]
    values = (idle["connections"], idle["bytes_per_connection"], connect["rate"])
    return [name, *map(number, values), number(connect["cpu_per_1000"])]


def _of(run: Peers) -> str:
    told = run.told["machine"]
    runs = (
        "One run" if run.runs == 1 else f"Medians of {run.runs} runs (of what went wrong: the most)"
    )
    return f"{runs}, {run.told['date']}, {told['cpu']}, {told['cores']} cores, {told['kernel']}."
