"""Prometheus's own judge of rules and queries."""

from __future__ import annotations

import subprocess

from tests.programs import program

__all__ = ["checked"]


def checked(*words: str) -> str:
    """What it says. Raises ValueError when it is not content."""
    tool = program("promtool", package="prometheus")
    done = subprocess.run([tool, *words], capture_output=True, text=True, timeout=60, check=False)
    said = done.stdout + done.stderr
    if done.returncode:
        raise ValueError(said)
    return said
