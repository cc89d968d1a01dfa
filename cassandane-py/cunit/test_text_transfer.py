"""Content-transfer encodings, lenient as the original is."""

from __future__ import annotations

import base64
import hashlib
import quopri

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libcyrus.text import transfer


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        (b"", b""),
        (b"aGVsbG8=", b"hello"),
        (b"aGVs\r\nbG8=\r\n", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"aGVsb", b"hel"),
        (b"a", b""),
        (b"aG!V@s#bG8=", b"hello"),
        (b"aGVsbG8=aGVsbG8=", b"hellohello"),
        (b"aG=VsbA==", b"hV\xc6\xc0"),
        (b"====", b""),
    ],
)
def test_base64(text: bytes, decoded: bytes) -> None:
    assert transfer.decode(text, transfer.BASE64) == decoded


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(1, 80))
def test_base64_round_trip_in_any_lines(data: bytes, width: int) -> None:
    text = base64.b64encode(data)
    folded = b"\r\n".join(text[at : at + width] for at in range(0, len(text), width))
    assert transfer.decode_base64(folded) == data
    assert transfer.decode_base64(transfer.encode_base64_body(data)) == data


@settings(deadline=None)
@given(st.binary(max_size=100), st.lists(st.integers(0, 140), max_size=4))
def test_base64_in_pieces_is_base64(data: bytes, cuts: list[int]) -> None:
    """Each piece gives its whole bytes, and its tail goes before the next."""
    text = base64.b64encode(data).rstrip(b"=")
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    tail, out = b"", b""
    for start, end in zip(edges, edges[1:], strict=False):
        piece = tail + text[start:end]
        out += transfer.decode_base64(piece)[len(tail) * 6 // 8 :]
        tail = transfer.base64_tail(piece)
    assert out == data


@pytest.mark.parametrize(
    ("text", "decoded"),
    [
        (b"", b""),
        (b"a=3Db", b"a=b"),
        (b"caf=C3=A9", "café".encode()),
        (b"soft=\r\nbreak\r\n", b"softbreak\r\n"),
        (b"bare\nline", b"bare\r\nline"),
        (b"trail \t\r\nx  ", b"trail\r\nx"),
        (b"=20\r\n", b" \r\n"),
        (b"== =4 =zz", b"== =4 =zz"),
        (b"=4=\r\n1", b"=41"),
        (b"end=", b"end"),
        (b"a\rb", b"ab"),
        (b"=0A=0D", b"\n\r"),
        (b"a_b", b"a_b"),
    ],
)
def test_quoted_printable(text: bytes, decoded: bytes) -> None:
    assert transfer.decode(text, transfer.QUOTED_PRINTABLE) == decoded


def test_underscores_are_spaces_in_headers_only() -> None:
    assert transfer.decode_quoted_printable(b"a_b=5F_", header=True) == b"a b_ "


def test_overlong_lines_are_cut_at_999_bytes() -> None:
    line = b"x" * 998 + b"=" + b"41" + b"\r\n"
    assert transfer.decode_quoted_printable(line) == b"x" * 998 + b"41\r\n"
    assert transfer.decode_quoted_printable(b"x" * 998 + b" y") == b"x" * 998 + b"y"


@settings(deadline=None)
@given(st.text(max_size=200))
def test_quoted_printable_round_trip(text: str) -> None:
    data = text.encode()
    encoded = quopri.encodestring(data, quotetabs=True)
    expected = data.replace(b"\r", b"").replace(b"\n", b"\r\n")
    if b"\r" not in data:
        assert transfer.decode_quoted_printable(encoded) == expected


def test_names_and_unknown_encodings() -> None:
    assert transfer.lookup(None) == transfer.lookup(b"7bit") == transfer.lookup(b"Binary") == transfer.NONE
    assert transfer.lookup(b"x-uuencode") == transfer.UNKNOWN
    assert transfer.decode(b"x", transfer.UNKNOWN) is None
    data = memoryview(b"x" * 10)
    assert transfer.decode(data, transfer.NONE) is data


def test_base64url_is_strict() -> None:
    assert transfer.decode(b"-_-_", transfer.BASE64URL) == b"\xfb\xff\xbf"
    assert transfer.decode(b"+/+/", transfer.BASE64URL) is None


@pytest.mark.parametrize("encoding", [0, transfer.BASE64, transfer.QUOTED_PRINTABLE, transfer.UNKNOWN])
@pytest.mark.parametrize(
    "piece",
    [
        b"aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ\r\n",
        b"aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=\r\n",
        b"a=C3=A9 b=\r\n",
        b"=3D trailing  \r\n",
        b"no line end at all ",
    ],
)
def test_digest_in_pieces_is_that_of_the_whole(piece: bytes, encoding: int) -> None:
    data = piece * (600_000 // len(piece))
    decoded = transfer.decode(data, encoding)
    found = transfer.digest(memoryview(data), encoding)
    assert found == (None if decoded is None else (hashlib.sha1(decoded).digest(), len(decoded)))
