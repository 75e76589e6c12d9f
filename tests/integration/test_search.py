"""Searching: what is found, by whom, and that nobody finds what they may not see."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from batonbox_server.domain.model import Role
from batonbox_server.store.directory_port import User
from tests.integration.search_harness import customers, found, said, search, settled
from tests.served import SUPPORT, Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(engine_url: str) -> AsyncIterator[Served]:
    """One node with the demo organisation; each test uses words of its own."""
    async with served(engine_url, f"t{uuid.uuid4().hex[:12]}:") as site:
        yield site


async def contact(site: Served, name: str, *numbers: str, note: str = "") -> str:
    """A contact, made by a member."""
    body = {"name": name, "numbers": list(numbers), "note": note}
    made = await site.call("agent1", "POST", "/v1/contacts", body)
    assert made.is_success, made.text
    return str(made.json()["id"])


async def room(site: Served, by: str, path: str, /, **body: object) -> dict[str, object]:
    """A command of rooms that succeeds."""
    answer = await site.call(by, "POST", f"/v1/rooms{path}", body)
    assert answer.is_success, answer.text
    done: dict[str, object] = answer.json()
    return done


async def test_a_message_is_found_by_the_beginnings_of_its_words(site: Served) -> None:
    conv = await site.texts("Where is my Crème brûlée order?", customer=customers())
    for q in ("creme", "CRÈME BRU", "order? where", '"my creme brulee"', "brûlée"):
        assert await found(site, "agent1", q) == [(conv, 1)], q
    for q in ("order creme nowhere", '"creme my"', '"creme bru"'):
        assert await found(site, "agent1", q) == [], q


async def test_the_excerpt_marks_what_was_found(site: Served) -> None:
    text = "word " * 80 + "and the unmistakable ending"
    conv = await site.texts(text, customer=customers())
    answer = await search(site, "agent1", "unmist")
    hit = answer["messages"][0]
    assert (hit["conv"], hit["n"], hit["conversation"]["id"]) == (conv, 1, conv)
    (start, end) = hit["marks"][0]
    assert hit["excerpt"][start:end] == "unmistakable"
    assert hit["excerpt"].startswith("…")


async def test_replies_notes_and_first_messages_are_found(site: Served) -> None:
    customer = customers()
    conv = await site.texts("zanzibar asked", customer=customer)
    done = await site.act("agent1", conv, "assign")
    token = done.json()["own_tok"]
    assert (await site.act("agent1", conv, "reply", text="zanzibar told", own_tok=token)).is_success
    assert (await site.act("agent2", conv, "note", text="zanzibar noted")).is_success
    assert await said(site, "agent3", "zanzibar") == [
        "zanzibar noted",
        "zanzibar told",
        "zanzibar asked",
    ]


async def test_only_members_of_the_inbox_find_it_until_they_leave(site: Served) -> None:
    user = f"p{uuid.uuid4().hex[:8]}"
    await site.node.administration.create_user(User(user, user, Role.MEMBER))
    conv = await site.texts("a quetzal in support", to=SUPPORT, customer=customers())
    for q in ("quetzal", "support quetzal"):
        assert await found(site, user, q) == []
        assert await found(site, "agent1", q) == []
        assert await found(site, "agent2", q) == [(conv, 1)]
        assert await found(site, "admin", q) == [(conv, 1)]
    await site.call("admin", "PUT", f"/v1/admin/inboxes/support/members/{user}")
    assert await found(site, user, "quetzal") == [(conv, 1)]
    await site.call("admin", "DELETE", f"/v1/admin/inboxes/support/members/{user}")
    assert await found(site, user, "quetzal") == []


async def test_a_membership_that_ended_is_asked_for_in_the_engine(site: Served) -> None:
    """The node's copy of the directory may lag behind: what it says is not enough."""
    conv = await site.texts("an ocelot in support", to=SUPPORT, customer=customers())
    await settled(site)
    await site.node.store.remove(inbox="support", user="agent3", role=None)
    try:
        assert "support" in site.node.directory.inboxes_of("agent3")
        assert await found(site, "agent3", "ocelot") == []
        assert await found(site, "agent2", "ocelot") == [(conv, 1)]
    finally:
        await site.node.store.join(inbox="support", user="agent3", role=Role.MEMBER, joined=True)


async def test_rooms_are_found_by_those_in_them(site: Served) -> None:
    made = await room(
        site, "admin", "", name="Narwhals", private=True, members=["agent1", "agent2"]
    )
    channel = made["conv"]
    await room(site, "agent1", f"/{channel}/post", text="the narwhal swims")
    for user, sees in (("agent1", True), ("agent2", True), ("admin", True), ("agent3", False)):
        assert bool(await found(site, user, "narwhal")) == sees, user
        answer = await search(site, user, "narw", kinds="channels")
        assert [c["name"] for c in answer["channels"]] == (["Narwhals"] if sees else []), user
    await room(site, "admin", f"/{channel}/remove", user="agent2")
    assert await found(site, "agent2", "narwhal") == []


