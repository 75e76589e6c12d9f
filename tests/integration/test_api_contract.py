"""The API as its document says: generated requests against a real node, every answer held to it."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import AsyncIterator
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

from batonbox_server.gen.openapi import openapi
from batonbox_server.store.hook_port import Hook
from tests.served import SALES, Served, served

# The node draws random numbers in a thread of its own while a request is generated in this one.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# Ends what the other operations work with, so it comes last.
_LAST: Final = ("delete", "put", "patch")


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
    }
    for name, schema in closed["components"]["schemas"].items():
        if name not in bodies and schema.get("type") == "object":
            schema["additionalProperties"] = False
    return closed


async def known_names(site: Served) -> dict[str, list[str]]:
    """Values of path parameters that exist, so that not every answer is 404."""
    mine = await site.texts("for agent1")
    await site.act("agent1", mine, "assign")
    free = await site.texts("for nobody", customer="+14165550177")
    token, _ = await site.node.identity.make_token(user="agent3")
    # Nothing is ever sent there: this node keeps to public addresses.
    nowhere = Hook(
        id="whk_known", url="https://127.0.0.1/", secret="whsec_" + "A" * 44, created_ms=1
    )
    hook = await site.node.webhooks._store.create(nowhere)
    return {
        "conv": [mine, free],
        "inbox": ["sales", "support"],
        "user": ["agent3", "agent2"],
        "number": [SALES],
        "token": [token.id],
        "webhook": [hook.id],
        "delivery": [(await site.node.webhooks.test(hook.id)).id],
    }


def exercise(url: str, token: str, names: dict[str, list[str]], examples: int) -> dict[str, int]:
    """Every operation so many times; returns how often each status came.

    Raises a group of the faults, at most one per operation.
    """
    schema = schemathesis.openapi.from_dict(strict(json.loads(json.dumps(openapi()))))
    operations = [found.ok() for found in schema.get_all_operations()]  # type: ignore[union-attr]
    operations.sort(
        key=lambda operation: _LAST.index(operation.method) if operation.method in _LAST else -1
    )
    seen: dict[str, int] = {}
    faults: list[Exception] = []
    for operation in operations:
        try:
            _exercise(operation, url, token, names, examples, seen)
        except (Exception, FailureGroup) as fault:
            faults.append(AssertionError(f"{operation.label}: {_told(fault)}"))
    if faults:
        raise ExceptionGroup("answers that the document does not name", faults)
    return seen


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
    seen: dict[str, int],
) -> None:
    existing = st.fixed_dictionaries(
        {name: st.sampled_from(values) for name, values in names.items()}
    )

    @seed(20261125)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), known=st.one_of(st.none(), existing))
    def check(case: Any, known: dict[str, str] | None) -> None:
        if known is not None and case.path_parameters:
            case.path_parameters = {
                name: known.get(name, value) for name, value in case.path_parameters.items()
            }
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = case.call(base_url=url, headers=headers, allow_redirects=False)
        status = str(response.status_code)
        seen[status] = seen.get(status, 0) + 1
        case.validate_response(response, checks=CHECKS)

    check()


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/openapi.json", "application/json"),
        ("/asyncapi.json", "application/json"),
        ("/docs/api", "text/html; charset=utf-8"),
        ("/docs/api.css", "text/css; charset=utf-8"),
    ],
)
async def test_the_documents_are_served_to_anybody(
    site: Served, path: str, media_type: str
) -> None:
    """Under a policy that stops every script and every other origin."""
    answer = await site.call("", "GET", path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
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
    assert all(seen.get(status) for status in (["200", "400"] if user else ["401"])), seen
