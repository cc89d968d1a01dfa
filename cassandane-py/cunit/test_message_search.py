"""Searching whole messages: long texts are taken in pieces, and nothing is lost between two of them."""

from __future__ import annotations

import pytest

from libcyrus import message
from libcyrus.message import search
from libcyrus.message.section import searchable
from libcyrus.text.searchform import MERGESPACE, SKIPDIACRIT, SKIPSPACE

HEAD = "Subject: long\r\nContent-Type: text/plain; charset={}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
LINE = "Zeile für Zeile nichts Neues\r\n"
COUNT = 4 * 1024 * 1024 // len(LINE)


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "utf-16-le", "us-ascii"])
@pytest.mark.parametrize("flags", [0, MERGESPACE | SKIPDIACRIT, SKIPSPACE])
def test_a_long_text_is_searched_to_its_end(charset: str, flags: int) -> None:
    line = LINE.replace("ü", "ue") if charset == "us-ascii" else LINE
    body = (line * COUNT + "Nadel\r\n").encode(charset)
    data = HEAD.format(charset).encode() + body
    places = searchable(bytes(message.parse(data).cache_items().section))
    # the end of any line and the start of the next, wherever the pieces end
    for text, found in (("nadel", True), ("neues\r\nzeile", True), ("neues\r\nnadel", True), ("heu", False)):
        wanted = search.pattern(text.encode(), b"us-ascii", flags)
        assert wanted is not None
        assert search.stored_contains(data, places, wanted, flags) is found
        assert search.message_contains(data, wanted, flags) is found


@pytest.mark.parametrize("flags", [0, MERGESPACE, SKIPSPACE])
def test_a_pattern_may_lie_across_every_pieces_end(monkeypatch: pytest.MonkeyPatch, flags: int) -> None:
    monkeypatch.setattr(search, "_PIECE", 8)
    body = b"".join(b"line %d  \r\n" % number for number in range(200))
    data = HEAD.format("us-ascii").encode() + body
    places = searchable(bytes(message.parse(data).cache_items().section))
    for number in range(199):
        wanted = search.pattern(b"ne %d  \r\nline %d" % (number, number + 1), b"us-ascii", flags)
        assert wanted is not None
        assert search.stored_contains(data, places, wanted, flags), number


def test_an_empty_multipart_is_a_text_as_in_the_original() -> None:
    data = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed\r\n\r\n--nothing\r\n"
    places = searchable(bytes(message.parse(data).cache_items().section))
    assert search.stored_contains(data, places, b"NOTHING", 0)
    assert search.message_contains(data, b"NOTHING", 0)
    assert search.stored_contains(data, places, b"", 0)