async def test_a_direct_message_is_found_by_its_two_alone(site: Served) -> None:
    opened = await room(site, "agent1", "/direct", user="agent2")
    direct = opened["conv"]
    await room(site, "agent1", f"/{direct}/post", text="between us: axolotl")
    answer = await search(site, "agent2", "axolotl")
    assert [hit["room"]["id"] for hit in answer["messages"]] == [direct]
    assert answer["messages"][0]["conversation"] is None
    for user in ("agent3", "admin"):
        assert await found(site, user, "axolotl") == [], user


async def test_edits_change_what_is_found_and_deletes_take_it_out(site: Served) -> None:
    direct = (await room(site, "agent1", "/direct", user="agent3"))["conv"]
    n = (await room(site, "agent1", f"/{direct}/post", text="a pangolin"))["n"]
    await room(site, "agent1", f"/{direct}/edit", n=n, text="an armadillo")
    assert await found(site, "agent3", "pangolin") == []
    assert await found(site, "agent3", "armadillo") == [(direct, n)]
    await room(site, "agent1", f"/{direct}/delete", n=n)
    assert await found(site, "agent3", "armadillo") == []


@pytest.mark.parametrize(
    "q",
    [
        "+1 (416) 555-7142", "416.555.7142", "0416 555 7142", "5557142", "+14165557142", "7142",
        "00 1 416 555 7142", "011-1-416-555-7142", "(416) 555/7142", "tel:+14165557142",
        "＋１（４１６）５５５ー７１４２", "٤١٦٥٥٥٧١٤٢",  # noqa: RUF001
    ],
)  # fmt: skip
async def test_a_number_is_found_in_any_notation(site: Served, q: str) -> None:
    customer = "+14165557142"
    known = await search(site, "agent1", customer, kinds="conversations")
    if not known["conversations"]:
        await site.texts("hello", customer=customer)
        await site.texts("call me at (416) 555-7142 please", customer=customers())
        await contact(site, "Grace Hopper", customer)
    answer = await search(site, "agent1", q)
    assert [hit["conversation"]["customer"] for hit in answer["conversations"]] == [customer]
    assert [hit["contact"]["name"] for hit in answer["contacts"]] == ["Grace Hopper"]
    hit = answer["messages"][0]
    (start, end) = hit["marks"][0]
    assert "7142" in hit["excerpt"][start:end]


async def test_a_number_is_found_while_it_is_typed_in_groups(site: Served) -> None:
    customer = "+14165557398"
    await site.texts("hello", customer=customer)
    for q in ("416 555 73", "(416) 555-73", "+1 416 555 73", "555 7398", "416 5557"):
        answer = await search(site, "agent1", q)
        assert customer in [hit["conversation"]["customer"] for hit in answer["conversations"]], q


async def test_a_conversation_is_found_by_the_contact_s_name(site: Served) -> None:
    customer = customers()
    conv = await site.texts("hi", to=SUPPORT, customer=customer)
    saved = await contact(site, "Zoë Ångström", customer, note="prefers the blue one")
    for q in ("zoe", "angstrom zo", "blue"):
        answer = await search(site, "agent2", q)
        assert [hit["contact"]["id"] for hit in answer["contacts"]] == [saved], q
        assert [hit["conversation"]["id"] for hit in answer["conversations"]] == [conv], q
    assert (await search(site, "agent1", "zoe"))["conversations"] == []
    await site.call("agent1", "PATCH", f"/v1/contacts/{saved}", {"name": "Somebody"})
    assert (await search(site, "agent2", "zoe"))["contacts"] == []
    await site.call("admin", "DELETE", f"/v1/contacts/{saved}")
    assert (await search(site, "agent2", "somebody"))["contacts"] == []


async def test_people_and_public_channels_are_found_by_name(site: Served) -> None:
    await room(site, "admin", "", name="Harbour talk", private=False, members=[])
    answer = await search(site, "agent1", "harb")
    assert [(c["name"], c["member"]) for c in answer["channels"]] == [("Harbour talk", False)]
    answer = await search(site, "agent1", "alex")
    assert [(p["id"], p["marks"]) for p in answer["people"]] == [("admin", [[0, 4]])]


async def test_pages_of_one_kind_have_everything_once(site: Served) -> None:
    customer = customers()
    for n in range(7):
        await site.texts(f"marmoset {n}", customer=customer)
    seen, after = [], ""
    for _ in range(10):
        more = {"after": after} if after else {}
        answer = await search(site, "agent1", "marmoset", kinds="messages", limit="3", **more)
        seen += [hit["excerpt"] for hit in answer["messages"]]
        after = answer["next"] or ""
        if not after:
            break
    assert seen == [f"marmoset {n}" for n in reversed(range(7))]


@pytest.mark.parametrize(
    "query",
    ["", "?q=", "?q=%21%3F", "?q=x&kinds=rows", "?q=x&after=5", "?q=x&kinds=messages&after=z"],
)
async def test_what_cannot_be_looked_for_is_refused(site: Served, query: str) -> None:
    answer = await site.call("agent1", "GET", f"/v1/search{query}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_what_looks_like_the_index_s_language_is_text(site: Served) -> None:
    conv = await site.texts('say "AND" or NEAR(x) {words}: col*', customer=customers())
    for q in ('NEAR(x) "and"', "{words}: col*", "x) OR (words", "-col* AND"):
        await search(site, "agent1", q)
    assert (conv, 1) in await found(site, "agent1", "NEAR(x) AND {words}:")
