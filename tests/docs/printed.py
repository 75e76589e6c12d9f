"""What a page shows that something prints, against what it printed."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["as_shown"]


def as_shown(kind: str, says: str, printed: str) -> bool:
    """`json`: what is shown is there, and further fields may be; "…" in a text is anything."""
    if kind != "json":
        return _fits(says.strip(), printed.strip())
    try:
        return _within(json.loads(says), json.loads(printed))
    except ValueError:
        return False


def _within(says: Any, printed: Any) -> bool:
    if isinstance(says, dict) and isinstance(printed, dict):
        return all(name in printed and _within(says[name], printed[name]) for name in says)
    if isinstance(says, list) and isinstance(printed, list):
        return len(says) == len(printed) and all(map(_within, says, printed))
    if isinstance(says, str) and isinstance(printed, str):
        return _fits(says, printed)
    return bool(says == printed)


def _fits(says: str, printed: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, says.split("…"))), printed, re.DOTALL) is not None
