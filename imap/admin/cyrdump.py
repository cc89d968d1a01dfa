"""cyrdump(8): print mailboxes, each as one MIME message with their mail inside.

As the original has it, the Content-ID of a message is the uid of the *next* one, and 0 with the last.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import time

import click

from libcyrus import options as opt
from libcyrus import tool
from libcyrus.errors import CyrusError
from libcyrus.mailbox import columns
from libcyrus.mailbox.index_record import ANSWERED, ARCHIVED, DELETED, DRAFT, EXPUNGED, FLAGGED
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.records.find import Finder, Viewer
from libcyrus.text.urlpath import mailbox_path

_FLAGS = ((ANSWERED, "Answered"), (DELETED, "Deleted"), (DRAFT, "Draft"), (FLAGGED, "Flagged"))


@click.command("cyrdump")
@tool.config_option
@click.option("-v", "verbose", count=True, help="Tell what cannot be read.")
@click.argument("patterns", metavar="MAILBOX-PATTERN...", nargs=-1, required=True)
def cyrdump(config_file: str | None, verbose: int, patterns: tuple[str, ...]) -> int:
    """Print mailboxes, each as one MIME message with their mail inside."""
    config = tool.begin(config_file, "dump", need_partitions=True)
    store = MailStore(config)
    space = Namespace.from_config(config, admin=True)
    finder = Finder(store.mboxlist, Viewer(space, None, None, admin=True))
    try:
        for match in list(finder.find(list(patterns))):
            if match is None or not match.exact:
                continue
            name = match.name.internal
            try:
                mailbox = store.open(name, write=False)
            except CyrusError as error:
                if verbose:
                    _out(f"error opening {name}: {error}\n")
                continue
            with mailbox:
                _dump(mailbox, config[opt.servername] or "", verbose=bool(verbose))
    finally:
        store.close()
    return os.EX_OK


main = tool.main(cyrdump)


Message = tuple[int, int]
"""uid, and the word of system and internal flags"""


def _dump(mailbox: Mailbox, server: str, *, verbose: bool) -> None:
    boundary = f"dump-{os.getpid()}-{int(time.time())}-{random.randrange(2**31)}"
    nextuid = mailbox.i.last_uid + 1
    scan = columns.fields(mailbox.region, mailbox.i.record_size, ">I28xI")
    found = [(uid, flags) for uid, flags in scan if uid and not flags & EXPUNGED]
    # the files stay as long as the mailbox is open
    mailbox.unlock_index()
    _out(f'Content-Type: multipart/related; boundary="{boundary}"\n\n')
    _out(f"--{boundary}\nContent-Type: text/xml\nIMAP-Dump-Version: 0\n\n")
    _out(f'<imapdump uniqueid="{mailbox.uniqueid}">\n')
    _out(f"  <mailbox-url>imap://{server}/{mailbox_path(mailbox.name)}</mailbox-url>\n")
    _out(f"  <incremental-uid>0</incremental-uid>\n  <nextuid>{nextuid}</nextuid>\n\n")
    _out(f"  <uidlist>{_uids(found)}</uidlist>\n\n  <flags>\n")
    for bit, word in _FLAGS:
        having = [message for message in found if message[1] & bit]
        _out(f'  <flag name="\\{word}" user="*">{_uids(having)}</flag>\n')
    _out("  </flags>\n</imapdump>\n")
    following = [uid for uid, _ in found[1:]] + [0]
    for message, content_id in zip(found, following, strict=False):
        _out(f"\n--{boundary}\nContent-Type: message/rfc822\nContent-ID: {content_id}\n\n")
        if not _copy(mailbox, message, verbose=verbose):
            break
    _out(f"\n--{boundary}--\n")


def _copy(mailbox: Mailbox, message: Message, *, verbose: bool) -> bool:
    """Print a message; False if it cannot be read."""
    uid, flags = message
    sys.stdout.flush()
    try:
        fd = os.open(mailbox.paths.message(uid, archived=bool(flags & ARCHIVED)), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        if verbose:
            _out(f"error mapping message {uid}: System I/O error\n")
        return False
    with open(fd, "rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    return True


def _uids(messages: list[Message]) -> str:
    return "".join(f"{uid} " for uid, _ in messages)


def _out(text: str) -> None:
    sys.stdout.write(text)
