"""The message files in the directories of a mailbox, whatever its index says.

A file is one number here: twice its uid, and 1 more if it is in the archive. So they sort by uid.
A directory that cannot be read is an error, never taken for an empty one: all its messages would seem lost.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from libcyrus.base import files
from libcyrus.mailbox import columns
from libcyrus.mailbox.index_record import ARCHIVED, OFFSET_FLAGS, UNLINKED
from libcyrus.mailbox.mailbox import Mailbox

log = logging.getLogger(__name__)


def find(mailbox: Mailbox, odd_files: str, say: Callable[[str], None]) -> list[int]:
    """The message files, sorted. What ``say`` gets is logged too.

    Files that are no messages and not the server's are told of, and removed if ``odd_files`` is ``remove``,
    unless it is ``ignore``. Raises OSError.
    """
    paths = mailbox.paths
    found = []
    for directory in dict.fromkeys((paths.data, paths.archive)):
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            # the original makes directories when the first message comes
            if directory == paths.data and _expects_files(mailbox):
                raise
            continue
        for name in names:
            if name.startswith((".", "cyrus.")):
                continue
            uid = _uid_of(name)
            if uid is not None:
                found.append(uid << 1 | (directory != paths.data))
            elif odd_files != "ignore":
                _odd_file(mailbox, f"{directory}/{name}", odd_files, say)
    return sorted(found)


def path(mailbox: Mailbox, file: int) -> str:
    return mailbox.paths.message(file >> 1, archived=bool(file & 1))


def size(path: str) -> int:
    """0 for a file that is not there. Raises OSError."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _expects_files(mailbox: Mailbox) -> bool:
    """Whether any record is of a message that should be there, and not in the archive."""
    flags = columns.words(mailbox.region, mailbox.i.record_size, OFFSET_FLAGS)
    return not all(map((UNLINKED | ARCHIVED).__and__, flags))


def _odd_file(mailbox: Mailbox, path: str, odd_files: str, say: Callable[[str], None]) -> None:
    if os.path.isdir(path) or not os.path.exists(path):
        return
    said = [f"{mailbox.name} odd file {path}"]
    if odd_files == "remove":
        files.remove(path)
    else:
        said.append("run reconstruct with -O to remove odd files")
    for line in said:
        say(line)
        log.error("%s", line)


def _uid_of(name: str) -> int | None:
    """The number of a file ``NUMBER.``, zero included: such a file gets a proper uid."""
    digits = name[:-1]
    if name[-1:] != "." or not (digits.isascii() and digits.isdigit()) or len(digits) > 10:
        return None
    uid = int(digits)
    return uid if uid <= 0xFFFFFFFF else None
