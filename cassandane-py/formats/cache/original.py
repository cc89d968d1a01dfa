"""What the original's ``reconstruct`` writes into cyrus.cache and cyrus.index for given messages.

``python -m formats.cache.original > golden.tsv`` in this folder's parent writes the golden file anew.
"""

from __future__ import annotations

import hashlib
import os
import struct
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from formats.cache import corpus

from cassandane.instance import Instance, give_away

# cyrus.index: start of the records, their size and number; then of a record what parsing decides
_HEADER = struct.Struct(">12x III")
_RECORD = struct.Struct(">I I I I I I I 32x 20s 24x I")
_DAY = 86400


class Original(NamedTuple):
    """The original's view of one message. Times are 0 where it fell back on the internal date."""

    size: int
    header_size: int
    sentdate: int
    gmtime: int
    guid: bytes
    cache_crc: int
    cache: bytes


class Golden(NamedTuple):
    """A line of the golden file."""

    size: int
    header_size: int
    sentdate: int
    gmtime: int
    cache_length: int
    cache_digest: str


def golden_of(found: Original) -> Golden:
    digest = hashlib.sha1(found.cache).hexdigest()
    return Golden(found.size, found.header_size, found.sentdate, found.gmtime, len(found.cache), digest)


def read_golden() -> dict[str, Golden]:
    golden: dict[str, Golden] = {}
    for line in (Path(__file__).parent / "golden.tsv").read_text().splitlines():
        name, *numbers, digest = line.split("\t")
        size, header_size, sentdate, gmtime, length = map(int, numbers)
        golden[name] = Golden(size, header_size, sentdate, gmtime, length, digest)
    return golden


def original_records(messages: Sequence[bytes]) -> list[Original]:
    """Lay the messages into a mailbox of the original, let it reconstruct that, and read what it wrote."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    server = Instance(services=("imap",), programs={"imap": "reference"}, master="reference")
    server.start()
    try:
        server.create_user("cassandane")
    finally:
        server.stop(check=False)
    (index,) = (server.directory / "spool").rglob("cyrus.index")
    folder = index.parent
    for uid, message in enumerate(messages, 1):
        path = folder / f"{uid}."
        path.write_bytes(message)
        give_away(path)
    server.run("reconstruct", "user/cassandane", kind="reference")
    found = _read(index.read_bytes(), (folder / "cyrus.cache").read_bytes())
    server.remove()
    assert len(found) == len(messages)
    return found


def _read(index: bytes, cache: bytes) -> list[Original]:
    start, size, count = _HEADER.unpack_from(index)
    found: list[Original] = []
    for at in range(start, start + size * count, size):
        _, internal, sent, length, header, gmtime, offset, guid, crc = _RECORD.unpack_from(index, at)
        end = offset
        for _ in range(10):
            end += 4 + (int.from_bytes(cache[end : end + 4], "big") + 3) // 4 * 4
        sent = 0 if sent == internal - internal % _DAY else sent
        gmtime = 0 if gmtime == internal else gmtime
        found.append(Original(length, header, sent, gmtime, guid, crc, cache[offset:end]))
    return found


def _main() -> None:
    named = list(corpus.messages())
    for (name, _), found in zip(named, original_records([text for _, text in named]), strict=True):
        sys.stdout.write("\t".join([name, *map(str, golden_of(found))]) + "\n")


if __name__ == "__main__":
    _main()
