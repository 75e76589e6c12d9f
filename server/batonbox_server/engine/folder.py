"""The data folder: one opener at a time, and a socket path short enough for the kernel."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from batonbox_server.errors import FolderInUse

__all__ = ["lock_folder", "socket_path"]

# sun_path holds 108 bytes on Linux and 104 on macOS, with the closing zero.
_LONGEST_SOCKET_PATH: Final = 100
_LOCK_POLL_S: Final = 0.05


async def lock_folder(folder: Path, *, wait_s: float) -> int:
    """Take the folder's lock; the returned descriptor holds it, here and in the engine's process.

    An engine whose parent was just killed needs some milliseconds to let go: hence `wait_s`.

    Raises:
        FolderInUse: another process holds it.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = asyncio.get_running_loop().time() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if asyncio.get_running_loop().time() < deadline:
                await asyncio.sleep(_LOCK_POLL_S)
                continue
            os.close(descriptor)
            raise FolderInUse(
                f"The data folder {folder} is in use by another batonbox-server. Stop that one, "
                "choose another folder (BATONBOX_DATA_DIR), or let both use one external engine "
                "(BATONBOX_REDIS_URL)."
            ) from None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor


@contextlib.contextmanager
def socket_path(folder: Path) -> Iterator[Path]:
    """A path for the engine's socket: in `folder`, or in a short private one when that is deep."""
    path = folder / "engine.sock"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        yield path
        return
    runtime = Path(tempfile.mkdtemp(prefix="batonbox-"))
    try:
        yield runtime / "engine.sock"
    finally:
        shutil.rmtree(runtime, ignore_errors=True)
