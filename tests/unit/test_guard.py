"""What webhooks may not reach: addresses that only the server can."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpcore2
import pytest

from batonbox_server.carriers import guard
from batonbox_server.carriers.fetch_port import FetchFailed
from batonbox_server.carriers.fetcher import HttpFetcher
from batonbox_server.carriers.guard import GuardedBackend, literal, why_not
from batonbox_server.carriers.hook_port import Answer
from batonbox_server.carriers.poster import HttpPoster

SECRET = "whsec_" + "A" * 44
NAME = "receiver.example.com"


@pytest.fixture
async def poster() -> AsyncIterator[HttpPoster]:
    """One that keeps to public addresses."""
    poster = HttpPoster(private=False, agent="test")
    yield poster
    await poster.aclose()


async def attempt(poster: HttpPoster, url: str) -> Answer:
    """One POST."""
    return await poster.post(url, secrets=[SECRET], message_id="m1", body=b"{}", timeout_s=5)


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """The name resolves to these addresses, one lookup after the other, then to the last."""
    left = list(answers)

    async def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        if host != NAME:
            raise OSError("no such name")
        found = left.pop(0) if len(left) > 1 else left[0]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found.split()
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo, raising=False)


PRIVATE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "240.0.0.1",
    "[::1]",
    "[::]",
    "[fe80::1]",
    "[fd00::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[::ffff:127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    # The same in spellings that some resolver understands.
    "0177.0.0.1",
    "0177.1",
    "017700000001",
    "0x7f000001",
    "0x7f.1",
    "127.0.1",
    "127.0.0.1.",
    "\uff11\uff12\uff17.0.0.1",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:7f00:1]",
    "[::ffff:0:7f00:1]",
    "[::127.0.0.1]",
    "[fe80::1%25eth0]",
    # Where clouds tell a machine its credentials.
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::a9fe:a9fe]",
    # Of nobody, of documents and tests, of everybody.
    "192.0.2.1",
    "198.18.0.1",
    "255.255.255.255",
    "[2001::1]",
    "[2001:db8::1]",
    "[100::1]",
    "[64:ff9b:1::7f00:1]",
    "[3fff::1]",
    "[5f00::1]",
    "192.88.99.1",
]
NAMES = ["localhost", "LOCALHOST.", "a.localhost", "printer.local", "metadata.google.internal",
         "metadata.google.internal.", "db.internal"]  # fmt: skip
# Where a reader of the URL could take another part of it for the host.
TRICKS = [
    "https://example.com@127.0.0.1/in",
    "https://example.com:443@127.0.0.1/in",
    "https://127.0.0.1#@example.com/in",
    "https://127.0.0.1?@example.com/in",
    "https://127.0.0.1\\@example.com/in",
    "https://example.com\\@127.0.0.1/in",
    "https://127.0.0.1/@example.com/in",
    "https://127.0.0.1%2f@example.com/in",
    "https://127.0.0.1 .example.com/in",
    "https://127.0.0.1\t.example.com/in",
    "https://127.0.0.1\r\nHost: example.com/in",
    "https://example.com:99999/in",
    "https://example.com:0x50/in",
    "https://[127.0.0.1]/in",
    "https://[::1/in",
    "https:///in",
    "https:127.0.0.1/in",
    "//example.com/in",
    "http://example.com/in",
    "ftp://example.com/in",
    "file:///etc/passwd",
    "gopher://example.com/in",
    "javascript:alert(1)",
]


def test_a_network_without_ipv4_reaches_public_addresses_by_its_translator() -> None:
    assert why_not("64:ff9b::808:808") == ""
    assert "not a public address" in why_not("64:ff9b::a00:1")
    assert "not a public address" in why_not("64:ff9b::a9fe:a9fe")


@pytest.mark.parametrize("host", [*PRIVATE, *NAMES])
async def test_a_private_address_is_refused_when_it_is_named_and_when_it_is_used(
    poster: HttpPoster, host: str
) -> None:
    with pytest.raises(ValueError, match=r"is not a public .* BATONBOX_WEBHOOKS_PRIVATE"):
        poster.check(f"https://{host}/in")
    answer = await attempt(poster, f"https://{host}/in")
    assert (answer.status, answer.ok) == (0, False)
    assert answer.error.startswith("refused: ") and "is not a public" in answer.error


@pytest.mark.parametrize("host", [*PRIVATE, *NAMES])
async def test_no_file_is_fetched_from_there(host: str) -> None:
    fetcher = HttpFetcher(private=False, agent="test")
    with pytest.raises(FetchFailed, match=r"refused: .* is not a public") as failed:
        await fetcher.fetch(
            f"https://{host}/in", headers_of=lambda _: {}, max_bytes=10, timeout_s=5
        )
    assert failed.value.permanent
    await fetcher.aclose()


@pytest.mark.parametrize("url", TRICKS)
async def test_a_url_that_reads_in_two_ways_is_refused(poster: HttpPoster, url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        poster.check(url)
    answer = await attempt(poster, url)
    assert (answer.status, answer.error.partition(":")[0]) == (0, "refused")


async def test_no_proxy_of_the_environment_goes_there_instead(
    poster: HttpPoster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would look the name up itself, behind the check."""
    reached: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(await reader.read(100))
        writer.close()

    proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = proxy.sockets[0].getsockname()[1]
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    resolving(monkeypatch, "10.0.0.1")
    async with proxy:
        other = HttpPoster(private=False, agent="test")
        answer = await attempt(other, f"https://{NAME}/in")
        await other.aclose()
    assert answer.error == f"refused: {NAME}: 10.0.0.1 is not a public address"
    assert reached == []


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:4700::1111", "8.8.8.8"])
def test_a_public_address_is_not(address: str) -> None:
    assert literal(address) and not why_not(address)


