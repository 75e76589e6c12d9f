"""Judging a round's records; everything here is pure, and imports nothing but the domain."""

from __future__ import annotations

from batonbox_server.torture.checking.judge import INVARIANTS, check_round
from batonbox_server.torture.checking.verdict import Verdict, Violation

__all__ = ["INVARIANTS", "Verdict", "Violation", "check_round"]
