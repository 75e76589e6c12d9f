"""One inbox: its log, every conversation, every index, and what the directory wants of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]

from batonbox_server.domain.recount import LISTS
from batonbox_server.store.archive_port import Archive
from batonbox_server.store.directory_port import Inbox, OrgState
from batonbox_server.store.verifying import VerifyingReads
from batonbox_server.store.wanted import numbers_of, standings

from .findings import Finding, Report
from .log import LogCheck
from .threads import Threads

__all__ = ["Inboxes", "check_log"]

_AT_ONCE: Final = 50
_TRIES: Final = 3


async def check_log(
    reads: VerifyingReads, report: Report, *, prefix: str, name: str, conversations: bool = False
) -> LogCheck | None:
    """Every entry that is kept; what they told of. None: there is no such log."""
    head = await reads.head(prefix)
    if head is None:
        return None
    check = LogCheck(name, conversations=conversations)
    check.start(head.oldest - 1)
    while check.seq < head.seq:
        entries = await reads.entries(prefix, first=check.seq + 1, last=head.seq)
        if not entries:
            break
        if entries[0].seq > check.seq + 1:
            now = await reads.head(prefix)
            if now is not None and now.oldest > check.seq + 1:
                check.start(entries[0].seq - 1)  # it was trimmed meanwhile
        check.take(entries)
        report.checked["events"] += len(entries)
        report.add(check.findings)
        check.findings.clear()
    check.ends(head.seq, head.tip)
    report.add(check.findings)
    return check


class Inboxes:
    """`state()` reads the directory, `hooks()` the ids of webhooks; `busy(inbox)` tells whether a
    change of it is still to be applied."""

    def __init__(
        self,
        reads: VerifyingReads,
        archive: Archive,
        report: Report,
        *,
        state: Callable[[], Awaitable[OrgState]],
        hooks: Callable[[], Awaitable[Mapping[str, Any]]],
        busy: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._reads = reads
        self._archive = archive
        self._report = report
        self._state = state
        self._hooks = hooks
        self._busy = busy

    async def check(self, inbox: Inbox) -> None:
        """All of it."""
        if not await self.check_alone(inbox.id):
            if inbox.live:
                await self._settled(inbox.id, self._no_log)
            return
        await self._settled(inbox.id, self._standings)
        await self._settled(inbox.id, self._numbers)
        await self._hook_places(inbox.id, self._reads.keys.inbox(inbox.id))

    async def check_alone(self, inbox: str) -> bool:
        """The inbox against itself: log, conversations, indexes, badges. False: it has no log."""
        prefix = self._reads.keys.inbox(inbox)
        logged = await check_log(
            self._reads, self._report, prefix=prefix, name=inbox, conversations=True
        )
        if logged is None:
            return False
        self._report.checked["inboxes"] += 1
        parts = (self._reads, self._archive, self._report)
        threads = Threads(*parts, prefix=prefix, logged=logged.rows, end=logged.seq)
        await self._conversations(prefix, threads, inbox)
        await self._indexes(prefix, threads)
        return True

    async def _conversations(self, prefix: str, threads: Threads, inbox: str) -> None:
        before = await self._away(prefix)
        async for found in self._reads.scanned(f"{prefix}:cx", "HSCAN"):
            pairs = list(zip(found[::2], found[1::2], strict=True))
            for at in range(0, len(pairs), _AT_ONCE):
                await threads.check(dict(pairs[at : at + _AT_ONCE]))
        if before == await self._away(prefix) and before[1] != len(threads.away):
            told = f"{before[1]} count as away"
            self._report.add([Finding("away_count", inbox, told, str(len(threads.away)))])
        await threads.check_unmet()

    async def _away(self, prefix: str) -> tuple[int, int]:
        seq, away = await self._reads.ask("HMGET", f"{prefix}:meta", "seq", "away")
        return int(seq or 0), int(away or 0)

    async def _indexes(self, prefix: str, threads: Threads) -> None:
        for name in (*LISTS, "out"):
            await self._places(prefix, threads, name, "ZSCAN")
        await self._places(prefix, threads, "unm", "SSCAN")
        state = await self._state()
        people = {m async for found in self._members(prefix) for m in found}
        for user in sorted(people | state.users.keys() | threads.owners):
            await self._places(prefix, threads, f"as:{user}", "ZSCAN")
            await self._places(prefix, threads, f"ow:{user}", "ZSCAN")
            await self._places(prefix, threads, f"gm:{user}", "SSCAN")
            await self._marks(prefix, user, is_member=user in people)
            self._report.checked["badges"] += 1

    async def _places(self, prefix: str, threads: Threads, index: str, command: str) -> None:
        async for found in self._reads.scanned(f"{prefix}:{index}", command):
            members = found if command == "SSCAN" else found[::2]
            for at in range(0, len(members), _AT_ONCE):
                await threads.check_places(index, members[at : at + _AT_ONCE])

    async def _members(self, prefix: str) -> AsyncIterator[list[str]]:
        async for found in self._reads.scanned(f"{prefix}:mem", "HSCAN"):
            yield found[::2]

    async def _marks(self, prefix: str, user: str, *, is_member: bool) -> None:
        """What somebody has seen: marks of this log, none from beyond its end, members' alone."""
        name = f"{prefix}:su:{user}"
        async for found in self._reads.scanned(name, "SSCAN"):
            if not is_member and not await self._reads.ask("HEXISTS", f"{prefix}:mem", user):
                is_now = f"{user} has seen marks and is not in it"
                self._report.add([Finding("seen_mark", name, is_now, "members' marks only")])
                return
            seq = int(await self._reads.ask("HGET", f"{prefix}:meta", "seq") or 0)
            for mark in found:
                at = mark.rpartition(":")[2].partition(".")[0]
                if not at.isdigit() or int(at) > seq:
                    is_now = f"{user} has seen {mark}, and the log ends at {seq}"
                    self._report.add([Finding("seen_mark", name, is_now, "no mark beyond its end")])

    # Against the directory, which an inbox follows after a moment

    async def _settled(self, inbox: str, judge: Callable[[str], Awaitable[list[Finding]]]) -> None:
        findings: list[Finding] = []
        for _ in range(_TRIES):
            findings = await judge(inbox)
            if not findings:
                return
            await asyncio.sleep(self._reads.settle_s)
        if await self._busy(inbox):
            self._report.skipped.append(f"{inbox}: a change of it is still to be applied")
            return
        self._report.add(findings)

    async def _no_log(self, inbox: str) -> list[Finding]:
        state = await self._state()
        wanted = state.inboxes.get(inbox)
        if wanted is None or not wanted.live or wanted.deleted:
            return []
        if await self._reads.head(self._reads.keys.inbox(inbox)) is not None:
            return []
        return [Finding("log_end", inbox, "it has no log", "one: the directory says it is live")]

    async def _standings(self, inbox: str) -> list[Finding]:
        state, prefix = await self._state(), self._reads.keys.inbox(inbox)
        wanted = state.inboxes.get(inbox)
        flat = await self._reads.ask("HGETALL", f"{prefix}:mem")
        if wanted is None or wanted.deleted:
            return []
        pairs = zip(flat[::2], flat[1::2], strict=True)
        has = {user.decode(): value.decode().split(":")[:2] for user, value in pairs}
        want = {
            user: [str(role), str(int(joined))]
            for user, (role, joined) in standings(wanted, state).items()
        }
        return [
            Finding(
                "member_standing", inbox, f"{user} {_told(has.get(user))}", _told(want.get(user))
            )
            for user in sorted(has.keys() | want.keys())
            if has.get(user) != want.get(user)
        ]

    async def _numbers(self, inbox: str) -> list[Finding]:
        state, prefix = await self._state(), self._reads.keys.inbox(inbox)
        has = {n.decode() for n in await self._reads.ask("SMEMBERS", f"{prefix}:num")}
        want = set(numbers_of(inbox, state)) if inbox in state.inboxes else has
        return [
            Finding(
                "number_route",
                inbox,
                f"{number} {'is' if number in has else 'is not'} accepted here",
                "routed here" if number in want else "routed elsewhere, or nowhere",
            )
            for number in sorted(has ^ want)
        ]

    async def _hook_places(self, inbox: str, prefix: str) -> None:
        known = await self._hooks()
        async for found in self._reads.packed(f"{prefix}:hk"):
            for hook, raw in found:
                place = msgpack.unpackb(raw)
                self._report.checked["webhook places"] += 1
                if hook not in known:
                    is_now = f"webhook {hook}, which there is not, has a place"
                    self._report.add([Finding("hook_place", inbox, is_now, "none")])
                    continue
                reply = await self._reads.at(prefix, int(place["seq"]))
                if reply is None or not place["epoch"]:
                    continue
                epoch, seq, tip = reply
                told = f"webhook {hook} stands at {place['seq']} of {place['epoch']}"
                if place["epoch"] != epoch or place["seq"] > seq:
                    should = f"in epoch {epoch}, which ends at {seq}"
                    self._report.add([Finding("hook_place", inbox, told, should)])
                elif tip and place["tip"] and tip != place["tip"]:
                    is_now = f"{told} behind tip {place['tip']}"
                    self._report.add([Finding("hook_place", inbox, is_now, f"tip {tip}")])


def _told(standing: list[str] | None) -> str:
    if standing is None:
        return "does not stand here"
    return f"is {standing[0]}, {'joined' if standing[1] == '1' else 'beside it'}"
