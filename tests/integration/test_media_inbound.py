"""Customers' files: fetched once, from where the server may go, their words never lost."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from batonbox import Unavailable
from batonbox_server.carriers import guard, target
from batonbox_server.carriers.fetch_port import FetchFailed
from batonbox_server.carriers.fetcher import HttpFetcher
from batonbox_server.carriers.webhook import Webhook
from batonbox_server.service import media_worker
from tests.chaos.processes import serving
from tests.integration.media_harness import (
    PNG,
    SETTING,
    Shelf,
    age,
    fetched,
    got,
    kept,
    shelf,
    texts_with,
    upload,
)
from tests.served import SALES, Served, served
from tests.support import eventually


@pytest.fixture
async def carrier() -> AsyncIterator[Shelf]:
    """A carrier's server."""
    async with shelf() as carrier:
        yield carrier


@pytest.fixture
async def site(engine_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Served]:
    """A node that may fetch from this machine, three times at most."""
    given: dict[str, Any] = {"webhook_secret": SETTING, "media_private": True, "media_attempts": 3}
    async with served(engine_url, prefix, data_dir=str(tmp_path), **given) as site:
        yield site


async def media_of(site: Served, conv: str, n: int = 1) -> list[dict[str, Any]]:
    """The files of a message as its thread shows them."""
    thread = await site.get("agent1", f"/v1/conversations/{conv}")
    (message,) = [m for m in thread["messages"] if m["n"] == n]
    found: list[dict[str, Any]] = message["body"]["media"]
    return found


async def received(site: Served, urls: list[str], **more: str) -> str:
    """The conversation of a customer's message with these files."""
    answer = await texts_with(site.http, urls, **more)
    assert answer.is_success, answer.text
    return str(answer.json()["conv"])


async def test_a_customers_file_is_fetched_once_and_shown(site: Served, carrier: Shelf) -> None:
    carrier.holding = 1
    url = f"{carrier.url}/slow.png"
    conv = await received(site, [url, f"{carrier.url}/b.png"])
    await eventually(lambda: carrier.answered == ["b.png"])
    waiting = await got(site, conv, 1)
    assert (waiting.status_code, waiting.json()["code"]) == (503, "unavailable")
    assert int(waiting.headers["retry-after"]) >= 1
    assert (await media_of(site, conv))[0] | {"id": ""} == {
        "id": "", "type": "", "size": 0, "name": "slow.png"
    }  # fmt: skip
    # It comes again meanwhile, and a colleague's client waits for it.
    assert (await texts_with(site.http, [url, f"{carrier.url}/b.png"])).json()["duplicate"]
    async with await site.sdk("agent1", timeout_s=0.5) as client:
        conversation = await client.conversation(conv)
        with pytest.raises(Unavailable):
            await conversation.media(1)
        carrier.hold.set()
        async with asyncio.timeout(10):
            while True:
                try:
                    assert await conversation.media(1) == PNG
                    break
                except Unavailable:
                    continue
        (message,) = await conversation.history()
        assert [m.type for m in message.media] == ["image/png", "image/png"]
    assert (await fetched(site, conv, 1, 1)).content == PNG
    assert sorted(carrier.asked) == ["b.png", "slow.png"]
    shown = await media_of(site, conv)
    assert [(m["type"], m["size"], m["name"]) for m in shown] == [
        ("image/png", len(PNG), "slow.png"), ("image/png", len(PNG), "b.png"),
    ]  # fmt: skip


async def test_a_fetch_that_fails_is_tried_again(site: Served, carrier: Shelf) -> None:
    carrier.failures = 1
    conv = await received(site, [f"{carrier.url}/flaky.png"])
    assert (await fetched(site, conv, 1)).content == PNG
    assert carrier.asked == ["flaky.png", "flaky.png"]


