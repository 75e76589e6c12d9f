"""A real PostgreSQL of the tests' own: a cluster in a folder, reached by its unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tests.programs import program

__all__ = ["Cluster", "cluster"]

_START_S: Final = 30.0
# Nobody cuts the power of this machine: what a killed process wrote is there.
_QUICK: Final = ("-c", "fsync=off", "-c", "max_connections=40", "-c", "shared_buffers=16MB")


class Cluster:
    """One PostgreSQL server; `start` and `kill` as often as a test wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._postgres = program("postgres", package="postgresql")
        self._initdb = program("initdb", package="postgresql")
        self._isready = program("pg_isready", package="postgresql")
        # It refuses to run as root, which tests in a container are.
        self._user = "postgres" if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make its files."""
        if self._user:
            user = pwd.getpwnam(self._user)
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        subprocess.run(
            [self._initdb, "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "-N",
             "--no-locale", "-E", "UTF8"],
            check=True, user=self._user, cwd=self.folder, timeout=60, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self) -> None:
        """Run it until it takes connections."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._postgres, "-D", self.folder / "data", "-k", self.folder,
                 "-c", "listen_addresses=", *_QUICK],
                user=self._user, cwd=self.folder, stdout=log, stderr=log,
            )  # fmt: skip
        deadline_s = time.monotonic() + _START_S
        while not self._answers():
            if time.monotonic() > deadline_s or self._process.poll() is not None:
                raise AssertionError((self.folder / "log").read_text())
            time.sleep(0.02)

    def end(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: stop it, connections or not; SIGQUIT: at once, like a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def url(self, *, schema: str = "") -> str:
        """Of its database; with `schema`, of that part of it."""
        path = f"&search_path={schema}" if schema else ""
        return f"postgresql://postgres@/postgres?host={quote(str(self.folder), safe='')}{path}"

    async def schema(self) -> str:
        """The URL of a part of its own, empty."""
        import asyncpg  # type: ignore[import-untyped]

        name = f"t{uuid.uuid4().hex}"
        connection = await asyncpg.connect(self.url(), timeout=10)
        try:
            await connection.execute(f"CREATE SCHEMA {name}")
        finally:
            await connection.close()
        return self.url(schema=name)

    def _answers(self) -> bool:
        asked = [self._isready, "-q", "-h", str(self.folder), "-U", "postgres"]
        return subprocess.run(asked, check=False, timeout=10).returncode == 0


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A running cluster, gone in the end."""
    folder = Path(tempfile.mkdtemp(prefix="batonbox-pg-"))
    it = Cluster(folder)
    try:
        it.create()
        it.start()
        yield it
    finally:
        it.end()
        shutil.rmtree(folder, ignore_errors=True)
