"""Internal dates that have nothing to do with the dates of the messages, as after a migration."""

from __future__ import annotations

from collections.abc import Iterator

from libcyrus.base.dataclasses import replace
from libcyrus.mailbox.index_record import IndexRecord
from libcyrus.mailbox.mailbox import Mailbox

_DAY = 86400


def normalize_internaldates(mailbox: Mailbox) -> Iterator[tuple[IndexRecord, int]]:
    """Give messages whose internal date is a day or more off the date they were sent.

    Yields each changed record with its old internal date. Needs the exclusive index lock, and a commit.
    """
    for record in mailbox.records(expunged=False):
        if abs(record.internaldate - record.gmtime) >= _DAY:
            old = record.internaldate
            changed = replace(record, internaldate=record.gmtime)
            mailbox.rewrite(changed)
            yield changed, old
