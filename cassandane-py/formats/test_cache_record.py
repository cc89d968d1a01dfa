"""The cache record and the parsed fields of the index record are the original's, byte for byte."""

from __future__ import annotations

import hashlib
import mmap
import tempfile
import time
import zlib
from collections.abc import Iterator

import pytest
from formats.cache import corpus, original

from libcyrus import message
from libcyrus.message.cache import CacheRecord, record_length, split

MESSAGES = dict(corpus.messages())
GOLDEN = original.read_golden()


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``sentdate`` is midnight by the local clock; the golden file was made in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def golden_of(text: message.Source) -> original.Golden:
    parsed = message.parse(text)
    record = parsed.cache_record()
    digest = hashlib.sha1(record).hexdigest()
    return original.Golden(
        parsed.size, parsed.header_size, parsed.sentdate, parsed.gmtime, len(record), digest
    )


def differences(ours: CacheRecord, theirs: CacheRecord) -> dict[str, tuple[bytes, bytes]]:
    pairs = zip(CacheRecord._fields, ours, theirs, strict=True)
    return {name: (bytes(one), bytes(other)) for name, one, other in pairs if bytes(one) != bytes(other)}


def test_the_golden_file_is_of_this_corpus() -> None:
    assert list(GOLDEN) == list(MESSAGES)
    assert len(MESSAGES) >= 200


@pytest.mark.parametrize("name", MESSAGES)
def test_record_is_the_originals(name: str) -> None:
    assert golden_of(MESSAGES[name]) == GOLDEN[name]


def test_a_map_parses_like_bytes() -> None:
    text = MESSAGES["preamble epilogue"] + b"x" * (1 << 20) + b"\r\n" * 1000
    with tempfile.TemporaryFile() as file:
        file.write(text)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert golden_of(mapped) == golden_of(memoryview(mapped)) == golden_of(text)
            assert golden_of(memoryview(text)) == golden_of(bytearray(text)) == golden_of(text)


@pytest.mark.parametrize("name", ["plain multipart", "message with multipart", "digest", "random-3"])
def test_every_prefix_of_a_message_parses(name: str) -> None:
    text = MESSAGES[name]
    for end in range(0, len(text), 3):
        parsed = message.parse(text[:end])
        assert split(parsed.cache_record()) == parsed.cache_items()


def test_a_record_splits_into_what_it_was_packed_from() -> None:
    items = message.parse(MESSAGES["plain multipart"]).cache_items()
    record = items.pack()
    assert split(b"????" + record + b"more", 4) == items
    assert record_length(b"????" + record + b"more", 4) == len(record)
    for end in range(len(record)):
        with pytest.raises(ValueError):
            split(record[:end])
        with pytest.raises(ValueError):
            record_length(record[:end])


@pytest.mark.parametrize(
    "text",
    [
        b"Content-Type: message/rfc822\r\n\r\n" * 20000,
        b"".join(b"Content-Type: multipart/x; boundary=%dx\r\n\r\n--%dx\r\n" % (n, n) for n in range(5000)),
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 100_000,
        b"Content-Type: text/plain" + b"; a*0=x; a*1=y" * 20000 + b"\r\n\r\n",
        b'Content-Type: text/plain; a="' + b"\\" * 200_000 + b"\r\n\r\n",
        b"To: " + b"(" * 200_000 + b"\r\n\r\n",
        b"To: " + b"a <" * 100_000 + b"\r\nFrom: " + b'"x" ' * 100_000 + b"\r\n\r\n",
        b"Subject: " + b"=?utf-8?b?w6" * 50_000 + b"=?utf-8?b?w6?= " * 20_000 + b"\r\n\r\n",
        b"Subject:\r\n" + b" \r\n" * 200_000,
        b"\r" * 500_000 + b"\n" * 500_000,
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b" " * 2_000_000,
        b"Content-Transfer-Encoding: base64\r\n\r\n" + b"a=" * 500_000,
    ],
    ids=range(12),
)
@pytest.mark.timeout(60)
def test_hostile_messages_take_reasonable_time(text: bytes) -> None:
    """The timeout of the test is the assertion: each of these is quadratic if read carelessly."""
    assert split(message.parse(text).cache_record()).section


@pytest.mark.reference
@pytest.mark.timeout(300)
def test_the_original_writes_the_same_records() -> None:
    """The corpus and random messages that the golden file does not have, asked of the original itself."""
    named = list(MESSAGES.items())
    named += [(f"random-{seed}", corpus.random_message(seed)) for seed in range(20_000, 20_400)]
    wrong: list[tuple[str, object]] = []
    for (name, text), theirs in zip(
        named, original.original_records([text for _, text in named]), strict=True
    ):
        parsed = message.parse(text)
        record = parsed.cache_record()
        if record != theirs.cache:
            wrong.append((name, differences(split(record), split(theirs.cache))))
        elif golden_of(text) != original.golden_of(theirs) or parsed.guid != theirs.guid:
            wrong.append((name, (golden_of(text), original.golden_of(theirs))))
        elif zlib.crc32(record) != theirs.cache_crc:
            wrong.append((name, "crc"))
    assert not wrong
