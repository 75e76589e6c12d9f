"""What is shown of a run: the machine, a table, and a verdict."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Any

from batonbox.bench.plan import Result

__all__ = ["machine", "table", "verdict"]

_JUDGED = ("delivered", "lost", "doubled", "disordered", "resets", "closed")


def machine(*, loop: str) -> dict[str, Any]:
    """This machine and this client."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "client": importlib.metadata.version("batonbox"),
        "loop": loop,
    }


def table(result: Result) -> str:
    """One workload's figures, a line each."""
    lines = [result.workload]
    for name, value in result.figures.items():
        if name == "client_ceiling_per_s":
            continue
        mark = "  (client-bound)" if name.endswith("_per_s") and result.client_bound else ""
        lines.append(f"  {name.replace('_', ' '):24} {_number(value):>14}{mark}")
    account = result.account
    if account is not None:
        counts = [f"{getattr(account, name)} {name}" for name in _JUDGED]
        lines.append(f"  {'checked':24} {', '.join(counts)}")
    busy = f"{result.client_busy:.0%} of a core"
    ceiling = result.figures.get("client_ceiling_per_s")
    if ceiling:
        busy += f"; alone it reads {_number(ceiling)} deliveries/s"
    lines.append(f"  {'this client':24} {busy}")
    if result.client_bound:
        lines.append("  ! the client was the limit: the server may do more than these figures")
    lines += [f"  ! {note}" for note in result.notes]
    return "\n".join(lines)


def verdict(results: list[Result]) -> str:
    """One sentence about correctness."""
    wrong = [result.workload for result in results if not result.right]
    if wrong:
        return f"WRONG: events were lost, doubled or out of order in {', '.join(wrong)}"
    return "nothing lost, nothing doubled, all in order"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.2f}"


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    except OSError:
        models = []
    return models[0] if models else platform.processor() or platform.machine()
