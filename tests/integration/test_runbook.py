"""What an operator is told: the probe in /readyz, alerts and their entries, no text in the log."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import httpx2
import pytest

from tests.chaos.processes import serving
from tests.deploy import promtool
from tests.integration.test_cli import run
from tests.served import SALES, served
from tests.support import eventually

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus" / "rules.yml"
RUNBOOK = ROOT / "docs" / "runbook.md"
# Of Prometheus itself, and of the supervisor of several workers.
ELSEWHERE = {"up", "batonbox_worker_deaths_total"}


async def test_readyz_tells_of_the_way_from_publishing_to_hearing(engine_url: str) -> None:
    async with served(engine_url, f"r{uuid.uuid4().hex[:8]}") as site:
        await eventually(lambda: site.node.probe.told().round_trip_s is not None)
        told = (await site.http.get("/readyz")).json()
        assert told["checks"]["channel"] is True
        assert 0 < told["channel"]["round_trip_ms"] < 5000
        assert told["channel"]["age_s"] >= 0
        text = (await site.http.get("/metrics")).text
        assert "batonbox_channel_ok 1.0" in text


def alerts() -> list[str]:
    """By name, as in the file."""
    return re.findall(r"^      - alert: (\w+)$", RULES.read_text(), re.MULTILINE)


def test_every_alert_has_its_entry_and_every_entry_an_alert() -> None:
    entries = re.findall(r"^## (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert entries == alerts()
    assert len(entries) == len(set(entries)) > 10
    texts = re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    assert all(len(text.split()) > 15 for text in texts)


async def test_every_metric_of_an_alert_is_exposed(engine_url: str) -> None:
    async with served(engine_url, f"r{uuid.uuid4().hex[:8]}") as site:
        await site.texts("hello")
        text = (await site.http.get("/metrics")).text
    told = set(re.findall(r"^# (?:HELP|TYPE) (\w+)", text, re.MULTILINE))
    told |= {f"{name}_{part}" for name in told for part in ("bucket", "total", "count")}
    used = set(re.findall(r"\b(?:batonbox|process)_\w+|\bup\b", _expressions()))
    assert used
    assert used - told - ELSEWHERE == set()


def test_what_an_alert_counts_is_there_before_it_happens() -> None:
    """What begins with its first time has not increased, as Prometheus sees it."""
    told = "from batonbox_server.asgi.metrics import REGISTRY as r; print(r.get_sample_value"
    told += "('batonbox_resets_total', {'reason': 'fork'}))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert float(done.stdout) == 0
    assert 'increase(batonbox_resets_total{reason="fork"}' in RULES.read_text()


def _expressions() -> str:
    """Of the rules, without their summaries."""
    return "\n".join(
        line for line in RULES.read_text().splitlines() if not re.match(r"\s+(summary|#)", line)
    )


def test_prometheus_takes_the_rules() -> None:
    promtool.checked("check", "rules", "--lint=all", "--lint-fatal", str(RULES))


def test_alerts_come_when_they_should_and_at_no_other_time() -> None:
    promtool.checked("test", "rules", str(RULES.with_name("rules_test.yml")))


@pytest.mark.parametrize("broken", ["never", "at once"])
def test_an_alert_that_comes_never_or_too_early_is_noticed(tmp_path: Path, broken: str) -> None:
    """All of them at a time: the tests of each have to fail."""
    texts = re.split(r"^(?=      - alert: )", RULES.read_text(), flags=re.MULTILINE)
    spoilt, expected = texts[:1], []
    for text in texts[1:]:
        if broken == "never":
            changed = re.sub(
                r"(?s)(?<=        expr: ).*?(?=\n        (?:for|labels))", "vector(0) > 1", text
            )
        else:
            changed = re.sub(r"        for: \w+\n", "", text)
        spoilt.append(changed)
        expected += re.findall(r"alert: (\w+)", text) if changed != text else []
    (tmp_path / "rules.yml").write_text("".join(spoilt))
    tests = shutil.copy(RULES.with_name("rules_test.yml"), tmp_path)
    with pytest.raises(ValueError, match="FAILED") as failed:
        promtool.checked("test", "rules", str(tests))
    assert set(re.findall(r"alertname: (\w+)", str(failed.value))) == set(expected)
    assert len(expected) > 10


async def test_no_line_of_the_log_has_a_message_or_a_name(tmp_path: Path) -> None:
    """At the level that tells most, through every way in and out, one that fails included."""
    texts = {name: f"planted-{name}-{uuid.uuid4().hex}" for name in
             ("inbound", "reply", "note", "post", "contact", "failing")}  # fmt: skip
    async with serving(tmp_path / "data", log_level="debug", webhooks_private=True) as server:
        tokens = {u: (await run("token", u, data_dir=server.folder))[1].strip()
                  for u in ("admin", "agent1")}  # fmt: skip
        async with httpx2.AsyncClient(base_url=server.url, timeout=20) as http:

            async def post(who: str, path: str, /, **body: object) -> httpx2.Response:
                http.headers["authorization"] = f"Bearer {tokens[who]}"
                return await http.post(path, json=body)

            customer = "+14165550188"
            inbound = {"from": customer, "to": SALES, "text": texts["inbound"]}
            conv = (await post("admin", "/v1/loopback/inbound", **inbound)).json()["conv"]
            hook = await post("admin", "/v1/admin/webhooks", url="http://127.0.0.1:1/x")
            assert hook.is_success
            assert (await post("agent1", f"/v1/conversations/{conv}/assign")).is_success
            reply = await post("agent1", f"/v1/conversations/{conv}/reply", text=texts["reply"])
            assert reply.is_success
            assert (
                await post("agent1", f"/v1/conversations/{conv}/note", text=texts["note"])
            ).is_success
            contact = {"name": texts["contact"], "numbers": [customer]}
            assert (await post("agent1", "/v1/contacts", **contact)).is_success
            direct = (await post("agent1", "/v1/rooms/direct", user="agent2")).json()["conv"]
            assert (await post("agent1", f"/v1/rooms/{direct}/post", text=texts["post"])).is_success
            assert not (
                await post("agent1", "/v1/loopback/inbound", text=texts["failing"])
            ).is_success
            # A field of another kind, and a body that is none.
            assert not (
                await post("agent1", f"/v1/conversations/{conv}/reply", text=[texts["failing"]])
            ).is_success
            assert not (
                await http.post(f"/v1/conversations/{conv}/reply", content=texts["failing"])
            ).is_success
    log = server.log.read_text()
    assert len(log.splitlines()) > 5
    assert [name for name, text in texts.items() if text in log] == []
    assert [user for user, token in tokens.items() if token in log] == []
