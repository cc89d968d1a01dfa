"""The canonical search form: the whole table, and what white space and diacritics do."""

from __future__ import annotations

import hashlib

import pytest

from libcyrus.text import searchform
from libcyrus.text.searchform import ESCAPEHTML, KEEPCASE, MERGESPACE, SKIPDIACRIT, SKIPSPACE


@pytest.mark.parametrize(
    ("flags", "digest"),
    [
        (0, "093866809582c723ec1d519a13e7c1320405d6634d789b42e8d6b4d18786c9ab"),
        (SKIPDIACRIT, "8c24a0b93b5212440fe0ccf3c554d64f2d83db314bd9a04dedc85dc89f86f063"),
    ],
)
def test_form_of_every_character(flags: int, digest: str) -> None:
    """The digests are of the original's own answers, one character a line."""
    found = hashlib.sha256()
    for code in range(1, 0x110000):
        if not 0xD800 <= code < 0xE000:
            found.update(searchform.searchable(chr(code), flags) + b"\n")
    assert found.hexdigest() == digest


@pytest.mark.parametrize(
    ("text", "flags", "form"),
    [
        ("Héllo", 0, "HE\u0301LLO"),
        ("Héllo", SKIPDIACRIT, "HELLO"),
        ("a \t\r\n b", 0, "A     B"),
        ("a \t\r\n b", MERGESPACE, "A B"),
        ("a \t\r\n b", SKIPSPACE, "AB"),
        ("ß æ … ½", 0, "ss Æ ... 1/2"),
        (" \u0301 ", SKIPDIACRIT | MERGESPACE, "  "),
        (" \ufffd \ufffd ", MERGESPACE, " \ufffd\ufffd"),
        (" \u4f00 ", MERGESPACE, " \u4f00"),
        (" \u4e00 ", MERGESPACE, " \u4e00 "),
        ("a\0b", 0, "AB"),
        ("aé\0 \0 b", SKIPDIACRIT | MERGESPACE, "AE B"),
        ("Ab  \r\nc", KEEPCASE, "Ab  \r\nc"),
        ("Ab  \r\nc", KEEPCASE | MERGESPACE, "Ab c"),
        ("<a & b>", KEEPCASE | ESCAPEHTML, "&lt;a &amp; b&gt;"),
        ("a b", KEEPCASE | SKIPSPACE, "ab"),
    ],
)
def test_form(text: str, flags: int, form: str) -> None:
    assert searchform.to_form(text, flags) == form
    if text.isascii():
        assert searchform.searchable_ascii(text.encode(), flags) == form.encode()
