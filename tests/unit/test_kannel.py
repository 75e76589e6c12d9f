"""What Kannel says, read; what it is told, written; without one (see tests/integration)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from batonbox_server.carriers.kannel import KannelAccount, KannelKind, callback_token
from batonbox_server.carriers.port import (
    Callback,
    MediaLink,
    Outbound,
    SecretUnreadable,
    SendFailed,
    Unreadable,
    Unsigned,
)

PASSWORD = "a long password"
CONFIG = {"url": "http://127.0.0.1:13013/cgi-bin/sendsms", "username": "batonbox"}
STATUS_URL = "https://box.example.org/v1/carriers/kannel/status?token=t&id=sales.1%3A5"


class Answers(httpx2.AsyncBaseTransport):
    """Answers every request in the same way, and keeps them."""

    def __init__(self, status: int = 202, text: str = "0: Accepted for delivery") -> None:
        self.status, self.text = status, text
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        self.requests.append(request)
        return httpx2.Response(self.status, text=self.text)


def account(answers: httpx2.AsyncBaseTransport | None = None, **config: str) -> KannelAccount:
    """An account whose Kannel answers so."""
    http = httpx2.AsyncClient(transport=answers or Answers())
    return KannelAccount("kannel", {**CONFIG, **config}, http, secret=lambda: PASSWORD)


def outbound(text: str = "hello", **more: Any) -> Outbound:
    """A message of ours."""
    return Outbound("sales.1:5", "+14165550100", "+14165550142", text, **more)


def inbound(
    body: bytes, kind: str = 'text/plain; charset="UTF-8"', sender: str = "%2B14165550142"
) -> Callback:
    """As the setup says it."""
    query = f"token=t&from={sender}&to=%2B14165550100&id=k-1&time=1&coding=0&udh="
    return Callback("POST", "", query, {"content-type": kind}, body)


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("héllo € 😀".encode(), 'text/plain; charset="UTF-8"', "héllo € 😀"),
        ("zwei 😀".encode("utf-16-be"), 'text/plain; charset="UTF-16BE"', "zwei 😀"),
        ("gr\xfc\xdfe".encode("latin-1"), "text/plain; charset=ISO-8859-1", "grüße"),
        (b"plain", "text/plain", "plain"),
        (b"plain", "text/plain; charset=no-such", "plain"),
        (b"plain", "text/plain; charset=idna", "plain"),
        (b"half \\ud83d", "text/plain; charset=unicode_escape", "half "),
        (b"\xff\x00\x01", "application/octet-stream", "[binary message, 3 bytes]"),
        (b"nu\x00l", "text/plain", "nul"),
    ],
)
def test_the_text_is_read_in_the_alphabet_it_came_in(body: bytes, kind: str, text: str) -> None:
    found, _ = account().parse_inbound(inbound(body, kind))
    assert found is not None
    assert (found.text, found.provider_id) == (text, "k-1")


@pytest.mark.parametrize(
    ("sender", "number"),
    [
        ("%2B14165550142", "+14165550142"),
        ("14165550142", "+14165550142"),
        ("0014165550142", "+14165550142"),
        ("BANK", "BANK"),
        ("12345", "12345"),
        ("", ""),
    ],
)
def test_numbers_come_in_the_forms_message_centres_use(sender: str, number: str) -> None:
    """What is no number stays as it is: intake knows what to do with it."""
    found, _ = account().parse_inbound(inbound(b"hello", sender=sender))
    assert found is not None
    assert found.customer == number


def test_a_message_without_an_id_is_refused() -> None:
    with pytest.raises(Unreadable, match="%I"):
        account().parse_inbound(Callback("POST", "", "from=1&to=2", {}, b"x"))


@pytest.mark.parametrize(
    ("state", "answer", "want"),
    [
        ("1", "", ("delivered", "")),
        ("1", "id:5 sub:001 stat:DELIVRD err:000 text:", ("delivered", "")),
        ("4", "", ("sent", "")),
        ("8", "ACK/", ("sent", "")),
        ("2", "id:5 stat:UNDELIV err:001 text:", ("failed", "undeliverable (error 001)")),
        ("2", "id:5 stat:EXPIRED err:000 text:", ("failed", "not delivered in time")),
        ("2", "", ("failed", "not delivered")),
        (
            "16",
            "NACK/0x0000000b/Invalid Destination Address",
            ("failed", "Invalid Destination Address (0x0000000b)"),
        ),
        ("16", "NACK/Retries Exceeded", ("failed", "Retries Exceeded")),
    ],
)
def test_receipts(state: str, answer: str, want: tuple[str, str]) -> None:
    query = str(httpx2.QueryParams({"id": "sales.1:5", "state": state, "answer": answer}))
    found, heard = account().parse_receipt(Callback("GET", "", query))
    assert found is not None
    assert (found.state, found.reason) == want
    assert (found.own_id, found.carrier_id, heard.body) == ("sales.1:5", "", "")
    for at, sending in (("17", "sales.1:5:17"), ("1" * 20, ""), ("x", "")):
        found, _ = account().parse_receipt(Callback("GET", "", f"{query}&at={at}"))
        assert found is not None
        assert found.carrier_id == sending


def test_what_is_no_receipt_is_refused() -> None:
    for query in ("id=sales.1%3A5&state=3", "state=1", ""):
        with pytest.raises(Unreadable):
            account().parse_receipt(Callback("GET", "", query))


def test_the_token_is_the_accounts() -> None:
    here = account()
    token = callback_token(PASSWORD, "kannel")
    here.verify(Callback("GET", "", f"token={token}"))
    wrong = (callback_token("other", "kannel"), callback_token(PASSWORD, "second"), "", "é")
    for other in wrong:
        with pytest.raises(Unsigned) as refused:
            here.verify(Callback("GET", "", f"token={other}"))
        assert token not in str(refused.value)
    assert PASSWORD not in here.inbound_url("https://box.example.org/x")
    without = KannelAccount("kannel", CONFIG, httpx2.AsyncClient(), secret=lambda: "")
    with pytest.raises(SecretUnreadable):
        without.verify(Callback("GET", "", "token=x"))
    base = "https://box.example.org/x"
    assert (without.inbound_url(base), without.status_url(base, "sales.1:5")) == ("", "")


async def test_a_message_leaves_with_the_address_of_its_receipts() -> None:
    answers = Answers()
    accepted = await account(answers, smsc_id="one").send(outbound(status_url=STATUS_URL))
    assert (accepted.carrier_id, accepted.delivered) == ("sales.1:5", False)
    [request] = answers.requests
    said = request.headers
    assert (said["x-kannel-from"], said["x-kannel-to"]) == ("+14165550100", "+14165550142")
    assert (said["x-kannel-smsc"], said["x-kannel-dlr-mask"]) == ("one", "31")
    # Kannel reads it as a pattern, in which %% is a %.
    fill = {"%%": "%", "%d": "8", "%A": "ACK"}
    filled = re.sub("%.", lambda found: fill.get(found[0], "?"), said["x-kannel-dlr-url"])
    told = parse_qs(urlsplit(filled).query)
    assert int(told.pop("at")[0]) > 0
    assert told == {
        "token": ["t"], "id": ["sales.1:5"], "state": ["8"], "answer": ["ACK"],
    }  # fmt: skip
    assert PASSWORD not in str(request.url)


@pytest.mark.parametrize(
    ("text", "coding"),
    [("plain [1] {2} €~^\\|", "0"), ("é à Ç Ω\n", "0"), ("ç", "2"), ("😀", "2"), ("`", "2")],
)
async def test_the_alphabet_that_the_text_needs(text: str, coding: str) -> None:
    answers = Answers()
    await account(answers).send(outbound(text))
    assert answers.requests[0].headers["x-kannel-coding"] == coding
    assert answers.requests[0].content.decode() == text


@pytest.mark.parametrize(
    ("status", "said", "permanent", "reason"),
    [
        (403, "Authorization failed for sendsms", False, "user name or password"),
        (403, "Not routable. Do not try again.", True, "no route"),
        (400, "Coding field misformed, rejected", True, "Coding field misformed"),
        (400, "Number(s) has/have been denied by white- and/or black-lists.", True, "deny"),
        (400, "<html>secrets of something else</html>", True, "HTTP 400"),
        (404, "", False, "check the URL"),
        (503, "Temporal failure, try again later.", False, "HTTP 503"),
        (500, "Sending failed.", False, "HTTP 500"),
        (302, "", False, "HTTP 302"),
        (200, "<html>Please sign in</html>", False, "not Kannel's answer"),
    ],
)
async def test_refusals_say_what_is_wrong(
    status: int, said: str, permanent: bool, reason: str
) -> None:
    with pytest.raises(SendFailed) as failed:
        await account(Answers(status, said)).send(outbound())
    assert (failed.value.permanent, failed.value.unsettled) == (permanent, False)
    assert reason in failed.value.reason
    assert "secrets" not in failed.value.reason


async def test_files_are_refused_for_good() -> None:
    with pytest.raises(SendFailed, match="no files") as failed:
        await account().send(outbound(media=(MediaLink("https://box.example.org/f"),)))
    assert failed.value.permanent


@pytest.mark.parametrize(
    ("status", "said", "problem"),
    [
        (400, "Empty receiver number not allowed, rejected", ""),
        (400, "Missing receiver(s) number(s), rejected", ""),
        (403, "Authorization failed for sendsms", "user name or password"),
        (404, "", "check the URL"),
    ],
)
async def test_the_check_asks_without_sending(status: int, said: str, problem: str) -> None:
    answers = Answers(status, said)
    found = await account(answers).check()
    assert problem in found
    assert bool(found) == bool(problem)
    assert answers.requests[0].headers["x-kannel-to"] == ""


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ({"username": "u"}, "url"),
        ({"url": "ftp://kannel/", "username": "u"}, "url"),
        ({"url": "http://user:secret@127.0.0.1/x", "username": "u"}, "url"),
        ({"url": "http://:secret@127.0.0.1/x", "username": "u"}, "url"),
        ({"url": "http://☃..x/", "username": "u"}, "url"),
        ({"url": "http://127.0.0.1:99999/x", "username": "u"}, "url"),
        ({"url": CONFIG["url"]}, "username"),
        ({"url": CONFIG["url"], "username": "a b"}, "username"),
        ({"url": CONFIG["url"], "username": "u\r\nX: 1"}, "username"),
        ({**CONFIG, "smsc_id": "ü"}, "smsc_id"),
        ({**CONFIG, "password": "x"}, "password"),
    ],
)
async def test_a_configuration_that_cannot_work_is_refused(
    config: dict[str, str], field: str
) -> None:
    kind = KannelKind()
    with pytest.raises(ValueError, match=f"^{field}: "):
        kind.checked(config)
    assert kind.checked({**CONFIG, "smsc_id": ""}) == CONFIG
    await kind.aclose()


def test_the_setup_is_ready_but_for_the_password() -> None:
    here = account()
    text = here.setup(here.inbound_url("https://box.example.org/v1/carriers/kannel/inbound"))
    token = callback_token(PASSWORD, "kannel")
    assert f"inbound?token={token}&from=%p&to=%P&id=%I" in text
    assert "sendsms-port = 13013" in text
    assert PASSWORD not in text


def test_the_page_shows_the_setup_as_it_is() -> None:
    """Of docs/kannel.md: every line, in order, with the token left out."""
    page = (Path(__file__).parents[2] / "docs" / "kannel.md").read_text(encoding="utf-8")
    here = account()
    setup = here.setup(here.inbound_url("https://box.example.org/v1/carriers/kannel/inbound"))
    want = setup.replace(callback_token(PASSWORD, "kannel"), "…").splitlines()
    shown = [line.strip() for line in page.partition("group = smsbox")[2].splitlines()]
    lines = [line for line in want if line and not line.startswith("#")][1:]
    assert [line for line in shown if line in lines][: len(lines)] == lines
