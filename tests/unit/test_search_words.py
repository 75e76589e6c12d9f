"""How texts and queries become words that compare, and what is marked in an excerpt."""

from __future__ import annotations

import pytest

from batonbox_server.errors import Refused
from batonbox_server.search.excerpt import excerpt, matches
from batonbox_server.search.folding import numbers_in, spans_of, words_of
from batonbox_server.search.query import parse


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Straße", "strasse"),
        ("STRASSE", "straße"),
        ("ﬁne ofﬁce", "fine office"),
        ("Crème brûlée", "creme BRULEE"),
        ("Cre\u0300me", "cr\u00e8me"),
        ("İstanbul ISPARTA ısparta", "istanbul isparta isparta"),  # noqa: RUF001
        ("Đà Nẵng, tiếng Việt", "da nang tieng viet"),
        ("Ἀθῆναι ΟΔΟΣ", "αθηναι οδός"),
        ("Ёлка", "елка"),
        ("שָׁלוֹם עולם", "שלום עולם"),
        ("أهلاً وسهلاً", "اهلا وسهلا"),
        ("مُدَرِّسَة", "مدرسه"),
        ("ﾊﾝｶｸ", "ハンカク"),
        ("\uff26\uff55\uff4c\uff4c \uff57\uff49\uff44\uff54\uff48", "full width"),
        ("น้ำ ㋀", "น้ํา 1月"),
        ("Œuvre Ærø Łódź", "oeuvre aero lodz"),
        ("٢٠٢٦", "2026"),
        ("zero\u200bwidth", "zero width"),
        ("soft\u00adhyphen", "softhyphen"),
    ],
)
def test_these_are_the_same_words(written: str, typed: str) -> None:
    assert words_of(written) == words_of(typed) != []


def test_characters_of_scripts_without_blanks_are_words() -> None:
    assert words_of("東京都へ go") == ["東", "京", "都", "へ", "go"]
    assert words_of("한국어 검색") == ["한국어", "검색"]
    assert words_of("हिन्दी में") == ["हिन्दी", "में"]


def test_signs_part_words_and_are_none() -> None:
    assert words_of("don't stop—now_or/never! 😀 ½") == [
        "don", "t", "stop", "now", "or", "never", "1", "2"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text", ["Straße, 東京 don't", "½x é x² ﬁ", "  a  ", "नमस्ते दुनिया", "", "😀😀 ok"]
)
def test_spans_are_the_words_and_lie_in_the_text(text: str) -> None:
    spans = spans_of(text)
    assert [word for word, _, _ in spans] == words_of(text)
    assert all(0 <= start < end <= len(text) for _, start, end in spans)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("+1 (416) 555-0142", "14165550142"),
        ("call 416.555.0142 now", "4165550142"),
        ("0416 555 0142", "4165550142"),
        ("+44 (0)20 7946 0958", "442079460958"),
        ("0044 20 7946 0958", "442079460958"),
        ("٠٤١٦٥٥٥٠١٤٢", "4165550142"),
        ("5550142", "5550142"),
        ("＋８１（９０）１２３４ー５６７８", "819012345678"),  # noqa: RUF001
        ("416\u2212555\u22120142", "4165550142"),
    ],
)
def test_numbers_in_texts_lose_their_notation(text: str, digits: str) -> None:
    assert digits in numbers_in(text)


@pytest.mark.parametrize("q", ["tel:+14165550142", "SMS:+14165550142", "tel:(416)555-0142"])
def test_a_copied_link_to_a_number_is_the_number(q: str) -> None:
    assert matches("call +1 416 555 0142", parse(q))
    assert not matches("142", parse("hotel:142"))


@pytest.mark.parametrize(
    ("q", "digits"),
    [
        ("416 555", "416555"),
        ("+1 416", "1416"),
        ("(416) 55", "41655"),
        ("0416 55", "041655"),
        ("call 416 5", "4165"),
    ],
)
def test_groups_of_a_number_half_typed_belong_together(q: str, digits: str) -> None:
    assert parse(q)[-1].digits == (digits,)


@pytest.mark.parametrize("q", ["12 30", "2024 12", "room 12", "416", "416 north", "1 2 3"])
def test_other_figures_are_words_of_their_own(q: str) -> None:
    assert [clause.words for clause in parse(q)] == [(word,) for word in q.split()]


@pytest.mark.parametrize("text", ["12:30", "2026-11-29", "1 2 3", "no digits", "12 34 56"])
def test_what_is_too_short_is_no_number(text: str) -> None:
    assert all(len(digits) >= 7 for digits in numbers_in(text))


@pytest.mark.parametrize("q", ["", "   ", "!?", '""', "😀", "-- ++ ()"])
def test_a_query_takes_a_letter_or_digit(q: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(q)
    assert refused.value.slug == "bad_request"


def test_a_query_is_bounded() -> None:
    assert len(parse(" ".join(f"word{n}" for n in range(200)))) <= 16
    assert all(len(clause.words) <= 32 for clause in parse('"' + "a b " * 200 + '"'))


def test_words_are_beginnings_and_phrases_are_exact() -> None:
    assert matches("good morning", parse("goo mor"))
    assert matches("good morning", parse("mor goo"))
    assert matches("good morning", parse('"good morning"'))
    assert not matches("good mornings", parse('"good morning"'))
    assert matches("good mornings", parse('"good morning'))  # still being typed
    assert not matches("good and morning", parse('"good morning"'))
    assert not matches("good", parse("good morning"))
    assert matches("東京都", parse("京都"))
    assert not matches("東西京都市", parse("東京"))


def test_marks_are_in_what_is_shown() -> None:
    text = "x " * 300 + "the Straße\nat +1 (416) 555-0142 " + "y " * 300
    for q, wanted in (("strasse", "Straße"), ("5550142", "+1 (416) 555-0142")):
        shown, marks = excerpt(text, parse(q))
        assert [shown[start:end] for start, end in marks] == [wanted]
        assert len(shown) <= 170
        assert "\n" not in shown


def test_an_excerpt_without_a_find_is_the_beginning() -> None:
    assert excerpt("short", parse("zebra")) == ("short", ())


@pytest.mark.parametrize(
    "text", ["5550142 99 times", "1234567 (416)555-0142", "00 44 20 7946 0000"]
)
def test_a_number_between_others_is_marked_as_it_is_found(text: str) -> None:
    q = "02079460000" if "7946" in text else "+1 416 555 0142"
    assert matches(text, parse(q)) == ((0, len(text.removesuffix(" times"))),)


def test_a_row_of_digits_that_is_too_long_for_a_number_is_none() -> None:
    assert matches("12345674165550142", parse("4165550142")) is None


def test_a_text_is_taken_apart_once_for_all_words(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def counted(text: str) -> list[tuple[str, int, int]]:
        read.append(text)
        return spans_of(text)

    monkeypatch.setattr("batonbox_server.search.excerpt.spans_of", counted)
    assert excerpt("one two three", parse('one "two three" t'))[1] == ((0, 3), (4, 13))
    assert read == ["one two three"]
