"""A stand-in for Twilio's API and for what it calls, signed by Twilio's own library."""

from __future__ import annotations

import asyncio
import base64
import email.utils
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from twilio.request_validator import RequestValidator

from tests.ports import on_port
from tests.support import eventually

__all__ = ["PICTURE", "PUBLIC", "SID", "TOKEN", "Vendor", "listening"]

SID = "AC" + "0123456789abcdef" * 2
TOKEN = "not-a-real-token-but-as-long-as-one"
PUBLIC = "https://desk.example.org"
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
Json = dict[str, Any]


class Vendor:
    """Keeps what it was asked to send; `decide(form)` may refuse, `silent` lets it not answer.

    Whatever it calls, it signs for the public address and sends to `port` on this machine.
    """

    def __init__(self) -> None:
        self.url = ""
        self.port = 0
        self.token = TOKEN
        self.messages: list[Json] = []
        self.asked: list[str] = []
        self.callbacks: dict[str, str] = {}
        self.decide: Callable[[dict[str, str]], Response | None] = lambda _: None
        self.answers = asyncio.Event()
        self.answers.set()  # cleared: takes messages and leaves the sender without an answer
        self.http = httpx2.AsyncClient(timeout=10)

    # What it is asked

    async def take(self, request: Request) -> Response:
        """POST Messages.json."""
        self.asked.append("POST")
        if refusal := self._refusal(request):
            return refusal
        form = parse_qs((await request.body()).decode(), keep_blank_values=True)
        fields = {name: values[0] for name, values in form.items()}
        if (decided := self.decide(fields)) is not None:
            return decided
        made: Json = {
            "sid": f"SM{uuid.uuid4().hex}",
            "account_sid": SID,
            "to": fields["To"],
            "from": fields["From"],
            "body": fields.get("Body", ""),
            "num_media": str(len(form.get("MediaUrl", []))),
            "media": form.get("MediaUrl", []),
            "service": fields.get("MessagingServiceSid", ""),
            "status": "queued",
            "direction": "outbound-api",
            "date_created": email.utils.formatdate(time.time(), usegmt=False),
            "date_sent": None,
            "error_code": None,
        }
        self.messages.append(made)
        self.callbacks[str(made["sid"])] = fields.get("StatusCallback", "")
        await self.answers.wait()
        return JSONResponse(made, status_code=201)

    async def found(self, request: Request) -> Response:
        """GET Messages.json, the newest first."""
        self.asked.append("GET")
        if refusal := self._refusal(request):
            return refusal
        query = request.query_params
        found = [
            made
            for made in reversed(self.messages)
            if made["to"] == query["To"] and made["from"] == query["From"]
        ]
        return JSONResponse({"messages": found[: int(query["PageSize"])]})

    async def account(self, request: Request) -> Response:
        """GET the account."""
        return self._refusal(request) or JSONResponse({"sid": SID, "status": "active"})

    async def media(self, request: Request) -> Response:
        """GET a file of a message."""
        self.asked.append("media")
        return self._refusal(request) or Response(PICTURE, media_type="image/png")

    def _refusal(self, request: Request) -> Response | None:
        expected = "Basic " + base64.b64encode(f"{SID}:{self.token}".encode()).decode()
        if request.headers.get("authorization") == expected:
            return None
        return error(401, 20003, "Authenticate")

    async def has(self, count: int) -> list[Json]:
        """Its messages, once there are so many."""
        await eventually(lambda: len(self.messages) >= count, timeout_s=20, what="the messages")
        return self.messages

    # What it calls

    async def tells(self, made: Json, status: str, code: int = 0) -> httpx2.Response:
        """What became of a message."""
        made["status"], made["error_code"] = status, code or None
        form = {"MessageSid": made["sid"], "MessageStatus": status, "AccountSid": SID}
        form |= {"SmsSid": made["sid"], "To": made["to"], "From": made["from"]}
        if code:
            form["ErrorCode"] = str(code)
        return await self.posts(self.callbacks[made["sid"]], form)

    async def brings(
        self,
        text: str,
        *,
        to: str,
        customer: str,
        account: str = "twilio",
        sid: str = "",
        media: tuple[str, ...] = (),
        **more: Any,
    ) -> httpx2.Response:
        """A customer's message."""
        form = {"MessageSid": sid or f"SM{uuid.uuid4().hex}", "From": customer, "To": to}
        form |= {"Body": text, "NumMedia": str(len(media)), "FromCity": "", "AccountSid": SID}
        for i, url in enumerate(media):
            form |= {f"MediaUrl{i}": url, f"MediaContentType{i}": "image/png"}
        return await self.posts(f"{PUBLIC}/v1/carriers/{account}/inbound", form, **more)

    async def posts(
        self,
        url: str,
        form: dict[str, str],
        *,
        signature: str | None = None,
        host: str = "desk.example.org",
    ) -> httpx2.Response:
        """A signed POST; what stands behind # in the URL is for Twilio itself."""
        told = url.partition("#")[0]
        given = RequestValidator(self.token).compute_signature(told, form)
        headers = {"x-twilio-signature": given if signature is None else signature, "host": host}
        parts = urlsplit(told)
        here = f"http://127.0.0.1:{self.port}{parts.path}" + (f"?{parts.query}" * bool(parts.query))
        return await self.http.post(
            here, data=form, headers=[(k.encode(), v.encode()) for k, v in headers.items() if v]
        )


def error(status: int, code: int, message: str = "refused", **headers: str) -> Response:
    """A refusal as Twilio writes it."""
    body = {"code": code, "message": message, "status": status}
    return Response(
        json.dumps(body),
        status_code=status,
        media_type="application/json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


@asynccontextmanager
async def listening() -> AsyncIterator[Vendor]:
    """The vendor on a free port."""
    vendor = Vendor()
    account = "/2010-04-01/Accounts/" + SID
    app = Starlette(
        routes=[
            Route(f"{account}/Messages.json", vendor.take, methods=["POST"]),
            Route(f"{account}/Messages.json", vendor.found, methods=["GET"]),
            Route(f"{account}/Messages/{{message}}/Media/{{media}}", vendor.media, methods=["GET"]),
            Route(f"{account}.json", vendor.account, methods=["GET"]),
        ]
    )
    async with on_port(app) as port, vendor.http:
        vendor.url = f"http://127.0.0.1:{port}"
        try:
            yield vendor
        finally:
            vendor.answers.set()
