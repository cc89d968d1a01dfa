"""RFC 822 address lists, everyday and odd."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libcyrus.text.addresses import Address, _Scanner, canonical, full, parse_list

CASES: list[tuple[bytes, list[tuple[bytes | None, bytes | None, bytes | None, bytes | None]]]] = [
    (b"", []),
    (b" a@b.c ", [(None, None, b"a", b"b.c")]),
    (b"Joe User <joe@b>, <c@d>", [(b"Joe User", None, b"joe", b"b"), (None, None, b"c", b"d")]),
    (b'"Joe, \\"Q\\"" <a@b>', [(b'Joe, "Q"', None, b"a", b"b")]),
    (b"a@b (Joe (the) User)", [(b"Joe (the) User", None, b"a", b"b")]),
    (b"a@b (one) . c", [(None, None, b"a", b"b.c")]),
    (b"G: a@b;, e@f", [
        (None, None, b"G", None), (None, None, b"a", b"b"),
        (None, None, None, None), (None, None, b"e", b"f"),
    ]),
    (b"G:", [(None, None, b"G", None), (None, None, None, None)]),
    (b"<@r1,@r2:a@b>", [(None, b"@r1,@r2", b"a", b"b")]),
    (b"joe", [(None, None, b"joe", b"unspecified-domain")]),
    (b"Joe <joe>", [(b"Joe", None, b"joe", b"unspecified-domain")]),
    (b"a@b@c", [(None, None, b"a", b"b@c")]),
    (b"a@..b..c..", [(None, None, b"a", b"b.c")]),
    (b'"open <a@b>', []),
    (b'"fold\r\n ed" <a@b>', [(b"fold ed", None, b"a", b"b")]),
    (b'"ended\r\n" <a@b>', []),
    (b"Joe\r\n  User <a@b>", [(b"Joe User", None, b"a", b"b")]),
    (b"a@b\0, c@d", [(None, None, b"a", b"b")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_list(text: bytes, expected: list[tuple[bytes | None, ...]]) -> None:
    assert [address[:4] for address in parse_list(text)] == expected


def test_garbage_domain_is_marked_from_there_on() -> None:
    assert [address.invalid for address in parse_list(b"a@b, c@d@e, f@g")] == [False, True, True]


def test_full_address_has_stand_ins() -> None:
    assert full(Address(None, None, b"a", b"B.C")) == b"a@B.C"
    assert full(Address(None, None, b"a", b"B.C"), lowercase_domain=True) == b"a@b.c"
    assert full(Address(None, None, b"group", None)) == b"group@unspecified-domain"
    assert full(Address(None, None, None, b"d")) == b"unknown-user@d"
    assert full(Address(None, None, None, None)) is None


def test_canonical_is_the_first_address() -> None:
    assert canonical(b"Joe <Joe@EXAMPLE.com>, b@c") == b"Joe@example.com"
    assert canonical(b"") is None


@settings(deadline=None)
@given(st.lists(st.sampled_from(list(b' \tab.@<>,:;"\\()\r\n[]-=?\xe9\x01')), max_size=30).map(bytes))
def test_fast_and_careful_readings_agree(text: bytes) -> None:
    assert parse_list(text) == _Scanner(text, 0, []).run()


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_parse(text: bytes) -> None:
    parse_list(text)
