"""`batonbox-server export`: everything into a file, with a server running and without one."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import httpx2

from tests.chaos.processes import serving
from tests.integration.test_cli import run
from tests.integration.test_export import parsed, threads

_PASSING = {"header", "progress", "end"}


def parts(folder: Path) -> list[Path]:
    """Files that were not finished."""
    return list(folder.glob("*.part"))


async def told(http: httpx2.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await http.post(path, json=body)
    assert answer.is_success, answer.text
    return dict(answer.json())


async def seed(url: str, tokens: dict[str, str]) -> dict[str, str]:
    """Something of each kind; where it is."""
    async with httpx2.AsyncClient(base_url=url, timeout=20) as http:

        async def by(who: str, path: str, /, **body: Any) -> dict[str, Any]:
            http.headers["authorization"] = f"Bearer {tokens[who]}"
            return await told(http, path, **body)

        inbound = {"from": "+14165550142", "to": "+14165550100", "text": "a zebra"}
        conv = (await by("admin", "/v1/loopback/inbound", **inbound))["conv"]
        await by("agent1", f"/v1/conversations/{conv}/note", text="a yak")
        await by("agent1", "/v1/contacts", name="Lee", numbers=["+14165550142"])
        direct = (await by("agent1", "/v1/rooms/direct", user="agent2"))["conv"]
        await by("agent1", f"/v1/rooms/{direct}/post", text="a xerus")
        left = (await by("admin", "/v1/rooms", name="left", private=True))["conv"]
        for n in range(3):
            await by("admin", f"/v1/rooms/{left}/post", text=f"walrus {n}")
        await by("admin", f"/v1/rooms/{left}/leave")
        return {"conv": conv, "direct": direct, "left": left}


async def test_the_operator_gets_everything_and_direct_rooms_only_when_asked_for(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    async with serving(folder) as server:
        users = ("admin", "agent1", "agent2")
        tokens = {u: (await run("token", u, data_dir=folder))[1].strip() for u in users}
        at = await seed(server.url, tokens)
        file = tmp_path / "all.ndjson"
        status, out, err = await run("export", str(file), data_dir=folder)
        assert (status, out) == (0, ""), err
        assert "contact" in err
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        lines = parsed(file.read_bytes())
        found = threads(lines)
        assert at["direct"] not in found
        assert "xerus" not in file.read_text()
        said = [line["body"]["text"] for line in found[at["conv"]] if "text" in line["body"]]
        assert said == ["a zebra", "a yak"]
        posts = [line for line in found[at["left"]] if line["event"] == "posted"]
        assert [post["body"]["text"] for post in posts] == [f"walrus {n}" for n in range(3)]
        status, _, err = await run("export", str(file), data_dir=folder)
        assert (status, "is there already" in err) == (1, True)
        whole = tmp_path / "direct.ndjson"
        assert (await run("export", str(whole), "--direct", data_dir=folder))[0] == 0
        assert "xerus" in whole.read_text()
        async with httpx2.AsyncClient(timeout=5) as http:
            entries = await http.get(
                f"{server.url}/v1/admin/audit?action=organisation_exported",
                headers={"authorization": f"Bearer {tokens['admin']}"},
            )
        items = entries.json()["items"]
        assert [(e["actor"], e["via"], e["detail"]) for e in items] == [
            (None, "cli", {"direct": True}),
            (None, "cli", {"direct": False}),
        ]
        assert await server.stop() == 0
        alone = tmp_path / "alone.ndjson"
        status, _, err = await run("export", str(alone), "--direct", data_dir=folder)
        assert status == 0, err

        def lasting(path: Path) -> list[Any]:
            return [x for x in parsed(path.read_bytes()) if x["kind"] not in _PASSING]

        assert lasting(alone) == lasting(whole)
        assert parts(tmp_path) == []
