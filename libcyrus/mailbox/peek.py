"""A look at an index without any lock, for those who visit many mailboxes and find most in order.

It tells how things were at one moment, or at two. Whoever finds something to do must look again under the
lock.
"""

from __future__ import annotations

import mmap
import os
from typing import NamedTuple

from libcyrus.errors import CyrusError
from libcyrus.mailbox import index_header
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.paths import MailboxPaths
from libcyrus.records.mbentry import MboxEntry

_OLDEST_VERSION = 12
_PENDING = index_header.CLEANUP_MASK | index_header.CHANGING


class Index(NamedTuple):
    """``region`` are the records, for ``columns``: empty if no message was expunged."""

    header: IndexHeader
    region: memoryview


def index(store: MailStore, entry: MboxEntry) -> Index | None:
    """What is on disk; None when it cannot be read, is being written, or asks for clean-up."""
    try:
        fd = os.open(MailboxPaths(store.config, store.rules, entry).index, os.O_RDONLY | os.O_CLOEXEC)
        try:
            header = index_header.unpack(os.pread(fd, index_header.HEADER_SIZE, 0))
            if header.options & _PENDING or header.minor_version < _OLDEST_VERSION:
                return None
            if header.num_records == header.exists:
                return Index(header, memoryview(b""))
            end = header.start_offset + header.num_records * header.record_size
            mapped = memoryview(mmap.mmap(fd, end, prot=mmap.PROT_READ))
        finally:
            os.close(fd)
    except (OSError, ValueError, CyrusError):
        return None
    return Index(header, mapped[header.start_offset :])
