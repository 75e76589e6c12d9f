"""The command line as an operator uses it, against real processes."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.chaos.processes import Server, serving


async def run(*args: str, stdin: str = "", **settings: Any) -> tuple[int, str, str]:
    """`batonbox-server args`: exit status, standard output, standard error."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BATONBOX_")}
    environment |= {f"BATONBOX_{name.upper()}": str(value) for name, value in settings.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "batonbox_server",
        *args,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
    assert process.returncode is not None
    assert "Traceback" not in err.decode()
    return process.returncode, out.decode(), err.decode()


async def status_of(server: Server, token: str) -> int:
    """What /v1/me answers to the token."""
    async with httpx2.AsyncClient(timeout=5) as http:
        headers = {"authorization": f"Bearer {token}"}
        return (await http.get(f"{server.url}/v1/me", headers=headers)).status_code


async def test_tokens_are_made_with_and_without_a_running_server(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with serving(folder) as server:
        mode = (folder / "control.sock").stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        status, out, err = await run("token", "agent1", data_dir=folder)
        running = out.removesuffix("\n")
        assert (status, err) == (0, "")
        assert running.startswith("bb_")
        assert "\n" not in running
        status, out, err = await run("token", "nobody", data_dir=folder)
        assert (status, out) == (1, "")
        assert len(err.splitlines()) == 1
        assert await status_of(server, running) == 200
        assert await server.stop() == 0
        # With none running the command starts the engine itself.
        status, out, _ = await run("token", "agent2", data_dir=folder)
        assert status == 0
        await server.start()
        assert await status_of(server, running) == 200
        assert await status_of(server, out.strip()) == 200


async def test_a_second_server_on_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with serving(folder) as server:
        status, _, err = await run("serve", "--port", "0", data_dir=folder)
        assert status == 1
        assert "in use by another batonbox-server" in err
        # The one that runs still answers its commands.
        assert (await run("token", "admin", data_dir=folder))[0] == 0
        assert await status_of(server, await server.token()) == 200


async def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        status, _, err = await run("serve", "--port", port, data_dir=tmp_path / "data")
    assert status == 1
    assert port in err.splitlines()[-1]


async def test_a_deep_data_folder_works(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["a-folder-with-a-long-name"] * 6)
    folder.parent.mkdir(parents=True)
    async with serving(folder) as server:
        assert await status_of(server, await server.token("agent3")) == 200


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        token = await server.token()
        async with httpx2.AsyncClient(
            base_url=server.url, headers={"authorization": f"Bearer {token}"}, timeout=10
        ) as http:
            body = {"from": "+14165550142", "to": "+14165550100", "text": "remember me"}
            taken = (await http.post("/v1/loopback/inbound", json=body)).json()
            path = f"/v1/conversations/{taken['conv']}"
            assert (await http.post(f"{path}/assign")).status_code == 200
            await server.kill()
            await server.start()
            row = (await http.get(path)).json()
            assert (row["status"], row["assignee"]) == ("assigned", "admin")
            assert row["messages"][0]["body"]["text"] == "remember me"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prot": "8080"}, "BATONBOX_PROT"),
        ({"port": "eighty"}, "BATONBOX_PORT"),
        ({"loopback": "perhaps"}, "BATONBOX_LOOPBACK"),
        ({"webhook_secret_file": "/nonexistent/secret"}, "BATONBOX_WEBHOOK_SECRET_FILE"),
    ],
)
async def test_settings_that_cannot_be_used_are_named(settings: dict[str, str], said: str) -> None:
    status, out, err = await run("config", **settings)
    assert (status, out) == (1, "")
    assert said in err


async def test_config_shows_everything_but_secrets(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("whsec_c2VjcmV0\n")
    status, out, _ = await run(
        "config", port="9", webhook_secret_file=secret, redis_url="redis://:hidden@127.0.0.1"
    )
    assert status == 0
    assert "BATONBOX_PORT=9" in out
    assert "c2VjcmV0" not in out
    assert "hidden" not in out
