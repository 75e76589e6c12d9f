"""A server that somebody's tests start: its clock goes ahead when asked, and it ends with them.

`serve --for-tests`, hidden, for `batonbox.testing`. Its scripts add to the engine's clock what
stands at one key of the embedded engine, which nobody else has; the process adds the same to its
own. Refused where others could be served: with an engine of one's own, with several workers, on
another address than this machine's own, and in a folder that held data before.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final

from batonbox_server.asgi.origins import is_loopback
from batonbox_server.config import ConfigError, Settings
from batonbox_server.errors import Refused
from batonbox_server.node import Node
from batonbox_server.signals import Stop
from batonbox_server.store.library import shift_clock

__all__ = ["ForTests"]

_KEY: Final = "for_tests:ahead_s"
_MARK: Final = "for-tests"
_LONGEST_S: Final = 10 * 366 * 86400.0


class ForTests:
    """Made before the node; raises ConfigError where tests have no business."""

    def __init__(self, settings: Settings) -> None:
        folder = Path(settings.data_dir)
        if settings.redis_url or settings.workers > 1 or not is_loopback(settings.host):
            raise ConfigError(
                "--for-tests takes the embedded engine, one worker and a loopback address"
            )
        if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
            raise ConfigError(
                f"--for-tests changes clocks: {folder.absolute()} holds data of another server;"
                " give --data-dir an empty folder"
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MARK).touch()
        self._ahead_s = 0.0
        shift_clock(_KEY)
        _shift_process(self)

    @property
    def ahead_s(self) -> float:
        """How far the clock is ahead."""
        return self._ahead_s

    async def resume(self, node: Node) -> None:
        """Take up what an earlier server of the folder had come to."""
        self._ahead_s = float(await node.client.execute("GET", _KEY) or 0.0)

    def tell(
        self, node: Node, request: dict[str, Any], *, url: str
    ) -> Awaitable[dict[str, Any]] | None:
        """What only such a server answers; None: it is a request like any other."""
        match request.get("op"):
            case "where":
                return self._where(url)
            case "advance":
                return self._advance(node, request.get("seconds"))
        return None

    async def _where(self, url: str) -> dict[str, Any]:
        return {"url": url, "pid": os.getpid(), "ahead_s": self._ahead_s}

    async def _advance(self, node: Node, seconds: Any) -> dict[str, Any]:
        if not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST_S:
            raise Refused("bad_request", f"seconds: from 0 to {_LONGEST_S:.0f}, not {seconds!r}")
        ahead_s = self._ahead_s + seconds
        await node.client.execute("SET", _KEY, ahead_s)
        self._ahead_s = ahead_s
        return {"ahead_s": ahead_s}

    def end_with_parent(self, stop: Stop) -> None:
        """Stop once standard input ends: whoever started us holds its other side."""
        if sys.stdin is not None and not sys.stdin.isatty():
            descriptor = sys.stdin.fileno()
            loop = asyncio.get_running_loop()

            def readable() -> None:
                if not os.read(descriptor, 4096):
                    loop.remove_reader(descriptor)
                    stop.set()

            loop.add_reader(descriptor, readable)


def _shift_process(clock: ForTests) -> None:
    real_s, real_ns = time.time, time.time_ns
    time.time = lambda: real_s() + clock.ahead_s
    time.time_ns = lambda: real_ns() + int(clock.ahead_s * 1e9)
