"""The API as its document says: generated requests against a real node, every answer held to it."""

from __future__ import annotations

import asyncio
import copy
import json
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from functools import cache
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from batonbox_server.domain.model import Role
from batonbox_server.gen.openapi import openapi
from batonbox_server.store.hook_port import Hook
from tests.integration.media_harness import uploaded
from tests.served import CUSTOMER, SALES, Served, served

# The node draws random numbers in a thread of its own while a request is generated in this one.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# End or change what the other operations work with, so they come last; of two that delete, what is
# inside goes first.
_LAST: Final = ("patch", "put", "delete")
# So each finds a conversation to work with: they come first, each after those it needs.
_FIRST: Final = ("reply", "transfer", "undo", "return", "assign", "done")
# What fields of bodies and queries hold most of the time, so that not every answer is 400.
_MEANT: Final[dict[str, Any]] = {
    "from": CUSTOMER,
    "to": SALES,
    "number": SALES,
    "numbers": [SALES],
    "inbox": "sales",
    "inboxes": ["sales"],
    "members": ["agent2", "agent3"],
    "carrier": "loopback",
    "text": "hello",
    "events": ["message.received"],
    "url": "https://receiver.invalid/in",
    "password": "a password of some length",
    "scopes": ["read"],
    "limits": {},
    "own_tok": None,
    "seen": None,
    "dur": None,
    "media": [],
}
_TO: Final = {
    "assign": "agent2",
    "transfer": "agent2",
    "reassign": "agent2",
    "compose": "+14165550179",
    "outbound": CUSTOMER,
    "failures": CUSTOMER,
}


@pytest.fixture
async def site(engine_url: str, prefix: str) -> AsyncIterator[Served]:
    """One node with the demo organisation, and both optional carriers."""
    async with served(engine_url, prefix, webhook_secret="whsec_" + "A" * 44) as site:
        yield site


def strict(document: dict[str, Any]) -> dict[str, Any]:
    """The document with closed answers: a field it does not name is a fault."""
    closed = copy.deepcopy(document)
    bodies = {
        part["schema"]["$ref"].rpartition("/")[2]
        for path in document["paths"].values()
        for operation in path.values()
        for part in operation.get("requestBody", {}).get("content", {}).values()
        if "$ref" in part["schema"]  # else it is a file
    }
    for name, schema in closed["components"]["schemas"].items():
        if name not in bodies and schema.get("type") == "object":
            schema["additionalProperties"] = False
    return closed


async def known_names(site: Served) -> dict[str, list[str]]:
    """Values of path parameters that exist, so that not every answer is 404."""
    mine = await site.texts("for agent1")
    await site.act("agent1", mine, "assign")
    media = await uploaded(site)
    sent = await site.act("agent1", mine, "reply", text="", media=[media])
    free = await site.texts("for nobody", customer="+14165550177")
    own = await site.texts("for the admin", customer="+14165550178")
    await site.act("admin", own, "assign")
    token, _ = await site.node.identity.make_token(user="agent3")
    # Nothing is ever sent there: this node keeps to public addresses.
    nowhere = Hook(
        id="whk_known", url="https://127.0.0.1/", secret="whsec_" + "A" * 44, created_ms=1
    )
    hook = await site.node.webhooks._store.create(nowhere)
    link = await site.node.sign_in.make_link("agent3")
    await site.node.sign_in.by_link(link, address="127.0.0.1")
    (session,) = (await site.get("admin", "/v1/admin/users/agent3/sessions"))["items"]
    invite, _ = await site.node.invites.create(
        user="known", name="Known", role=Role.MEMBER, inboxes=(), by="admin"
    )
    contacts = [
        await site.call("admin", "POST", "/v1/contacts", {"name": f"Known {n}"}) for n in range(4)
    ]
    room = await site.call("admin", "POST", "/v1/rooms", {"name": "known", "members": ["agent1"]})
    return {
        "conv": [mine, free, own],
        "contact": [made.json()["id"] for made in contacts],
        "room": [room.json()["conv"]],
        "n": [str(sent.json()["n"])],
        "i": ["0"],
        "media": [media],
        "inbox": ["sales", "support"],
        "user": ["agent3", "agent2"],
        "number": [SALES],
        "token": [token.id],
        "session": [session["id"]],
        "invite": [invite.id],
        "webhook": [hook.id],
        "delivery": [(await site.node.webhooks.test(hook.id)).id],
    }


