"""Twilio both ways, against a stand-in that signs as Twilio's own library does."""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from twilio.request_validator import RequestValidator

from batonbox_server.carriers.port import Callback
from batonbox_server.carriers.twilio import TwilioKind
from batonbox_server.engine import EmbeddedEngine
from tests.integration.twilio_vendor import PICTURE, PUBLIC, SID, TOKEN, Vendor, error, listening
from tests.served import CUSTOMER, SALES, Served, served

SETTINGS: dict[str, Any] = {
    "public_url": PUBLIC,
    "twilio_account_sid": SID,
    "twilio_auth_token": TOKEN,
    "outbox_lease_s": 4.0,
}
Json = dict[str, Any]


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    """Twilio's stand-in."""
    async with listening() as vendor:
        yield vendor


@asynccontextmanager
async def bound(
    engine_url: str, prefix: str, folder: Path, vendor: Vendor, **settings: Any
) -> AsyncIterator[Served]:
    """A node whose Sales number is Twilio's."""
    given = {**SETTINGS, "data_dir": str(folder), "twilio_url": vendor.url, **settings}
    async with served(engine_url, prefix, **given) as site:
        body = {"inbox": "sales", "carrier": "twilio"}
        answer = await site.call("admin", "PUT", f"/v1/admin/numbers/{SALES}", body)
        assert answer.status_code == 200, answer.text
        vendor.port = site.port
        yield site


