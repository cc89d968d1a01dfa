"""What becomes of the bytes behind DATA."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap.lmtpd import received
from libcyrus.errors import CyrusError, MessageBadHeader, MessageContains8Bit, MessageContainsNull


def take(
    data: bytes, cut: int | None = None, *, reject8bit: bool = False, munge8bit: bool = True
) -> tuple[bytes, bytes]:
    """The stored message and what is left behind its end; fed in two parts cut at ``cut``."""
    parts = [data] if cut is None else [data[:cut], data[cut:]]
    gathered = bytearray()
    end = -1
    while end < 0:
        gathered += parts.pop(0)
        end = received.header_end(gathered)
    header = received.read_header(bytes(gathered[:end]), reject8bit=reject8bit, munge8bit=munge8bit)
    body = received.Body()
    stored = [header.text, body.feed(bytes(gathered[end:]))]
    while body.rest is None:
        stored.append(body.feed(parts.pop(0)))
    if body.contains_null:
        raise MessageContainsNull
    return b"".join(stored), body.rest + b"".join(parts)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (b"A: b\r\n\r\nbody\r\n.\r\n", b"A: b\r\n\r\nbody\r\n"),
        (b"A: b\r\n.\r\n", b"A: b\r\n"),
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"\r\nbody\r\n.\r\n", b"\r\nbody\r\n"),
        # newlines of every kind end a header line, the last of them all ends up as CRLF
        (b"A: b\nC: d\n\nx\ny\n.\n", b"A: b\r\nC: d\r\n\r\nx\r\ny\r\n"),
        (b"A: b\rC: d\r\n\r\n.\r\n", b"A: b\r\nC: d\r\n\r\n"),
        (b"A: b\r\rx\r\n.\r\n", b"A: b\r\nx\r\n"),
        # no message ends at a dot behind a lone carriage return, unlike the original's
        (b"A: b\r\n\r\nx\r.\r\ny\r\n.\r\n", b"A: b\r\n\r\nx.\r\ny\r\n"),
        # lone carriage returns vanish from the body
        (b"A: b\r\n\r\nx\ry\r\r\n\rz\r\n.\r\n", b"A: b\r\n\r\nxy\r\nz\r\n"),
        # dots
        (b"A: b\r\n\r\n..\r\n..x\r\n.y\r\nz.\r\n.\r\n", b"A: b\r\n\r\n.\r\n.x\r\ny\r\nz.\r\n"),
        (b"A: b\r\n\r\n...\r\n\r\n.\r\n", b"A: b\r\n\r\n..\r\n\r\n"),
        # folding, odd spacing and empty fields stay as they are
        (b"A : b\r\nC:\r\nD:\r\n e\r\n\tf\r\n\r\n.\r\n", b"A : b\r\nC:\r\nD:\r\n e\r\n\tf\r\n\r\n"),
        # the sender's Return-Path goes, with its folded lines
        (
            b"Return-Path: <x>\r\n folded\r\nA: b\r\nRETURN-path : y\r\n\r\nx\r\n.\r\n",
            b"A: b\r\n\r\nx\r\n",
        ),
        (b"Subject: gr\xfcn\r\n\r\ngr\xfcn\r\n.\r\n", b"Subject: grXn\r\n\r\ngr\xfcn\r\n"),
    ],
)
def test_what_is_stored(sent: bytes, stored: bytes) -> None:
    assert take(sent) == (stored, b"")
    behind = b"MAIL FROM:<>\r\n"
    for cut in range(len(sent) + len(behind) + 1):
        assert take(sent + behind, cut) == (stored, behind), cut


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"no colon\r\n\r\nx\r\n.\r\n", MessageBadHeader),
        (b" starts folded\r\n\r\n.\r\n", MessageBadHeader),
        (b"A: b\r\nhello world\r\n\r\n.\r\n", MessageBadHeader),
        (b"A: b\r\n: c\r\n\r\n.\r\n", MessageBadHeader),
        (b"A b: c\r\n\r\n.\r\n", MessageBadHeader),
        (b"A: b\r.\r\nC: d\r\n\r\n.\r\n", MessageBadHeader),
        (b"\xc3\xa4: c\r\n\r\n.\r\n", MessageBadHeader),
        (b"A: b\r\x00C: d\r\n\r\n.\r\n", MessageContainsNull),
        (b"A: b\r\n\r\nx\x00y\r\n.\r\n", MessageContainsNull),
    ],
)
def test_what_is_refused(sent: bytes, error: type[CyrusError]) -> None:
    with pytest.raises(error):
        take(sent)


def test_8bit_headers_by_option() -> None:
    sent = b"Subject: gr\xfcn\r\n\r\n.\r\n"
    assert take(sent, munge8bit=False)[0] == b"Subject: gr\xfcn\r\n\r\n"
    with pytest.raises(MessageContains8Bit):
        take(sent, reject8bit=True)


def test_values_are_unfolded_and_lose_the_blanks_before_them() -> None:
    header = received.read_header(
        b"Message-ID:\r\n\t <a@b> \r\nDATE: one\r\n two\r\nDate: three\r\nX: y\r\n",
        reject8bit=False,
        munge8bit=True,
    )
    assert header.first(b"message-id") == b"<a@b> "
    assert header.values[b"date"] == [b"one two", b"three"]
    assert header.first(b"x") is None
    assert header.first(b"from") is None


def test_a_very_long_line_passes_in_pieces_without_its_dots_being_touched() -> None:
    line = b"." + (b"a.\r" * 200_000) + b"\r\n"
    body = received.Body()
    stored = bytearray()
    data = b"\r\n" + line + b".\r\n"
    for start in range(0, len(data), 65536):
        stored += body.feed(data[start : start + 65536])
        assert len(body._carry) <= received.LONGEST_PARTIAL_LINE
    assert body.rest == b""
    assert bytes(stored) == b"\r\n" + b"a." * 200_000 + b"\r\n"


LINES = st.lists(st.binary(max_size=12).filter(lambda line: not set(line) & {0, 10, 13}), max_size=8)


@given(lines=LINES, cut=st.integers(0, 200))
def test_what_a_client_stuffs_comes_out_again(lines: list[bytes], cut: int) -> None:
    text = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
    data = b"\r\n" + stuffed + b".\r\nQUIT\r\n"
    body = received.Body()
    stored = body.feed(data[:cut])
    if body.rest is None:
        stored += body.feed(data[cut:])
        assert body.rest == b"QUIT\r\n"
    assert stored == b"\r\n" + text


@given(data=st.binary(max_size=60))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        stored, rest = take(data + b"\r\n.\r\n")
    except CyrusError:
        return
    assert stored.count(b"\r\n") == stored.count(b"\n") == stored.count(b"\r")
    assert len(stored) + len(rest) <= 2 * len(data) + 10


def test_carriage_returns_without_end_are_not_gathered() -> None:
    body = received.Body()
    stored = body.feed(b"\r\n")
    for _ in range(64):
        stored += body.feed(b"\r" * 65536)
        assert len(body._carry) < received.LONGEST_PARTIAL_LINE
    stored += body.feed(b"..x\r" + b"\r" * received.LONGEST_PARTIAL_LINE)
    stored += body.feed(b"\ny\r\n.\r\nNOOP\r\n")
    assert stored == b"\r\n.x\r\ny\r\n"
    assert body.rest == b"NOOP\r\n"
