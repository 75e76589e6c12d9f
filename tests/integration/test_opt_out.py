"""Customers who opt out: who is answered, whose badge stays, what is refused, where it holds."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx2
import pytest

from batonbox_server.carriers.loopback import Loopback
from batonbox_server.domain.keywords import Word
from batonbox_server.service.answers import default_text
from batonbox_server.service.intake import Inbound
from batonbox_server.store.port import Received
from tests.integration.hooks_harness import hook_on, receiving, telling
from tests.served import CUSTOMER, SALES, Served, served

NUMBER = "+14165550177"
CUSTOMERS, MOVES = 40, 8


async def ask(site: Served, method: str, path: str, body: Any = None) -> Any:
    """An admin's request that succeeds."""
    answer = await site.call("admin", method, f"/v1/admin/{path}", body)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


async def says(site: Served, text: str, *, provider_id: str = "", to: str = SALES) -> Received:
    """The customer writes; with an id it may come again."""
    name = provider_id or f"{text}-{random.getrandbits(64):x}"
    return await site.node.intake.receive(Inbound("loopback", name, to, CUSTOMER, text))


async def writes(
    site: Served, *, inbox: str = "sales", our: str = SALES, to: str = CUSTOMER
) -> httpx2.Response:
    """An admin writes to the customer, whoever had the conversation."""
    body = {"from": our, "to": to, "text": "from us"}
    return await site.call("admin", "POST", f"/v1/inboxes/{inbox}/compose", body)


async def thread(site: Served, conv: str) -> Any:
    """The conversation and its messages."""
    return await site.get("admin", f"/v1/conversations/{conv}?n=100")


def kinds(found: Any) -> list[str]:
    """Of its messages."""
    return [message["kind"] for message in found["messages"]]


def answer(site: Served, word: Word) -> str:
    """What the organisation answers by default."""
    return default_text(word, site.node.directory.name)


