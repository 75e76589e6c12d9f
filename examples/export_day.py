"""Writes what was said on a day as CSV.

    BATONBOX_TOKEN=... python export_day.py 2026-11-30 --zone America/Toronto > day.csv

Of all inboxes that the token's user may see, or of one (`--inbox sales`): a line for each message,
note and change of owner, conversation by conversation.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo

from batonbox import BatonboxError, Message, sync

COLUMNS = [
    "time",
    "inbox",
    "conversation",
    "customer",
    "kind",
    "by",
    "to",
    "text",
    "files",
    "state",
]
# A spreadsheet takes a cell that begins with one of these for a formula, and calculates it.
FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
PAGE = 200


def main() -> None:
    given = arguments()
    begins = datetime.combine(given.day, time(), given.zone)
    ends = datetime.combine(given.day + timedelta(days=1), time(), given.zone)
    # Spreadsheets know UTF-8 by the mark that this encoding begins with.
    sys.stdout.reconfigure(encoding="utf-8-sig", newline="")  # type: ignore[union-attr]
    table = csv.writer(sys.stdout)
    with sync.Client() as client:
        table.writerow(COLUMNS)
        for conversation in changed_since(client, begins, given.inbox):
            for message in messages(conversation, begins, ends):
                table.writerow([safe(cell) for cell in row(conversation, message, given.zone)])


def changed_since(
    client: sync.Client, begins: datetime, inbox: str | None
) -> Iterator[sync.Conversation]:
    """Each conversation once. One that changes while we read moves to the top, where we have been:
    so we read the top again, until nothing is new there.
    """
    known = set[str]()
    since_ms = begins.timestamp() * 1000
    while True:
        began_ms, found = client.server_time_s() * 1000 - 60_000, 0
        for conversation in client.conversations(inbox=inbox, view="all", page_rows=PAGE):
            if conversation.now.last_ms < since_ms:
                break
            if conversation.id not in known:
                known.add(conversation.id)
                found += 1
                yield conversation
        if not found:
            return
        since_ms = max(since_ms, began_ms)


def messages(
    conversation: sync.Conversation, begins: datetime, ends: datetime
) -> Iterator[Message]:
    """Those from `begins` to before `ends`, oldest first; read backwards, a page at a time."""
    found: list[Message] = []
    page = conversation.history(n=PAGE)
    while page:
        found[:0] = page
        if page[0].at_ms < begins.timestamp() * 1000:
            break
        page = conversation.history(before=page[0].n, n=PAGE)
    for message in found:
        if begins.timestamp() <= message.at_ms / 1000 < ends.timestamp():
            yield message


def row(conversation: sync.Conversation, message: Message, zone: tzinfo) -> list[str]:
    customer = conversation.now.customer
    body = message.body if isinstance(message.body, dict) else {}
    return [
        datetime.fromtimestamp(message.at_ms / 1000, zone).isoformat(timespec="seconds"),
        conversation.inbox,
        conversation.id,
        customer,
        message.kind,
        customer if message.kind == "received" else message.actor,
        body.get("to") or "",  # who has it from then on
        message.text or body.get("note") or "",
        "; ".join(media.name or media.type for media in message.media),
        message.state,
    ]


def safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Write what was said on a day as CSV.")
    parser.add_argument("day", type=date.fromisoformat, help="such as 2026-11-30")
    parser.add_argument("--zone", type=zone_of, default=UTC, help="whose day; default: UTC's")
    parser.add_argument("--inbox", help="only this one")
    return parser.parse_args()


def zone_of(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError):
        raise argparse.ArgumentTypeError(f"{name} is no time zone") from None


if __name__ == "__main__":
    try:
        main()
    except BatonboxError as error:
        sys.exit(str(error))
