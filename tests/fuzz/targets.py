"""What reads bytes of strangers, one function each: it takes any bytes, and raises nothing.

A target calls the real code, lets pass the refusals which that code promises, and asserts what has
to hold of every result. Whatever else comes out of it is a fault.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

import httpx2

from batonbox_server.asgi.contacts import Importing
from batonbox_server.asgi.contacts import Listing as Contacts
from batonbox_server.asgi.endpoint import Call, Endpoint, decode
from batonbox_server.asgi.media import Signed, _asked, _disposition
from batonbox_server.asgi.oidc import _local
from batonbox_server.asgi.rest import Listing as Conversations
from batonbox_server.asgi.search import Asked
from batonbox_server.asgi.webhook import InboundMessage, Receipt
from batonbox_server.carriers.guard import literal, why_not
from batonbox_server.carriers.http import retry_after_s
from batonbox_server.carriers.kannel import KannelAccount
from batonbox_server.carriers.port import Account, Callback, Unreadable, Unsigned
from batonbox_server.carriers.signature import BadSignature, sign, verify
from batonbox_server.carriers.target import check_url, target_of
from batonbox_server.carriers.twilio import TwilioKind
from batonbox_server.carriers.twilio_signature import fits, signature
from batonbox_server.domain.media import KINDS, File, file_name, media_type, name_of_url, type_of
from batonbox_server.errors import Refused
from batonbox_server.service.contact_csv import ContactLines, disarmed

__all__ = ["SEEDS", "TARGETS", "Target"]

Target = Callable[[bytes], None]
SECRET: Final = b"a secret of thirty-two bytes, ok"
URL: Final = "https://desk.example.org/v1/carriers/acme/inbound"
_FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
_HTTP: Final = httpx2.AsyncClient()
_SID: Final = "AC" + "0" * 32


def _parts(data: bytes, n: int) -> list[str]:
    """The bytes as n texts, as headers carry them."""
    found = data.decode("latin-1").split("\n", n - 1)
    return [part.replace("\r", "") for part in found] + [""] * (n - len(found))


def _callback(data: bytes) -> Callback:
    method, query, kind, signed, body = (*_parts(data, 5),)
    query = query.encode("ascii", "replace").decode()
    headers = {"content-type": kind, "x-twilio-signature": signed}
    headers = headers if kind else {**headers, **_FORM}
    url = f"{URL}?{query}" if query else URL
    return Callback(method[:6], url, query, headers, body.encode("latin-1", "replace"))


def _accounts() -> list[Account]:
    twilio = TwilioKind(url="https://api.example.com")
    given: dict[str, Any] = {"secret": lambda: "a secret", "rate_per_s": 0.0}
    config = {"url": "http://127.0.0.1:13013/cgi-bin/sendsms", "username": "batonbox"}
    return [
        twilio.make("acme", {"account_sid": _SID}, **given),
        KannelAccount("acme", config, _HTTP, secret=lambda: "a secret"),
    ]


_ACCOUNTS: Final = _accounts()


def _says(refused: Refused, how: str = "") -> None:
    assert refused.slug == "bad_request" and refused.message.startswith(how)


def callbacks(data: bytes) -> None:
    """A carrier's request: whose proof fails, or whose fields say something or are unreadable."""
    request = _callback(data)
    for account in _ACCOUNTS:
        try:
            account.verify(request)
            proved = True
        except Unsigned:
            proved = False
        assert not proved or b"token=" in request.query.encode() + request.body, "forged"
        for parse in (account.parse_inbound, account.parse_receipt):
            try:
                found, heard = parse(request)
            except Unreadable:
                continue
            assert heard.type in {"text/plain", "text/xml"}
            if found is not None and hasattr(found, "media"):
                assert all(m.url.startswith(("https://", "http://")) for m in found.media)


