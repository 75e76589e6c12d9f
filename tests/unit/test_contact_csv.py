"""Contacts in CSV: what spreadsheets write is read, and nothing becomes a formula."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batonbox_server.errors import Refused
from batonbox_server.service.contact_csv import (
    ContactLine,
    ContactLines,
    disarmed,
    header_of,
    rows_of,
)
from batonbox_server.store.contacts_port import Contact

LEE, MAY = "+14165550142", "+14165550143"


def read(text: str | bytes, region: str = "") -> list[ContactLine]:
    data = text.encode() if isinstance(text, str) else text
    lines = ContactLines(data, region=region)
    found = []
    while batch := lines.take(2):
        found += batch
    return found


@pytest.mark.parametrize(
    "text",
    [
        f"name,number,number2,note\r\nLee,{LEE},{MAY},hi\r\n",
        f"\ufeffname,number,number2,note\nLee,{LEE},{MAY},hi",
        f"note;Number 2;NAME;number\nhi;{MAY};Lee;{LEE}\n",
        f"name\tnumber\tnumber2\tnote\nLee\t{LEE}\t{MAY}\thi\n",
        f"sep=;\nname;number;number2;note\n\n  ;;;\nLee;{LEE};{MAY};hi\n",
        f'"name","number1","note"\r"Lee","{LEE}; {MAY}","hi"\r',
        f"name,number,note\nLee,'{LEE};{MAY},hi\n",
    ],
)
def test_separators_marks_and_orders_of_columns_are_found_out(text: str) -> None:
    (line,) = read(text)
    assert (line.name, set(line.numbers), line.note, line.error) == ("Lee", {LEE, MAY}, "hi", "")


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    text = f'name,number,note\n\nLee,{LEE},"two\nlines"\nMay,12,\n"x"y,{MAY},\nBo,{MAY},\n'
    found = read(text)
    assert [(line.line, bool(line.error)) for line in found] == [
        (3, False),
        (5, True),
        (6, True),
        (7, False),
    ]
    assert found[0].note == "two\nlines"
    assert "12" in found[1].error
    assert "quotes" in found[2].error


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "names the columns"),
        (b"Lee,+14165550142\n", "names the columns"),
        (b"name,number,email\n", "'email'"),
        (b"name,note\n", "name and number"),
        (b"name,name,number\n", "Two columns"),
        ("name,number\nLée\n".encode("utf-16"), "UTF-16"),
        ("name,number\nok,+14165550142\nLée,1\n".encode("latin-1"), "Line 3 is not UTF-8"),
        (b"name,number\nL\xc3", "within a character"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(data: bytes, says: str) -> None:
    with pytest.raises(Refused) as caught:
        read(data)
    assert caught.value.slug == "bad_request"
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (",+14165550142,", "name: "),
        ("Lee,,", "known by its numbers"),
        ("Lee,1.41656E+10,", "rounded by a spreadsheet"),
        ("Lee,4165550142,", "region=CA"),
        ("Lee,+14165550142,x,y", "More cells"),
        (f"Lee,+14165550142,{'x' * 2001}", "at most 2000"),
        ("Lee," + ";".join(f"+1416555{n:04}" for n in range(21)) + ",", "at most 20"),
    ],
)
def test_a_line_that_is_no_contact_says_what_to_do(line: str, says: str) -> None:
    bad, good = read(f"name,number,note\n{line}\nMay,{MAY},\n")
    assert says in bad.error
    assert (good.line, good.error) == (3, "")


def test_numbers_at_home_are_read_by_their_country() -> None:
    text = "name,number,number2\nLee,(416) 555-0142,+44 20 7946 0000\n"
    (line,) = read(text, region="CA")
    assert line.numbers == (LEE, "+442079460000")


def test_a_quote_that_never_ends_is_said() -> None:
    (line,) = read(f'name,number\n"Lee,{LEE}\nMay,{MAY}\n')
    assert "quotes" in line.error


NAMES = st.text(st.characters(exclude_categories=("C", "Zl", "Zp", "Zs")), min_size=1).filter(
    lambda name: name.isprintable()
)
NOTES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r")).map(str.strip)


@given(
    name=st.one_of(NAMES, st.sampled_from("=+-@'").flatmap(lambda c: NAMES.map(lambda n: c + n))),
    note=st.one_of(NOTES, NOTES.map(lambda n: f"'={n}".strip())),
    numbers=st.lists(st.sampled_from([LEE, MAY, "+442079460000"]), unique=True),
    columns=st.integers(1, 4),
)
def test_what_is_written_reads_the_same(
    name: str, note: str, numbers: list[str], columns: int
) -> None:
    contact = Contact("ct_1", name[:120], tuple(numbers), note[:2000].strip())
    text = header_of(columns) + rows_of([contact], columns=columns)
    (line,) = read(text)
    assert line == ContactLine(2, contact.name, contact.numbers, contact.note, "ct_1")


@given(st.text())
def test_no_cell_begins_as_a_formula(text: str) -> None:
    assert not disarmed(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b"))
    rows = io.StringIO(rows_of([Contact("ct_1", text, (), "")], columns=1), newline="")
    assert next(csv.reader(rows))[1] == disarmed(text)
