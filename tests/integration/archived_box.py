"""An inbox whose older things are in a real archive, and the worker's steps that move them."""

from __future__ import annotations

from pathlib import Path

from batonbox_server.archive.sqlite import SqliteArchive
from batonbox_server.domain.model import Delivery
from batonbox_server.store.archiving_port import LinesOut
from batonbox_server.store.connect import EngineClient
from tests.integration.store_harness import CUSTOMER, Box

__all__ = ["ArchivedBox"]


class ArchivedBox(Box):
    """See Box; `archive` is a file of SQLite's."""

    def __init__(self, client: EngineClient, space: str, folder: Path) -> None:
        super().__init__(client, space)
        self.archive = SqliteArchive(folder / "archive.sqlite")
        self.store.read_through(self.archive)

    async def talk(self, times: int, customer: str = CUSTOMER) -> str:
        """The customer writes so often; the conversation."""
        conv = ""
        for _ in range(times):
            conv = await self.receive(customer)
        return conv

    async def finish(self, conv: str) -> None:
        """Ann takes it and is done with it."""
        await self.assign(conv)
        row = await self.row(conv)
        await self.store.done(
            conv=conv, actor="ann", cid=f"done-{row['rev']}", own_tok=row["own_tok"], seen=None
        )

    async def finished(self, customer: str = CUSTOMER, *, times: int = 1) -> str:
        """A conversation that is done."""
        conv = await self.talk(times, customer)
        await self.finish(conv)
        return conv

    async def lines_away(self, conv: str, *, keep: int = 0) -> LinesOut:
        """Move what may leave but the newest `keep`."""
        out = await self.store.lines_out(conv=conv, keep=keep)
        await self.archive.put_lines(conv=conv, lines=out.lines)
        assert await self.store.trim(conv=conv, out=out) == len(out.lines)
        return out

    async def away(self, conv: str) -> None:
        """Move a whole conversation."""
        while (out := await self.lines_away(conv)).lines and not out.all_out:
            pass  # so many at a time
        row = await self.store.row_out(conv=conv)
        assert row is not None
        await self.archive.put_row(row)
        assert await self.store.evict(row=row)

    async def now_ms(self) -> int:
        """The engine's clock."""
        seconds, micros = await self.client.execute("TIME")
        return 1000 * int(seconds) + int(micros) // 1000

    async def is_here(self, conv: str) -> bool:
        """Whether the engine has its row."""
        return bool(await self.client.execute("EXISTS", f"{self.log}:c:{conv}"))

    async def numbers(self, conv: str, *, before: int = 0, n: int = 200) -> list[int]:
        """Of the messages that one page shows."""
        thread = await self.store.history(conv=conv, actor="adm", before=before, n=n)
        return [message[0] for message in thread.messages]

    async def paged(self, view: str, *, n: int = 2) -> list[str]:
        """The conversations of a view, read page by page."""
        found, after = [], ""
        while True:
            page = await self.store.page(inbox="box", actor="ann", view=view, after=after, n=n)
            found += [row["id"] for row in page.rows]
            if not (after := page.next):
                return found

    async def sent(self, customer: str = CUSTOMER, state: Delivery = Delivery.SENT) -> str:
        """Ann writes, and the carrier took it as "ref-<n>"; the conversation."""
        applied = await self.reply(customer)
        await self.store.sent(
            conv=applied.conv, n=applied.n, state=state, carrier_id=f"ref-{applied.n}"
        )
        return applied.conv

    async def state(self, conv: str, n: int) -> tuple[str, str]:
        """A message's delivery state, and why it failed."""
        thread = await self.store.history(conv=conv, actor="adm", before=n + 1, n=1)
        (message,) = thread.messages
        return message[6], message[8] if len(message) > 8 else ""
