"""Copying a mailbox's files to where they will be under another name or on another partition."""

from __future__ import annotations

import logging
import os
from contextlib import suppress

from libcyrus.base import files, xlog
from libcyrus.errors import IoError
from libcyrus.mailbox import lifecycle
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.paths import META_FILES, MailboxPaths
from libcyrus.records.mbentry import MboxEntry

log = logging.getLogger(__name__)


def copy(store: MailStore, mailbox: Mailbox, new: MboxEntry) -> None:
    """Copy everything to the place of ``new``, synced; on an error nothing is left there.

    ``mailbox`` is open with its index locked exclusively. Messages are linked where that is possible;
    metadata files, which change in place, are copied.
    """
    old_paths, new_paths = mailbox.paths, MailboxPaths(store.config, store.rules, new)
    mailbox.commit()
    try:
        for directory in new_paths.directories():
            files.mkdirs_lasting(directory)
        for kind in META_FILES:
            source, target = old_paths.meta(kind), new_paths.meta(kind)
            # partitions may share the directory of some kinds of files
            if source != target:
                with suppress(FileNotFoundError):
                    _copy_file(source, target)
        for record in mailbox.records(unlinked=False):
            source = mailbox.message_path(record)
            target = new_paths.message(record.uid, archived=record.archived)
            if source != target:
                with suppress(FileNotFoundError):
                    os.unlink(target)
                files.link_or_copy(source, target)
        for directory in new_paths.directories():
            files.fsync_dir(directory)
            files.fsync_dir(os.path.dirname(directory))
    except OSError as error:
        xlog.ioerror(log, "copying mailbox failed", error, mailbox=mailbox.name, target=new.name)
        lifecycle.remove_files(store, new, keep=old_paths.directories())
        raise IoError from error


def open_copy(store: MailStore, entry: MboxEntry) -> Mailbox:
    """Open a copy that mailboxes.db does not know yet, locked exclusively; ``drop`` it when done."""
    mailbox = Mailbox(store, entry)
    try:
        mailbox.open_locked(exclusive_name=True, write=True)
    except BaseException:
        mailbox.drop()
        raise
    return mailbox


def _copy_file(source: str, target: str) -> None:
    with open(source, "rb") as reader:
        files.replace(target, reader.read())
