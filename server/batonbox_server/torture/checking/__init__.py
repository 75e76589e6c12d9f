"""Judging a round's records; everything here is pure, and imports nothing but the domain.

The seam: `check_round(records: Sequence[Record], *, budget=200_000, converge_s=10.0) -> Verdict`
(in `checking/judge.py`). `records` may begin with the `Final`s of the round before.
"""

from __future__ import annotations

from batonbox_server.torture.checking.verdict import Verdict, Violation

__all__ = ["Verdict", "Violation"]
