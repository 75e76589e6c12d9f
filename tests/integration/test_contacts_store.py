"""Contacts straight on the store: one number is one contact's, whoever writes at the same time."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

import pytest

from batonbox_server.errors import Refused
from batonbox_server.hub.frames import Published
from batonbox_server.service.export_source import everybody
from batonbox_server.store.connect import EngineClient
from batonbox_server.store.contacts import RedisContacts
from batonbox_server.store.contacts_port import Contact
from batonbox_server.store.keys import Keys
from batonbox_server.store.redis import RedisStore
from tests.integration.store_harness import refused

LEE, MAY = "+14165550142", "+14165550143"


@pytest.fixture
async def book(client: EngineClient, prefix: str) -> RedisContacts:
    """An address book of the test's own."""
    book = RedisContacts(client, keys=Keys(prefix), log_events=1000)
    await book.open()
    return book


def fresh(name: str, *numbers: str, note: str = "") -> Contact:
    return Contact(f"ct_{uuid.uuid4().hex}", name, numbers, note)


async def put(book: RedisContacts, contact: Contact, rev: int | None = 0, cid: str = "") -> Contact:
    return await book.save(contact, actor="ann", cid=cid or uuid.uuid4().hex, rev=rev)


async def names(book: RedisContacts, begins: str = "", n: int = 100) -> list[str]:
    found, after = [], ""
    while True:
        page = await book.page(after=after, n=n, begins=begins)
        found += [contact.name for contact in page.items]
        after = page.next
        if not after:
            return found


async def test_a_contact_is_found_by_each_of_its_numbers_until_it_loses_them(
    book: RedisContacts,
) -> None:
    lee = await put(book, fresh("Lee & Sons", LEE, MAY, note="rings twice"))
    assert (lee.rev, lee.created_ms) == (1, lee.changed_ms)
    assert await book.by_numbers([LEE, "+14165550199", MAY]) == {LEE: lee, MAY: lee}
    less = await put(book, replace(lee, numbers=(MAY,), name="Lee"), rev=1)
    assert await book.by_numbers([LEE, MAY]) == {MAY: less}
    assert await book.contact(lee.id) == less
    assert (less.created_ms, less.rev) == (lee.created_ms, 2)
    await book.delete(lee.id, actor="ann", cid="c1")
    assert await book.by_numbers([MAY]) == {}
    assert (await refused(book.contact(lee.id))).slug == "not_found"
    assert await names(book) == await names(book, "lee") == await names(book, "416") == []


