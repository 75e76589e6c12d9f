"""Direct messages and channels over HTTP, and what leaving the organisation does."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from batonbox_server.domain.model import Role
from batonbox_server.domain.policy import Scope
from tests.integration.media_harness import uploaded
from tests.integration.sign_in_harness import Browser
from tests.integration.talk_harness import channel, code, lines, ok, person
from tests.served import SALES, Served, served

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(engine_url: str) -> AsyncIterator[Served]:
    """One node with the demo organisation; each test makes rooms of its own."""
    async with served(engine_url, f"t{uuid.uuid4().hex[:12]}:", job_lease_s=0.5) as site:
        yield site


async def test_what_i_write_is_unread_for_others_alone_and_a_mention_counts(site: Served) -> None:
    room = await channel(site, "agent1", "agent2")
    await ok(site, "agent1", f"/{room}/post", text="hello", mentions=["agent2", "agent2"])
    await ok(site, "agent1", f"/{room}/post", text="again")
    of = {u: await site.get(u, f"/v1/rooms/{room}") for u in ("admin", "agent1", "agent2")}
    assert {u: (r["unread"], r["mentions"]) for u, r in of.items()} == {
        "admin": (2, 0), "agent1": (0, 0), "agent2": (2, 1),
    }  # fmt: skip
    assert of["agent2"]["members"] == ["admin", "agent1", "agent2"]
    assert of["agent2"]["preview"] == "again"
    assert (await ok(site, "agent2", f"/{room}/seen", posts=2))["seen"]
    assert not (await ok(site, "agent2", f"/{room}/seen", posts=1))["seen"]
    assert (await site.get("agent2", f"/v1/rooms/{room}"))["unread"] == 0
    await ok(site, "agent2", f"/{room}/unread")
    mine = {r["id"]: r for r in (await site.get("agent2", "/v1/rooms"))["items"]}
    assert mine[room]["unread"] == 1


async def test_the_direct_room_of_two_is_one_whoever_opens_it(site: Served) -> None:
    made = await ok(site, "agent1", "/direct", user="agent2")
    again = await ok(site, "agent2", "/direct", user="agent1")
    assert again["conv"] == made["conv"]
    assert again["room"]["people"] == ["agent1", "agent2"]
    await ok(site, "agent1", f"/{made['conv']}/post", text="psst")
    assert await code(site, "agent1", f"/{made['conv']}/invite", user="agent3") == "forbidden"
    assert await code(site, "admin", "/direct", user="nobody") == "not_found"


async def test_nobody_learns_whether_two_others_talk(site: Served) -> None:
    """Who is not one of the two hears the same of their room and of one that does not exist."""
    room = str((await ok(site, "agent1", "/direct", user="agent2"))["conv"])
    for there in (room, "~d" + "0" * 32):
        for user in ("agent3", "admin"):
            gets = ("", "/messages", "/messages/1/versions")
            found = [await site.call(user, "GET", f"/v1/rooms/{there}{more}") for more in gets]
            found += [
                await site.call(user, "POST", f"/v1/rooms/{there}/{verb}", body)
                for verb, body in (
                    ("post", {"text": "x"}), ("edit", {"n": 1, "text": "x"}), ("delete", {"n": 1}),
                    ("seen", {"posts": 1}), ("unread", {}), ("join", {}), ("leave", {}),
                )
            ]  # fmt: skip
            assert {answer.json()["code"] for answer in found} == {"not_found"}


async def test_a_posts_files_stay_with_it_through_an_edit(site: Served) -> None:
    room = await channel(site, "agent1")
    media = await uploaded(site)
    sent = await ok(site, "agent1", f"/{room}/post", text="", media=[media])
    await ok(site, "agent1", f"/{room}/edit", n=sent["n"], text="what it is")
    (line,) = [line for line in await lines(site, "admin", room) if line["n"] == sent["n"]]
    assert line["body"]["text"] == "what it is"
    assert [file["id"] for file in line["body"]["media"]] == [media]
    path = f"/v1/conversations/{room}/messages/{sent['n']}/media/0"
    assert (await site.call("admin", "GET", path)).status_code == 307
    assert (await site.call("agent2", "GET", path)).json()["code"] == "forbidden"


async def test_an_edit_sent_again_after_a_deletion_has_its_first_answer(site: Served) -> None:
    room, media = await channel(site, "agent1"), await uploaded(site)
    sent = await ok(site, "agent1", f"/{room}/post", text="one", media=[media])
    path, body = f"/v1/rooms/{room}/edit", {"n": sent["n"], "text": "two"}
    first = await site.call("agent1", "POST", path, body, idempotency_key="k1")
    await ok(site, "agent1", f"/{room}/delete", n=sent["n"])
    again = await site.call("agent1", "POST", path, body, idempotency_key="k1")
    assert (again.json()["seq"], again.json()["tip"]) == (
        first.json()["seq"],
        first.json()["tip"],
    ), again.text
    assert (await lines(site, "admin", room))[-1]["state"] == "deleted"


async def test_who_may_change_a_post_and_read_what_stood_there(site: Served) -> None:
    room = await channel(site, "agent1", "agent2")
    n = (await ok(site, "agent1", f"/{room}/post", text="first"))["n"]
    for user in ("agent2", "admin"):
        assert await code(site, user, f"/{room}/edit", n=n, text="x") == "forbidden"
    stranger = {"n": n, "text": "@Dee", "mentions": ["agent3"]}
    assert await code(site, "agent1", f"/{room}/edit", **stranger) == "target_not_member"
    await ok(site, "agent1", f"/{room}/edit", n=n, text="second")
    assert await code(site, "agent2", f"/{room}/delete", n=n) == "forbidden"
    await ok(site, "admin", f"/{room}/delete", n=n)
    line = (await lines(site, "agent2", room))[-1]
    assert (line["state"], line["body"]["text"]) == ("deleted", "")
    path = f"/v1/rooms/{room}/messages/{n}/versions"
    told = (await site.get("admin", path))["items"]
    assert [(v["by"], v["body"]["text"]) for v in told] == [
        ("agent1", "first"), ("admin", "second"),
    ]  # fmt: skip
    assert (await site.call("agent1", "GET", path)).json()["code"] == "forbidden"


async def test_an_admin_who_is_not_in_a_private_channel_acts_on_it_and_reads_nothing(
    site: Served,
) -> None:
    room = await channel(site, "agent1", private=True)
    await ok(site, "agent1", f"/{room}/post", text="a secret")
    await ok(site, "admin", f"/{room}/leave")
    for verb, body in (
        ("rename", {"name": f"kept {room[-6:]}"}),
        ("invite", {"user": "agent2"}),
        ("remove", {"user": "agent2"}),
        ("archive", {}),
        ("archive", {"on": False}),
    ):
        done = await ok(site, "admin", f"/{room}/{verb}", **body)
        assert "room" not in done, "its row has the beginning of the last post"
    for more in ("", "/messages", "/messages/2/versions"):
        answer = await site.call("admin", "GET", f"/v1/rooms/{room}{more}")
        assert answer.json()["code"] == "forbidden"
    shown = {c["id"]: c for c in (await site.get("admin", "/v1/channels"))["items"]}
    assert (shown[room]["member"], shown[room]["members"]) == (False, 1)
    assert room not in {c["id"] for c in (await site.get("agent2", "/v1/channels"))["items"]}
    await ok(site, "admin", f"/{room}/join")
    assert (await lines(site, "agent1", room))[-1]["kind"] == "member_joined"


async def test_an_admins_key_without_the_scope_acts_as_a_member(site: Served) -> None:
    room = await channel(site, "agent1", private=True)
    boss = await person(site, Role.ADMIN)
    _, secret = await site.node.identity.make_token(user=boss, scopes=(Scope.READ, Scope.ACT))
    site._tokens[boss] = secret
    n = (await ok(site, "agent1", f"/{room}/post", text="mine"))["n"]
    assert await code(site, boss, f"/{room}/join") == "forbidden"
    assert await code(site, boss, "", name="made by a key") == "forbidden"
    assert room not in {c["id"] for c in (await site.get(boss, "/v1/channels"))["items"]}
    await ok(site, "admin", f"/{room}/invite", user=boss)
    assert await code(site, boss, f"/{room}/delete", n=n) == "forbidden"
    answer = await site.call(boss, "GET", f"/v1/rooms/{room}/messages/{n}/versions")
    assert answer.json()["code"] == "forbidden"


async def test_names_of_channels_are_one_each(site: Served) -> None:
    name = f"Straße {uuid.uuid4().hex[:6]}"
    room = (await ok(site, "admin", "", name=name))["conv"]
    assert await code(site, "admin", "", name=name.upper()) == "conflict"
    other = await channel(site)
    assert await code(site, "admin", f"/{other}/rename", name=f" {name} ") == "conflict"
    await ok(site, "admin", f"/{room}/rename", name=f"{name} 2")
    await ok(site, "admin", f"/{other}/rename", name=name)


async def test_an_archived_channel_can_be_read_and_not_written_in(site: Served) -> None:
    room = await channel(site, "agent1")
    n = (await ok(site, "agent1", f"/{room}/post", text="before"))["n"]
    assert (await ok(site, "admin", f"/{room}/archive"))["room"]["archived_at"]
    assert await code(site, "agent1", f"/{room}/post", text="after") == "bad_request"
    assert await code(site, "agent1", f"/{room}/edit", n=n, text="changed") == "bad_request"
    assert await code(site, "agent1", f"/{room}/delete", n=n) == "bad_request"
    assert (await lines(site, "agent1", room))[1]["body"]["text"] == "before"
    await ok(site, "admin", f"/{room}/delete", n=n)
    await ok(site, "admin", f"/{room}/archive", on=False)
    await ok(site, "agent1", f"/{room}/post", text="after")


@pytest.mark.parametrize(
    ("verb", "body", "slug"),
    [
        ("post", {"text": ""}, "bad_request"),
        ("post", {"text": "x" * 1601}, "bad_request"),
        ("post", {"text": "x", "mentions": ["agent3"]}, "target_not_member"),
        ("post", {"text": "x", "to": "agent2"}, "bad_request"),
        ("edit", {"n": 99, "text": "x"}, "not_found"),
        ("edit", {"n": 1, "text": "x"}, "not_found"),
        ("invite", {"user": "nobody"}, "not_found"),
        ("rename", {"name": "  "}, "bad_request"),
        ("seen", {"posts": -1}, "bad_request"),
    ],
)
async def test_bad_input_is_refused_by_name(
    site: Served, verb: str, body: dict[str, Any], slug: str
) -> None:
    room = await channel(site, "agent1")
    assert await code(site, "admin", f"/{room}/{verb}", **body) == slug


async def test_a_room_is_no_conversation_and_a_conversation_no_room(site: Served) -> None:
    room = await channel(site, "agent1")
    conv = await site.texts("hello", customer="+14165550190")
    paths = [("GET", ""), ("GET", "/messages"), ("POST", "/seen"), ("POST", "/unread")]
    paths += [("POST", f"/{verb}") for verb in ("assign", "return", "done", "undo", "wake")]
    bodies: dict[str, Any] = {"/seen": {"att": "1"}}
    for method, more in paths:
        path = f"/v1/conversations/{room}{more}"
        answer = await site.call("admin", method, path, bodies.get(more, {}))
        assert answer.json()["code"] == "not_found", (more, answer.text)
    for verb in ("join", "leave", "unread", "archive"):
        assert await code(site, "admin", f"/{conv}/{verb}") == "not_found"
    state = await site.node.room_store.room_state(room=room)
    assert (state.row["kind"], state.seq) == ("public", 1)
    refused = await site.call("admin", "POST", f"/v1/inboxes/{room}/compose",
                              {"to": "+14165550191", "text": "x"})  # fmt: skip
    assert refused.json()["code"] == "bad_request"


# Leaving the organisation


async def drained(site: Served) -> None:
    """Until no job is left."""
    for _ in range(200):
        if not await site.node.client.execute("HLEN", f"{site.node.keys.org}:jobs"):
            return
        await site.node.administration.run_due_jobs()
    raise AssertionError("jobs are left")


async def test_who_is_deactivated_leaves_every_channel_and_does_not_come_back(
    site: Served,
) -> None:
    pat, mia = await person(site), await person(site)
    rooms = [await channel(site, pat, mia), await channel(site, pat, mia, private=True)]
    direct = (await ok(site, pat, "/direct", user=mia))["conv"]
    await ok(site, pat, f"/{direct}/post", text="bye")
    answer = await site.call("admin", "POST", f"/v1/admin/users/{pat}/deactivate")
    assert answer.is_success, answer.text
    for room in rooms:
        assert pat not in (await site.get(mia, f"/v1/rooms/{room}"))["members"]
        assert (await lines(site, mia, room))[-1]["kind"] == "member_removed"
        assert await code(site, "admin", f"/{room}/invite", user=pat) == "target_not_member"
    assert (await lines(site, mia, str(direct)))[-1]["body"]["text"] == "bye"
    path = f"/v1/admin/users/{pat}/reactivate"
    assert (await site.call("admin", "POST", path, {"inboxes": []})).is_success
    del site._tokens[pat]
    assert [r["id"] for r in (await site.get(pat, "/v1/rooms"))["items"]] == [direct]
    # Once more, soon after: what was answered the first time is not taken for it.
    await ok(site, "admin", f"/{rooms[0]}/invite", user=pat)
    assert (await site.call("admin", "POST", f"/v1/admin/users/{pat}/deactivate")).is_success
    assert pat not in (await site.get(mia, f"/v1/rooms/{rooms[0]}"))["members"]


async def test_a_node_that_dies_leaves_nobody_in_a_channel(site: Served) -> None:
    pat, mia = await person(site), await person(site)
    room = await channel(site, pat, mia)
    jobs = await site.node.organisation.deactivate_user(pat)  # and then no more of this node
    for job in jobs:
        await site.node.client.execute("ZADD", f"{site.node.keys.org}:due", 0, job.id)
    await drained(site)
    assert pat not in (await site.get(mia, f"/v1/rooms/{room}"))["members"]


async def test_a_late_job_takes_nobody_out_who_came_back(site: Served) -> None:
    pat, mia = await person(site), await person(site)
    room, other = await channel(site, pat, mia), await channel(site, mia)
    jobs = await site.node.organisation.deactivate_user(pat)
    await site.node.directory.refresh()
    await site.node.administration.reactivate_user(pat, inboxes=())
    assert pat not in (await site.get(mia, f"/v1/rooms/{room}"))["members"]
    await ok(site, "admin", f"/{other}/invite", user=pat)
    for job in jobs:
        assert await site.node.administration.run_job(job)
    assert pat in (await site.get(mia, f"/v1/rooms/{other}"))["members"]


async def test_nobody_gets_a_deleted_persons_id_and_with_it_their_direct_messages(
    site: Served,
) -> None:
    pat, mia = uuid.uuid4().hex[:12], await person(site)
    invited = {"user": pat, "name": "Another", "role": "member"}
    early: httpx2.Response = await site.call("admin", "POST", "/v1/admin/invites", invited)
    body = {"id": pat, "name": "Pat", "role": "member"}
    assert (await site.call("admin", "POST", "/v1/admin/users", body)).is_success
    direct = (await ok(site, pat, "/direct", user=mia))["conv"]
    await ok(site, pat, f"/{direct}/post", text="between us")
    told = (await site.call("admin", "POST", "/v1/admin/users", body)).json()
    assert (told["code"], "already" in told["detail"]) == ("conflict", True)
    assert (await site.call("admin", "DELETE", f"/v1/admin/users/{pat}")).is_success
    assert (await lines(site, mia, str(direct)))[-1]["body"]["text"] == "between us"
    assert (await site.call("admin", "POST", "/v1/admin/users", body)).json()["code"] == "conflict"
    taken = {"code": early.json()["code"], "password": "a password of some length"}
    answer: httpx2.Response = await Browser(site).call("POST", "/v1/session/invite", taken)
    assert answer.json()["code"] == "conflict", answer.text
    invited = {"user": pat, "name": "Another", "role": "member"}
    answer = await site.call("admin", "POST", "/v1/admin/invites", invited)
    assert answer.json()["code"] == "conflict", answer.text
    invited = {"name": pat, "role": "member"}
    answer = await site.call("admin", "POST", "/v1/admin/invites", invited)
    assert answer.is_success and answer.json()["user"] == f"{pat}-2", answer.text


async def test_a_note_names_only_who_may_see_the_inbox(site: Served) -> None:
    conv = await site.texts("hello", to=SALES, customer="+14165550193")
    stan = await person(site)
    refused = await site.act("agent1", conv, "note", text="x", mentions=["agent2", stan])
    assert refused.json()["code"] == "target_not_member"
    assert (
        await site.act("agent1", conv, "note", text="x", mentions=["agent2", "admin"])
    ).is_success
    thread = await site.get("agent2", f"/v1/conversations/{conv}")
    assert thread["messages"][-1]["body"]["mentions"] == ["agent2", "admin"]
