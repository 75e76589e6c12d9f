"""Our reading of Twilio's signatures is Twilio's own, both ways, over whatever can be sent."""

from __future__ import annotations

import hashlib
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from batonbox_server.carriers.port import Callback
from batonbox_server.carriers.twilio_signature import fits, signature

TOKENS = st.text(min_size=1, max_size=40)
WORDS = st.text(st.characters(codec="utf-8"), max_size=30)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
FORMS = st.dictionaries(NAMES, WORDS, max_size=12)
HOSTS = st.sampled_from(["desk.example.org", "localhost", "127.0.0.1", "a.b.example.com"])
PORTS = st.sampled_from(["", ":80", ":443", ":8443", ":1"])
PATHS = st.text("abcXYZ019-._~/%", max_size=30)
QUERIES = st.dictionaries(NAMES, WORDS, max_size=4)


@st.composite
def urls(draw: st.DrawFn) -> str:
    """Public addresses of endpoints."""
    query = urlencode(draw(QUERIES))
    where = f"{draw(st.sampled_from(['https', 'http']))}://{draw(HOSTS)}{draw(PORTS)}"
    return f"{where}/{draw(PATHS)}" + (f"?{query}" if query else "")


@settings(max_examples=300, deadline=None)
@given(token=TOKENS, url=urls(), form=FORMS)
def test_what_twilio_signs_fits_and_the_reverse(token: str, url: str, form: dict[str, str]) -> None:
    vendor = RequestValidator(token)
    theirs = vendor.compute_signature(url, form)
    assert signature(token, url, form.items()) == theirs
    assert fits(token, theirs, url=url, form=form.items(), body=b"")
    assert vendor.validate(url, form, signature(token, url, form.items()))


class Repeating(dict[str, list[str]]):
    """A form whose names may come more than once, as frameworks give it to Twilio's library."""

    def getlist(self, name: str) -> list[str]:
        """Its values."""
        return self[name]


@settings(max_examples=200, deadline=None)
@given(token=TOKENS, url=urls(), fields=st.lists(st.tuples(st.sampled_from("abB"), WORDS)))
def test_repeated_names_count_each_value_once(
    token: str, url: str, fields: list[tuple[str, str]]
) -> None:
    fields += fields[:1]
    form = Repeating()
    for name, value in fields:
        form.setdefault(name, []).append(value)
    theirs = RequestValidator(token).compute_signature(url, form)
    assert signature(token, url, fields) == theirs


@settings(max_examples=300, deadline=None)
@given(token=TOKENS, url=urls(), form=FORMS, other=FORMS, word=WORDS)
def test_what_was_changed_fits_for_neither(
    token: str, url: str, form: dict[str, str], other: dict[str, str], word: str
) -> None:
    vendor = RequestValidator(token)
    given_ = vendor.compute_signature(url, form)
    for changed in (other, {**form, "Body": word}, dict(list(form.items())[:-1])):
        ours = fits(token, given_, url=url, form=changed.items(), body=b"")
        assert ours == vendor.validate(url, changed, given_)
    for where in (url + "x", url.replace("example", "exemple")):
        ours = fits(token, given_, url=where, form=form.items(), body=b"")
        assert ours == vendor.validate(where, form, given_)
    assert not fits(token + "x", given_, url=url, form=form.items(), body=b"")


@settings(max_examples=150, deadline=None)
@given(token=TOKENS, url=urls(), body=st.text(min_size=1, max_size=200))
def test_a_body_that_is_no_form_is_proved_by_its_hash(token: str, url: str, body: str) -> None:
    vendor = RequestValidator(token)
    proof = "bodySHA256=" + hashlib.sha256(body.encode()).hexdigest()
    signed = url + ("&" if "?" in url else "?") + proof
    given_ = vendor.compute_signature(signed, {})
    for sent in (body, body + "x"):
        ours = fits(token, given_, url=signed, form=(), body=sent.encode())
        assert ours == vendor.validate(signed, sent, given_) == (sent == body)


@settings(max_examples=150, deadline=None)
@given(token=TOKENS, fields=st.lists(st.tuples(NAMES, WORDS), min_size=1, max_size=10))
def test_a_form_is_read_as_it_was_written(token: str, fields: list[tuple[str, str]]) -> None:
    """Blanks, empty values, repeated names and every script survive the way over the wire."""
    raw = urlencode(fields).encode()
    headers = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8"}
    request = Callback("POST", "https://desk.example.org/in", "", headers, raw)
    assert request.form == fields
    url, given_ = request.url, signature(token, request.url, fields)
    assert fits(token, given_, url=url, form=request.form, body=raw)


def test_a_signature_need_not_be_ascii_to_be_refused() -> None:
    assert not fits("secret", "é", url="https://desk.example.org/", form=(), body=b"")
    assert not fits("secret", "", url="https://desk.example.org/", form=(), body=b"")


@pytest.mark.parametrize("body", [b"{}", b"\xff\xfe"])
def test_a_body_without_a_proof_is_refused(body: bytes) -> None:
    url = "https://desk.example.org/in"
    assert not fits("secret", signature("secret", url), url=url, form=(), body=body)


def test_more_fields_than_anybody_sends_are_not_even_sorted() -> None:
    """Whoever is not proved to be the carrier must not keep the server busy."""
    url, many = "https://desk.example.org/in", urlencode([(str(i), "") for i in range(501)])
    headers = {"content-type": "application/x-www-form-urlencoded"}
    request = Callback("POST", url, many, headers, many.encode())
    assert (request.form, request.fields) == ([], {})
    given_ = signature("secret", url)
    assert not fits("secret", given_, url=url, form=request.form, body=request.body)
    flooded = f"{url}?{many}"
    assert not fits("secret", signature("secret", flooded), url=flooded, form=(), body=b"x")
