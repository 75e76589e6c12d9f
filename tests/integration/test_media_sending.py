"""Files leave with a reply: whose they are, once only, and what becomes of those nobody sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from batonbox import MediaRefused, Message
from batonbox_server.errors import Refused
from batonbox_server.store.media import RedisMedia
from tests.chaos.processes import batonbox
from tests.integration.media_harness import HTML, PDF, PNG, age, got, kept, mine, upload, uploaded
from tests.integration.test_webhook import bound, listening, replied, until_state
from tests.served import CUSTOMER, SALES, Served, served
from tests.support import eventually


@pytest.fixture
async def site(engine_url: str, prefix: str, tmp_path: Path) -> AsyncIterator[Served]:
    """One node with the demo organisation."""
    async with served(engine_url, prefix, data_dir=str(tmp_path)) as site:
        yield site


async def phone(site: Served) -> list[dict[str, Any]]:
    """What the customer's phone has."""
    path = f"/v1/loopback/outbound?to={CUSTOMER.replace('+', '%2B')}"
    found: list[dict[str, Any]] = (await site.get("admin", path))["items"]
    return found


async def arrived(site: Served, count: int = 1) -> list[dict[str, Any]]:
    """The same, once there are so many."""
    await site.phone_with(count)
    return await phone(site)


async def test_files_arrive_on_the_phone(site: Served) -> None:
    conv = await mine(site)
    ids = [await uploaded(site, name="a.png"), await uploaded(site, PDF, "application/pdf")]
    assert (await site.act("agent1", conv, "reply", text="two", media=ids)).is_success
    (message,) = await arrived(site)
    assert [file["id"] for file in message["files"]] == ids
    assert [(await site.http.get(file["url"])).content for file in message["files"]] == [PNG, PDF]
    body = {"to": CUSTOMER, "text": "", "media": [await uploaded(site)], "from": SALES}
    composed = await site.call("agent1", "POST", "/v1/inboxes/sales/compose", body)
    assert composed.is_success
    assert len((await arrived(site, 2))[1]["files"]) == 1


async def test_a_retry_has_its_files_and_another_message_has_not(site: Served) -> None:
    conv = await mine(site)
    media, path = await uploaded(site), f"/v1/conversations/{conv}/reply"
    body = {"text": "look", "media": [media]}
    first = await site.call("agent1", "POST", path, body, idempotency_key="k1")
    again = await site.call("agent1", "POST", path, body, idempotency_key="k1")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json()["n"] == again.json()["n"]
    assert len(await arrived(site)) == 1
    other = await site.call("agent1", "POST", path, body, idempotency_key="k2")
    assert (other.status_code, other.json()["code"]) == (422, "media_refused")
    assert "upload it again" in other.json()["detail"]
    # A command id that was used for something else does not let its first message's file go.
    mixed = await site.call("agent1", "POST", path, {**body, "text": "x"}, idempotency_key="k1")
    assert mixed.json()["code"] == "idempotency_mismatch"
    late = {"text": "look", "media": [await uploaded(site)]}
    mixed = await site.call("agent1", "POST", path, late, idempotency_key="k1")
    assert mixed.json()["code"] == "idempotency_mismatch"
    assert (await site.call("agent1", "POST", path, late, idempotency_key="k4")).is_success
    other = await site.call("agent1", "POST", path, body, idempotency_key="k3")
    assert other.json()["code"] == "media_refused"
    store: RedisMedia = site.node.media._store  # type: ignore[assignment]
    with pytest.raises(Refused, match="another message"):  # ids of commands are an inbox's own
        await store.take([media], owner="agent1", cid="h:k1", inbox="support", most=10**9)


async def test_a_refused_command_gives_its_files_back(site: Served) -> None:
    conv, media = await site.texts("hello"), await uploaded(site)
    refused = await site.act("agent1", conv, "reply", text="x", media=[media])
    assert refused.json()["code"] == "not_owner"
    await site.act("agent1", conv, "assign")
    assert (await site.act("agent1", conv, "reply", text="x", media=[media])).is_success


async def test_a_retry_of_a_sent_message_keeps_its_files_though_it_is_refused(
    site: Served,
) -> None:
    """Whoever lost the inbox meanwhile cannot take the file out of the message they sent."""
    conv, media = await mine(site), await uploaded(site)
    path, body = f"/v1/conversations/{conv}/reply", {"text": "", "media": [media]}
    assert (await site.call("agent1", "POST", path, body, idempotency_key="k")).is_success
    store: RedisMedia = site.node.media._store  # type: ignore[assignment]
    await store.take([media], owner="agent1", cid="h:k", inbox="sales", most=10**9)
    await store.release([media], owner="agent1", cid="h:k", keep_ms=0)
    await site.node.media_worker.erase_some()
    assert (await got(site, conv, 3)).content == PNG


