"""unexpunge(8): list messages that were expunged and are still there, or bring them back.

A failure that concerns the mailbox ends with the number that the original's error table gives it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time

import click

from libcyrus import errors, tool
from libcyrus.errors import CyrusError, Fatal
from libcyrus.mailbox import unexpunge as messages
from libcyrus.mailbox.index_record import IndexRecord
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace

from .message_summary import summary

log = logging.getLogger(__name__)

_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
# first match wins
_EXIT_CODES: tuple[tuple[type[CyrusError], int], ...] = (
    (errors.NoSpace, 4),
    (errors.PermissionDenied, 5),
    (errors.QuotaExceeded, 6),
    (errors.UserFlagsExhausted, 12),
    (errors.MailboxBadFormat, 14),
    (errors.MailboxChecksum, 18),
    (errors.MailboxNotSupported, 19),
    (errors.MailboxNonexistent, 20),
    (errors.MailboxMoved, 24),
    (errors.MailboxReserved, 25),
    (errors.MailboxLocked, 26),
    (errors.PartitionUnknown, 30),
    (errors.InvalidIdentifier, 31),
)


@click.command("unexpunge")
@tool.config_option
@click.option("-l", "list_them", is_flag=True, help="List expunged messages.")
@click.option("-a", "all_of_them", is_flag=True, help="Bring back all.")
@click.option("-t", "interval", metavar="AGE", help="Bring back those expunged within AGE.")
@click.option("-u", "by_uid", is_flag=True, help="Bring back those with the given uids.")
@click.option("-d", "undelete", is_flag=True, help="Take the flag \\Deleted off.")
@click.option("-f", "flag", metavar="FLAG", help="Set a user flag.")
@click.option("-v", "verbose", is_flag=True, help="Tell old and new uids.")
@click.argument("arguments", metavar="MAILBOX [UID...]", nargs=-1)
def unexpunge(
    config_file: str | None,
    list_them: bool,
    all_of_them: bool,
    interval: str | None,
    by_uid: bool,
    undelete: bool,
    flag: str | None,
    verbose: bool,
    arguments: tuple[str, ...],
) -> int:
    """List or bring back expunged messages.

    AGE is a number of seconds, or with a letter of minutes (m), hours (h), days (d) or weeks (w).
    """
    modes = list_them + all_of_them + by_uid + (interval is not None)
    if modes != 1 or len(arguments) < (2 if by_uid else 1):
        raise tool.usage_error()
    since = int(time.time()) - _seconds(interval) if interval is not None else 0
    config = tool.begin(config_file, "unexpunge")
    if flag is not None and flag.startswith("\\"):
        log.error("can't set a system flag")
        raise Fatal("can't set a system flag", os.EX_SOFTWARE)
    space = Namespace.from_config(config, admin=True)
    name = space.internal(arguments[0], None) or ""
    uids = {_number(text) for text in arguments[1:]}
    store = MailStore(config)
    try:
        if list_them:
            _list(store, name, uids)
            return os.EX_OK
        try:
            mailbox = store.open(name, write=True)
        except CyrusError as error:
            print(f"Failed to open mailbox '{name}'")
            return _exit_code(error)
        external = space.to_external(name, None) or name
        print(f"restoring {'all ' if all_of_them else ''}expunged messages in mailbox '{external}'")

        def wanted(record: IndexRecord) -> bool:
            return record.uid in uids if by_uid else record.last_updated >= since

        with mailbox:
            try:
                restored = messages.restore(mailbox, wanted, undelete=undelete, flag=flag)
            except CyrusError as error:
                return _exit_code(error)
        for old, new in restored if verbose else ():
            print(f"Unexpunged {external}: {old} => {new}")
        print(f"restored {len(restored)} expunged messages")
    finally:
        store.close()
    return os.EX_OK


main = tool.main(unexpunge, usage_code=255)


def _list(store: MailStore, name: str, uids: set[int]) -> None:
    try:
        mailbox = store.open(name, write=False)
    except CyrusError as error:
        print(f"Failed to open mailbox {name}: {error}", end="")
        return
    with mailbox:
        found = messages.expunged(mailbox, lambda record: not uids or record.uid in uids)
        # cache files only grow while we have the mailbox open, so reading them needs no lock
        mailbox.unlock_index()
        for record in found:
            sys.stdout.write(summary(record, mailbox.stored_cache(record), expunged=True))


def _exit_code(error: CyrusError) -> int:
    for kind, code in _EXIT_CODES:
        if isinstance(error, kind):
            return code
    return 1


def _seconds(text: str) -> int:
    number = _number(text)
    return number * _UNITS.get(text[-1], 1) if number > 0 and len(text) > 1 else number


def _number(text: str) -> int:
    """What atoi reads."""
    match = re.match(r"[ \t-\r]*([+-]?[0-9]{1,18})", text)
    return int(match[1]) if match else 0