def exercise(
    url: str, token: str, names: dict[str, list[str]], examples: int
) -> dict[str, Counter[str]]:
    """Every operation so many times; returns how often each status came, by operation.

    Raises a group of the faults, at most one per operation.
    """
    operations = _operations()
    seen: dict[str, Counter[str]] = {operation.label: Counter() for operation in operations}
    faults: list[Exception] = []
    for operation in operations:
        try:
            _exercise(operation, url, token, names, examples, seen[operation.label])
        except (Exception, FailureGroup) as fault:
            faults.append(AssertionError(f"{operation.label}: {_told(fault)}"))
    if faults:
        raise ExceptionGroup("answers that the document does not name", faults)
    return seen


@cache
def _operations() -> list[Any]:
    """In their turn; once for all callers, since their strategies take long to make."""
    schema = schemathesis.openapi.from_dict(strict(json.loads(json.dumps(openapi()))))
    operations = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]
    return sorted(operations, key=_turn)


def _turn(operation: Any) -> tuple[int, int]:
    verb = operation.path.rpartition("/")[2]
    if operation.path.startswith("/v1/conversations/") and verb in _FIRST:
        return -2, _FIRST.index(verb)
    ends = operation.path.endswith("/deactivate")
    method = "delete" if ends else operation.method
    last = _LAST.index(method) if method in _LAST else -1
    return last, -operation.path.count("/") if method == "delete" else 0


def _mean(case: Any, operation: Any, known: dict[str, str]) -> None:
    """Let the case be about what exists."""
    if case.path_parameters:
        case.path_parameters = {
            name: known.get(name, value) for name, value in case.path_parameters.items()
        }
    to = _TO.get(operation.path.rpartition("/")[2])
    meant = {**_MEANT, "to": to} if to else _MEANT
    for fields in (case.body, case.query):
        if isinstance(fields, dict):
            fields.update({name: meant[name] for name in fields if name in meant})


def _told(fault: BaseException) -> str:
    if isinstance(fault, BaseExceptionGroup):
        return "; ".join(_told(inner) for inner in fault.exceptions)
    return str(fault)


def _exercise(
    operation: Any,
    url: str,
    token: str,
    names: dict[str, list[str]],
    examples: int,
    seen: Counter[str],
) -> None:
    existing = st.fixed_dictionaries(
        {name: st.sampled_from(values) for name, values in names.items()}
    )

    @seed(zlib.crc32(operation.label.encode()))  # the same keys for two commands would be refused
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), known=st.one_of(existing, existing, st.none()))
    def check(case: Any, known: dict[str, str] | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if known is not None:
            _mean(case, operation, known)
            headers["Origin"] = url  # as the server's own page
        response = case.call(base_url=url, headers=headers, allow_redirects=False)
        seen[str(response.status_code)] += 1
        case.validate_response(response, checks=CHECKS)

    check()


DOCUMENTS: Final = {
    "/openapi.json": "application/json",
    "/asyncapi.json": "application/json",
    "/docs/api": "text/html; charset=utf-8",
    "/docs/api.css": "text/css; charset=utf-8",
}


async def test_the_documents_are_served_to_anybody(site: Served) -> None:
    """Under a policy that stops every script and every other origin."""
    for path, media_type in DOCUMENTS.items():
        answer = await site.call("", "GET", path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type), path
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';"), policy
        assert "script-src" not in policy
        if path == "/openapi.json":
            assert answer.json() == openapi()


@pytest.mark.parametrize("user", ["admin", "agent1", ""])
async def test_every_answer_is_one_the_document_names(site: Served, user: str) -> None:
    await _run(site, user, examples=6 if user else 2)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("user", ["admin", "agent1"])
async def test_every_answer_is_one_the_document_names_at_length(site: Served, user: str) -> None:
    await _run(site, user, examples=150)


async def _run(site: Served, user: str, *, examples: int) -> None:
    token = await site.token(user) if user else ""
    names = await known_names(site)
    seen = await asyncio.to_thread(exercise, site.url, token, names, examples)
    statuses = {status for counts in seen.values() for status in counts}
    assert statuses >= ({"200", "400"} if user else {"401"}), statuses
    if user == "admin":
        vain = [label for label, counts in seen.items() if not any(s[0] == "2" for s in counts)]
        assert len(vain) < len(seen) / 3, f"generated requests get nothing done with {vain}"
