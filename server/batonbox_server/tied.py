"""Children that cannot outlive this process, however it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Final, Literal

__all__ = ["Tie", "Watchdog", "default_tie", "die_with_us"]

Tie = Literal["death_signal", "pipe"]
_PR_SET_PDEATHSIG: Final = 1


def default_tie() -> Tie:
    """What this system offers."""
    return "death_signal" if sys.platform == "linux" else "pipe"


def die_with_us(tie: Tie) -> Callable[[], None] | None:
    """A `preexec_fn`: the child is killed when this process ends. Fork in the main thread.

    None where the tie is a pipe: then a `Watchdog` does it.
    """
    if tie != "death_signal":
        return None
    parent, prctl = os.getpid(), ctypes.CDLL(None, use_errno=True).prctl

    def tied() -> None:
        # SIGKILL also ends a child that is stopped or inside a long script. Nothing acknowledged is
        # lost with it: the engine's log is on disk by then, and a worker keeps nothing.
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return tied


class Watchdog:
    """For systems without a death signal: a shell that sees our end of a pipe close."""

    def __init__(self, pid: int) -> None:
        self._shell = subprocess.Popen(  # noqa: S603
            ["/bin/sh", "-c", 'cat >/dev/null; kill -9 "$0"', str(pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def end(self) -> None:
        """Call it before the child is reaped: after that its pid may belong to somebody else."""
        self._shell.kill()
        self._shell.communicate()
