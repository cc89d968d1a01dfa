"""The message files in the directories of a mailbox, whatever its index says.

A file is one number here: twice its uid, and 1 more if it is in the archive. So they sort by uid.
A directory that cannot be read is an error, never taken for an empty one: all its messages would seem lost.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

from libcyrus.base import files
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
            # archiving makes its directories when it needs them
            if directory == paths.data:
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
