"""Tells customers who write while nobody works when somebody will: once a night each.

    BATONBOX_TOKEN=... python after_hours.py

It takes the conversation for a moment, answers and returns it, so that people find it in the inbox
in the morning. What it has said stands in the conversation, so it remembers nothing itself.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import batonbox

ZONE = ZoneInfo("America/Toronto")
OPEN = {  # Monday is 0; on days that are missing nobody works
    0: (time(9), time(17)),
    1: (time(9), time(17)),
    2: (time(9), time(17)),
    3: (time(9), time(20)),
    4: (time(9), time(17)),
}

bot = batonbox.Bot(group="after-hours")


@bot.message(status="unassigned")
async def nobody_works(event: batonbox.MessageReceived, ctx: batonbox.Context) -> None:
    written = datetime.fromtimestamp(event.row.last_ms / 1000, UTC)
    closed, opens = night_of(written)
    conversation, me = event.conversation, ctx.client.user.id
    if closed is None or not await conversation.try_claim():
        return
    try:
        told = [m for m in await conversation.history() if (m.kind, m.actor) == ("replied", me)]
        if not told or told[-1].at_ms / 1000 < closed.timestamp():
            await conversation.reply(f"We are closed, and will answer on {opens:%A from %H:%M}.")
    finally:
        await conversation.release()


def night_of(at: datetime) -> tuple[datetime | None, datetime]:
    """Since when we are closed at that time (None: we are open), and when we open next."""
    week = list(working_hours(at))
    if any(opens <= at < closes for opens, closes in week):
        closed = None
    else:
        closed = max(closes for _, closes in week if closes <= at)
    return closed, min(opens for opens, _ in week if opens > at)


def working_hours(around: datetime) -> Iterator[tuple[datetime, datetime]]:
    """From when until when somebody works, from the week before to the week after."""
    today = around.astimezone(ZONE).date()
    for day in (today + timedelta(days=n) for n in range(-7, 8)):
        if day.weekday() in OPEN:
            opens, closes = OPEN[day.weekday()]
            yield datetime.combine(day, opens, ZONE), datetime.combine(day, closes, ZONE)


if __name__ == "__main__":
    bot.run()
