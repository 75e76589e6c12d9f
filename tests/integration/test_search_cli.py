"""`batonbox-server reindex`, with and without a running server."""

from __future__ import annotations

from pathlib import Path

import httpx2

from tests.chaos.processes import serving
from tests.integration.test_cli import run


async def test_the_index_is_made_anew_with_and_without_a_server(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with serving(folder) as server:
        headers = {"authorization": f"Bearer {await server.token('admin')}"}
        async with httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=10) as http:
            for n in range(30):
                body = {"from": f"+1604555{n:04}", "to": "+14165550100", "text": f"wombat {n}"}
                assert (await http.post("/v1/loopback/inbound", json=body)).is_success
            status, out, err = await run("reindex", data_dir=folder)
            assert (status, err) == (0, "")
            everything = out.splitlines()[-1]
            assert everything.startswith("complete: ")
            found = await http.get("/v1/search?q=wombat&kinds=messages&limit=50")
            assert len(found.json()["messages"]) == 30
            status, out, _ = await run("reindex", "--status", data_dir=folder)
            assert (status, out) == (0, f"{everything}\n")
        assert await server.stop() == 0
        file = folder / "search.sqlite"
        assert file.exists()
        file.unlink()
        status, out, err = await run("reindex", data_dir=folder)
        assert (status, err) == (0, "")
        assert out.splitlines()[-1] == everything
        assert file.exists()
        status, out, _ = await run("reindex", "--status", data_dir=folder)
        assert (status, out.split(":")[0]) == (0, "complete")