async def test_of_writers_at_the_same_time_one_gets_the_number(book: RedisContacts) -> None:
    tries = [put(book, fresh(f"No. {n}", LEE)) for n in range(20)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    made = [contact for contact in done if isinstance(contact, Contact)]
    assert [e.slug for e in done if isinstance(e, Refused)] == ["conflict"] * 19
    assert await book.by_numbers([LEE]) == {LEE: made[0]}
    assert await names(book) == [made[0].name]


async def test_whoever_has_not_seen_the_last_change_is_refused(book: RedisContacts) -> None:
    lee = await put(book, fresh("Lee", LEE))
    tries = [put(book, replace(lee, note=f"note {n}"), rev=lee.rev) for n in range(10)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert [e.slug for e in done if isinstance(e, Refused)] == ["conflict"] * 9
    await asyncio.gather(*(put(book, replace(lee, note=f"n{n}"), rev=None) for n in range(5)))
    assert (await book.contact(lee.id)).rev == 7
    gone = replace(lee, id="ct_gone", numbers=())
    assert (await refused(put(book, gone, rev=3))).slug == "not_found"


async def test_a_command_sent_again_has_no_second_effect(book: RedisContacts) -> None:
    lee = await put(book, fresh("Lee", LEE), cid="one")
    again = await put(book, fresh("Lee", LEE), cid="one")
    assert again == lee
    assert (await refused(put(book, fresh("May", LEE), cid="one"))).slug == "idempotency_mismatch"
    may = await put(book, fresh("May", MAY))
    first = await book.merge(into=lee.id, gone=may.id, actor="ann", cid="two")
    assert await book.merge(into=lee.id, gone=may.id, actor="ann", cid="two") == first
    for _ in range(2):
        await book.delete(lee.id, actor="ann", cid="three")
    assert await names(book) == []


async def test_a_command_sent_twice_at_the_same_time_makes_one(book: RedisContacts) -> None:
    made = await asyncio.gather(*(put(book, fresh("Lee", LEE), cid="one") for _ in range(5)))
    assert len({contact.id for contact in made}) == 1
    assert await book.contact(made[0].id) == made[0]
    assert await names(book) == ["Lee"]


async def test_two_become_one_in_one_step(book: RedisContacts, client: EngineClient) -> None:
    lee = await put(book, fresh("Lee", LEE, note="a"))
    may = await put(book, fresh("May", MAY, note="b"))
    assert (await refused(book.merge(into=lee.id, gone=lee.id, actor="ann", cid="0"))).slug == (
        "bad_request"
    )
    one = await book.merge(into=lee.id, gone=may.id, actor="ann", cid="1")
    assert (one.numbers, one.note, one.created_ms) == ((LEE, MAY), "a\nb", lee.created_ms)
    assert await book.by_numbers([LEE, MAY]) == {LEE: one, MAY: one}
    assert (await refused(book.contact(may.id))).slug == "not_found"
    assert (await refused(book.merge(into=lee.id, gone=may.id, actor="ann", cid="2"))).slug == (
        "not_found"
    )
    full = fresh("Full", *(f"+1416555{n:04}" for n in range(200, 219)))
    await put(book, full)
    too_much = await refused(book.merge(into=lee.id, gone=full.id, actor="ann", cid="3"))
    assert too_much.slug == "bad_request"
    assert len((await book.contact(full.id)).numbers) == 19
    kept = await client.execute("XLEN", f"{book._prefix}:au")
    assert kept == 1


async def test_the_log_tells_each_change_with_the_numbers_it_is_about(
    book: RedisContacts, client: EngineClient, prefix: str
) -> None:
    lee = await put(book, fresh("Lee", LEE))
    lee = await put(book, replace(lee, note="only a note"), rev=lee.rev)
    lee = await put(book, replace(lee, numbers=(MAY,)), rev=lee.rev)
    lee = await put(book, replace(lee, name="Leigh"), rev=lee.rev)
    await book.delete(lee.id, actor="ann", cid="c")
    logs = RedisStore(client, keys=Keys(prefix))
    entries = await logs.range(log=Keys(prefix).contacts, first=1, last=9)
    events = [Published.of(entry.prev, entry.frame) for entry in entries]
    assert [(e.meta["type"], e.meta["id"], e.meta["numbers"]) for e in events] == [
        ("contact_changed", lee.id, [LEE]),
        ("contact_changed", lee.id, []),
        ("contact_changed", lee.id, [LEE, MAY]),
        ("contact_changed", lee.id, [MAY]),
        ("contact_deleted", lee.id, [MAY]),
    ]
    assert events[3].body["name"] == "Leigh"
    assert events[3].body == {**events[3].body, "numbers": [MAY], "rev": 4, "id": lee.id}


async def test_the_list_is_by_name_and_begins_as_asked(book: RedisContacts) -> None:
    people = ["Zoë Zwart", "ann Lee", "Émile Zola", "Ann-Marie", "Straße 7", "安部 公房", "Bo"]
    for n, name in enumerate(people):
        await put(book, fresh(name, f"+1416555{n:04}"))
    await put(book, fresh("Bo", "+442079460000"))
    sorted_names = ["ann Lee", "Ann-Marie", "Bo", "Bo", "Émile Zola", "Straße 7", "Zoë Zwart",
                    "安部 公房"]  # fmt: skip
    assert await names(book) == sorted_names
    assert await names(book, n=1) == sorted_names
    assert await names(book, "ANN") == ["ann Lee", "Ann-Marie"]
    assert await names(book, "z", n=1) == ["Zoë Zwart", "Émile Zola"]  # by the words found
    assert await names(book, "strasse") == ["Straße 7"]
    assert await names(book, "公房") == ["安部 公房"]
    assert await names(book, "+1 (416) 555-0001") == ["ann Lee"]
    assert await names(book, "020 7946") == ["Bo"]
    assert len(await names(book, "416", n=2)) == len(people)
    assert await names(book, "nobody") == []
    assert (await refused(book.page(after="?"))).slug == "bad_request"


async def test_of_many_at_once_each_is_judged_for_itself(book: RedisContacts) -> None:
    lee = await put(book, fresh("Lee", LEE))
    may = fresh("May", MAY)
    changes: list[tuple[Contact | None, Contact]] = [
        (lee, replace(lee, name="Leigh", numbers=())),
        (None, fresh("Takes what he left", LEE)),
        (replace(lee, note="not so"), lee),
        (None, may),
        (None, fresh("Comes too late", MAY)),
    ]
    written = await book.save_all(changes, actor="ann")
    assert [w.outcome for w in written] == ["ok", "ok", "stale", "ok", "taken"]
    assert written[4].other == may.id
    assert await names(book) == ["Leigh", "May", "Takes what he left"]


async def test_whoever_is_renamed_behind_a_reader_is_met_all_the_same(book: RedisContacts) -> None:
    made = [await put(book, fresh(f"N{n:04}", f"+1416555{n:04}")) for n in range(600)]
    seen: list[str] = []
    async for some in everybody(book):
        seen += [contact.id for contact in some]
        if len(seen) == 500:
            await put(book, replace(made[550], name="A, behind"), rev=made[550].rev)
            await put(book, replace(made[3], name="Z, ahead"), rev=made[3].rev)
    assert sorted(seen) == sorted(contact.id for contact in made)
