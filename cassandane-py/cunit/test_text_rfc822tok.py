"""Tokens of structured header fields."""

from __future__ import annotations

import pytest

from libcyrus.text.rfc822tok import Kind, tokens


def texts(text: bytes, **specials: bool) -> list[bytes]:
    return [token.text for token in tokens(text, **specials)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b" (only (a) comment) ", []),
        (b"a b\tc\r\n d", [b"a", b"b", b"c", b"d"]),
        (b"a.b@c (x \\) y) d", [b"a.b", b"@", b"c", b"d"]),
        (b"<a@b>;", [b"<", b"a", b"@", b"b", b">", b";"]),
        (b'"a b\\"c" d', [b'a b"c', b"d"]),
        (b'"fold\r\n ed\\\r\n x"', [b"fold ed\\ x"]),
        (b'a"b"c', [b"a", b"b", b"c"]),
    ],
)
def test_tokens(text: bytes, expected: list[bytes]) -> None:
    assert texts(text) == expected


def test_specials_may_be_added() -> None:
    assert texts(b"a.b=c") == [b"a.b=c"]
    assert texts(b"a.b=c", dot=True) == [b"a", b".", b"b=c"]
    assert texts(b"a.b=c", equals=True) == [b"a.b", b"=", b"c"]


def test_kinds() -> None:
    assert [token.kind for token in tokens(b'a "b" ,')] == [Kind.ATOM, Kind.QUOTED, Kind.SPECIAL]


@pytest.mark.parametrize("text", [b"(open", b'"open', b'"open\\', b"a (b (c)", b'"a\\"'])
def test_what_does_not_end_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="does not end"):
        list(tokens(text))
