"""Contacts as a spreadsheet writes and reads them: CSV in, CSV out, and the same again.

A cell that begins with one of `FORMULA`, after any apostrophes, is written with one apostrophe more
in front, and read with one less: no spreadsheet takes it for a formula, and nothing is lost.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import phonenumbers

from batonbox_server.errors import Refused
from batonbox_server.service.texts import check_name, e164
from batonbox_server.store.contacts_port import NOTE_CHARS, NUMBERS_MOST, Contact

__all__ = ["ContactLine", "ContactLines", "check_note", "check_numbers", "check_region", "rows_of"]

_FORMULA: Final = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
_UNSAFE: Final = re.compile(f"'*[{_FORMULA}]")
_DISARMED: Final = re.compile(f"'+[{_FORMULA}]")
_COLUMN: Final = re.compile(r"number[ _-]?([1-9][0-9]?)?")
_ROUNDED: Final = re.compile(r"\d[.,]?\d*E\+?\d+", re.IGNORECASE)
_SEPARATORS: Final = (",", ";", "\t")
_CHUNK_BYTES: Final = 1 << 16
_HEADER: Final = "The first line names the columns: name, number, number2 (and so on), note."
_LINES_MOST: Final = 200_000


@dataclass(frozen=True, slots=True)
class ContactLine:
    """One line: as it reads, or why it does not (`error`).

    `id` is "" where there is none; `note` None where the file has no such column.
    """

    line: int
    name: str = ""
    numbers: tuple[str, ...] = ()
    note: str | None = None
    id: str = ""
    error: str = ""


class ContactLines:
    """The lines of a file behind its header. Raises Refused("bad_request") of a file that is none.

    `region`, a country like CA, is where numbers without + are from; "" where none may be.
    """

    def __init__(self, data: bytes, *, region: str = "") -> None:
        _check_text(data)
        self._region = region
        text = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
        first = text.readline(_CHUNK_BYTES)
        self._above = 0
        if first.lower().startswith("sep="):
            self._above, first = 1, text.readline(_CHUNK_BYTES)
        separator, self._columns = _header(first)
        self._above += 1
        self._rows = csv.reader(text, delimiter=separator, strict=True)
        self._taken = 0

    def take(self, n: int) -> list[ContactLine]:
        """The next n lines, blank ones left out; none at the end."""
        found: list[ContactLine] = []
        while len(found) < n and self._taken <= _LINES_MOST:
            line = self._above + self._rows.line_num + 1
            try:
                cells = next(self._rows)
            except StopIteration:
                break
            except csv.Error as error:
                found.append(ContactLine(line, error=f"{error}; put quotes round whole cells."))
                continue
            if any(cell.strip() for cell in cells):
                self._taken += 1
                found.append(self._read(line, cells))
        return found

    def _read(self, line: int, cells: Sequence[str]) -> ContactLine:
        if self._taken > _LINES_MOST:
            told = f"More than {_LINES_MOST} lines; import the rest as a file of its own."
            return ContactLine(line, error=told)
        if any(cell.strip() for cell in cells[len(self._columns) :]):
            told = "More cells than columns; put quotes round cells with the separator in them."
            return ContactLine(line, error=told)
        given = dict(zip(self._columns, (_armed(cell) for cell in cells), strict=False))
        try:
            return self._checked(line, given)
        except Refused as refused:
            return ContactLine(line, name=given.get("name", ""), error=refused.message)

    def _checked(self, line: int, given: dict[str, str]) -> ContactLine:
        name = check_name(given.get("name", ""), field="name")
        cells = [given[column] for column in self._columns if column.startswith("number")
                 and column in given]  # fmt: skip
        parts = [part.strip() for cell in cells for part in re.split(r"[;\n]", cell)]
        numbers = check_numbers([_number(part, self._region) for part in parts if part])
        note = check_note(given["note"]) if "note" in given else None
        identity = given.get("id", "").strip()
        if not numbers and not identity:
            raise Refused("bad_request", "number: a contact is known by its numbers; give one.")
        return ContactLine(line, name, numbers, note, identity)


def check_numbers(numbers: Sequence[str]) -> tuple[str, ...]:
    """E.164 numbers, each once; raises Refused("bad_request")."""
    found = tuple(dict.fromkeys(numbers))
    if len(found) > NUMBERS_MOST:
        raise Refused("bad_request", f"numbers: at most {NUMBERS_MOST} of one contact.")
    return found


def check_note(note: str) -> str:
    """A note without blanks around it; raises Refused("bad_request")."""
    note = note.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(note) > NOTE_CHARS:
        raise Refused("bad_request", f"note: {len(note)} characters; at most {NOTE_CHARS}.")
    if "\0" in note:
        raise Refused("bad_request", "note: without NUL characters.")
    return note


def check_region(region: str) -> str:
    """A country whose numbers are known, "" for none; raises Refused("bad_request")."""
    region = region.strip().upper()
    if region and region not in phonenumbers.SUPPORTED_REGIONS:
        raise Refused("bad_request", "region: a country's two letters, like CA or GB.")
    return region


def rows_of(contacts: Iterable[Contact], *, columns: int) -> str:
    """Their lines, with so many columns of numbers; those beyond share the last cell."""
    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL)
    for contact in contacts:
        numbers = list(contact.numbers[: columns - 1])
        rest = contact.numbers[columns - 1 :]
        cells = [*numbers, ";".join(rest), *[""] * (columns - 1 - len(numbers))]
        rows.writerow(map(disarmed, [contact.id, contact.name, *cells, contact.note]))
    return text.getvalue()


def header_of(columns: int) -> str:
    """The line above them; begins with the mark by which spreadsheets know UTF-8."""
    numbers = ["number", *(f"number{n}" for n in range(2, columns + 1))]
    cells = ",".join(f'"{name}"' for name in ["id", "name", *numbers, "note"])
    return f"\ufeff{cells}\r\n"


def disarmed(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if _UNSAFE.match(cell) else cell


def _armed(cell: str) -> str:
    """What `disarmed` was given."""
    return cell[1:] if _DISARMED.match(cell) else cell


def _check_text(data: bytes) -> None:
    """Raises Refused("bad_request") unless the file is UTF-8, and says where it is not."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Refused("bad_request", 'The file is UTF-16; save it as "CSV UTF-8".')
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    for piece in _pieces(data):
        try:
            line += decoder.decode(piece).count("\n")
        except UnicodeDecodeError as error:
            line += piece[: error.start].count(b"\n")
            told = f'Line {line} is not UTF-8; save the file as "CSV UTF-8".'
            raise Refused("bad_request", told) from error
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise Refused("bad_request", "The file ends within a character; send it whole.") from error