async def test_a_first_word_that_is_stop_makes_a_done_conversation_and_one_confirmation(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as site:
        conv = await site.texts(" stop\n")
        assert await site.phone_with(1) == [answer(site, Word.STOP)]
        found = await thread(site, conv)
        assert (found["status"], kinds(found)) == ("done", ["received", "answered"])
        assert found["opted_out"]
        assert found["unanswered"] == 0
        assert found["preview"] == "stop"
        marks = await site.node.store.marks(inbox="sales", user="agent1")
        assert (marks.blue, marks.green) == (0, [])
        refused = await writes(site)
        assert (refused.status_code, refused.json()["code"]) == (409, "recipient_opted_out")
        assert refused.json()["cur"]["id"] == conv
        assert await site.texts("STOP") == conv  # once more: no second confirmation
        assert await site.texts("Unstop") == conv
        want = [answer(site, Word.STOP), answer(site, Word.START)]
        assert await site.phone_with(2) == want
        found = await thread(site, conv)
        assert (found["status"], found["opted_out"]) == ("done", None)
        assert kinds(found)[-3:] == ["received", "received", "answered"]
        assert (await writes(site)).is_success
        assert await site.phone_with(3) == [*want, "from us"]


async def test_yes_of_somebody_who_never_opted_out_is_a_message(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as site:
        for text in ("yes", "START", "please stop", "HELP"):
            conv = await site.texts(text)
        found = await thread(site, conv)
        assert (found["status"], found["unanswered"]) == ("unassigned", 4)
        assert kinds(found) == ["received"] * 4 + ["answered"]
        assert await site.phone_with(1) == [answer(site, Word.HELP)]
        assert (await site.node.store.marks(inbox="sales", user="agent1")).blue == 1


async def test_a_keyword_disturbs_nobody_and_what_was_queued_is_not_sent(
    engine_url: str, prefix: str
) -> None:
    async with served(engine_url, prefix) as site:
        conv = await site.texts("hello")
        await site.act("agent1", conv, "assign")
        agent1 = {"inbox": "sales", "user": "agent1"}
        phone = {"to": CUSTOMER, "count": 1000, "permanent": False, "reason": "told to"}
        await site.call("admin", "POST", "/v1/loopback/failures", phone)
        queued = (await site.act("agent1", conv, "reply", text="too late")).json()["n"]
        asked, marks = await thread(site, conv), await site.node.store.marks(**agent1)
        await site.texts("stop")
        found = await thread(site, conv)
        for name in ("status", "assignee", "own_tok", "att", "in_seq", "unanswered"):
            assert found[name] == asked[name], name
        assert found["assignee"] == "agent1"
        now = await site.node.store.marks(**agent1)
        assert (now.green, now.blue, now.mv) == (marks.green, marks.blue, marks.mv)
        refused = await site.act("agent1", conv, "reply", text="again")
        assert refused.json()["code"] == "recipient_opted_out"
        await site.call("admin", "POST", "/v1/loopback/failures", {**phone, "count": 0})
        assert await site.phone_with(1) == [answer(site, Word.STOP)]
        found = await thread(site, conv)
        failed = next(message for message in found["messages"] if message["n"] == queued)
        assert (failed["state"], failed["reason"]) == ("failed", "recipient_opted_out")
        again = await site.act("agent1", conv, "retry", n=queued)
        assert again.json()["code"] == "recipient_opted_out"
        await site.texts("start")
        again = await site.act("agent1", conv, "retry", n=queued)
        assert again.is_success, again.text
        assert (await site.phone_with(3))[1:] == [answer(site, Word.START), "too late"]


async def test_a_stop_that_comes_again_after_a_start_stops_nothing(
    engine_url: str, prefix: str
) -> None:
    """The carrier got no answer the first time; the inbox may not even have had the message."""
    async with served(engine_url, prefix) as site:
        first = await says(site, "stop", provider_id="s1")
        await says(site, "start", provider_id="s2")
        again = await says(site, "stop", provider_id="s1")
        assert (again.duplicate, again.conv, again.n) == (True, first.conv, first.n)
        assert (await writes(site)).is_success
        # A node that died between the number and the inbox: the later word is there first.
        opt_outs = site.node.opt_outs
        late = {"our": SALES, "customer": CUSTOMER, "provider_id": "loopback:s3", "text": "stop"}
        assert (await opt_outs.hear(**late)).at
        await says(site, "start", provider_id="s4")
        again = await says(site, "stop", provider_id="s3")
        assert not again.duplicate
        assert not again.answered
        assert (await writes(site)).is_success


async def test_texts_of_the_inbox_and_a_carrier_that_answers_itself(
    engine_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(engine_url, prefix) as site:
        options = {"stop_text": "Bye.", "help_text": "Call us."}
        await site.node.administration.edit_inbox("sales", options=options)
        for text in ("help", "stop", "start"):
            await site.texts(text)
        assert await site.phone_with(3) == ["Call us.", "Bye.", answer(site, Word.START)]
        monkeypatch.setattr(Loopback, "answers_keywords", True)
        for text in ("help", "start", "stop"):
            await site.texts(text)
        assert (await writes(site)).json()["code"] == "recipient_opted_out"
        await site.texts("start")
        assert (await writes(site)).is_success
        assert (await site.phone_with(4))[3:] == ["from us"]


async def test_a_block_holds_wherever_its_number_leads(engine_url: str, prefix: str) -> None:
    """Unassigned when it was said, assigned after; and in an inbox that had it long ago."""
    async with served(engine_url, prefix) as site:
        for inbox in ("desk", "night"):
            body = {"id": inbox, "name": inbox.title(), "kind": "department", "members": ["admin"]}
            await ask(site, "POST", "inboxes", body)
        await ask(site, "PUT", f"numbers/{NUMBER}", {"inbox": "desk"})
        assert (await says(site, "hello", to=NUMBER)).conv.startswith("desk.")
        await ask(site, "PATCH", f"numbers/{NUMBER}", {"inbox": None})
        body = {"from": CUSTOMER, "to": NUMBER, "text": "Stop", "id": "s1"}
        assert (await site.call("admin", "POST", "/v1/loopback/inbound", body)).is_error
        for inbox in ("night", "desk"):
            await ask(site, "PATCH", f"numbers/{NUMBER}", {"inbox": inbox})
            refused = await writes(site, inbox=inbox, our=NUMBER)
            assert refused.json()["code"] == "recipient_opted_out"
        await ask(site, "POST", "unrouted/route", {"number": NUMBER})
        assert await site.phone_with(1) == [answer(site, Word.STOP)]
        await ask(site, "DELETE", f"numbers/{NUMBER}")
        await ask(site, "PUT", f"numbers/{NUMBER}", {"inbox": "night"})
        refused = await writes(site, inbox="night", our=NUMBER)
        assert refused.json()["code"] == "recipient_opted_out"
        # Another number of ours is another matter.
        assert (await writes(site)).is_success


async def test_a_word_said_between_the_copy_and_the_move_is_told(
    engine_url: str, prefix: str
) -> None:
    """The next inbox has the number and what was said by then; the message goes to the former."""
    async with served(engine_url, prefix) as site:
        for inbox in ("desk", "night"):
            body = {"id": inbox, "name": inbox.title(), "kind": "department", "members": ["admin"]}
            await ask(site, "POST", "inboxes", body)
        await ask(site, "PUT", f"numbers/{NUMBER}", {"inbox": "desk"})
        node = site.node
        await node.organisation.edit_number(NUMBER, inbox="night", carrier=None, messaging=None)
        at = (await node.organisation.state()).seq
        await node.store.create_inbox(inbox="night")
        await node.opt_outs.bring(inbox="night", number=NUMBER)
        await node.store.add_number(inbox="night", number=NUMBER, at=at)
        assert (await says(site, "stop", to=NUMBER)).conv.startswith("desk.")
        await ask(site, "PATCH", f"numbers/{NUMBER}", {"inbox": "night"})
        refused = await writes(site, inbox="night", our=NUMBER)
        assert refused.json()["code"] == "recipient_opted_out"


async def test_a_number_comes_only_with_what_was_said_to_it(engine_url: str, prefix: str) -> None:
    """Who takes it for there already does not bring it back after another node took it away."""
    async with served(engine_url, prefix) as site:
        store = site.node.store
        for brought, later, there in ((False, None, []), (True, 0, [NUMBER]), (False, 0, [NUMBER])):
            found = await store.add_number(inbox="support", number=NUMBER, at=99, brought=brought)
            info = await store.inbox_info(inbox="support")
            assert info is not None
            assert (found, [n for n in info.numbers if n == NUMBER]) == (later, there)


async def test_words_said_while_the_number_moves_hold_in_every_inbox(
    engine_url: str, prefix: str
) -> None:
    """Two nodes move it to and fro while customers opt out and in; the number and inboxes agree."""
    async with served(engine_url, prefix) as east, served(engine_url, prefix) as west:
        nodes = [east, west]
        for inbox in ("desk", "night"):
            body = {"id": inbox, "name": inbox.title(), "kind": "department", "members": ["admin"]}
            await ask(east, "POST", "inboxes", body)
        await ask(east, "PUT", f"numbers/{NUMBER}", {"inbox": "desk"})
        chosen = random.Random(11)
        last: dict[str, str] = {}
        moving = True

        async def talk(number: int) -> None:
            customer, turn = f"+1416555{3000 + number}", 0
            while moving or turn < 3:
                turn += 1
                word = chosen.choice(("stop", "start"))
                last[customer] = word
                brought = Inbound("loopback", f"{customer}-{turn}", NUMBER, customer, word)
                for node in chosen.choices(nodes, k=chosen.choice((1, 2))):  # perhaps twice
                    await node.node.intake.receive(brought)

        async with asyncio.TaskGroup() as group:
            for number in range(CUSTOMERS):
                group.create_task(talk(number))
            for move in range(MOVES):
                to = {"inbox": ("night", "desk")[move % 2]}
                await ask(nodes[move % 2], "PATCH", f"numbers/{NUMBER}", to)
            moving = False
        for inbox in ("desk", "night"):
            await ask(east, "PATCH", f"numbers/{NUMBER}", {"inbox": inbox})
            found = {}
            for customer in last:
                answered = await writes(east, inbox=inbox, our=NUMBER, to=customer)
                code = answered.json().get("code", "start")
                found[customer] = code.replace("recipient_opted_out", "stop")
            assert found == last, inbox
        assert {"stop", "start"} == set(last.values())


async def test_webhooks_are_told_of_keywords_and_answers(engine_url: str, prefix: str) -> None:
    async with receiving() as receiver, telling(engine_url, prefix) as site:
        await hook_on(site, receiver.url)
        await site.texts("stop")
        told = [one.body for one in await receiver.until(5)]
        assert [body["type"] for body in told] == [
            "conversation.created",
            "message.received",
            "message.queued",
            "message.sent",
            "message.delivered",
        ]
        assert told[1]["reason"] == "opt_out"
        assert told[1]["conversation"]["opted_out"]
        queued = told[2]["message"]
        assert (queued["direction"], queued["text"]) == ("out", answer(site, Word.STOP))
