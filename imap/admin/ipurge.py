"""ipurge(8): delete old or large messages.

Differences from the original: a mailbox that cannot be opened does not keep those after it from being done,
and a dry run needs no right to write.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Iterator

import click

from libcyrus import tool
from libcyrus.errors import CyrusError
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.mboxops import purge
from libcyrus.mboxops.purge import Criteria, Purged
from libcyrus.records.find import Finder, Viewer

from .message_summary import summary

log = logging.getLogger(__name__)


@click.command("ipurge")
@tool.config_option
@click.option("-d", "days", metavar="DAYS", help="Delete messages older than DAYS.")
@click.option("-b", "size_bytes", metavar="BYTES", help="Delete messages larger than BYTES.")
@click.option("-k", "size_kilo", metavar="KBYTES", help="The same in units of 1024 bytes.")
@click.option("-m", "size_mega", metavar="MBYTES", help="The same in units of 1048576 bytes.")
@click.option("-f", "users_too", is_flag=True, help="Also in the mailboxes of users.")
@click.option("-s", "skip_flagged", is_flag=True, help="Not what is flagged.")
@click.option("-o", "only_deleted", is_flag=True, help="Only what is marked deleted.")
@click.option("-x", "exact", is_flag=True, help="Exactly this age or size.")
@click.option("-X", "by_arrival", is_flag=True, help="Age since the arrival, not the Date header.")
@click.option("-i", "invert", is_flag=True, help="Newer or smaller ones, or with -x all others.")
@click.option("-M", "no_recursion", is_flag=True, help="Arguments are names, not patterns.")
@click.option("-n", "dry_run", is_flag=True, help="Only print what would be deleted.")
@click.option("-v", "verbose", count=True, help="Name the mailboxes.")
@click.option("-h", "show_help", is_flag=True, help="Print this.")
@click.argument("patterns", metavar="[MAILBOX-PATTERN...]", nargs=-1)
def ipurge(
    config_file: str | None,
    days: str | None,
    size_bytes: str | None,
    size_kilo: str | None,
    size_mega: str | None,
    users_too: bool,
    skip_flagged: bool,
    only_deleted: bool,
    exact: bool,
    by_arrival: bool,
    invert: bool,
    no_recursion: bool,
    dry_run: bool,
    verbose: int,
    show_help: bool,
    patterns: tuple[str, ...],
) -> int:
    """Delete old or large messages."""
    if show_help:
        raise tool.usage_error()
    age = _number(days) * 86400 if days is not None else -1
    size = -1
    for text, unit in ((size_bytes, 1), (size_kilo, 1024), (size_mega, 1048576)):
        if text is not None:
            size = _number(text) * unit
    if age == size == -1:
        print("One of these must be specified -d, -b -k, -m")
        raise tool.usage_error()
    criteria = Criteria(age, size, exact, invert, skip_flagged, only_deleted, by_arrival)
    store = MailStore(tool.begin(config_file, "ipurge", need_partitions=True))
    try:
        for name in _names(store, patterns, no_recursion=no_recursion):
            if not users_too and store.rules.from_internal(name).userid is not None:
                continue
            if verbose:
                print(f"Working on {name}...")
            try:
                with store.open(name, write=not dry_run) as mailbox:
                    found = _purge(mailbox, criteria, dry_run=dry_run)
            except CyrusError as error:
                log.error("Couldn't find %s, check spelling: %s", name, error)
                continue
            _print_counts(found)
            store.run_cleanup()
    finally:
        store.close()
    return os.EX_OK


main = tool.main(ipurge, usage_code=os.EX_OK)


def _names(store: MailStore, patterns: tuple[str, ...], *, no_recursion: bool) -> Iterator[str]:
    space = Namespace.from_config(store.config, admin=True)
    if no_recursion and patterns:
        for pattern in patterns:
            name = space.internal(pattern, None) or ""
            yield from (entry.name for entry in store.mboxlist.tree(name, children=False))
        return
    finder = Finder(store.mboxlist, Viewer(space, None, None, admin=True))
    for match in list(finder.find(list(patterns) or ["*"])):
        if match is not None and match.exact:
            yield match.name.internal


def _purge(mailbox: Mailbox, criteria: Criteria, *, dry_run: bool) -> Purged:
    now = int(time.time())
    if not dry_run:
        return purge.purge(mailbox, criteria, now)
    found = purge.find(mailbox, criteria, now)
    for recno in found.recnos:
        record = mailbox.record(recno)
        sys.stdout.write(summary(record, mailbox.stored_cache(record)))
    return found


def _print_counts(found: Purged) -> None:
    for words, count in (
        ("Total messages    ", found.total),
        ("Total bytes       ", found.total_bytes),
        ("Deleted messages  ", found.deleted),
        ("Deleted bytes     ", found.deleted_bytes),
        ("Remaining messages", found.total - found.deleted),
        ("Remaining bytes   ", found.total_bytes - found.deleted_bytes),
    ):
        print(f"{words}\t\t {count}")


def _number(text: str) -> int:
    """What atoi reads."""
    match = re.match(r"[ \t-\r]*([+-]?[0-9]{1,18})", text)
    return int(match[1]) if match else 0