async def test_plain_http_is_refused(poster: HttpPoster) -> None:
    with pytest.raises(ValueError, match="https://"):
        poster.check("http://example.com/in")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "::ffff:10.0.0.1"])
async def test_a_name_that_leads_to_a_private_address_is_refused(
    poster: HttpPoster, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    resolving(monkeypatch, address)
    assert poster.check(f"https://{NAME}/in")
    answer = await attempt(poster, f"https://{NAME}/in")
    assert answer.error == f"refused: {NAME}: {address} is not a public address"


async def test_a_name_that_changes_its_mind_is_connected_to_where_it_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Public at the first lookup and loopback at the second: there is no second."""
    reached: list[str] = []

    async def connect(_: Any, host: str, port: int, *__: Any) -> httpcore2.AsyncNetworkStream:
        reached.append(host)
        raise httpcore2.ConnectError("nobody there")

    resolving(monkeypatch, "10.0.0.1 93.184.215.14", "127.0.0.1")
    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connect)
    with pytest.raises(httpcore2.ConnectError):
        await GuardedBackend().connect_tcp(NAME, 443)
    assert reached == ["93.184.215.14"]


async def test_tls_is_asked_for_under_the_name_and_not_the_address(
    poster: HttpPoster, monkeypatch: pytest.MonkeyPatch
) -> None:
    named: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _, name, __: named.append(name)
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    resolving(monkeypatch, "127.0.0.1")
    monkeypatch.setattr(guard, "why_not", lambda _: "")
    async with server:
        answer = await attempt(poster, f"https://{NAME}:{port}/in")
    assert named == [NAME]
    assert answer.status == 0, "there is no certificate"


async def test_the_host_header_is_the_name_also_of_an_address() -> None:
    hosts: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        hosts.extend(line for line in head.split(b"\r\n") if line.lower().startswith(b"host:"))
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    poster = HttpPoster(private=True, agent="test")
    server = await asyncio.start_server(serve, "::1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        answer = await attempt(poster, f"http://[::1]:{port}/in")
    await poster.aclose()
    assert answer.status == 204
    assert [host.lower() for host in hosts] == [f"host: [::1]:{port}".encode()]


async def test_plain_http_is_not_used_once_the_setting_forbids_it(
    poster: HttpPoster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A webhook that was made while it was allowed."""
    resolving(monkeypatch, "93.184.215.14")
    answer = await attempt(poster, f"http://{NAME}/in")
    assert answer.error == "refused: give a URL with https://"
