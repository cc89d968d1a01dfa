"""What APPEND accepts as a message, whole and cut at every octet."""

from __future__ import annotations

import pytest

from libcyrus.errors import (
    CyrusError,
    MessageBadHeader,
    MessageContains8Bit,
    MessageContainsNewline,
    MessageContainsNull,
    NoSpace,
)
from libcyrus.message.strict import StrictWriter, check_header


class Kept:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes, /) -> None:
        self.data += data


CASES: list[tuple[bytes, type[CyrusError] | None]] = [
    (b"", None),
    (b"\r\n", None),
    (b"Subject: x\r\n\r\nbody\r\n", None),
    (b"Subject: x\r\n\r\nbody", None),
    (b"Subject: x\r\n", None),
    (b"Subject: x\r\n folded\r\n\tmore\r\n\r\nbody \xe4", None),
    (b"From joe Thu Jan  1\r\nSubject:\r\n\r\n", None),
    (b"Subject: x\r\n\r\na\nb", MessageContainsNewline),
    (b"Subject: x\n\r\nb", MessageContainsNewline),
    (b"Subject: x\r\n\r\na\0b", MessageContainsNull),
    (b"Subject: x\r\n\r\na\nb\0c", MessageContainsNull),
    (b"hello", MessageBadHeader),
    (b"hello\r\n", MessageBadHeader),
    (b": x\r\n\r\n", MessageBadHeader),
    (b"S x: y\r\n\r\n", MessageBadHeader),
    (b"Subject: x\r\nbad\r\n\r\n", MessageBadHeader),
    (b"Subject: unfinished", MessageBadHeader),
]


def failure_of(pieces: list[bytes], **rules: bool) -> tuple[type[CyrusError] | None, bytes]:
    kept = Kept()
    writer = StrictWriter(kept, **rules)
    for piece in pieces:
        writer.write(piece)
    if writer.failure is not None:
        return type(writer.failure), kept.data
    try:
        check_header(kept.data)
    except CyrusError as error:
        return type(error), kept.data
    return None, kept.data


@pytest.mark.parametrize(("data", "failure"), CASES)
def test_a_message_is_judged_whole_and_in_pieces(data: bytes, failure: type[CyrusError] | None) -> None:
    assert failure_of([data])[0] is failure
    for cut in range(len(data)):
        assert failure_of([data[:cut], data[cut:]])[0] is failure
    got, kept = failure_of([data[at : at + 1] for at in range(len(data))])
    assert got is failure
    if failure is None:
        assert kept == data


def test_eight_bit_octets_of_the_header_become_x_or_are_refused() -> None:
    data = b"Subject: \xe4\r\n\r\n\xf6"
    for cut in range(len(data)):
        pieces = [data[:cut], data[cut:]]
        assert failure_of(pieces) == (None, b"Subject: X\r\n\r\n\xf6")
        assert failure_of(pieces, munge8bit=False) == (None, data)
        assert failure_of(pieces, reject8bit=True)[0] is MessageContains8Bit


def test_a_full_disk_does_not_stop_the_reading() -> None:
    class Full:
        def write(self, _data: bytes, /) -> None:
            raise NoSpace

    writer = StrictWriter(Full())
    writer.write(b"Subject: x\r\n\r\n")
    writer.write(b"body")
    assert isinstance(writer.failure, NoSpace)
