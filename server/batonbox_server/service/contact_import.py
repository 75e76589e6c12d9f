"""Contacts from a file: each line made, changed, left alone or refused, with a report of each.

A line is about the contact that has its id or one of its numbers. Repeated, it changes nothing: an
import that was cut is finished by sending the file again.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from batonbox_server.store.contacts_port import (
    CONTACTS_MOST,
    NUMBERS_MOST,
    Contact,
    ContactStore,
    Written,
)

from .contact_csv import ContactLine, ContactLines
from .export_source import patient

__all__ = ["Counts", "Import", "Report", "new_contact_id"]

_BATCH: Final = 100
_TRIES: Final = 10
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a line: created, updated, unchanged or error, which says what to do."""

    line: int
    outcome: str
    contact: str = ""
    name: str = ""
    error: str = ""


@dataclass(slots=True)
class Counts:
    """Lines by what became of them."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    error: int = 0

    def add(self, reports: Sequence[Report]) -> None:
        """Count them."""
        for report in reports:
            setattr(self, report.outcome, getattr(self, report.outcome) + 1)


@dataclass(frozen=True, slots=True)
class _Step:
    """A line, what its contact is now (None: there is none), and what it shall be."""

    line: ContactLine
    old: Contact | None
    wanted: Contact


class Import:
    """One file on its way; `dry`: nothing is written, and told all the same what would be."""

    def __init__(
        self, store: ContactStore, lines: ContactLines, *, actor: str, dry: bool = False
    ) -> None:
        self._store: ContactStore | _Rehearsal = _Rehearsal(store) if dry else store
        self._lines = lines
        self._actor = actor
        self._said: dict[str, int] = {}  # numbers and ids, and the line that was about them
        self._exact: set[str] = set()  # contacts whose numbers a line has told all of
        self.counts = Counts()

    async def reports(self) -> AsyncIterator[list[Report]]:
        """What became of the lines, in their order, some at a time: so far it is done."""
        while lines := await asyncio.to_thread(self._lines.take, _BATCH):
            found: dict[int, Report] = {}
            waiting = lines
            for _ in range(_TRIES * _BATCH):
                if not waiting:
                    break
                # While the engine is away it waits; done twice, a line is `unchanged`.
                waiting = await patient(partial(self._round, waiting, found))
            for line in waiting:
                found[line.line] = _error(line, "This contact changes too fast; import it again.")
            reports = [found[line.line] for line in lines]
            self.counts.add(reports)
            yield reports

    async def _round(self, lines: list[ContactLine], found: dict[int, Report]) -> list[ContactLine]:
        """Do what can be done side by side; returns the lines that have to wait for that."""
        good = [line for line in lines if not line.error]
        numbers = list(dict.fromkeys(number for line in good for number in line.numbers))
        holders = await self._store.by_numbers(numbers)
        ids = [line.id for line in good if line.id]
        known = await self._store.by_ids(list(dict.fromkeys(ids)))
        steps: list[_Step] = []
        touched: set[str] = set()
        for at, line in enumerate(lines):
            step = self._step(line, holders, known)
            if isinstance(step, Report):
                found[line.line] = step
                continue
            about = {step.wanted.id, *step.wanted.numbers, *(step.old.numbers if step.old else ())}
            if touched & about:
                return [*await self._write(steps, found), *lines[at:]]
            touched |= about
            steps.append(step)
        return await self._write(steps, found)

    def _step(
        self, line: ContactLine, holders: dict[str, Contact], known: dict[str, Contact]
    ) -> _Step | Report:
        if line.error:
            return _error(line, line.error)
        others = {holders[n].id: holders[n] for n in line.numbers if n in holders}
        named = known.get(line.id)
        if named is not None:
            others.pop(named.id, None)
        if len(others) > (0 if named else 1):
            names = " and ".join(f"{c.name} ({c.id})" for c in others.values())
            return _error(line, f"These numbers are {names}'s; merge them, or part the line.")
        old = named or next(iter(others.values()), None)
        wanted = _wanted(line, old, exact=named is not None)
        if len(wanted.numbers) > NUMBERS_MOST:
            told = f"With these it would have more than {NUMBERS_MOST} numbers; part the contact."
            return _error(line, told)
        said = [self._said[name] for name in _names(line, wanted) if name in self._said]
        if old is not None and said and self._contradicts(wanted, old):
            return _error(line, f"Line {said[0]} says another thing; leave one of them out.")
        return _Step(line, old, wanted)

    def _contradicts(self, wanted: Contact, old: Contact) -> bool:
        """Whether what an earlier line has made would be undone, or by it when sent again."""
        if old.id in self._exact:
            return wanted != old
        kept = set(old.numbers) <= set(wanted.numbers)
        return not kept or (old.name, old.note) != (wanted.name, wanted.note)

    async def _write(self, steps: list[_Step], found: dict[int, Report]) -> list[ContactLine]:
        """Returns the lines that have to be looked at again: somebody else was faster."""
        changes = [(step.old, step.wanted) for step in steps if step.old != step.wanted]
        written = iter(await self._store.save_all(changes, actor=self._actor) if changes else ())
        again = []
        for step in steps:
            line = step.line
            if step.old == step.wanted:
                outcome, word = "unchanged", "ok"
            else:
                outcome, word = "updated" if step.old else "created", next(written).outcome
            if word == "full":
                told = f"There are {CONTACTS_MOST} contacts already; delete some first."
                found[line.line] = _error(line, told)
            elif word == "ok":
                for name in _names(line, step.wanted):
                    self._said.setdefault(name, line.line)
                if line.id == step.wanted.id:
                    self._exact.add(line.id)
                found[line.line] = Report(line.line, outcome, step.wanted.id, step.wanted.name)
            else:
                again.append(line)
        return again


def new_contact_id() -> str:
    """Random: it says nothing of who it is."""
    return f"ct_{uuid.uuid4().hex}"


class _Rehearsal:
    """The store as it would be; nothing is written."""

    def __init__(self, store: ContactStore) -> None:
        self._store = store
        self._ids: dict[str, Contact] = {}
        self._holders: dict[str, str] = {}

    async def by_numbers(self, numbers: Sequence[str]) -> dict[str, Contact]:
        found = await self._store.by_numbers(numbers)
        would = {n: self._holders.get(n, c.id) for n, c in found.items()}
        would |= {n: self._holders[n] for n in numbers if n in self._holders}
        return {
            number: self._ids.get(holder) or found[number]
            for number, holder in would.items()
            if holder
        }

    async def by_ids(self, ids: Sequence[str]) -> dict[str, Contact]:
        found = await self._store.by_ids(ids)
        return {**found, **{name: self._ids[name] for name in ids if name in self._ids}}

    async def save_all(
        self, changes: Sequence[tuple[Contact | None, Contact]], *, actor: str
    ) -> list[Written]:
        for old, wanted in changes:
            self._ids[wanted.id] = wanted
            self._holders |= dict.fromkeys(old.numbers if old else (), "")
            self._holders |= dict.fromkeys(wanted.numbers, wanted.id)
        return [Written("ok", actor)] * len(changes)


def _wanted(line: ContactLine, old: Contact | None, *, exact: bool) -> Contact:
    """What the line makes of its contact; known by its id it has these numbers and no others."""
    if old is None:
        name = line.id if _ID.fullmatch(line.id) else new_contact_id()
        return Contact(name, line.name, line.numbers, line.note or "")
    numbers = line.numbers if exact else tuple(dict.fromkeys([*old.numbers, *line.numbers]))
    note = line.note if line.note is not None and (exact or line.note) else old.note
    return replace(old, name=line.name, numbers=numbers, note=note)


def _names(line: ContactLine, wanted: Contact) -> list[str]:
    """By what a later line may be about the same contact."""
    return [name for name in (line.id, *line.numbers, wanted.id) if name]


def _error(line: ContactLine, told: str) -> Report:
    return Report(line.line, "error", name=line.name, error=told)
