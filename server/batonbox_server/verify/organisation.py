"""The organisation's own slot: its logs, tokens by their secrets, contacts by their numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgpack  # type: ignore[import-untyped]

from batonbox_server.store.verifying import VerifyingReads

from .findings import Finding, Report
from .inboxes import check_log

__all__ = ["check_organisation"]


async def check_organisation(reads: VerifyingReads, report: Report) -> None:
    """Whatever is no inbox's and no room's."""
    org, contacts = reads.keys.org, reads.keys.contacts
    for prefix, name in ((org, "org"), (contacts, "ct")):
        await check_log(reads, report, prefix=prefix, name=name)
    await _tokens(reads, report, org)
    await _contacts(reads, report, contacts)


async def _tokens(reads: VerifyingReads, report: Report, org: str) -> None:
    async for found in reads.scanned(f"{org}:tk", "HSCAN"):
        for digest, token in zip(found[::2], found[1::2], strict=True):
            report.checked["tokens"] += 1

            async def stands(digest: str = digest, token: str = token) -> bool:
                known, raw = await reads.each(
                    ("HGET", f"{org}:tk", digest), ("HGET", f"{org}:tokens", token)
                )
                gone = known != token.encode()
                return gone or (raw is not None and msgpack.unpackb(raw)["sha256"] == digest)

            is_now = "a secret leads to a token that is not there, or is another's"
            finding = Finding("token_index", f"token {token}", is_now, "its own token")
            await _judge(reads, report, stands, finding)
    async for records in reads.packed(f"{org}:tokens"):
        for token, raw in records:
            record = msgpack.unpackb(raw)

            async def led(token: str = token, sha256: str = record["sha256"]) -> bool:
                there, known = await reads.each(
                    ("HEXISTS", f"{org}:tokens", token), ("HGET", f"{org}:tk", sha256)
                )
                return not there or known == token.encode()

            is_now = "no secret leads to it"
            finding = Finding("token_index", f"token {token}", is_now, "the one it was made with")
            await _judge(reads, report, led, finding)


async def _contacts(reads: VerifyingReads, report: Report, prefix: str) -> None:
    async for found in reads.scanned(f"{prefix}:num", "HSCAN"):
        for number, contact in zip(found[::2], found[1::2], strict=True):

            async def has(number: str = number, contact: str = contact) -> bool:
                known, raw = await reads.each(
                    ("HGET", f"{prefix}:num", number), ("HGET", f"{prefix}:rec", contact)
                )
                gone = known != contact.encode()
                return gone or (raw is not None and number in msgpack.unpackb(raw)["numbers"])

            is_now = f"{number} leads to it, and it has not that number"
            await _judge(
                reads,
                report,
                has,
                Finding("contact_index", f"contact {contact}", is_now, "its own"),
            )
    async for records in reads.packed(f"{prefix}:rec"):
        for contact, raw in records:
            report.checked["contacts"] += 1
            for number in msgpack.unpackb(raw)["numbers"]:

                async def found_by(number: str = number, contact: str = contact) -> bool:
                    known, now = await reads.each(
                        ("HGET", f"{prefix}:num", number), ("HGET", f"{prefix}:rec", contact)
                    )
                    still = now is not None and number in msgpack.unpackb(now)["numbers"]
                    return not still or known == contact.encode()

                is_now = f"{number} does not lead to it"
                finding = Finding("contact_index", f"contact {contact}", is_now, "it does")
                await _judge(reads, report, found_by, finding)


async def _judge(
    reads: VerifyingReads, report: Report, good: Callable[[], Awaitable[bool]], finding: Finding
) -> None:
    """Twice: two reads are no one instant."""
    if await good():
        return
    await asyncio.sleep(reads.settle_s)
    if not await good():
        report.add([finding])
