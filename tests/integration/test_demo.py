"""What `serve --demo` tells people, and the commands of the shell that let them in."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx2
import pytest

from tests.chaos.processes import Server, serving
from tests.integration.test_cli import run
from tests.pages import shell
from tests.programs import program

LINK = re.compile(
    r"^Open this to sign in as (.+) \((\w+)\): +(http://\S+/sign-in#code=(\S+))$", re.M
)
PASSWORD = re.compile(r"^  (\w+) +((?:\w{4}-){3}\w{4})$", re.M)


def told(server: Server) -> str:
    """What the server has printed and logged since it was started first."""
    return (server.folder.parent / f"server-{server.port}.log").read_text()


async def post(server: Server, path: str, body: dict[str, str]) -> httpx2.Response:
    """As the page does."""
    async with httpx2.AsyncClient(base_url=server.url, timeout=20) as http:
        return await http.post(path, json=body, headers={"origin": server.url})


async def test_a_demo_says_how_to_sign_in(tmp_path: Path) -> None:
    async with serving(tmp_path / "data") as server:
        first = told(server)
        links = {user: (name, url, code) for name, user, url, code in LINK.findall(first)}
        assert {user: name for user, (name, _, _) in links.items()} == {
            "agent1": "Ana", "agent2": "Bo", "agent3": "Dee", "admin": "Alex Admin",
        }  # fmt: skip
        for user, (_, url, code) in links.items():
            assert url.startswith(f"{server.url}/sign-in#code=")
            answer = await post(server, "/v1/session/link", {"code": code})
            assert answer.json()["user"]["id"] == user
        passwords = dict(PASSWORD.findall(first))
        assert passwords.keys() == links.keys()
        assert len(set(passwords.values())) == 4
        for user, password in passwords.items():
            answer = await post(server, "/v1/session", {"user": user, "password": password})
            assert answer.status_code == 200, answer.text
        # Links come first, then passwords, then what to try.
        places = [first.index(text) for text in ("Open this", "agent1  ", "Try, in another")]
        assert places == sorted(places)
        await server.stop()
        await server.start()
        again = told(server)[len(first) :]
        assert not PASSWORD.findall(again)
        assert "printed at the first start" in again
        fresh = {user: code for _, user, _, code in LINK.findall(again)}
        assert fresh.keys() == links.keys()
        assert not set(fresh.values()) & {code for _, _, code in links.values()}
        user = "agent1"
        body = {"user": user, "password": passwords[user]}
        assert (await post(server, "/v1/session", body)).status_code == 200


async def test_what_it_says_to_try_does_what_it_says(tmp_path: Path) -> None:
    """Pasted as it stands, but for the race's size and what follows until Ctrl-C."""
    program("curl", package="curl")
    async with serving(tmp_path / "data") as server:
        lines = re.findall("^  (.*)$", told(server).partition("Try, in another")[2], re.M)
        script = "\n".join(line for line in lines if not line.endswith(" tail"))
        assert script.count("\n") == len(lines) - 2
        small = script.replace("--agents 200 --conversations 100", "--agents 2 --conversations 3")
        assert small != script
        with shell(small, tmp_path) as process:
            printed, errors = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == 0, printed + errors
        said = printed.splitlines()
        conv = said[0].partition(" ")[0]
        assert said[:3] == [
            f"{conv} is assigned to admin", f"{conv}: message 3 is on its way", f"{conv} is done",
        ]  # fmt: skip
        assert said[3:6] == [
            '{"items":[],"next":null}',
            "sales  blue 0  green 0  unassigned 0",
            "support  blue 0  green 0  unassigned 0",
        ]
        assert re.search("^winners +3$", printed, re.M), printed


async def test_no_links_where_others_could_open_them(tmp_path: Path) -> None:
    async with serving(tmp_path / "data", host="0.0.0.0") as server:
        text = told(server)
        assert not LINK.findall(text)
        assert len(PASSWORD.findall(text)) == 4
        status, _, err = await run("link", "agent1", data_dir=server.folder)
        assert status == 1
        assert "batonbox-server password USER" in err


