"""When the browser client is built, and what happens when it cannot be."""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "server" / "web_client"
# Stands for Node: `vite build --outDir X` writes a page, `npm ci` writes what it was asked.
FAKE_NODE = """#!/bin/sh
case "$2" in
    build) mkdir -p "$4" && echo "<p>page</p>" > "$4/index.html" ;;
    ci) mkdir -p node_modules && echo "$*" > node_modules/asked ;;
esac
"""


def loaded(client: Path) -> ModuleType:
    """The build hook that stands in a client's folder."""
    spec = importlib.util.spec_from_file_location("build_hook_loaded", client / "build_hook.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The build of a copy of the client, with no bundle and no Node yet."""
    monkeypatch.delenv("BATONBOX_NODE", raising=False)
    copy = tmp_path / "server" / "web_client"
    shutil.copytree(CLIENT, copy, ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    (tmp_path / "server" / "batonbox_server").mkdir()
    return loaded(copy)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for Node, named in BATONBOX_NODE."""
    path = tmp_path / "node" / "bin" / "node"
    npm = tmp_path / "node" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for file, text in ((path, FAKE_NODE), (npm, "")):
        file.parent.mkdir(parents=True)
        file.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("BATONBOX_NODE", str(path))
    return path


def made(hook: ModuleType, root: Path) -> Any:
    """The hook as hatch makes it."""
    return hook.CustomBuildHook(str(root), {}, None, None, str(root / "dist"), "wheel")


def test_it_is_built_once_and_again_when_a_source_changes(hook: ModuleType, node: Path) -> None:
    assert not hook.fresh()
    assert hook.build()
    assert hook.fresh() and not hook.build()
    for name in ("src/wire.ts", "package-lock.json", "public/sw.js", "index.html"):
        (hook.HERE / name).write_bytes((hook.HERE / name).read_bytes() + b"\n")
        assert not hook.fresh(), name
        assert hook.build()
    (hook.HERE / "src" / "new.ts").write_text("export {};\n")
    assert not hook.fresh()


def test_a_test_of_the_client_changes_no_bundle(hook: ModuleType, node: Path) -> None:
    hook.build()
    (hook.HERE / "test").mkdir(exist_ok=True)
    (hook.HERE / "test" / "new.test.ts").write_text("export {};\n")
    assert hook.fresh()


def test_the_old_bundle_goes_and_nothing_else_is_left(hook: ModuleType, node: Path) -> None:
    hook.WEB.mkdir()
    (hook.WEB / "stale.js").write_text("")
    hook.build()
    assert sorted(path.name for path in hook.WEB.iterdir()) == [".stamp", "index.html"]
    assert [path.name for path in hook.WEB.parent.iterdir()] == ["web"]


def test_building_leaves_the_tools_of_developers_alone(hook: ModuleType, node: Path) -> None:
    hook.build()
    asked = hook.MODULES / "asked"
    assert "--omit=dev" in asked.read_text() and "--ignore-scripts" in asked.read_text()
    assert hook.install(node, dev=True)
    assert "--include=dev" in asked.read_text()
    asked.unlink()
    assert not hook.install(node, dev=False) and not hook.install(node, dev=True)
    (hook.HERE / "src" / "new.ts").write_text("export {};\n")
    assert hook.build()
    assert not asked.exists()


def test_node_is_asked_for_only_when_there_is_something_to_build(
    hook: ModuleType, node: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert made(hook, tmp_path).dependencies() == []  # one is named
    monkeypatch.delenv("BATONBOX_NODE")
    assert made(hook, tmp_path).dependencies() == [hook.NODE_WHEEL]
    monkeypatch.setenv("BATONBOX_NODE", str(node))
    hook.build()
    monkeypatch.delenv("BATONBOX_NODE")
    assert made(hook, tmp_path).dependencies() == []


def test_an_editable_install_goes_on_without_a_bundle_and_a_package_does_not(
    hook: ModuleType, node: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node.write_text("#!/bin/sh\necho the registry is away; exit 1\n")
    made(hook, tmp_path).initialize("editable", {})
    assert "the registry is away" in "".join(capsys.readouterr())
    with pytest.raises(hook.NotBuiltError, match="the registry is away"):
        made(hook, tmp_path).initialize("standard", {})
    assert [path.name for path in hook.WEB.parent.iterdir()] == []


def test_a_node_that_is_none_is_told(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATONBOX_NODE", "/nowhere/node")
    with pytest.raises(hook.NotBuiltError, match=r"BATONBOX_NODE=/nowhere/node is not a program\."):
        hook.build()


def test_wheel_and_sdist_carry_the_bundle(tmp_path: Path) -> None:
    if not loaded(CLIENT).fresh() and not os.environ.get("CI"):
        pytest.skip("the browser client is not built as it stands: run `make setup`")
    script = (
        "import sys, hatchling.build as b; b.build_sdist(sys.argv[1]); b.build_wheel(sys.argv[1])"
    )
    built = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        timeout=100,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    (sdist,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as package:
        names = set(package.namelist())
    assert {"batonbox_server/web/index.html", "batonbox_server/web/.stamp"} <= names
    assert not any("web_client" in name for name in names)
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames()}
    assert {"server/batonbox_server/web/index.html", "server/web_client/src/main.tsx"} <= names
    assert {"server/batonbox_server/web/.stamp", "server/web_client/build_hook.py"} <= names
    assert not any("node_modules" in name for name in names)
