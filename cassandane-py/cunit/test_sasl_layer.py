"""Security layers: their frames, and a connection under one."""

from __future__ import annotations

import io
import socket
from collections.abc import Iterator

import pytest

from libcyrus.errors import LayerBroken
from libcyrus.prot import ProtStream
from libcyrus.prot.deflate import Deflate
from libcyrus.prot.errors import ConnectionClosed, Undecodable
from libcyrus.sasl.layer import SecurityLayer, broken

Pair = tuple[ProtStream, ProtStream]


class Turned:
    """Turns the bits round and marks the end, so that whatever goes past the layer is seen."""

    def seal(self, data: bytes) -> bytes:
        return bytes(byte ^ 0xFF for byte in data) + b"!"

    def open(self, sealed: bytes) -> bytes:
        if not sealed.endswith(b"!"):
            raise broken("no mark")
        return bytes(byte ^ 0xFF for byte in sealed[:-1])


def layer(*, send_limit: int = 100, receive_limit: int = 101) -> SecurityLayer:
    return SecurityLayer(Turned(), strength=1, send_limit=send_limit, receive_limit=receive_limit)


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    streams = ProtStream(one, timeout=20), ProtStream(other, timeout=20)
    yield streams
    for stream in streams:
        stream.close()


def test_what_is_sent_is_cut_to_what_the_peer_takes() -> None:
    sent = layer(send_limit=3).encode(b"abcdefg")
    assert sent == b"".join(b"\0\0\0" + bytes([len(piece) + 1]) + Turned().seal(piece) for piece in
                            (b"abc", b"def", b"g"))  # fmt: skip
    assert layer().encode(b"") == b""


def test_what_comes_is_the_same_wherever_the_network_cuts_it() -> None:
    text = bytes(range(256)) * 3
    sent = layer(send_limit=50).encode(text)
    for size in (1, 2, 3, 5, 53, 54, 55, 56, 1000):
        taking = layer()
        assert b"".join(taking.decode(sent[at : at + size]) for at in range(0, len(sent), size)) == text


def test_a_buffer_longer_than_announced_is_refused_before_it_came() -> None:
    with pytest.raises(LayerBroken, match=r"encoded packet size too big \(102 > 101\)"):
        layer().decode(b"\0\0\0\x66")
    with pytest.raises(LayerBroken):
        layer().decode(b"\xff\xff\xff\xff")
    assert layer().decode(b"\0\0\0\x65") == b""


def test_the_words_are_the_originals() -> None:
    said = r"decoding error: generic failure; SASL\(-1\): generic failure: no mark$"
    with pytest.raises(LayerBroken, match=said):
        layer().decode(b"\0\0\0\x01x")


def test_both_directions_of_a_connection(pair: Pair) -> None:
    ours, theirs = pair
    theirs.write(b"clear\r\n")
    theirs.protect(layer())
    theirs.write(b"one\r\n" + b"x" * 300 + b"two\r\n")
    theirs.flush()
    assert ours.readline(10) == b"clear\r\n"
    # what has arrived with the last clear line is the layer's already
    ours.protect(layer())
    assert ours.readline(10) == b"one\r\n"
    assert ours.read_some(7) == b"x" * 7
    assert ours.read(203) == b"x" * 203
    file = io.BytesIO()
    ours.read_into_file(90, file)
    assert file.getvalue() == b"x" * 90
    assert ours.readline(10) == b"two\r\n"
    ours.write(b"answer\r\n")
    ours.flush()
    assert theirs.readline(10) == b"answer\r\n"


def test_what_has_arrived_is_given_out_in_the_sizes_asked_for(pair: Pair) -> None:
    ours, theirs = pair
    ours.protect(layer())
    theirs.protect(layer())
    theirs.write(b"abcdef")
    theirs.flush()
    assert [ours.read_some(2) for _ in range(3)] == [b"ab", b"cd", b"ef"]
    assert not ours.pending()


def test_compression_lies_above_the_layer(pair: Pair) -> None:
    ours, theirs = pair
    for stream in pair:
        stream.protect(layer())
        stream.compress(Deflate())
    theirs.write(b"a" * 5000 + b"\n")
    theirs.flush()
    assert ours.readline(6000) == b"a" * 5000 + b"\n"
    ours.stop_compressing()
    theirs.stop_compressing()
    ours.unprotect()
    theirs.unprotect()
    ours.write(b"bare\n")
    ours.flush()
    assert theirs.readline(10) == b"bare\n"


def test_who_does_not_know_the_layer_is_cut_off(pair: Pair) -> None:
    ours, theirs = pair
    ours.protect(layer())
    theirs.write(b"\0\0\0\x05hello")
    theirs.flush()
    with pytest.raises(Undecodable):
        ours.readline(100)


def test_clear_text_behind_the_exchange_is_not_taken_for_protected(pair: Pair) -> None:
    ours, theirs = pair
    theirs.write(b"last\r\na LOGOUT\r\n")
    theirs.flush()
    assert ours.readline(10) == b"last\r\n"
    with pytest.raises(Undecodable):
        ours.protect(layer())


def test_a_connection_that_ends_inside_a_buffer(pair: Pair) -> None:
    ours, theirs = pair
    ours.protect(layer())
    theirs.write(b"\0\0\0\x05he")
    theirs.close()
    with pytest.raises(ConnectionClosed):
        ours.readline(100)
