"""Steps of a Containerfile, and what it makes, executed without a container engine.

In place of the image that a stage begins with stands this machine's own root, under an overlay: the
steps run as they are written, on their own paths, and what they write is in a folder of the test's.
The result runs as a container does: PID 1 of its own namespace, on a read-only root with one
volume, as the image's user, without capabilities. It needs root.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Final

import pytest

from .containerfile import Instruction, Stage

__all__ = ["Container", "Root", "need_root"]

_CHECKOUT: Final = Path(__file__).parents[2]
# The tests' Python is where the image's is, in /usr/local.
_PYTHON: Final = Path(sys.base_prefix)
_DEBIANS: Final = _PYTHON.as_posix() == "/usr"
# Where that image's loader finds libpython, too.
_LIBRARIES: Final = {"LD_LIBRARY_PATH": "/usr/local/lib"}
_TIMEOUT_S: Final = 280.0
# Nothing outlives the tests, however they end; another user's process has to ask for that anew.
_TIED: Final = ("--pdeathsig=KILL",)
# How this machine's package clients reach their registries.
_CLIENTS: Final = ("PIP_", "NPM_CONFIG_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT")


def need_root() -> None:
    """Skips the test without it; in CI that fails."""
    if os.geteuid() == 0 and shutil.which("unshare") and shutil.which("setpriv"):
        return
    remedy = "executing a Containerfile's steps takes root, and unshare and setpriv of util-linux"
    if os.environ.get("CI"):
        pytest.fail(remedy)
    pytest.skip(remedy)


class Root:
    """A stage's files: `upper` has what its steps wrote."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.upper, self._work, self._merged = (folder / n for n in ("upper", "work", "merged"))
        for each in (self.upper, self._work, self._merged):
            each.mkdir(parents=True)
            each.chmod(0o755)
        if _DEBIANS:  # which is called python3 alone
            python = self._inside("/usr/local/bin/python")
            python.parent.mkdir(parents=True)
            python.symlink_to(Path(sys.executable).resolve())

    def build(self, stage: Stage, files: list[PurePosixPath], made: dict[str, Root]) -> None:
        """Carry out the stage's steps; COPY takes `files` of the checkout, or what others made."""
        at = PurePosixPath("/")
        for number, step in enumerate(stage.instructions):
            if step.name == "WORKDIR":
                at /= step.words[0]
                self._inside(str(at)).mkdir(parents=True, exist_ok=True)
            elif step.name == "COPY" and "from" in step.flags:
                source, target = step.words
                tree = made[step.flags["from"]].upper / source.lstrip("/")
                shutil.copytree(tree, self._inside(target), symlinks=True, dirs_exist_ok=True)
            elif step.name == "COPY":
                self._copy(step, files, at)
            elif step.name == "RUN":
                self._run(step.text, at, stage.environment(before=number))

    def _inside(self, path: str) -> Path:
        return self.upper / path.lstrip("/")

    def _copy(self, step: Instruction, files: list[PurePosixPath], at: PurePosixPath) -> None:
        *sources, target = step.words
        to = self._inside(str(at / target))
        for source in sources:
            taken = [f for f in files if f == PurePosixPath(source) or f.is_relative_to(source)]
            assert taken, f"COPY {source}: the context has no such file"
            folder = taken != [PurePosixPath(source)]
            for file in taken:
                copy = to / (file.relative_to(source) if folder else file.name)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(_CHECKOUT / file, copy)

    def _run(self, command: str, at: PurePosixPath, environment: dict[str, str]) -> None:
        clients = {k: v for k, v in os.environ.items() if k.upper().startswith(_CLIENTS)}
        given = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/root"}
        env = [f"{k}={v}" for k, v in {**given, **clients, **_LIBRARIES, **environment}.items()]
        inner = ["env", "-i", *env, "/bin/sh", "-ec", f"cd {shlex.quote(str(at))}; {command}"]
        script = f"{self.mounts()}\nmount -t tmpfs tmpfs {self._merged}/tmp\n{self._chroot(inner)}"
        done = subprocess.run(
            _namespaces(script), capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        assert done.returncode == 0, f"RUN {command}\n{done.stdout}{done.stderr}"

    def mounts(self) -> str:
        """Shell: this root is at `merged`, with a /proc and without the checkout."""
        layers = f"lowerdir=/,upperdir={self.upper},workdir={self._work}"
        own_python = f"mount -o bind,ro {_PYTHON} {self._merged}/usr/local"
        return "\n".join(
            [
                f"mount -t overlay overlay -o {layers} {self._merged}",
                "" if _DEBIANS else own_python,
                f"mount -t tmpfs tmpfs {self._merged}{_CHECKOUT}",
                f"mount -t proc proc {self._merged}/proc",
                f"mount --rbind /dev {self._merged}/dev",
            ]
        )

    def _chroot(self, words: list[str]) -> str:
        return f"exec chroot {self._merged} {shlex.join(words)}"

    @asynccontextmanager
    async def running(
        self, stage: Stage, volume: Path, log: Path, **settings: str
    ) -> AsyncIterator[Container]:
        """What ENTRYPOINT and CMD say, as the image's user, on this root, which is read-only."""
        environment = stage.environment() | {
            f"BATONBOX_{k.upper()}": v for k, v in settings.items()
        }
        user = stage.last("USER")[0]
        words = _as(user, environment, [*stage.last("ENTRYPOINT"), *stage.last("CMD")])
        (mounted,) = stage.last("VOLUME")
        script = "\n".join(
            [
                self.mounts(),
                f"mount --bind {volume} {self._merged}{mounted}",
                f"mount -o remount,ro {self._merged}",
                self._chroot(words),
            ]
        )
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                *_namespaces(script), stdout=out, stderr=out
            )
        container = Container(process, user, environment)
        try:
            yield container
        finally:
            container.end()
            await process.wait()


class Container:
    """A process in there; others can be put beside it."""

    def __init__(
        self, process: asyncio.subprocess.Process, user: str, environment: dict[str, str]
    ) -> None:
        self.process = process
        self._user = user
        self._environment = environment

    @property
    def pid(self) -> int:
        """Of its PID 1, as this machine counts; 0 before it begins and after its end."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        pids = children.read_text().split() if children.exists() else []
        return int(pids[0]) if pids else 0

    def end(self) -> None:
        """With PID 1 all of its namespace ends."""
        if self.process.returncode is None:
            os.kill(self.pid or self.process.pid, signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """To its PID 1, as `docker kill` does."""
        os.kill(self.pid, number)

    def status(self) -> dict[str, str]:
        """/proc/PID/status of its PID 1."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}

    async def executed(self, *words: str) -> tuple[int, str]:
        """As `docker exec` does: exit status, and what was said."""
        if not self.pid:
            return 1, "there is nobody in it"
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--root", "--wd"]
        asked = await asyncio.create_subprocess_exec(
            *enter, *_as(self._user, self._environment, list(words)),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await asyncio.wait_for(asked.communicate(), _TIMEOUT_S)
        assert asked.returncode is not None
        return asked.returncode, said.decode()


def _namespaces(script: str) -> list[str]:
    own = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    return ["setpriv", *_TIED, *own, "sh", "-ec", script]


def _as(user: str, environment: dict[str, str], words: list[str]) -> list[str]:
    uid, _, gid = user.partition(":")
    drop = ["--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    env = [f"{name}={value}" for name, value in {**_LIBRARIES, **environment}.items()]
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", *drop, *_TIED, "env", "-i", *env, *words]
