"""Each room imports only what the table of ARCHITECTURE.md allows."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "server" / "batonbox_server"
BASE = {"domain", "wire", "errors", "measured", "tasks", "origin", "turn"}
EVERYTHING = {"*"}
ROOMS: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "origin": set(),
    "tasks": set(),
    "tls": set(),
    "tied": set(),
    "turn": set(),
    "wire": set(),
    "domain": set(),
    "session": {"wire", "errors"},
    "store": {"domain", "wire", "errors", "measured", "tasks", "origin", "turn"},
    "archive": {"domain", "errors", "tasks", "store.archive_port"},
    "engine": {"errors", "tasks", "tied"},
    "measured": set(),
    "repeats": set(),
    "hub": {"wire", "errors", "measured", "tasks"},
    "search": {"errors", "service.search_port"},
    "service": {
        "domain",
        "errors",
        "tasks",
        "tls",
        "origin",
        "wire",
        "session.ports",
        "store.port",
        "store.rooms_port",
        "store.outbox_port",
        "store.words_port",
        "store.contacts_port",
        "store.account_port",
        "store.directory_port",
        "store.directory_records",
        "store.durable_port",
        "store.sign_in_port",
        "store.audit_port",
        "store.holdings_port",
        "store.live_port",
        "store.oidc_port",
        "store.hook_port",
        "store.group_port",
        "store.media_port",
        "store.archive_port",
        "store.scan_port",
        "store.archiving_port",
        "store.waiting_port",
        "store.wanted",
        "store.retention_port",
        "hub.port",
        "carriers.port",
        "carriers.hook_port",
        "carriers.fetch_port",
    },
    "verify": {"domain", "errors", "store"},
    "backup": {"errors"},
    "carriers": {"errors", "tasks", "tls"},
    "asgi": BASE | {"session", "store", "hub", "service", "carriers"},
    "capacity": set(),
    "capacity_simulation": {"capacity"},
    "planning": {"capacity", "capacity_simulation"},
    "control": {"errors"},
    "signals": set(),
    "health": {"config"},
    "listeners": {"config"},
    "demo": {"config", "domain", "node", "store.directory_port"},
    "node": EVERYTHING,
    "node_archive": EVERYTHING,
    "node_backup": EVERYTHING,
    "node_carriers": EVERYTHING,
    "node_contacts": EVERYTHING,
    "node_export": EVERYTHING,
    "node_layout": EVERYTHING,
    "node_media": EVERYTHING,
    "node_organisation": EVERYTHING,
    "node_retention": EVERYTHING,
    "node_search": EVERYTHING,
    "node_verify": EVERYTHING,
    "for_tests": {"asgi.origins", "config", "errors", "node", "signals", "store.library"},
    "serving": {
        "asgi.http_bounds",
        "asgi.keeping",
        "asgi.origins",
        "asgi.upgrade",
        "config",
        "control",
        "demo",
        "domain",
        "errors",
        "for_tests",
        "listeners",
        "node",
        "node_archive",
        "node_backup",
        "node_export",
        "node_layout",
        "node_verify",
        "origin",
        "service",
        "signals",
        "store.directory_port",
    },
    "workers": {
        "asgi.metrics",
        "config",
        "control",
        "demo",
        "engine",
        "errors",
        "listeners",
        "node",
        "serving",
        "signals",
        "tasks",
        "tied",
    },
    "torture": {
        "cli_base",
        "control",
        "domain",
        "engine",
        "errors",
        "store",
        "tasks",
        "tied",
        "wire",
    },
    "cli": EVERYTHING,
    "cli_base": {"config", "errors", "origin", "repeats"},
    "cli_care": EVERYTHING,
    "config": EVERYTHING,
    "gen": EVERYTHING,
    "__main__": EVERYTHING,
}
FOREIGN = {"service": {"redis", "starlette", "websockets"}}


def imports_of(path: Path) -> set[str]:
    """Absolute dotted names that the file imports."""
    package = ["batonbox_server", *path.relative_to(ROOT).parts[:-1]]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            up = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*up, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def refused(room: str, name: str) -> bool:
    """Whether `room` may not import the dotted `name`."""
    top, _, inner = name.partition(".")
    if top != "batonbox_server":
        return top in FOREIGN.get(room, set())
    if not inner or inner == "__version__" or inner.split(".")[0] == room:
        return False
    allowed = ROOMS[room]
    return allowed != EVERYTHING and not any(
        inner == row or inner.startswith(f"{row}.") for row in allowed
    )


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert room in ROOMS, f"{room} is a new room: give it a row here and in ARCHITECTURE.md"
    assert {name for name in imports_of(path) if refused(room, name)} == set()


def test_the_rule_catches_what_it_is_for() -> None:
    assert refused("service", "batonbox_server.store.redis")
    assert refused("service", "starlette.applications")
    assert not refused("service", "batonbox_server.store.port.Store")
    assert refused("domain", "batonbox_server.wire.OPS")
    assert refused("asgi", "batonbox_server.engine.embedded")
