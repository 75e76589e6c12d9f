"""Tables of a run of the side-by-side benchmark, in which batonbox stands beside its peers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .markdown import number, table

__all__ = ["Peers", "peers_tables"]


class Peers:
    """One run: the same load on each peer, one after the other."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.peers: dict[str, Any] = told["peers"]
        self.channels = int(told["machine"]["channels"])
        self.window = int(told["machine"]["window"])

    @property
    def place(self) -> str:
        """Which places of the document it fills."""
        if self.channels > 1:
            return "peers-inboxes"
        return "peers-single" if self.window == 1 else "peers"


def peers_tables(run: Peers) -> dict[str, str]:
    """Place -> table; only of what was measured."""
    found = {}
    for subscribers in run.told["ns"]:
        rows = list(_saturated(run, str(subscribers)))
        if rows:
            head = ["peer", "deliveries/s", "of the floor", "CPU s / M", "engine CPU s / M"]
            head += ["p50 / p99 ms", "window", "lost", "doubled", "disordered", "noise"]
            found[f"{run.place}-{subscribers}"] = f"{table(head, rows)}\n\n{_of(run)}"
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
    return f"One run, {run.told['date']}, {told['cpu']}, {told['cores']} cores, {told['kernel']}."
