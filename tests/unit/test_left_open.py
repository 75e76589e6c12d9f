"""What a test leaves open fails it, and what several shared fails the last one that had it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = """
import socket

import pytest


class Kept:
    def __init__(self):
        self.me, self.socket = self, socket.socket()


@pytest.fixture(scope="{scope}")
def shared():
    yield Kept()


def test_own():
    Kept()


def test_first(shared):
    pass


def test_last(shared):
    pass
"""


@pytest.mark.parametrize(("scope", "last"), [("module", "test_last"), ("session", "test_later")])
def test_a_socket_in_a_cycle_is_found(tmp_path: Path, scope: str, last: str) -> None:
    (tmp_path / "test_a.py").write_text(FILE.format(scope=scope))
    (tmp_path / "test_b.py").write_text("def test_between(): pass\n\ndef test_later(): pass\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rE", "-p", "tests.conftest",
         "-p", "no:schemathesis", "-p", "no:cacheprovider", "-c", os.devnull,
         "--rootdir", tmp_path, tmp_path],
        cwd=ROOT, env=environment | {"COLUMNS": "300"},
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    found = re.findall(r"^ERROR \S+::(\w+) - AssertionError: left open", done.stdout, re.M)
    assert found == ["test_own", last], done.stdout