@pytest.mark.parametrize(
    ("name", "asked", "why"),
    [("gone", 1, "HTTP 410"), ("odd", 1, "image/heic is not taken"), ("endless", 1, "larger than")],
)
async def test_a_file_that_cannot_be_had_is_named_and_its_message_stays(
    site: Served, carrier: Shelf, name: str, asked: int, why: str
) -> None:
    conv = await received(site, [f"{carrier.url}/{name}"], text="words")
    answer = await fetched(site, conv, 1)
    assert (answer.status_code, answer.json()["code"]) == (410, "media_refused")
    assert why in answer.json()["detail"]
    thread = await site.get("agent1", f"/v1/conversations/{conv}")
    assert thread["messages"][0]["body"]["text"] == "words"
    (shown,) = await media_of(site, conv)
    assert (shown["name"], why in shown["reason"]) == (name, True)
    assert len(carrier.asked) == asked


async def test_it_is_given_up_after_some_attempts(
    site: Served, carrier: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media_worker, "_FIRST_PAUSE_MS", 50)
    carrier.failures = 99
    conv = await received(site, [f"{carrier.url}/flaky"])
    answer = await fetched(site, conv, 1)
    assert (answer.status_code, len(carrier.asked)) == (410, 3)
    assert "HTTP 503" in answer.json()["detail"]


