"""Customers who do not want to be written to: what they said is kept with the number they told.

So it holds wherever the number leads, now or later. Every inbox that has the number, or is about
to, has a copy, which its own steps look at.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from batonbox_server.domain.keywords import Word, word_of
from batonbox_server.store.port import InboxStore
from batonbox_server.store.words_port import WordsStore

__all__ = ["OptOuts", "Said"]


@dataclass(frozen=True, slots=True)
class Said:
    """A message's keyword; `at` orders those of one customer to one number, 0: not to be kept."""

    our: str
    customer: str
    word: Word
    at: int = 0


class OptOuts:
    """The order: kept with the number, then the route is read, then the inboxes are told.

    An inbox that is about to have the number stands in the route before it copies what was said
    (`bring`), so that whatever it does not find there it is told (`tell`).
    """

    def __init__(self, store: InboxStore, words: WordsStore) -> None:
        self._store = store
        self._words = words

    async def hear(self, *, our: str, customer: str, provider_id: str, text: str) -> Said:
        """What the message says, kept; the same when it comes again."""
        said = Said(our, customer, word_of(text))
        if said.word not in (Word.STOP, Word.START):
            return said
        at = await self._words.said(
            number=our, provider_id=provider_id, customer=customer, word=said.word
        )
        return Said(our, customer, said.word, at)

    async def tell(self, said: Said, inboxes: Iterable[str]) -> None:
        """Let inboxes know that have the number, or are about to, and not the message."""
        if said.at:
            at = said.at if said.word is Word.STOP else -said.at
            for inbox in inboxes:
                await self._store.take_words(inbox=inbox, our=said.our, said={said.customer: at})

    async def bring(self, *, inbox: str, number: str) -> None:
        """Let an inbox know what was said to a number, before it may write from it."""
        async for said in self._words.words(number=number):
            await self._store.take_words(inbox=inbox, our=number, said=said)
