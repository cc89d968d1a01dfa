"""BODY[HEADER.FIELDS (...)]: which lines of a header stay (RFC 3501 section 6.4.5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libcyrus.message.prune import FieldFilter

HEADER = (
    b"Received: one\r\n\tfolded\r\nFrom: a@b\r\nSUBJECT: two\r\n words\r\nReceived: two\r\n"
    b"X-Empty:\r\nTo: c@d\r\n\r\n"
)


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        ([b"From"], b"From: a@b\r\n"),
        ([b"from", b"TO"], b"From: a@b\r\nTo: c@d\r\n"),
        ([b"subject"], b"SUBJECT: two\r\n words\r\n"),
        ([b"received"], b"Received: one\r\n\tfolded\r\nReceived: two\r\n"),
        ([b"x-empty"], b"X-Empty:\r\n"),
        ([b"fro"], b""),
        ([b"from:"], b""),
        ([b"."], b""),
        ([b".*"], b""),
    ],
)
def test_fields_are_kept_by_their_names(names: list[bytes], kept: bytes) -> None:
    assert FieldFilter(names).apply(HEADER) == kept


def test_inverted_keeps_all_others() -> None:
    kept = FieldFilter([b"received", b"to"], inverted=True).apply(HEADER)
    assert kept == b"From: a@b\r\nSUBJECT: two\r\n words\r\nX-Empty:\r\n"


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (b"", b""),
        (b"\r\nFrom: body\r\n", b""),
        (b"From: a\r\n\r\nFrom: body\r\n", b"From: a\r\n"),
        (b"From: a", b"From: a"),
        (b"From: a\r\n more", b"From: a\r\n more"),
        (b"X: y\0From: a\r\n", b""),
        (b"X: y\r\nFrom: a\0b\r\n", b"From: a"),
        (b"no field\r\nFrom: a\r\n", b"From: a\r\n"),
        (b"From : a\r\n", b""),
        (b" From: folded\r\nFrom: a\r\n", b"From: a\r\n"),
    ],
)
def test_odd_headers_end_where_they_end(header: bytes, kept: bytes) -> None:
    assert FieldFilter([b"from"]).apply(header) == kept


def test_only_so_many_fields_are_looked_at() -> None:
    header = b"X: y\r\n" * 10 + b"From: a\r\n"
    assert FieldFilter([b"from"], max_lines=20).apply(header) == b"From: a\r\n"
    assert FieldFilter([b"from"], max_lines=5).apply(header) == b""
    assert FieldFilter([b"from"], max_lines=0).apply(header) == b"From: a\r\n"


_NAMES = st.sampled_from([b"From", b"To", b"X-Y", b"subject"])
_VALUES = st.sampled_from([b"", b" a", b" a\r\n\tb", b" : x\r\n  From: y"])


@given(st.lists(st.tuples(_NAMES, _VALUES), max_size=12), st.sets(_NAMES))
def test_a_filter_and_its_inverse_share_the_header(
    fields: list[tuple[bytes, bytes]], wanted: set[bytes]
) -> None:
    lines = [name + b":" + value + b"\r\n" for name, value in fields]
    header = b"".join(lines) + b"\r\n"
    lower = {name.lower() for name in wanted}
    chosen = [line for line, (name, _) in zip(lines, fields, strict=True) if name.lower() in lower]
    others = [line for line, (name, _) in zip(lines, fields, strict=True) if name.lower() not in lower]
    if wanted:
        assert FieldFilter(wanted).apply(header) == b"".join(chosen)
    assert FieldFilter(wanted, inverted=True).apply(header) == b"".join(others)


def test_all_fields_of_a_name_are_kept_in_their_order() -> None:
    header = b"B: 1\r\nA: 1\r\n more\r\nB: 2\r\nC: 1\r\na: 2\r\nb: 3\r\n\r\n"
    assert FieldFilter([b"a", b"b"]).apply(header) == b"B: 1\r\nA: 1\r\n more\r\nB: 2\r\na: 2\r\nb: 3\r\n"
