"""The torture tool at work: a short run that is clean, and runs in which something is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from batonbox_server.torture import driver, record
from batonbox_server.torture.checking import check_round
from batonbox_server.torture.driver import Options
from batonbox_server.torture.nemeses import NEMESES, Nemesis
from batonbox_server.torture.record import Final, Observed, Record
from batonbox_server.torture.stage import asked


async def tortured(tmp_path: Path, *args: str) -> tuple[int, dict[str, Any], str]:
    """A run as an operator starts it: exit status, verdict, what it told on the way."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "batonbox_server", "torture", "--json", "-", *args,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    assert out, err.decode()[-2000:]
    print(err.decode()[-3000:])
    verdict: dict[str, Any] = json.loads(out)
    return process.returncode, verdict, err.decode()


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def told(verdict: dict[str, Any]) -> str:
    return json.dumps({"violations": verdict["violations"], "trouble": verdict["trouble"]})[:4000]


@pytest.mark.timeout(240)
async def test_a_short_run_is_clean_and_what_it_kept_can_be_judged_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, verdict, said = await tortured(
        tmp_path, "--minutes", "0.1", "--seed", "20", "--allow", "node-kill",
        "--out", str(out), "--keep",
    )  # fmt: skip
    assert (status, verdict["verdict"]) == (0, "clean"), told(verdict)
    (one,) = verdict["rounds"]
    assert [fault["kind"] for fault in one["faults"]] == ["node-kill"]
    assert one["acknowledged"] > 20 and one["lost"] == 0
    unchecked = {name for name, found in verdict["invariants"].items() if not found["checked"]}
    assert unchecked == set(), unchecked
    assert "node-kill at" in said
    assert names(tmp_path) == ["out"]  # nothing is left behind
    records = list(record.read(out / "round-001.jsonl"))
    assert check_round(records).clean
    for wrong, doctored in doctorings(records):
        found = {violation.invariant for violation in check_round(doctored).violations}
        assert wrong in found, (wrong, found)


def doctorings(records: list[Record]) -> list[tuple[str, list[Record]]]:
    """What a round would have looked like if something had gone wrong."""
    middle = followed_event(records)
    final = next(n for n, one in enumerate(records) if isinstance(one, Final))
    truth = records[final]
    assert isinstance(truth, Final)
    shorter = Final(**{**fields_of(truth), "log": truth.log[: len(truth.log) // 2]})
    return [
        ("I4", records[:middle] + records[middle + 1 :]),
        ("I4", [*records[: middle + 1], records[middle], *records[middle + 1 :]]),
        ("I13", [*records[:final], shorter, *records[final + 1 :]]),
    ]


def followed_event(records: list[Record]) -> int:
    """An event behind which its client saw another one of that inbox at once."""
    last: dict[tuple[str, str], int] = {}
    for number, one in enumerate(records):
        if isinstance(one, Observed) and one.kind != "badge":
            before = last.get((one.client, one.inbox), -1)
            if one.kind == "event" and before > len(records) // 3:
                return before
            last[one.client, one.inbox] = number if one.kind == "event" else -1
    raise AssertionError("nobody saw two events")


def fields_of(truth: Final) -> dict[str, Any]:
    return {name: getattr(truth, name) for name in Final.__dataclass_fields__}


class Saboteur(Nemesis):
    """Takes entries out of the logs behind the nodes' backs: what a wrong script could do."""

    name: ClassVar[str] = "saboteur"

    async def begin(self) -> str:
        self.keep_doing(self._spoil, every_s=0.2)
        return self.take(["logs"])

    async def _spoil(self) -> None:
        (url,) = self.stage.engine_urls()
        for log in await asked(url, "KEYS", "*{ib:r*}:log") or []:
            for entry, _ in await asked(url, "XREVRANGE", log, "+", "-", "COUNT", 1) or []:
                await asked(url, "XDEL", log, entry)

    async def end(self) -> None:
        pass


@pytest.mark.timeout(240)
async def test_a_server_that_goes_wrong_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NEMESES, Saboteur.name, Saboteur)
    said: list[str] = []
    options = Options(minutes=0.1, seed=3, nodes=1, allow=(Saboteur.name,), out=tmp_path / "kept")
    report = await driver.run(options, tmp_path / "site", say=said.append)
    assert (report.verdict, report.status) == ("violations", 1), said[-5:]
    assert {"I1", "I13"} <= {found["invariant"] for found in report.violations}
    assert (tmp_path / "kept" / "round-001.jsonl").exists()


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("topology", ["standalone", "sentinel", "cluster"])
async def test_ten_minutes_are_clean(tmp_path: Path, topology: str) -> None:
    status, verdict, _ = await tortured(
        tmp_path, "--minutes", "10", "--seed", "8", "--topology", topology,
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    print(json.dumps({name: verdict[name] for name in ("lost", "invariants", "counts")}))
    assert (status, verdict["verdict"]) == (0, "clean"), told(verdict)
    assert verdict["never_at_rest"] == [] and verdict["convergence_ms_max"] <= 10_000
    for one in verdict["rounds"]:
        assert one["lost"] == one["reported"], one
        assert one["lost"] == 0 or any(fault.get("may_lose") for fault in one["faults"]), one
