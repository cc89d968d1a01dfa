"""Modified UTF-7 (RFC 3501 section 5.1.3)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libcyrus.text import mutf7

CASES = [
    ("INBOX", b"INBOX"),
    ("a&b", b"a&-b"),
    ("Entwürfe", b"Entw&APw-rfe"),
    ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ("😀", b"&2D3eAA-"),
    ("é&é", b"&AOk-&-&AOk-"),
]


@pytest.mark.parametrize(("name", "wire"), CASES)
def test_name(name: str, wire: bytes) -> None:
    assert mutf7.encode(name) == wire
    assert mutf7.decode(wire) == name
    assert mutf7.decode_lenient(wire) == name


@pytest.mark.parametrize(
    "wire", [b"a&", b"&AOk", b"&AOk=-", b"\xc3\xa9", b"&AGE-", b"&AOk-&AOk-", b"&2D0-", b"&A-"]
)
def test_what_no_encoder_may_write(wire: bytes) -> None:
    with pytest.raises(mutf7.BadModifiedUtf7):
        mutf7.decode(wire)
    mutf7.decode_lenient(wire)


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8")))
def test_round_trip(name: str) -> None:
    wire = mutf7.encode(name)
    assert mutf7.decode(wire) == mutf7.decode_lenient(wire) == name


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_leniently(wire: bytes) -> None:
    mutf7.decode_lenient(wire).encode("utf-8", "replace")
