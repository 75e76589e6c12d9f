"""One run of the engine's process: started, tied to this process's life, its log read."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog

from batonbox_server.errors import EngineUnsuitable
from batonbox_server.tied import Tie, Watchdog, die_with_us

from .locate import EngineBinary

__all__ = ["EngineProcess"]

_log = structlog.get_logger(__name__)
_KEPT_LINES: Final = 200
# "123:M 23 Nov 2026 23:43:53.000 * Ready to accept connections": pid, role, time, level, text
_LINE = re.compile(r"^\d+:[A-Z] .{20,26} ([.\-*#]) (.*)$")
_TELLING = re.compile(r"fatal|bad file format|corrupt|error|can't|cannot|denied|no space", re.I)


class EngineProcess:
    """The engine as a child that cannot outlive this process.

    A thread of its own reads the log, so that a busy event loop never blocks the engine on a full
    pipe; `on_exit` is called in that thread once the process has been reaped.
    """

    def __init__(
        self,
        binary: EngineBinary,
        *,
        configuration: str,
        lock: int,
        tie: Tie,
        on_exit: Callable[[], None],
    ) -> None:
        if threading.current_thread() is not threading.main_thread():
            # The death signal follows the thread that forked, not the process.
            raise EngineUnsuitable("Start the embedded engine from the main thread.")
        self._on_exit = on_exit
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._child = subprocess.Popen(  # noqa: S603 - see locate
            [binary.path, "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            start_new_session=True,  # Ctrl-C is for us; we stop the engine after draining
            preexec_fn=die_with_us(tie),  # noqa: PLW1509
        )
        self._watchdog = Watchdog(self._child.pid) if tie == "pipe" else None
        self._feed(configuration)
        self._reader = threading.Thread(target=self._pump, name="engine-log", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.returncode is None

    def terminate(self) -> None:
        """Ask it to flush and exit."""
        self._child.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it now; acknowledged writes are on disk already."""
        self._child.kill()

    def complaint(self) -> str:
        """The log's most telling lines about why it ended."""
        telling = [line for line in self.lines if _TELLING.search(line)]
        return " / ".join((telling or list(self.lines))[-3:]) or "it said nothing"

    def _feed(self, configuration: str) -> None:
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(configuration.encode())
            self._child.stdin.close()
        except BrokenPipeError:
            pass  # it ended already; the reader thread reports why

    def _pump(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as lines:
            for raw in lines:
                self._note(raw.decode(errors="replace").rstrip())
        # The watchdog goes first: once reaped, the engine's pid may belong to somebody else.
        if self._watchdog is not None:
            self._watchdog.end()
        self._child.wait()
        self._on_exit()

    def _note(self, line: str) -> None:
        match = _LINE.match(line)
        level, text = match.groups() if match else ("-", line)
        if text:
            self.lines.append(text)
            # The engine also says goodbye at its highest level; that is no warning of ours.
            telling = level == "#" and _TELLING.search(text)
            (_log.warning if telling else _log.debug)("engine_log", line=text, pid=self.pid)
