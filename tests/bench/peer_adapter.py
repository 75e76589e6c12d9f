"""batonbox as a peer of the side-by-side benchmark: every published event is a durable command.

Not a module of the suite: the benchmark loads this file (`--adapter tests/bench/peer_adapter.py`)
and provides `peers`. One server process and its embedded engine, both on the server's core. A
subscriber signs in and subscribes in one message; the publisher writes notes over one websocket, so
that each event is validated, allowed, run as a script, written to the log and the append-only file,
and only then told to everybody.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import peers
from peers import Peer, Pub, Sub, free_port

_ROOT = Path(__file__).parents[2]
_PYTHON = _ROOT / ".venv" / "bin" / "python"
sys.path.append(str(_ROOT))
from tests.bench.limits import environment  # noqa: E402 - found by the line above

_HEADERS = ("Sec-WebSocket-Protocol: batonbox.v1.msgpack",)


class Batonbox(Peer):  # type: ignore[misc]
    """One server process with the engine that it starts itself."""

    name = "batonbox"
    note = (
        "one process and its embedded engine on one core; every event is a durable command: signed"
        " in, validated, allowed, run as a script, in the log and the append-only file (fsync"
        " always) before anybody is told; limits raised by settings"
    )

    def missing(self) -> str | None:
        """What to do before it can run."""
        return None if _PYTHON.exists() else "make setup"

    def version(self) -> str:
        """Of the server and of the engine."""
        return f"batonbox {_ask('-m', 'batonbox_server', 'version')}, {_engine()}"

    def launch(self) -> None:
        """Write the organisation into the engine's folder, then serve it."""
        self.port = free_port()
        data = self.dir / "data"
        _ask("-m", "tests.bench.fixture", str(data), str(peers.ARGS.channels))
        command = ("-m", "batonbox_server", "serve", "--port", self.port, "--data-dir", data)
        self.spawn(_PYTHON, *command, env=environment(), cwd=_ROOT)

    def pids(self, role: str | None = None) -> set[int]:
        """The engine counts as `redis`, though the server started it."""
        everything: set[int] = super().pids()
        engine = {pid for pid in everything if _program(pid).startswith(("valkey", "redis"))}
        return {"redis": engine, "server": everything - engine}.get(role or "", everything)

    def sub(self) -> Sub:
        """HELLO and SUB in one message, answered by the inbox's snapshot."""
        told = _frames()
        steps = (("bin", told["subscribe"]), ("expect", told["subscribed"]))
        return Sub(self.port, "/v1/ws", headers=_HEADERS, steps=steps)

    def pub(self) -> Pub:
        """A note in the inbox's conversation."""
        told = _frames()
        steps = (("bin", told["sign_in"]), ("expect", told["signed_in"]))
        how = {"op": "bin", "headers": _HEADERS, "steps": steps}
        return Pub(self.port, "/v1/ws", prefix=told["before"], ack=told["written"], **how)


def _frames() -> dict[str, bytes]:
    told: dict[str, str] = json.loads(_ask("-m", "tests.bench.frames", str(peers.ARGS.size)))
    return {name: bytes.fromhex(value) for name, value in told.items()}


def _ask(*arguments: str) -> str:
    command = [str(_PYTHON), *arguments]
    made = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    return made.stdout.strip()


def _engine() -> str:
    code = (
        "from batonbox_server.engine.locate import locate\n"
        "it = locate()\n"
        "print(it.name, *map(str, it.version))"
    )
    name, *version = _ask("-c", code).split()
    return f"{name} {'.'.join(version)}"


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""
