"""`python -m tests.bench.report FILE... [--into docs/performance.md]`: results as tables.

Files are what `python -m tests.bench` writes, and what the side-by-side benchmark of peers writes:
several of its runs with one shape of load become their medians.
Without `--into` the tables are printed; with it each replaces what stands between
`<!-- bench: NAME -->` and `<!-- end -->`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from .goals import Verdict, judged, judged_peers
from .markdown import number, table
from .peers_report import Peers, joined, peers_tables

__all__ = ["Run", "into", "tables", "text"]

_OURS: Final = "batonbox"
_PLACE: Final = re.compile(r"(<!-- bench: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_SIZED: Final = re.compile(r"growth\.(?!ratio\.)(.+)\.(\d+)")
# How much a server takes for the same thing is worth comparing; how much others took is not.
_NO_RATIO: Final = frozenset({"noise", "wrong", "share"})


class Run:
    """One run of `python -m tests.bench`."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told
        self.rows: dict[str, dict[str, Any]] = {row["name"]: row for row in told["figures"]}

    def value(self, name: str) -> float | None:
        """A figure's median; None: not measured."""
        row = self.rows.get(name)
        return None if row is None else float(row["value"])


def tables(runs: Sequence[Run], peers: Sequence[Peers] = ()) -> dict[str, str]:
    """Name of a place in the document -> what belongs there; later runs go before earlier ones."""
    found: dict[str, str] = {}
    for run in runs:
        for part in dict.fromkeys(name.partition(".")[0] for name in run.rows):
            found[part] = f"{_growth(run) if part == 'growth' else _part(run, part)}\n\n{_of(run)}"
    verdicts = {verdict.title: verdict for run in runs for verdict in judged(run.value)}
    for beside in peers:
        shape = {"channels": beside.channels, "window": beside.window}
        for verdict in judged_peers(beside.peers, **shape, ours=_OURS):
            verdicts[verdict.title] = verdict
        found |= peers_tables(beside)
    if runs:
        found["machine"] = _machine(runs[-1])
    if verdicts:
        found["targets"] = _targets(list(verdicts.values()))
    return found


def text(runs: Sequence[Run], peers: Sequence[Peers] = (), *, only: str = "") -> str:
    """All tables below each other, or the one."""
    found = tables(runs, peers)
    chosen = {only: found[only]} if only in found else ({} if only else found)
    return "\n\n".join(f"## {name}\n\n{table}" for name, table in chosen.items())


def into(document: str, found: dict[str, str]) -> str:
    """The document with every table of `found` in its place; places without one stay."""
    return _PLACE.sub(
        lambda place: (
            f"{place[1]}\n{found[place[2]]}\n\n{place[3]}" if place[2] in found else place[0]
        ),
        document,
    )


def _part(run: Run, part: str) -> str:
    """A line for each thing measured, a column for each server."""
    servers: dict[str, None] = {}
    lines: dict[str, dict[str, float]] = {}
    for name, row in run.rows.items():
        if not name.startswith(f"{part}."):
            continue
        server, _, case = name.removeprefix(f"{part}.").partition(".")
        unit = f" ({row['unit']})" if row["unit"] else ""
        servers[server] = None
        lines.setdefault(f"{case.replace('.', ' ')}{unit}", {})[server] = float(row["value"])
    others = [name for name in servers if name != _OURS] if _OURS in servers else []
    head = ["", *servers, *(f"{other} / {_OURS}" for other in others)]
    return table(head, [list(_line(case, line, servers, others)) for case, line in lines.items()])


def _line(
    case: str, line: dict[str, float], servers: dict[str, None], others: Sequence[str]
) -> Iterator[str]:
    yield case
    for server in servers:
        yield number(line.get(server))
    compared = not _NO_RATIO & set(case.split(" "))
    for other in others:
        ours, theirs = line.get(_OURS), line.get(other)
        yield f"{theirs / ours:.2f}" if compared and ours and theirs is not None else ""


def _growth(run: Run) -> str:
    """A line for each thing measured, a column for each number of conversations."""
    sizes: dict[int, None] = {}
    lines: dict[str, dict[int, float]] = {}
    for name, row in run.rows.items():
        sized = _SIZED.fullmatch(name)
        if sized is not None:
            sizes[int(sized[2])] = None
            unit = f" ({row['unit']})"
            lines.setdefault(f"{sized[1].replace('.', ' ')}{unit}", {})[int(sized[2])] = row[
                "value"
            ]
    rows = []
    for case, line in lines.items():
        ratio = run.value(f"growth.ratio.{case.partition(' (')[0].replace(' ', '.')}")
        rows.append([case, *(number(line.get(size)) for size in sizes), number(ratio)])
    return table(["", *(f"{size:,}" for size in sizes), "last / first"], rows)


def _targets(verdicts: Sequence[Verdict]) -> str:
    rows = [
        [each.title, each.wanted, each.found, "kept" if each.kept else "**missed**"]
        for each in verdicts
    ]
    return table(["target", "wanted", "found", ""], rows)


def _machine(run: Run) -> str:
    told = run.told["machine"]
    return ", ".join(f"{name} {value}" for name, value in told.items())


def _of(run: Run) -> str:
    rounds = max((len(row["rounds"]) for row in run.rows.values()), default=0)
    quick = ", quick" if run.told["quick"] else ""
    return f"Run of {run.told['date']}{quick}; medians of up to {rounds} rounds."


def main() -> None:
    """Read the files, print or write."""
    parser = argparse.ArgumentParser(prog="tests.bench.report", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--into", type=Path, metavar="DOCUMENT")
    given = parser.parse_args()
    told = [json.loads(file.read_text()) for file in given.files]
    runs = [Run(each) for each in told if "figures" in each]
    peers = joined(Peers(each) for each in told if "peers" in each)
    if given.into is None:
        print(text(runs, peers))
    else:
        given.into.write_text(into(given.into.read_text(), tables(runs, peers)))


if __name__ == "__main__":
    main()