async def test_a_file_that_cannot_be_written_is_tried_again(
    site: Served, carrier: Shelf, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "media"
    in_the_way.write_text("a file where the folder should be")
    conv = await received(site, [f"{carrier.url}/a.png"])
    await eventually(lambda: carrier.answered == ["a.png"])
    assert (await got(site, conv, 1)).status_code == 503
    refused = await upload(site, PNG)
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    in_the_way.unlink()
    assert (await fetched(site, conv, 1)).content == PNG


async def test_a_message_for_nobody_keeps_its_files_until_it_is_routed(
    site: Served, carrier: Shelf
) -> None:
    assert (await site.call("admin", "DELETE", f"/v1/admin/numbers/{SALES}")).is_success
    answer = await texts_with(site.http, [f"{carrier.url}/early.png"])
    assert answer.json()["code"] == "number_not_routed"
    await eventually(lambda: carrier.answered == ["early.png"])
    routed = await site.call(
        "admin", "POST", "/v1/admin/unrouted/route", {"number": SALES, "inbox": "sales"}
    )
    assert routed.json()["delivered"] == 1, routed.text
    (row,) = (await site.get("agent1", "/v1/conversations"))["items"]
    assert (await fetched(site, row["id"], 1)).content == PNG
    assert carrier.asked == ["early.png"]


async def test_what_an_inbox_has_stays_until_the_inbox_goes(
    site: Served, carrier: Shelf, tmp_path: Path
) -> None:
    conv = await received(site, [f"{carrier.url}/a.png"])
    assert (await fetched(site, conv, 1)).content == PNG
    (file,) = await media_of(site, conv)
    await age(site, [file["id"]])
    for left in ([file["id"]], []):
        while await site.node.media_worker.erase_some():
            pass
        assert [path.name for path in kept(tmp_path / "media")] == left
        await site.call("admin", "DELETE", "/v1/admin/inboxes/sales")


async def test_credentials_go_to_the_carriers_own_host_alone(
    site: Served, carrier: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Webhook, "media_headers",
        lambda _, url: {"authorization": "Basic c2VjcmV0"} if url.startswith(carrier.url) else {},
    )  # fmt: skip
    async with shelf() as other:
        carrier.elsewhere = f"{other.url}/there.png"
        conv = await received(site, [f"{carrier.url}/moved"])
        assert (await fetched(site, conv, 1)).content == PNG
        assert carrier.shown["authorization"] == "Basic c2VjcmV0"
        assert "authorization" not in other.shown


async def test_a_message_from_before_files_were_kept_still_shows_their_names(
    site: Served, carrier: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def as_before(_: str, __: str, urls: Any) -> Any:
        return list(urls)

    async def nothing(*_: Any, **__: Any) -> None: ...

    monkeypatch.setattr(site.node.media, "inbound", as_before)
    monkeypatch.setattr(site.node.media, "received", nothing)
    conv = await received(site, [f"{carrier.url}/old%20one.png?x=1"])
    (shown,) = await media_of(site, conv)
    assert shown == {"id": "", "type": "", "size": 0, "name": "old one.png"}
    assert (await got(site, conv, 1)).status_code == 410
    assert carrier.asked == []


async def test_nothing_is_fetched_from_where_only_the_server_can_go(
    engine_url: str, prefix: str, carrier: Shelf
) -> None:
    async with served(engine_url, prefix, webhook_secret=SETTING) as site:
        port = httpx2.URL(carrier.url).port
        urls = [
            f"{carrier.url}/x", f"https://127.0.0.1:{port}/x", f"https://localhost:{port}/x",
            f"https://[::1]:{port}/x", f"https://2130706433:{port}/x", "file:///etc/passwd",
            f"https://user:pw@127.0.0.1:{port}/x", "nonsense", "https://10.0.0.1/x",
        ]  # fmt: skip
        conv = await received(site, urls)
        for i in range(len(urls)):
            answer = await fetched(site, conv, 1, i)
            assert (answer.status_code, answer.json()["code"]) == (410, "media_refused"), urls[i]
            assert "refused" in answer.json()["detail"]
        assert carrier.asked == []


# A redirect from a public address; here 127.0.0.1 counts as one.


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a server on 127.0.0.1 needs for https, and our side trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = dt.datetime.now(dt.UTC)
    own = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([own]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "cert.pem").write_bytes(cert.public_bytes(pem))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    return {
        "ssl_certfile": str(tmp_path / "cert.pem"),
        "ssl_keyfile": str(tmp_path / "key.pem"),
    }


async def test_a_redirect_is_checked_like_the_first_address(
    tls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    really = guard.why_not
    for module in (guard, target):
        monkeypatch.setattr(module, "why_not", lambda a: "" if a == "127.0.0.1" else really(a))
    resolved = guard._resolved

    async def looked_up(host: str, port: int) -> list[str]:
        return ["127.0.0.2"] if host == "files.example.org" else await resolved(host, port)

    monkeypatch.setattr(guard, "_resolved", looked_up)
    fetcher = HttpFetcher(private=False, agent="test")
    async with shelf(**tls) as public, shelf(host="127.0.0.2", **tls) as inside:
        port = httpx2.URL(inside.url).port

        async def fetch(to: str) -> bytes:
            public.elsewhere = to
            found = await fetcher.fetch(
                f"{public.url}/moved", headers_of=lambda _: {}, max_bytes=10**6, timeout_s=5
            )
            return found.data

        assert await fetch("/plain.png") == PNG  # relative, and allowed
        for to in (
            f"{inside.url}/x",
            f"https://files.example.org:{port}/x",
            f"http://127.0.0.1:{httpx2.URL(public.url).port}/x",
            "file:///etc/passwd",
        ):
            with pytest.raises(FetchFailed, match="refused") as failed:
                await fetch(to)
            assert failed.value.permanent
        with pytest.raises(FetchFailed, match="more than 5 times"):
            await fetch(f"{public.url}/moved")
        assert inside.asked == []
    await fetcher.aclose()


async def test_a_server_that_is_killed_fetches_the_file_after_its_restart_once(
    tmp_path: Path, carrier: Shelf
) -> None:
    carrier.holding = 1
    given: dict[str, Any] = {
        "webhook_secret": SETTING, "media_private": "true", "media_timeout_s": 1.5,
    }  # fmt: skip
    async with serving(tmp_path / "data", **given) as server:
        token = {"authorization": f"Bearer {await server.token()}"}
        async with httpx2.AsyncClient(base_url=server.url, timeout=10) as http:
            answer = await texts_with(http, [f"{carrier.url}/slow.png"])
            assert answer.is_success, answer.text
            path = f"/v1/conversations/{answer.json()['conv']}/messages/1/media/0"
            await eventually(lambda: carrier.asked == ["slow.png"])
            await server.kill()
            await server.start()
            await eventually(lambda: carrier.answered == ["slow.png"], timeout_s=30)
            async with asyncio.timeout(10):
                while (await http.get(path, headers=token)).status_code == 503:
                    await asyncio.sleep(0.05)
            link = (await http.get(path, headers=token)).headers["location"]
            assert (await http.get(link)).content == PNG
            await asyncio.sleep(2.5)  # the worker looks every second
    assert carrier.asked == ["slow.png", "slow.png"]
