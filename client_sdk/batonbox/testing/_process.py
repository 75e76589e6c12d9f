"""A server as a child process: started on a free port, asked over its control socket, ended."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from batonbox._errors import ConnectionLost, api_error

__all__ = ["Process"]

START_S = 60.0
ASK_S = 30.0
STOP_S = 15.0
LOOK_S = 0.02
SHOWN_CHARS = 4000
MISSING = (
    "batonbox.testing.LocalServer starts the real server, which is not installed here:"
    " pip install batonbox-server"
)


class Process:
    """Of the folder `data`; `settings` are the server's, by their names in lower case."""

    def __init__(
        self, data: Path, *, demo: bool, settings: Mapping[str, object], python: str | None
    ) -> None:
        self._data = data
        self._demo = demo
        self._settings = settings
        self._python = python
        self._child: subprocess.Popen[bytes] | None = None
        self._log = data.with_name(f"{data.name}.log")

    @property
    def log(self) -> str:
        """What the server wrote."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def start(self) -> str:
        """Start, wait until it serves, give its address; raises RuntimeError with what it wrote."""
        if self._python is None and importlib.util.find_spec("batonbox_server") is None:
            raise RuntimeError(MISSING)
        command = [self._python or sys.executable, "-m", "batonbox_server", "serve", "--for-tests"]
        command += ["--port", "0", "--data-dir", str(self._data)]
        with self._log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - our own server
                [*command, "--demo"] if self._demo else command,
                stdin=subprocess.PIPE,  # it ends when we do, however that is
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=self._environment(),
            )
        try:
            return self._address(self._child)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, and wait until it has; killed where it does not."""
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        child.stdin.close()
        child.terminate()
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def ask(self, **request: Any) -> dict[str, Any]:
        """A request to the control socket; raises ApiError as refused, ConnectionLost."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
                talk.settimeout(ASK_S)
                talk.connect(os.fspath(self._data / "control.sock"))
                talk.sendall(json.dumps(request).encode() + b"\n")
                with talk.makefile() as answers:
                    line = answers.readline()
        except OSError as error:
            raise ConnectionLost(f"the test server does not answer: {error}") from error
        if not line:
            raise ConnectionLost("the test server ended before it had answered")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise api_error(107, str(answer["error"]), str(answer["message"]))
        return answer

    def _address(self, child: subprocess.Popen[bytes]) -> str:
        give_up_s = time.monotonic() + START_S
        while True:
            try:
                return str(self.ask(op="where")["url"])
            except ConnectionLost:
                if child.poll() is not None:
                    raise self._failed(f"ended with status {child.returncode}") from None
                if time.monotonic() > give_up_s:
                    raise self._failed(f"did not serve within {START_S:g} s") from None
            time.sleep(LOOK_S)

    def _failed(self, how: str) -> RuntimeError:
        return RuntimeError(f"the test server {how}:\n{self.log[-SHOWN_CHARS:]}")

    def _environment(self) -> dict[str, str]:
        """Ours, but for settings that are meant for another server."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("BATONBOX_")}
        given = {f"BATONBOX_{name.upper()}": _text(v) for name, v in self._settings.items()}
        return {**kept, **given}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
