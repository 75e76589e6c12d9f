"""What a name may be: whatever people are called, and nothing that is not shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batonbox_server.errors import Refused
from batonbox_server.service.texts import check_name
from batonbox_server.store.contact_plan import find_prefix, index_name
from batonbox_server.store.contacts_port import Contact

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


@pytest.mark.parametrize(
    "name",
    [
        "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",  # Persian: letters that do not join
        "\u0d28\u0d28\u0d4d\u200d",  # Malayalam, from before it had letters for this
        f"{FAMILY} Lee",
        "\u2764\ufe0f\u200d\U0001f525",
        ENGLAND,
        "\U0001fae8",  # newer than this Python
        "Zo\u00eb D\u2019Arcy",
    ],
)
def test_names_are_kept_as_they_are_written(name: str) -> None:
    assert check_name(name, field="name") == name


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("\u5c71\u7530\u3000\u592a\u90ce", "\u5c71\u7530 \u592a\u90ce"),
        ("Lee\u00a0& Sons\u00a0", "Lee & Sons"),
        ("sa\u200cles\u200d", "sales"),
        ("\u200d\u200c Lee", "Lee"),
        ("\u0639\u200c\u200c\u0631", "\u0639\u200c\u0631"),
    ],
)
def test_blanks_and_joiners_tell_no_names_apart(name: str, kept: str) -> None:
    assert check_name(name, field="name") == kept


@pytest.mark.parametrize(
    "name",
    [
        "", "  ", "\u200d", "\u3000", "a" * 121, "Lee\nMay", "Lee\0", "Lee\u2028May",
        "\u202eeel", "Lee\u2066", "Lee\u200f", "\ufeffLee", "\ud800", "\ue000", "\uffff",
        "Lee\U000e0067\U000e007f", "\U0003ffff",
    ],
)  # fmt: skip
def test_what_is_not_shown_is_no_name(name: str) -> None:
    with pytest.raises(Refused):
        check_name(name, field="name")


@given(st.text("Le \u200c\u200d\u3000\u0639\u0d4d\U0001f468\U0001f3f4\U000e0067\U000e007f"))
def test_a_name_that_was_taken_is_taken_as_it_is(name: str) -> None:
    try:
        kept = check_name(name, field="name")
    except Refused:
        return
    assert check_name(kept, field="name") == kept


def test_a_name_is_found_without_its_joiners() -> None:
    name = "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"
    assert index_name(Contact("ct_1", name)) == find_prefix(name.replace("\u200c", ""))