async def test_a_message_has_a_limit_for_all_its_files(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    async with served(
        engine_url, prefix, data_dir=str(tmp_path), media_max_bytes=3000, media_max_files=3
    ) as site:
        conv = await mine(site)
        ids = [await uploaded(site) for _ in range(4)]
        for wrong, code in (
            (ids[:3], "media_refused"),
            (ids, "bad_request"),
            ([ids[0], ids[0]], "bad_request"),
            (["../../x"], "bad_request"),
            (["0" * 32], "not_found"),
        ):
            answer = await site.act("agent1", conv, "reply", text="x", media=wrong)
            assert answer.json()["code"] == code, wrong
        assert (await site.act("agent1", conv, "reply", text="x", media=ids[:2])).is_success


async def test_what_is_never_sent_is_bounded_and_erased_after_a_day(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    async with served(
        engine_url, prefix, data_dir=str(tmp_path), media_unsent_max_bytes=3 * len(PNG)
    ) as site:
        conv = await mine(site)
        ids = [await uploaded(site) for _ in range(3)]
        full = await upload(site, PNG)
        assert (full.status_code, full.json()["code"]) == (422, "media_refused")
        assert (await upload(site, PNG, user="agent2")).status_code == 201
        await site.act("agent1", conv, "reply", text="", media=ids[:1])
        last = await uploaded(site)
        assert len(kept(tmp_path / "media")) == 5
        await age(site, [*ids, last])
        while await site.node.media_worker.erase_some():
            pass
        left = {path.name for path in kept(tmp_path / "media")}
        assert ids[0] in left
        assert not left & {*ids[1:], last}
        await uploaded(site)  # there is room again
        answer = await site.act("agent1", conv, "reply", text="x", media=[last])
        assert answer.json()["code"] == "not_found"


async def test_an_upload_that_could_not_be_kept_takes_no_room(
    engine_url: str, prefix: str, tmp_path: Path
) -> None:
    """Nobody has to wait for a day because the disk was full for a while."""
    async with served(
        engine_url, prefix, data_dir=str(tmp_path), media_unsent_max_bytes=len(PNG)
    ) as site:
        in_the_way = tmp_path / "media"
        in_the_way.write_text("a file where the folder should be")
        for _ in range(2):
            assert (await upload(site, PNG)).json()["code"] == "unavailable"
        in_the_way.unlink()
        await uploaded(site)


async def test_what_a_killed_server_left_half_written_goes_with_its_file(
    site: Served, tmp_path: Path
) -> None:
    media = await uploaded(site)
    (path,) = kept(tmp_path / "media")
    path.with_name(f".{path.name}.half").write_bytes(PNG[:9])
    await age(site, [media])
    await site.node.media_worker.erase_some()
    assert kept(tmp_path / "media") == []


async def test_a_deleted_inbox_takes_its_files_along(site: Served, tmp_path: Path) -> None:
    conv = await mine(site)
    await site.act("agent1", conv, "reply", text="", media=[await uploaded(site)])
    unsent = await uploaded(site)
    path = f"/v1/conversations/{conv}/messages/3/media/0"
    link = (await site.call("agent1", "GET", path)).headers["location"]
    assert (await site.call("admin", "DELETE", "/v1/admin/inboxes/sales")).is_success
    while await site.node.media_worker.erase_some():
        pass
    assert [path.name for path in kept(tmp_path / "media")] == [unsent]
    assert (await site.http.get(link)).status_code == 404


# The SDK


async def test_the_sdk_sends_and_fetches(site: Served, tmp_path: Path) -> None:
    conv = await mine(site)
    path = tmp_path / "plan.pdf"
    path.write_bytes(PDF)
    async with await site.sdk("agent1") as client:
        mine_ = await client.conversation(conv)
        media = await client.upload(PNG, name="a.png", type="image/png")
        n = await mine_.reply("both", media=[media, path])
        (message,) = [m for m in await mine_.history() if m.n == n]
        assert isinstance(message, Message)
        assert [(m.type, m.size, m.name) for m in message.media] == [
            ("image/png", len(PNG), "a.png"), ("application/pdf", len(PDF), "plan.pdf"),
        ]  # fmt: skip
        assert [await mine_.media(message, i) for i in range(2)] == [PNG, PDF]
        with pytest.raises(MediaRefused):
            await client.upload(HTML, name="a.png")
        with pytest.raises(ValueError, match="ids"):
            await mine_.reply("x", media=[path], key="k")


async def test_the_command_line_sends_files(site: Served, tmp_path: Path) -> None:
    conv = await mine(site)
    path = tmp_path / "plan.pdf"
    path.write_bytes(PDF)
    token = await site.token("agent1")
    for files, code in (([path, path], 0), ([tmp_path / "none.pdf"], 2), ([tmp_path], 2)):
        given = [word for file in files for word in ("--media", str(file))]
        process = await batonbox("reply", conv, "hello", *given, url=site.url, token=token)
        _, err = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == code, err
        assert b"Traceback" not in err
    (message,) = await arrived(site)
    assert [(file["name"], file["size"]) for file in message["files"]] == [("plan.pdf", 509)] * 2


async def test_a_carrier_outside_fetches_by_a_link_under_our_public_address(
    engine_url: str, prefix: str
) -> None:
    async with listening() as gateway:
        async with bound(engine_url, prefix, gateway) as site:
            conv = await replied(site)
            await until_state(site, conv, "sent")
            await site.act("agent1", conv, "reply", text="x", media=[await uploaded(site)])
            await until_state(site, conv, "failed")
            found = await site.get("agent1", f"/v1/conversations/{conv}")
            assert "BATONBOX_PUBLIC_URL" in found["messages"][-1]["reason"]
        async with bound(
            engine_url, f"{prefix}2", gateway, public_url="https://in.example.org"
        ) as site:
            conv = await replied(site)
            await site.act("agent1", conv, "reply", text="x", media=[await uploaded(site)])
            await eventually(lambda: len(gateway.taken) == 3)
            (url,) = gateway.taken[-1][1]["media"]
            assert url.startswith("https://in.example.org/v1/media/")
            assert (await site.http.get(url.removeprefix("https://in.example.org"))).content == PNG
