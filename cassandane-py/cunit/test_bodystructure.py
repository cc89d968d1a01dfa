"""Reading body structures back from the cache."""

from __future__ import annotations

import pytest

from libcyrus.message.bodystructure import Part, parts

TEXT = b'("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 3 1 NIL NIL NIL NIL)'
FILE = (
    b'("APPLICATION" "PDF" ("NAME" {5}\r\na"b\\c) NIL NIL "BASE64" 3 NIL'
    b' ("ATTACHMENT" ("FILENAME" "x.pdf")) NIL NIL)'
)
MESSAGE = b'("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 9 (NIL NIL) %b 3 NIL ("INLINE" NIL) NIL NIL)'


def types(item: bytes) -> list[bytes]:
    return [b"%b/%b" % (part.type, part.subtype) for part in parts(item)]


def test_every_part_is_found_in_order() -> None:
    mixed = b'(%b%b "MIXED" ("BOUNDARY" "q") NIL NIL NIL)' % (TEXT, FILE)
    outer = b'(%b%b "ALTERNATIVE" NIL NIL NIL)' % (MESSAGE % mixed, TEXT)
    assert types(outer) == [
        b"MULTIPART/ALTERNATIVE", b"MESSAGE/RFC822", b"MULTIPART/MIXED", b"TEXT/PLAIN", b"APPLICATION/PDF",
        b"TEXT/PLAIN",
    ]  # fmt: skip


def test_names_are_found() -> None:
    assert list(parts(FILE)) == [
        Part(b"APPLICATION", b"PDF", [(b"NAME", b'a"b\\c')], b"ATTACHMENT", [(b"FILENAME", b"x.pdf")])
    ]
    assert [part.disposition for part in parts(MESSAGE % TEXT)] == [b"INLINE", b""]


@pytest.mark.parametrize(
    "item",
    [b"()", b"(", b")", b'("TEXT")', b"NIL x", b'(("A" "B"))', b'("MESSAGE" "RFC822" 1 2 3 4 5)', b"((((("],
)
def test_nonsense_is_refused(item: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        list(parts(item))


def test_depth_does_not_matter() -> None:
    depth = 5000
    item = TEXT
    for _ in range(depth):
        item = b'(%b "MIXED" NIL NIL NIL)' % item
    assert len(types(item)) == depth + 1