def twilio_signature(data: bytes) -> None:
    """What was signed fits, and nothing that differs by a byte."""
    given, *_ = _parts(data, 1)
    assert not fits("a secret", given, url=URL, form=[("Body", "hello")], body=b"Body=hello")
    right = signature("a secret", URL, [("Body", given)])
    form = [("Body", given)]
    assert fits("a secret", right, url=URL, form=form, body=b"x")
    changed = right[:-2] + ("A=" if right[-2] != "A" else "B=")
    assert not fits("a secret", changed, url=URL, form=form, body=b"x") or _same(changed, right)


def _same(one: str, other: str) -> bool:
    return base64.b64decode(one) == base64.b64decode(other)


def webhook_signature(data: bytes) -> None:
    """No header of a stranger's proves anything; what was signed does, for this body alone."""
    name, at, given, body = _parts(data, 4)
    raw, now_s = body.encode("latin-1"), time.time()
    headers = {"webhook-id": name, "webhook-timestamp": at, "webhook-signature": given}
    for made in (headers, {**headers, "webhook-timestamp": str(int(now_s))}):
        try:
            verify(SECRET, headers=made, body=raw, now_s=now_s)
        except BadSignature:
            continue
        raise AssertionError("a stranger's signature was taken")
    if name:
        right = sign(SECRET, message_id=name, timestamp_s=int(now_s), body=raw)
        assert verify(SECRET, headers=right, body=raw, now_s=now_s) == name
        try:
            verify(SECRET, headers=right, body=raw + b"x", now_s=now_s)
        except BadSignature:
            return
        raise AssertionError("another body was taken")


def webhook_body(data: bytes) -> None:
    """A signed body says a message or a receipt, or is refused by the field."""
    for shape in (InboundMessage, Receipt):
        try:
            decode(data, shape)
        except Refused as refused:
            _says(refused, "body:")


class _Request:
    """As much of a request as its query is read from."""

    def __init__(self, query: str) -> None:
        from starlette.datastructures import QueryParams

        self.query_params = QueryParams(query)


def queries(data: bytes) -> None:
    """A query fits its shape, or is refused; nothing unknown or repeated gets through."""
    text = data.decode("latin-1")
    for shape in (Conversations, Contacts, Importing, Asked, Signed):
        endpoint = Endpoint("GET", "/x", None, _nothing, query=shape)
        call = Call(_Request(text), None, None, "", endpoint)  # type: ignore[arg-type]
        try:
            found = call.query(shape)
        except Refused as refused:
            _says(refused)
            continue
        assert isinstance(found, shape)
        names = [name for name, _ in call.request.query_params.multi_items()]
        assert len(names) == len(set(names)), "one of them was taken, and the other was not"


async def _nothing(_: Call) -> dict[str, Any]:
    return {}


def csv_import(data: bytes) -> None:
    """A file is read to its end, line by line, or refused as a whole; it never goes on for ever."""
    try:
        lines = ContactLines(data, region="CA")
    except Refused as refused:
        _says(refused)
        return
    for _ in range(len(data) + 2):
        found = lines.take(50)
        if not found:
            return
        for line in found:
            assert line.error or (line.name.strip() and (line.numbers or line.id))
            assert disarmed(line.name)[:1] not in set("=+-@\t\r")
    raise AssertionError("more lines than bytes")


def media(data: bytes) -> None:
    """What is kept has one of our types; a name is no path, and breaks out of no header."""
    declared, name, rest = _parts(data, 3)
    raw = rest.encode("latin-1")
    for said in (declared, "", *KINDS):
        found = type_of(raw, said)
        assert not found or found in KINDS
        assert (
            not found
            or not said
            or media_type(said) in {found, "application/octet-stream", "binary/octet-stream", ""}
        )
    for kind in ("image/png", ""):
        shown = file_name(name, kind)
        assert shown and not set("/\\\r\n\0") & set(shown) and not shown.startswith(".")
        header = _disposition(File("0" * 32, kind, 1, shown))
        assert header.startswith('attachment; filename="') and header.isascii()
        assert not set("\r\n\0") & set(header) and header.count('"') == 2
    name_of_url(name)


