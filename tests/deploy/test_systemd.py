"""The units: systemd understands all of them, and what they are confined to is little."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.programs import program

UNITS: Final = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICES: Final = sorted(path.name for path in UNITS.glob("*.service"))
PROGRAMS: Final = "/opt/batonbox/bin/"
# Of 10: an unconfined service has 9.6, and these had 1.2 when they were measured.
EXPOSED_MOST: Final = 2.0


def analyzed(unit: Path, *words: str) -> str:
    """What systemd says of the unit; offline, of this file and nothing that is installed."""
    analyze = program("systemd-analyze", package="systemd")
    found = subprocess.run(
        [analyze, *words, str(unit)], capture_output=True, text=True, timeout=60, check=False
    )
    said = found.stdout + found.stderr
    if found.returncode:
        raise ValueError(said)
    return said


@pytest.fixture(params=SERVICES)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of each service, beside the others, whose programs are there."""
    for path in UNITS.iterdir():
        text = path.read_text(encoding="utf-8")
        assert path.suffix == ".timer" or f"ExecStart={PROGRAMS}batonbox-" in text
        there = re.sub(rf"ExecStart={PROGRAMS}\S+", f"ExecStart={sys.executable}", text)
        (tmp_path / path.name).write_text(there)
    return tmp_path / str(request.param)


def exposure(unit: Path) -> float:
    """The overall exposure level, from 0 to 10."""
    said = analyzed(unit, "security", "--offline=true", "--no-pager")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


def test_systemd_understands_every_line(unit: Path) -> None:
    assert analyzed(unit, "verify", "--man=no") == ""
    unit.write_text(unit.read_text() + "\nProtectEverything=yes\n")
    assert "ProtectEverything" in analyzed(unit, "verify", "--man=no")


def test_little_is_exposed(unit: Path) -> None:
    assert exposure(unit) <= EXPOSED_MOST
    # A unit without its confinement is told apart.
    kept = [line for line in unit.read_text().splitlines() if not _confines(line)]
    unit.write_text("\n".join(kept))
    assert exposure(unit) > 5


def test_each_timer_starts_a_service_that_is_there(tmp_path: Path) -> None:
    timers = list(UNITS.glob("*.timer"))
    assert timers
    for timer in timers:
        assert timer.with_suffix(".service").exists()
        when = re.findall(r"^OnCalendar=(.+)$", timer.read_text(), re.MULTILINE)
        analyze = program("systemd-analyze", package="systemd")
        done = subprocess.run([analyze, "calendar", *when], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_backup_is_made_by_the_servers_own_user() -> None:
    """Both have the same dynamic user and folder, or the one could not read the other's files."""
    server, backup = (UNITS / name for name in ("batonbox.service", "batonbox-backup.service"))
    assert "\nDynamicUser=yes\n" in server.read_text() and "\nUser=" not in server.read_text()
    for line in ("DynamicUser=yes", "User=batonbox", "StateDirectory=batonbox batonbox-backups"):
        assert f"\n{line}\n" in backup.read_text()


def _confines(line: str) -> bool:
    return line.startswith(("Protect", "Private", "Restrict", "SystemCall", "Capability", "No"))
