"""What unexpunge(8) and ipurge(8) print about a message."""

from __future__ import annotations

import time

from libcyrus.mailbox.index_record import IndexRecord
from libcyrus.message.cache import split


def summary(record: IndexRecord, cache: bytes | memoryview | None, *, expunged: bool = False) -> str:
    """Several lines and an empty one; ``cache`` is its cache record, None where that cannot be read.

    ``expunged`` adds the time at which the message was.
    """
    lines = [
        f"UID: {record.uid}",
        f"\tSize: {record.size}",
        f"\tSent: {time.ctime(record.sentdate)}",
        f"\tRecv: {time.ctime(record.internaldate)}",
    ]
    if expunged:
        lines.append(f"\tExpg: {time.ctime(record.last_updated)}")
    try:
        items = split(cache) if cache is not None else None
    except ValueError:
        items = None
    if items is None:
        lines.append("\tERROR: cache record missing or corrupt, not printing cache details")
    else:
        for word, item in (
            ("From", items.from_), ("To  ", items.to), ("Cc  ", items.cc), ("Bcc ", items.bcc),
            ("Subj", items.subject),
        ):  # fmt: skip
            lines.append(f"\t{word}: {bytes(item).decode('utf-8', 'surrogateescape')}")
    return "\n".join(lines) + "\n\n"
