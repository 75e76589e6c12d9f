"""Looking at the audit log as an admin does."""

from __future__ import annotations

from typing import Any

from tests.served import Served

__all__ = ["acts", "audit"]


async def audit(site: Served, **filters: Any) -> list[dict[str, Any]]:
    """Every entry, the oldest first, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"limit": 200, **filters, "cursor": cursor}
        token = await site.token("admin")
        answer = await site.http.get(
            "/v1/admin/audit", params=params, headers={"authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        cursor = page["next"]
    return found[::-1]


def acts(entries: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    """What was done, and by whom."""
    return [(entry["action"], entry["actor"]) for entry in entries]
