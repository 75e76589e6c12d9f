"""The retention rule and holds over HTTP, and what the audit log tells of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from batonbox_server.domain.model import inbox_of
from batonbox_server.errors import Refused
from batonbox_server.node_retention import retention_of
from batonbox_server.session.ports import Principal
from tests.integration.audit_harness import audit
from tests.integration.store_harness import refused
from tests.served import Served, served


@pytest.fixture
async def site(engine_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Served]:
    """A node with an archive."""
    url = f"sqlite://{tmp_path}/archive.sqlite"
    async with served(engine_url, prefix, archive_url=url) as site:
        yield site


class TestHttp:
    """What admins say over HTTP."""

    async def test_the_rule_is_set_and_audited(self, site: Served) -> None:
        assert await site.get("admin", "/v1/retention") == {"external_days": 0, "internal_days": 0}
        rules = {"external_days": 365, "internal_days": 30}
        for _ in range(2):
            done = await site.call("admin", "PUT", "/v1/retention", rules)
            assert done.json() == rules
        assert await site.get("admin", "/v1/retention") == rules
        entries = [e for e in await audit(site) if e["action"] == "retention_changed"]
        assert [(e["actor"], e["before"], e["after"]) for e in entries] == [
            ("admin", {"external_days": 0, "internal_days": 0}, rules)
        ]
        for wrong in (-1, 40_000):
            bad = await site.call(
                "admin", "PUT", "/v1/retention", {**rules, "internal_days": wrong}
            )
            assert bad.status_code == 400
            assert "internal_days" in bad.text

    async def test_a_conversation_is_held_and_let_go(self, site: Served) -> None:
        conv = await site.texts("hello")
        path = f"/v1/conversations/{conv}/hold"
        no = await site.call("admin", "POST", path, {"on": True})
        assert no.status_code == 400
        held = (await site.call("admin", "POST", path, {"on": True, "reason": "case 7"})).json()
        assert (held["hold"]["reason"], held["hold"]["by"]) == ("case 7", "admin")
        assert (await site.get("admin", "/v1/holds"))["items"] == [held["hold"]]
        again = await site.call("admin", "POST", path, {"on": True, "reason": "case 8"})
        assert again.json() == held
        ended = await site.call("admin", "POST", path, {"on": False})
        assert ended.json() == {"hold": None}
        assert (await site.get("admin", "/v1/holds"))["items"] == []
        acts = [e["action"] for e in await audit(site) if e["conv"] == conv]
        assert [act for act in acts if "hold" in act] == ["hold", "release_hold"]
        unknown = await site.call("admin", "POST", f"{path}x", {"on": True, "reason": "r"})
        assert unknown.status_code == 404

    async def test_an_inbox_is_not_deleted_over_a_hold(self, site: Served) -> None:
        conv = await site.texts("hello")
        path = f"/v1/conversations/{conv}/hold"
        await site.call("admin", "POST", path, {"on": True, "reason": "case 7"})
        inbox = conv.partition(".")[0]
        no = await site.call("admin", "DELETE", f"/v1/admin/inboxes/{inbox}")
        assert no.json()["code"] == "conflict"
        assert "hold" in no.json()["detail"]
        await site.call("admin", "POST", path, {"on": False})
        done = await site.call("admin", "DELETE", f"/v1/admin/inboxes/{inbox}")
        assert done.status_code == 204

    async def test_a_hold_that_stops_the_deletion_of_its_inbox_can_be_ended(
        self, site: Served
    ) -> None:
        conv = await site.texts("hello")
        path, node = f"/v1/conversations/{conv}/hold", site.node
        await site.call("admin", "POST", path, {"on": True, "reason": "case 7"})
        # As if it had been said after the deletion had looked for holds.
        await node.organisation.delete_inbox(inbox_of(conv))
        await node.directory.refresh()
        assert (await refused(node.store.delete_inbox(inbox=inbox_of(conv)))).slug == "conflict"
        again = await site.call("admin", "POST", path, {"on": True, "reason": "case 7"})
        assert again.status_code == 404
        ended = await site.call("admin", "POST", path, {"on": False})
        assert ended.json() == {"hold": None}
        while not await node.store.delete_inbox(inbox=inbox_of(conv)):
            pass

    async def test_a_room_is_held_by_whoever_is_not_in_it(self, site: Served) -> None:
        made = await site.call("agent1", "POST", "/v1/rooms/direct", {"user": "agent2"})
        assert made.is_success, made.text
        room = made.json()["conv"]
        path = f"/v1/rooms/{room}/hold"
        for _ in range(2):
            held = await site.call("admin", "POST", path, {"on": True, "reason": "case 7"})
            assert held.is_success, held.text
        (item,) = (await site.get("admin", "/v1/holds"))["items"]
        assert (item["conv"], item["inbox"]) == (room, "")
        entries = [e for e in await audit(site) if e["action"] == "hold"]
        assert [(e["actor"], e["target"]) for e in entries] == [("admin", room)]
        for _ in range(2):
            ended = await site.call("admin", "POST", path, {"on": False})
            assert ended.json() == {"hold": None}
        unknown = await site.call("admin", "POST", "/v1/rooms/~cafe/hold", {"on": False})
        assert unknown.status_code == 404
        ends = [e["target"] for e in await audit(site) if e["action"] == "release_hold"]
        assert ends == [room]

    async def test_no_room_is_held_that_the_audit_log_does_not_tell_of(self, site: Served) -> None:
        made = await site.call("agent1", "POST", "/v1/rooms/direct", {"user": "agent2"})
        room, retention = made.json()["conv"], retention_of(site.node)
        admin = Principal("admin", "admin")

        async def full(**_: Any) -> None:
            raise Refused("unavailable")

        retention._audit.write = full  # type: ignore[method-assign]
        for _ in range(2):
            held = retention.hold(admin, conv=room, cid="c", on=True, reason="case 7")
            assert (await refused(held)).slug == "unavailable"
            assert await retention.holds() == []

    async def test_without_an_archive_there_is_no_rule(self, engine_url: str, prefix: str) -> None:
        async with served(engine_url, prefix) as site:
            rules = {"external_days": 1, "internal_days": 0}
            no = await site.call("admin", "PUT", "/v1/retention", rules)
            assert no.status_code == 400
            assert "BATONBOX_ARCHIVE_URL" in no.text
