"""Where and with what something was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from typing import Any, Final

from batonbox_server import __version__
from batonbox_server.engine.locate import locate

__all__ = ["machine"]

_PACKAGES: Final = ("starlette", "uvicorn", "websockets", "redis", "hiredis", "msgpack", "uvloop")


def machine() -> dict[str, Any]:
    """The machine and the versions of all that takes part."""
    engine = locate()
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "batonbox": f"{__version__} {_commit()}".rstrip(),
        "engine": f"{engine.name} {'.'.join(map(str, engine.version))}",
        **{name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _cpu() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
        models = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
    return models[0] if models else platform.machine()


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return told.stdout.strip()
