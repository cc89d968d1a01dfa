"""The text in which versions before 3.6 dumped the list of mailboxes.

One line a mailbox: ``name TAB type [server!]partition acl>uniqueid mtime uidvalidity foldermodseq
createdmodseq [specialuse]``. The ACL holds TABs and may be absent; in dumps of version 2 it is the last.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator

from libcyrus.partitions import MAX_PARTITION_LEN
from libcyrus.records.mbentry import MboxEntry

_MAX_NAME = 1024
_LINE = re.compile(
    r"(?P<name>[^\t]+)\t(?P<type>-?\d+) (?P<partition>\S+)(?: (?P<acl>[^>]*))?(?:>(?P<uniqueid>\S+)"
    r"(?: (?P<mtime>\d+))?(?: (?P<uidvalidity>\d+))?(?: (?P<folder>\d+))?(?: (?P<created>\d+))?.*)?"
)


def entries(lines: Iterable[str]) -> Iterator[MboxEntry]:
    """The entries of a dump; what cannot be one is reported on standard error and left out."""
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line.rstrip("\n"))
        if found is None:
            print(f"line {number}: no partition found", file=sys.stderr)
            continue
        server, mark, partition = found["partition"].partition("!")
        if not mark:
            server, partition = "", server
        if len(os.fsencode(found["name"])) >= _MAX_NAME:
            print(f"line {number}: mailbox name too long", file=sys.stderr)
            continue
        if len(os.fsencode(partition)) >= MAX_PARTITION_LEN:
            print(f"line {number}: partition name too long", file=sys.stderr)
            continue
        yield MboxEntry(
            name=found["name"],
            mbtype=int(found["type"]),
            uniqueid=found["uniqueid"],
            partition=partition,
            server=server or None,
            uidvalidity=int(found["uidvalidity"] or 0),
            foldermodseq=int(found["folder"] or 0),
            createdmodseq=int(found["created"] or 0),
            acl=found["acl"] or None,
        )
