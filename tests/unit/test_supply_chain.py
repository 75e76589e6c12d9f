"""What the project depends on is looked up, and a question without an answer is no all-clear."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests import supply_chain
from tests.ports import free_port
from tests.supply_chain import WEB, Unreachable, audit_npm, locks, requirements_of
from web_client.build_hook import NotBuiltError, node_binary

ADVISORY = {
    "id": 1, "url": "https://example.com/advisory", "title": "It breaks", "severity": "high",
    "vulnerable_versions": "<9999.0.0", "cwe": [], "cvss": {"score": 9, "vectorString": None},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The page's lock file, where npm may look at it without reading the project's settings."""
    try:
        node_binary()
    except NotBuiltError as error:
        pytest.skip(str(error))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(WEB / name, tmp_path / name)
    return tmp_path


@contextmanager
def registry(advisories: dict[str, list[Any]], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An npm registry that knows these advisories, and nothing else."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            raw = json.dumps(advisories).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{server.server_port}/")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_no_answer_is_no_all_clear(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("npm_config_registry", f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(Unreachable, match="npm audit"):
        audit_npm(folder)
    monkeypatch.setattr(supply_chain, "locks", lambda: [folder])
    monkeypatch.setattr(supply_chain, "ROOT", folder.parent)
    monkeypatch.setattr(supply_chain, "audit_python", list)
    assert supply_chain.main(["audit"]) == 2
    assert "NOT AUDITED: the source of advisories gave no answer" in capsys.readouterr().err


def test_a_tool_that_is_not_there_is_no_all_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supply_chain, "TOOLS", Path("/nonexistent"))
    with pytest.raises(Unreachable, match="make audit"):
        supply_chain.audit_python()


def answering(monkeypatch: pytest.MonkeyPatch, folder: Path, said: object) -> None:
    """In place of pip-audit, which only `make audit` installs: what it prints, and its status."""
    tool = folder / "pip-audit"
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(said)}\nEND\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setattr(supply_chain, "TOOLS", folder)


def test_a_package_that_could_not_be_asked_about_is_no_all_clear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where PyPI does not answer as it should, pip-audit passes over a package, and is content."""
    good = {"name": "msgspec", "version": "1", "vulns": []}
    own = {"name": "batonbox-server", "skip_reason": "distribution marked as editable"}
    bad = {**good, "name": "jinja2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
    answering(monkeypatch, tmp_path, {"dependencies": [good, own]})
    assert supply_chain.audit_python() == []
    answering(monkeypatch, tmp_path, {"dependencies": [good, own, bad]})
    assert supply_chain.audit_python() == ["jinja2 1: PYSEC-1 (fixed in 2)"]
    unasked = {"name": "starlette", "skip_reason": "Dependency not found on PyPI"}
    answering(monkeypatch, tmp_path, {"dependencies": [good, own, unasked]})
    with pytest.raises(Unreachable, match=r"1 of 3 .* starlette \(Dependency not found"):
        supply_chain.audit_python()
    answering(monkeypatch, tmp_path, "ERROR: no connection")
    with pytest.raises(Unreachable, match="pip-audit"):
        supply_chain.audit_python()


def test_an_advisory_is_told_by_its_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with registry({}, monkeypatch):
        assert audit_npm(folder) == []
    with registry({"preact": [ADVISORY]}, monkeypatch):
        found = audit_npm(folder)
    assert any(each.startswith("preact ") and each.endswith(": high") for each in found), found


def test_every_lock_file_of_ours_is_looked_at() -> None:
    found = {str(folder.relative_to(supply_chain.ROOT)) for folder in locks()}
    assert found >= {"server/web_client", "tests/asyncapi", "tests/oidc_provider"}
    assert not [name for name in found if "node_modules" in name]


def test_what_is_shipped_is_known_by_its_requirements() -> None:
    """All that the distributions need, one by one, and none of what only tests need."""
    found = requirements_of(("batonbox-server", "batonbox"))
    assert {"starlette", "msgspec", "argon2-cffi", "cryptography", "websockets"} <= found.keys()
    assert not {"pytest", "mypy", "ruff", "hypothesis", "twilio"} & found.keys()
    for name, version in found.items():
        assert metadata.version(name) == version
