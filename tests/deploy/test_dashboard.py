"""The dashboard asks for metrics that the server has, by labels that they have."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from batonbox_server import measured
from batonbox_server.asgi.metrics import REGISTRY, observe_request

from .promtool import checked

ROOT: Final = Path(__file__).parents[2]
DASHBOARD: Final = ROOT / "deploy" / "grafana" / "batonbox.json"
SCRIPTS: Final = ROOT / "server" / "batonbox_server" / "store" / "lua"
# Of Prometheus itself, and of the supervisor of several workers (workers/asking.py).
ELSEWHERE: Final[dict[str, set[str]]] = {
    "up": set(),
    "ALERTS": {"alertname", "alertstate"},
    "batonbox_workers": set(),
    "batonbox_worker_deaths_total": set(),
}
# What a scrape adds, and a supervisor.
ADDED: Final = {"job", "instance", "worker"}
SELECTOR: Final = re.compile(r"\b((?:batonbox|process)_\w+|up|ALERTS)\b(?:\{([^}]*)\})?")
MATCHER: Final = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
# Grafana's own words, as Prometheus would get them.
MEANT: Final = {
    "$__rate_interval": "5m", "$__range": "3h", "$job": "batonbox", "$instance": ".+",
}  # fmt: skip


@pytest.fixture
def exposed(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Each sample's name and its labels, with something counted everywhere."""
    for kept in (measured.SCRIPT_S, measured.COMMAND_S, measured.CLIENT_LAG):
        monkeypatch.setattr(kept, "counts", {})
        monkeypatch.setattr(kept, "sums", {})
        kept.add("some", 1.0)
    for name in ("FEED_BREAKS", "RESUMES", "RESETS"):
        tally: Counter[str] = getattr(measured, name)
        monkeypatch.setitem(tally, "some", 1)
    observe_request(method="GET", route="/livez", status=200, seconds=0.001)
    found = {name: set(labels) for name, labels in ELSEWHERE.items()}
    for family in text_string_to_metric_families(generate_latest(REGISTRY).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def queries() -> list[tuple[str, str, str]]:
    """Title of the panel, query, legend; those of annotations and variables too."""
    told = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    found = [
        (panel["title"], target["expr"], target["legendFormat"])
        for panel in told["panels"]
        for target in panel.get("targets", ())
    ]
    found += [(a["name"], a["expr"], "") for a in told["annotations"]["list"]]
    asked = [v["query"]["query"] for v in told["templating"]["list"] if v["type"] == "query"]
    return found + [("variable", query, "") for query in asked]


def wrong_with(query: str, legend: str, exposed: dict[str, set[str]]) -> list[str]:
    """What it asks for that is not there."""
    wrong, known = [], set(ADDED)
    selectors = SELECTOR.findall(query)
    if not selectors:
        wrong.append("asks for nothing")
    for name, matchers in selectors:
        if name not in exposed:
            wrong.append(f"{name} is no metric")
            continue
        known |= exposed[name]
        for label, value in MATCHER.findall(matchers):
            if label not in exposed[name] | ADDED:
                wrong.append(f"{name} has no label {label}")
            if label == "script":
                missing = [one for one in value.split("|") if not (SCRIPTS / f"{one}.lua").exists()]
                wrong += [f"{one} is no script" for one in missing]
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", query))))
    wrong += [f"nothing has the label {label}" for label in grouped - known]
    shown = set(re.findall(r"\{\{(\w+)\}\}", legend))
    wrong += [f"the legend's {label} is summed away" for label in shown - grouped]
    return wrong


def test_every_metric_and_every_label_is_exposed(exposed: dict[str, set[str]]) -> None:
    asked = queries()
    assert len(asked) > 50
    wrong = {
        f"{title}: {query}": told
        for title, query, legend in asked
        if (told := wrong_with(query, legend, exposed))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("query", "legend"),
    [
        ("sum(batonbox_conections)", ""),
        ('sum(batonbox_resets_total{cause="fork"})', ""),
        ("sum by (route) (batonbox_connections)", ""),
        ('rate(batonbox_script_seconds_count{script="recieve"}[5m])', ""),
        ("sum(batonbox_connections)", "{{instance}}"),
        ("1", ""),
    ],
)
def test_what_is_not_there_is_told(exposed: dict[str, set[str]], query: str, legend: str) -> None:
    assert wrong_with(query, legend, exposed)


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    def rules(extra: str = "") -> str:
        told = [query for _, query, _ in queries() if not query.startswith("label_values(")]
        return yaml.safe_dump(
            {"groups": [{"name": "dashboard", "rules": [
                {"record": f"query:{number}", "expr": _meant(query) + extra}
                for number, query in enumerate(told)
            ]}]}
        )  # fmt: skip

    file = tmp_path / "queries.yml"
    file.write_text(rules())
    checked("check", "rules", str(file))
    file.write_text(rules(")"))
    with pytest.raises(ValueError, match="could not parse expression"):
        checked("check", "rules", str(file))


def test_panels_have_places_and_say_what_they_show() -> None:
    told = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels: list[dict[str, Any]] = told["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"].endswith("."), panel["title"]


def _meant(query: str) -> str:
    for word, meaning in MEANT.items():
        query = query.replace(word, meaning)
    return query