async def test_the_shell_makes_links_and_passwords(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with serving(folder) as server:
        status, out, err = await run("link", "agent2", data_dir=folder)
        assert (status, err) == (0, "")
        code = out.strip().partition("#code=")[2]
        answer = await post(server, "/v1/session/link", {"code": code})
        assert answer.json()["user"]["id"] == "agent2"
        status, out, _ = await run("link", "nobody", data_dir=folder)
        assert (status, out) == (1, "")
        cookie = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
        status, made, err = await run("password", "agent2", data_dir=folder)
        assert (status, err) == (0, "")
        async with httpx2.AsyncClient(base_url=server.url) as http:
            seen = (await http.get("/v1/session", headers=cookie)).json()
            assert seen["signed_in"] is False  # a new password ends the sessions
        body = {"user": "agent2", "password": made.strip()}
        assert (await post(server, "/v1/session", body)).status_code == 200
        status, out, _ = await run(
            "password", "agent2", "--stdin", data_dir=folder, stdin="typed by hand\n"
        )
        assert (status, out) == (0, "")
        assert (await post(server, "/v1/session", body)).status_code == 401
        body = {"user": "agent2", "password": "typed by hand"}
        assert (await post(server, "/v1/session", body)).status_code == 200
        for typed, word in (("short\n", "8 to 256"), ("", "no password"), ("\n", "no password")):
            status, _, err = await run(
                "password", "agent2", "--stdin", data_dir=folder, stdin=typed
            )
            assert status == 1
            assert word in err
            assert len(err.splitlines()) == 1
        assert (await run("password", "nobody", data_dir=folder))[0] == 1
        assert await server.stop() == 0
        status, _, err = await run("link", "agent2", data_dir=folder)
        assert status == 1
        assert "serve --demo" in err
        # A password can be set with none running; the engine is started for it.
        status, made, _ = await run("password", "agent3", data_dir=folder)
        assert status == 0
        await server.start()
        body = {"user": "agent3", "password": made.strip()}
        assert (await post(server, "/v1/session", body)).status_code == 200


async def test_secrets_are_in_no_answer_and_no_log(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    wrong, right, fresh = "wrong-horse-battery", "right-horse-battery", "fresh-horse-battery"
    async with serving(folder, log_level="debug") as server:
        answers = []
        assert (await run("password", "admin", "--stdin", data_dir=folder, stdin=right))[0] == 0
        _, link, _ = await run("link", "agent1", data_dir=folder)
        code = link.strip().partition("#code=")[2]
        answers.append(await post(server, "/v1/session", {"user": "admin", "password": wrong}))
        answers.append(await post(server, "/v1/session", {"user": wrong, "password": wrong}))
        answers.append(await post(server, "/v1/session/link", {"code": code}))
        answers.append(await post(server, "/v1/session", {"user": "admin", "password": right}))
        cookie = answers[-1].headers["set-cookie"].partition(";")[0]
        secret = cookie.partition("=")[2]
        headers = {"origin": server.url, "cookie": cookie}
        async with httpx2.AsyncClient(base_url=server.url, headers=headers) as http:
            change = {"old": right, "new": fresh}
            answers.append(await http.put("/v1/me/password", json=change))
            assert answers[-1].status_code == 204
            answers.append(
                await http.put("/v1/admin/users/agent2/password", json={"password": fresh})
            )
            for body in (
                {"password": 1},
                {"password": fresh, "x": 1},
                [fresh],
                {"passwort": fresh},
            ):
                answers.append(await http.put("/v1/admin/users/agent2/password", json=body))
                assert answers[-1].status_code == 400
            for path in (
                "/v1/session",
                "/v1/me",
                "/v1/admin/users",
                "/metrics",
                "/v1/admin/users/admin/tokens",
                "/v1/admin/users/agent2/tokens",
            ):
                answers.append(await http.get(path))
                assert answers[-1].status_code == 200
        log = told(server)
        assert '"event": "signed_in"' in log
        assert '"event": "sign_in_refused"' in log
        for text in (wrong, right, fresh, code, secret, "$argon2"):
            assert text not in log
            for answer in answers:
                assert text not in answer.text


@pytest.mark.parametrize("command", ["password", "link", "token"])
async def test_the_first_user_of_an_empty_server(tmp_path: Path, command: str) -> None:
    """Whoever owns the data makes the first admin by naming them; a link is for a demo."""
    status, _, err = await run(command, "boss", data_dir=tmp_path / "data")
    assert status == (1 if command == "link" else 0), err