@pytest.fixture
async def site(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> AsyncIterator[Served]:
    """A node whose Sales number is Twilio's."""
    async with bound(engine_url, prefix, tmp_path, vendor) as site:
        yield site


async def conversation(site: Served, vendor: Vendor, text: str = "hello") -> str:
    """One that agent1 has, of a customer who wrote this."""
    answer = await vendor.brings(text, to=SALES, customer=CUSTOMER)
    assert answer.status_code == 200, answer.text
    items = (await site.get("admin", "/v1/conversations"))["items"]
    conv = str(items[0]["id"])
    assert (await site.act("agent1", conv, "assign")).is_success
    return conv


async def replies(site: Served, conv: str) -> list[Json]:
    """The replies of a conversation, the oldest first."""
    thread = await site.get("admin", f"/v1/conversations/{conv}")
    return [line for line in thread["messages"] if line["kind"] == "replied"]


async def until(site: Served, conv: str, state: str, *, timeout_s: float = 30.0) -> Json:
    """The last reply, once it has this state."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while (last := (await replies(site, conv))[-1])["state"] != state:
        assert asyncio.get_running_loop().time() < deadline, f"{last} never became {state}"
        await asyncio.sleep(0.02)
    return last


# In


async def test_a_message_comes_in_once_whatever_host_is_named(site: Served, vendor: Vendor) -> None:
    text = "Ça va? 👋 a+b=c & d"
    for host in ("desk.example.org", "evil.example.net"):
        answer = await vendor.brings(text, to=SALES, customer=CUSTOMER, sid="SM1", host=host)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/xml")
        assert answer.text.endswith("<Response></Response>")
    (row,) = (await site.get("admin", "/v1/conversations"))["items"]
    thread = await site.get("admin", f"/v1/conversations/{row['id']}")
    assert [line["body"]["text"] for line in thread["messages"]] == [text]


@pytest.mark.parametrize("signature", ["", "é", "AAAA", "0/KCTR6DLpKmkAf8muzZqo1nDgQ="])
async def test_what_is_not_signed_right_is_refused(
    site: Served, vendor: Vendor, signature: str
) -> None:
    answer = await vendor.brings("hello", to=SALES, customer=CUSTOMER, signature=signature)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    url = f"{PUBLIC}/v1/carriers/twilio/status?m=sales.x:1"
    answer = await vendor.posts(url, form, signature=signature)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert (await site.get("admin", "/v1/conversations"))["items"] == []


async def test_a_signature_is_for_this_form_this_address_and_this_token(
    site: Served, vendor: Vendor
) -> None:
    form = {"MessageSid": "SM1", "From": CUSTOMER, "To": SALES, "Body": "pay 10", "NumMedia": "0"}
    url = f"{PUBLIC}/v1/carriers/twilio/inbound"
    right = RequestValidator(TOKEN).compute_signature(url, form)
    for told, sent, signature in (
        (url, {**form, "Body": "pay 99"}, right),
        (url + "?x=1", form, right),
        (url, form, RequestValidator("another").compute_signature(url, form)),
        (url, form, RequestValidator(TOKEN).compute_signature(url.replace("https", "http"), form)),
        (url, form, RequestValidator(TOKEN).compute_signature(
            url.replace("desk.example.org", "127.0.0.1"), form)),
    ):  # fmt: skip
        answer = await vendor.posts(told, sent, signature=signature)
        assert answer.status_code == 401, (told, sent)
    assert (await vendor.posts(url, form, signature=right)).status_code == 200
    port = RequestValidator(TOKEN).compute_signature(url.replace(".org", ".org:443"), form)
    assert (await vendor.posts(url, form, signature=port)).status_code == 200


async def test_a_number_that_calls_by_get_is_heard_too(site: Served, vendor: Vendor) -> None:
    form = {"MessageSid": "SM1", "From": CUSTOMER, "To": SALES, "Body": "a b&c=d é"}
    path = f"/v1/carriers/twilio/inbound?{urlencode(form)}"
    for token, status in (("another", 401), (TOKEN, 200)):
        signature = RequestValidator(token).compute_signature(PUBLIC + path, {})
        headers = {"x-twilio-signature": signature}
        assert (await site.http.get(path, headers=headers)).status_code == status
    (row,) = (await site.get("admin", "/v1/conversations"))["items"]
    assert row["preview"] == form["Body"]


async def test_a_message_that_no_inbox_wants_is_kept_and_not_brought_again(
    site: Served, vendor: Vendor
) -> None:
    answer = await vendor.brings("hello", to="+14165550199", customer=CUSTOMER)
    assert answer.status_code == 200
    kept = (await site.get("admin", "/v1/admin/unrouted"))["items"]
    assert [(one["carrier"], one["text"]) for one in kept] == [("twilio", "hello")]
    unknown = await vendor.brings("hello", to=SALES, customer=CUSTOMER, account="nobody")
    assert unknown.status_code == 404
    empty = await vendor.posts(f"{PUBLIC}/v1/carriers/twilio/inbound", {"Body": "hello"})
    assert (empty.status_code, empty.json()["code"]) == (400, "bad_request")


async def test_while_the_engine_is_away_nothing_is_acknowledged(
    engine: EmbeddedEngine, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    async with bound(engine.url, prefix, tmp_path, vendor, engine_timeout_s=0.5) as site:
        await engine.stop()
        answer = await vendor.brings("hello", to=SALES, customer=CUSTOMER, sid="SM7")
        assert answer.status_code == 503
        assert answer.json()["code"] == "unavailable"
        await engine.start()
        for _ in range(500):
            answer = await vendor.brings("hello", to=SALES, customer=CUSTOMER, sid="SM7")
            if answer.status_code == 200:
                break
            assert answer.status_code == 503
            await asyncio.sleep(0.02)
        again = await vendor.brings("hello", to=SALES, customer=CUSTOMER, sid="SM7")
        assert again.status_code == 200
        (row,) = (await site.get("admin", "/v1/conversations"))["items"]
        assert row["unanswered"] == 1


# Out


async def test_a_reply_goes_out_once_and_its_receipts_move_it_forward_alone(
    site: Served, vendor: Vendor
) -> None:
    conv = await conversation(site, vendor)
    assert (await site.act("agent1", conv, "reply", text="yes & no")).is_success
    await until(site, conv, "sent")
    (made,) = vendor.messages
    assert (made["to"], made["from"], made["body"]) == (CUSTOMER, SALES, "yes & no")
    n = (await replies(site, conv))[0]["n"]
    told = vendor.callbacks[made["sid"]]
    assert told == f"{PUBLIC}/v1/carriers/twilio/status?m={conv}:{n}#rc=5&rp=5xx,ct,rt"
    for status in ("delivered", "sent", "queued", "delivered", "undelivered", "receiving"):
        assert (await vendor.tells(made, status)).status_code == 200, status
        assert (await replies(site, conv))[-1]["state"] == "delivered"
    assert len(vendor.messages) == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (30006, "a landline, or not reachable"),
        (21610, "recipient_opted_out"),
        (39999, "refused by the carrier (Twilio 39999)"),
    ],
)
async def test_a_receipt_says_why_it_failed(
    site: Served, vendor: Vendor, code: int, reason: str
) -> None:
    conv = await conversation(site, vendor)
    await site.act("agent1", conv, "reply", text="yes")
    await until(site, conv, "sent")
    assert (await vendor.tells(vendor.messages[0], "undelivered", code)).status_code == 200
    last = await until(site, conv, "failed")
    assert last["reason"] == reason


async def test_a_replay_of_what_failed_does_not_end_a_later_sending(
    site: Served, vendor: Vendor
) -> None:
    conv = await conversation(site, vendor)
    await site.act("agent1", conv, "reply", text="yes")
    n = (await until(site, conv, "sent"))["n"]
    await vendor.tells(vendor.messages[0], "undelivered", 30003)
    await until(site, conv, "failed")
    vendor.answers.clear()
    retried = await site.act("agent1", conv, "retry", n=n)
    assert retried.is_success, retried.text
    first, second = await vendor.has(2)
    for status in ("sent", "undelivered", "queued"):
        assert (await vendor.tells(first, status, 30003)).status_code == 200
        assert (await replies(site, conv))[-1]["state"] == "queued", status
    vendor.answers.set()
    await until(site, conv, "sent")
    assert (await vendor.tells(first, "undelivered", 30003)).status_code == 200
    assert (await replies(site, conv))[-1]["state"] == "sent"
    assert (await vendor.tells(second, "delivered")).status_code == 200
    assert (await replies(site, conv))[-1]["state"] == "delivered"
    assert vendor.asked == ["POST", "POST"]


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, 21610, "recipient_opted_out"),
        (400, 21211, "invalid number"),
        (400, 21614, "not a mobile number"),
        (400, 20001, "refused by the carrier (Twilio 20001)"),
    ],
)
async def test_a_refusal_for_good_is_not_tried_again(
    site: Served, vendor: Vendor, status: int, code: int, reason: str
) -> None:
    conv = await conversation(site, vendor)
    vendor.decide = lambda _: error(status, code)
    await site.act("agent1", conv, "reply", text="yes")
    last = await until(site, conv, "failed")
    assert last["reason"] == reason
    assert vendor.asked == ["POST"]


async def test_a_refusal_for_now_is_tried_again_when_twilio_says(
    site: Served, vendor: Vendor
) -> None:
    conv = await conversation(site, vendor)
    at: list[float] = []
    left = [error(429, 20429, retry_after="2"), error(401, 20003), error(404, 20404)]

    def decide(_: dict[str, str]) -> Any:
        at.append(asyncio.get_running_loop().time())
        return left.pop(0) if left else None

    vendor.decide = decide
    await site.act("agent1", conv, "reply", text="yes")
    await until(site, conv, "sent", timeout_s=20)
    assert len(vendor.messages) == 1
    assert at[1] - at[0] >= 2.0
    assert vendor.asked == ["POST"] * 4, "every one was answered: nothing to look for"


async def test_what_got_no_answer_is_looked_for_before_it_is_sent_again(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    async with bound(engine_url, prefix, tmp_path, vendor, outbox_lease_s=2.0) as site:
        conv = await conversation(site, vendor)
        await site.act("agent1", conv, "reply", text="yes")
        await until(site, conv, "sent")
        vendor.answers.clear()
        await site.act("agent1", conv, "reply", text="yes")
        await vendor.has(2)
        await asyncio.sleep(1.5)  # longer than half a lease: the attempt has ended without answer
        vendor.answers.set()
        await until(site, conv, "sent")
        assert [made["body"] for made in vendor.messages] == ["yes", "yes"]
        assert vendor.asked == ["POST", "POST", "GET"]
        first = (await replies(site, conv))[0]
        assert (await vendor.tells(vendor.messages[1], "delivered")).status_code == 200
        assert (await replies(site, conv))[-1]["state"] == "delivered"
        assert first["state"] == "sent"


async def test_what_got_no_answer_and_never_came_is_sent_again(
    site: Served, vendor: Vendor
) -> None:
    conv = await conversation(site, vendor)
    left = [error(502, 0)]
    vendor.decide = lambda _: left.pop(0) if left else None
    await site.act("agent1", conv, "reply", text="yes")
    await until(site, conv, "sent")
    assert vendor.asked == ["POST", "GET", "POST"]
    assert len(vendor.messages) == 1


async def test_the_same_words_sent_before_do_not_pass_for_these(
    site: Served, vendor: Vendor
) -> None:
    """They would never be sent."""
    conv = await conversation(site, vendor)
    await site.act("agent1", conv, "reply", text="yes")
    await until(site, conv, "sent")
    left = [error(503, 0)]
    vendor.decide = lambda _: left.pop(0) if left else None
    await site.act("agent1", conv, "reply", text="yes")
    await until(site, conv, "sent")
    assert vendor.asked == ["POST", "POST", "GET", "POST"]
    assert len({made["sid"] for made in vendor.messages}) == 2


async def test_what_was_made_before_does_not_pass_for_what_came_later(
    site: Served, vendor: Vendor
) -> None:
    """By another program that has the same number, and says the same every day."""
    conv = await conversation(site, vendor)
    path = f"{vendor.url}/2010-04-01/Accounts/{SID}/Messages.json"
    form = {"To": CUSTOMER, "From": SALES, "Body": "yes"}
    assert (await vendor.http.post(path, data=form, auth=(SID, TOKEN))).is_success
    vendor.messages[0]["date_created"] = email.utils.formatdate(time.time() - 600)
    left = [error(503, 0)]
    vendor.decide = lambda _: left.pop(0) if left else None
    await site.act("agent1", conv, "reply", text="yes")
    await until(site, conv, "sent")
    assert vendor.asked == ["POST", "POST", "GET", "POST"]
    assert len(vendor.messages) == 2


async def test_what_twilio_gave_up_does_not_pass_for_a_later_attempt(
    site: Served, vendor: Vendor
) -> None:
    conv = await conversation(site, vendor)
    await site.act("agent1", conv, "reply", text="yes")
    n = (await until(site, conv, "sent"))["n"]
    await vendor.tells(vendor.messages[0], "undelivered", 30003)
    await until(site, conv, "failed")
    left = [error(500, 0)]
    vendor.decide = lambda _: left.pop(0) if left else None
    assert (await site.act("agent1", conv, "retry", n=n)).is_success
    await until(site, conv, "sent")
    assert vendor.asked == ["POST", "POST", "GET", "POST"]
    assert len(vendor.messages) == 2


async def test_a_receipt_resolves_what_got_no_answer(site: Served, vendor: Vendor) -> None:
    """Before any further attempt: the receipt's address names the message."""
    conv = await conversation(site, vendor)
    vendor.answers.clear()
    await site.act("agent1", conv, "reply", text="yes")
    (made,) = await vendor.has(1)
    assert (await replies(site, conv))[-1]["state"] == "queued"
    assert (await vendor.tells(made, "queued")).status_code == 200
    assert (await replies(site, conv))[-1]["state"] == "sent"
    assert (await vendor.tells(made, "delivered")).status_code == 200
    vendor.answers.set()
    await asyncio.sleep(0.5)
    assert (await replies(site, conv))[-1]["state"] == "delivered"
    assert vendor.asked == ["POST"]


async def test_a_customers_picture_is_fetched_with_the_accounts_credentials(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    async with bound(engine_url, prefix, tmp_path, vendor, media_private=True) as site:
        url = f"{vendor.url}/2010-04-01/Accounts/{SID}/Messages/MM1/Media/ME1"
        answer = await vendor.brings("look", to=SALES, customer=CUSTOMER, media=(url,))
        assert answer.status_code == 200
        conv = (await site.get("admin", "/v1/conversations"))["items"][0]["id"]
        path = f"/v1/conversations/{conv}/messages/1/media/0"
        for _ in range(500):
            answer = await site.call("admin", "GET", path)
            if answer.status_code != 503:
                break
            await asyncio.sleep(0.02)
        assert answer.status_code == 307, answer.text
        shown = await site.http.get(answer.headers["location"])
        assert shown.content == PICTURE
        assert vendor.asked == ["media"]


async def test_a_messaging_service_is_named_beside_our_number(
    engine_url: str, prefix: str, tmp_path: Path, vendor: Vendor
) -> None:
    service = "MG" + "f" * 32
    given = {"twilio_messaging_service_sid": service}
    async with bound(engine_url, prefix, tmp_path, vendor, **given) as site:
        conv = await conversation(site, vendor)
        await site.act("agent1", conv, "reply", text="yes")
        await until(site, conv, "sent")
        made = vendor.messages[0]
        assert (made["service"], made["from"]) == (service, SALES)


async def test_credentials_go_to_the_api_alone() -> None:
    kind = TwilioKind(url="https://api.example.com")
    account = kind.make("a", {"account_sid": SID}, secret=lambda: TOKEN, rate_per_s=0)
    assert account.media_headers("https://api.example.com/2010-04-01/x")["authorization"]
    for url in ("https://api.example.com.evil.example/x", "http://api.example.com/x",
                "https://api.example.com:8443/x", "https://cdn.example.com/x"):  # fmt: skip
        assert account.media_headers(url) == {}
    fields = {"MessageSid": "SM1", "From": CUSTOMER, "To": SALES, "NumMedia": "2"}
    fields |= {"MediaUrl0": "http://[", "MediaUrl1": "file:///etc/passwd"}
    found, _ = account.parse_inbound(Callback("POST", "", urlencode(fields)))
    assert found is not None
    assert [link.url for link in found.media] == ["http://["], "told as a file that cannot be had"
    await kind.aclose()