def _pieces(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), _CHUNK_BYTES):
        yield data[at : at + _CHUNK_BYTES]


def _header(first: str) -> tuple[str, list[str]]:
    """The separator and the columns by their own names."""
    found = {separator: _cells(first, separator) for separator in _SEPARATORS}
    separator = max(found, key=lambda s: sum(bool(_column(cell)) for cell in found[s]))
    columns = [_column(cell) for cell in found[separator]]
    if not any(columns):
        raise Refused("bad_request", _HEADER)
    for column, cell in zip(columns, found[separator], strict=True):
        if not column:
            told = f"{cell.strip()!r} is no column that is known; leave it out."
            raise Refused("bad_request", f"{told} {_HEADER}")
        if columns.count(column) > 1:
            raise Refused("bad_request", f"Two columns are called {column}. {_HEADER}")
    if "name" not in columns or not {"number", "id"} & set(columns):
        raise Refused("bad_request", f"The columns name and number are needed. {_HEADER}")
    return separator, columns


def _cells(first: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([first], delimiter=separator, strict=True), [])
    except csv.Error:
        return []


def _column(cell: str) -> str:
    name = cell.strip().lower()
    if match := _COLUMN.fullmatch(name):
        at = int(match[1] or 1)
        return ("number" if at == 1 else f"number{at}") if at <= NUMBERS_MOST else ""
    return name if name in {"id", "name", "note"} else ""


def _number(text: str, region: str) -> str:
    if _ROUNDED.fullmatch(text):
        told = f"{text} was rounded by a spreadsheet; make the column text and enter it again."
        raise Refused("bad_request", f"number: {told}")
    if not region or text.startswith("+"):
        try:
            return e164(text, field="number")
        except Refused:
            told = f"{text} is no number in E.164, like +14165550100"
            hint = (
                ""
                if region
                else "; or say of which country numbers without + are (region=CA, or another)"
            )
            raise Refused("bad_request", f"number: {told}{hint}.") from None
    try:
        parsed = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        parsed = None
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        raise Refused("bad_request", f"number: {text} is no number in {region}.")
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164))
