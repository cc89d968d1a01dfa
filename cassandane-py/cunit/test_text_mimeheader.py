"""Encoded words and encoded parameter values; every expected text was asked of the original."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libcyrus.text import mimeheader, searchform
from libcyrus.text.mimeheader import encode_mimeheader, parse_mimeheader, parse_mimexvalue


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?h=C3=A9llo?= x", "héllo x"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=  \t=?utf-8?q?c?= d", "abc d"),
        (b"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
        (b"a=?utf-8?q?b?=c", "abc"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=A9?=", "é"),
        (b"=?utf-8?b?w6?= =?utf-8?b?k=?=", "é"),
        (b"=?utf-8?q?=C3?= =?utf-8?b?qQ==?=", "\ufffd"),
        (b"=?iso-8859-1?q?=80?=", "€"),
        (b"=?utf-8*en?q?x?=", "x"),
        (b"=?nosuch?q?x?= y", "\ufffd y"),
        (b"=?utf-8?q?sp ace ?=|", "sp ace|"),
        (b"=?utf-8?q?a=?b?=", "=?utf-8?q?a=?b?="),
        (b"=?utf-8?x?a?=", "=?utf-8?x?a?="),
        (b"=?utf-8?q??=", ""),
        (b"=?utf-8?q?a=00b?= c", "a"),
        (b"raw \xe9", "raw \ufffd"),
        (b"fold\r\n ed\r\n\ttab", "fold ed\ttab"),
        (b"fold\r\n =?utf-8?q?a?=\r\n =?utf-8?q?b?=", "fold ab"),
        (b"lone\rcr", "lone\rcr"),
    ],
)
def test_header_value(value: bytes, text: str) -> None:
    assert parse_mimeheader(value) == text.encode()


def test_raw_bytes_may_be_utf8() -> None:
    assert parse_mimeheader("é =?utf-8?q?=C3=A9?=".encode(), utf8=True) == "é é".encode()


def test_search_form_of_a_value() -> None:
    flags = searchform.SKIPDIACRIT | searchform.MERGESPACE
    assert mimeheader.decode_mimeheader(b"=?utf-8?q?h=C3=A9llo?=  W\r\n orld", flags) == b"HELLO W ORLD"
    assert mimeheader.decode_mimeheader(b"Subject: a\r\n b\r\n\r\n", flags) == b"SUBJECT: A B "


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"utf-8'en'h%C3%A9", "hé"),
        (b"iso-8859-1''%80", "€"),
        (b"utf-8''", ""),
        (b"utf-8''%C", None),
        (b"utf-8''%zz", None),
        (b"utf-8'x", None),
        (b"nosuch''x", None),
        (b"x", None),
    ],
)
def test_extended_parameter(value: bytes, text: str | None) -> None:
    assert parse_mimexvalue(value) == (None if text is None else text.encode())


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=120))
def test_encoded_value_decodes_to_itself(text: str) -> None:
    encoded = encode_mimeheader(text.encode())
    assert parse_mimeheader(encoded) == text.encode()
    assert all(len(line) <= 78 for line in encoded.split(b"\r\n "))


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"=?utf-8?q?", b"?=", b"=C3", b"=A9", b" ", b"\r\n ", b"\r", b"\n", b"x"])))
def test_any_pieces_parse(pieces: list[bytes]) -> None:
    parse_mimeheader(b"".join(pieces)).decode()
