"""How a bot is tested: without a server, without a network, and without waiting.

To be run with `python -m pytest test_auto_reply.py`.
"""

import asyncio

import pytest
from auto_reply import AGENT, ANSWERS, BYE, HELLO, WAITED_S, bot

from batonbox.testing import BotTester

CUSTOMER = "+14165550142"
pytestmark = pytest.mark.asyncio


async def test_it_takes_what_a_customer_begins_answers_and_is_done() -> None:
    async with BotTester(bot) as tester:
        await tester.says(CUSTOMER, "Hi")
        assert tester.conversation(CUSTOMER).assignee == "bot"
        await tester.says(CUSTOMER, "What are your hours?")
        await tester.says(CUSTOMER, "Thanks!")
        assert [sent.text for sent in tester.replies] == [HELLO, ANSWERS["hours"], BYE]
        assert tester.conversation(CUSTOMER).status == "done"


async def test_what_comes_before_it_has_taken_the_conversation_is_answered_too() -> None:
    async with BotTester(bot) as tester:
        await asyncio.gather(tester.says(CUSTOMER, "Hi"), tester.says(CUSTOMER, "Prices?"))
        assert [sent.text for sent in tester.replies] == [HELLO, ANSWERS["prices"]]


async def test_it_hands_back_when_a_person_is_wanted_and_stays_out() -> None:
    async with BotTester(bot) as tester:
        await tester.says(CUSTOMER, "I want to talk to a person")
        await tester.says(CUSTOMER, "Hello? Your hours?")
        await tester.advance(2 * WAITED_S)
        assert [sent.text for sent in tester.replies] == [AGENT]
        assert tester.conversation(CUSTOMER).status == "unassigned"


async def test_a_done_conversation_that_goes_on_is_a_new_one() -> None:
    async with BotTester(bot) as tester:
        await tester.says(CUSTOMER, "bye")
        await tester.says(CUSTOMER, "Your prices?")
        assert [sent.text for sent in tester.replies] == [BYE, ANSWERS["prices"]]


async def test_it_leaves_what_a_colleague_has() -> None:
    async with BotTester(bot) as tester:
        conversation = await tester.says(CUSTOMER, "An agent, please")
        await tester.assigns("agent1", conversation)
        await tester.says(CUSTOMER, "Your hours?")
        assert len(tester.replies) == 1


async def test_it_takes_whom_a_colleague_gave_back_unanswered() -> None:
    async with BotTester(bot) as tester:
        conversation = await tester.says(CUSTOMER, "An agent, please")
        await tester.assigns("agent1", conversation)
        await tester.says(CUSTOMER, "Are you there?")
        await tester.returns("agent1", conversation)
        await tester.advance(WAITED_S - 1)
        assert len(tester.replies) == 1
        await tester.advance(1)
        assert [sent.text for sent in tester.replies] == [AGENT, HELLO]


async def test_an_event_that_comes_twice_is_answered_once() -> None:
    async with BotTester(bot) as tester:
        await tester.says(CUSTOMER, "Your hours?")
        await tester.feed(tester.events[0])
        assert len(tester.replies) == 1


async def test_whom_it_cannot_answer_it_leaves_to_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ANSWERS, "hours")
    async with BotTester(bot) as tester:
        await tester.says(CUSTOMER, "Your hours?")
        assert tester.conversation(CUSTOMER).status == "unassigned"
