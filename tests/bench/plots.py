"""Bars of what servers are compared by; matplotlib is in requirements-bench.txt alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

__all__ = ["plotted"]

# Title, unit, and the figures `part.<server>.<case>.<what>` of one plot.
_PLOTS: Final = {
    "fanout": ("CPU of one delivery", "us", ("fanout", "cpu")),
    "latency": ("from the command's write to a subscriber, p99", "ms", ("latency", "p99")),
    "commands": ("CPU of the server for one command", "us", ("commands", "server")),
    "idle": ("memory of an idle connection", "bytes", ("idle", "memory")),
}


def plotted(run: dict[str, Any], out: Path) -> list[Path]:
    """`<out>-<plot>.svg` of everything that was measured; none where there is no matplotlib."""
    try:
        import matplotlib as mpl
    except ImportError:
        return []
    mpl.use("svg")
    from matplotlib import pyplot as plt

    made = []
    for name, (title, unit, (part, what)) in _PLOTS.items():
        bars = _bars(run["figures"], part, what)
        if not bars:
            continue
        figure, axes = plt.subplots(figsize=(8, 4.5))
        _draw(axes, bars)
        axes.set(title=f"{title} ({run['date']})", ylabel=unit)
        made.append(Path(f"{out}-{name}.svg"))
        figure.savefig(made[-1], bbox_inches="tight")
        plt.close(figure)
    return made


def _bars(rows: list[dict[str, Any]], part: str, what: str) -> dict[str, dict[str, float]]:
    """Server -> case -> value."""
    bars: dict[str, dict[str, float]] = {}
    for row in rows:
        names = row["name"].split(".")
        if len(names) == 4 and names[0] == part and names[3] == what:
            bars.setdefault(names[1], {})[names[2]] = row["value"]
    return bars


def _draw(axes: Any, bars: dict[str, dict[str, float]]) -> None:
    cases = list(dict.fromkeys(case for values in bars.values() for case in values))
    width = 0.8 / len(bars)
    for at, (server, values) in enumerate(bars.items()):
        places = [place + at * width for place in range(len(cases))]
        drawn = axes.bar(places, [values.get(case, 0.0) for case in cases], width, label=server)
        axes.bar_label(drawn, fmt="%.3g", fontsize=7)
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(cases))], cases)
    axes.set_yscale("log")
    axes.legend()