class _Ranged:
    def __init__(self, text: str) -> None:
        self.headers = {"range": text}


def ranges(data: bytes) -> None:
    """Bytes that were asked for are of the file."""
    for size in (1, 1000):
        found = _asked(_Ranged(data.decode("latin-1")), size)  # type: ignore[arg-type]
        assert found is None or 0 <= found[0] < found[1] <= size


def urls(data: bytes) -> None:
    """A URL that is taken leads to no address which only the server can reach."""
    text = data.decode("utf-8", "replace")
    try:
        check_url(text, private=False, setting="X")
        target = target_of(text)
    except ValueError:
        return
    assert target.scheme == b"https"
    assert b"\r" not in target.target and b"\n" not in target.target and b" " not in target.target
    address = literal(target.host.decode("ascii"))
    assert not address or not why_not(address), text


def next_page(data: bytes) -> None:
    """Where a sign-in leads afterwards is a path of this server, whatever a browser makes of it."""
    found = _local(data.decode("utf-8", "replace"))
    assert not found or (found[0] == "/" and found[1:2] not in {"/", "\\"} and found.isprintable())


def pauses(data: bytes) -> None:
    """What a carrier calls a pause is a number of seconds."""
    assert retry_after_s({"retry-after": data.decode("latin-1")}) >= 0


TARGETS: Final[dict[str, Target]] = {
    target.__name__: target
    for target in (
        callbacks, twilio_signature, webhook_signature, webhook_body, queries, csv_import, media,
        ranges, urls, next_page, pauses,
    )
}  # fmt: skip
# From which a fuzzer starts: what comes in real life, and what came before to break something.
SEEDS: Final[dict[str, tuple[bytes, ...]]] = {
    "callbacks": (
        b"POST\n\n\n\nMessageSid=SM1&From=%2B1416&To=%2B1417&NumMedia=1&MediaUrl0=https%3A%2F%2Fa.example",
        b"GET\ntoken=x&id=1&from=%2B14165550142&to=14165550100\ntext/plain; charset=utf-16\n\nhi",
        b"GET\nid=1&state=2&at=1&answer=NACK%2F11%2Fwords\n\n\n",
    ),
    "webhook_signature": (b"m1\n1700000000\nv1,AAAA\n{}", "m\n٣\nv1,é\n{}".encode()),
    "webhook_body": (
        b'{"from":"+14165550142","to":"+14165550100","text":"hi","media":["https://a.example"]}',
        b'{"id":"gw-1","state":"delivered"}',
    ),
    "queries": (
        urlencode({"inbox": "sales", "view": "mine", "limit": 5}).encode(),
        b"limit=5&limit=6", b"q=%00&kinds=a,b", b"exp=99999999999999999999&sig=x",
    ),
    "csv_import": (
        b"name,number,note\nLee,+14165550123,hi\n", b"sep=;\nname;number\n=cmd();1\n",
        b'\xef\xbb\xbfname,number\n"a\nb",+14165550123\n', b"name,number\n\"x\n",
    ),
    "media": (
        b"image/png\n../../a\"b.png\n\x89PNG\r\n\x1a\n", b"text/plain\nx\n<svg onload=1>",
        b"\n\xe2\x80\xaegnp.exe\nRIFF\0\0\0\0WEBP",
    ),
    "ranges": (b"bytes=0-1", b"bytes=-5", b"bytes=5-", b"bytes=0-0,1-1"),
    "urls": (
        b"https://example.com/a?b=c", b"https://2130706433/", b"https://[::ffff:127.0.0.1]:443/",
        b"https://a@127.0.0.1/", b"https://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", b"https://127.0.0.1%2f.example/",
    ),
    "next_page": (b"/inboxes?x=1", b"//evil.example", b"/\\evil.example", b"/\t/evil.example"),
    "pauses": (b"120", b"Wed, 21 Oct 2015 07:28:00 GMT", b"-5"),
}  # fmt: skip
