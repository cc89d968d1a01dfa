"""Giving mailboxes of the old layout, whose directories go by name, directories that go by unique id.

For each mailbox its directories and metadata files are renamed, and with an INBOX the user's state
databases, Sieve scripts and search indexes; then mailboxes.db and cyrus.header lose the mark of the old
layout. Mailboxes below come first, since their directories lie inside.

A crash in between leaves a mailbox some of whose files are where mailboxes.db does not look for them; a note
(see ``unfinished``) lets the next one go on. So does doing it again: what is gone was renamed.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable, Iterator

from libcyrus import options as opt
from libcyrus.base import files, xlog
from libcyrus.base.dataclasses import replace
from libcyrus.base.dirhash import hash_letter
from libcyrus.errors import IoError
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import MboxName, id_path, legacy_state_path, sieve_path, state_path
from libcyrus.partitions import Meta
from libcyrus.records import mbtype as mbtypes
from libcyrus.records import userstate
from libcyrus.records.mbentry import MboxEntry

log = logging.getLogger(__name__)

Paths = tuple[tuple[str, str], ...]
Say = Callable[[str], None]

_STATE = (
    userstate.SUBSCRIPTIONS,
    userstate.SEEN,
    userstate.CONVERSATIONS,
    userstate.COUNTERS,
    userstate.MBOXKEY,
    userstate.DAV,
    userstate.XAPIANACTIVE,
)
_META = (
    Meta.HEADER, Meta.INDEX, Meta.CACHE, Meta.SQUAT, Meta.EXPUNGE, Meta.ANNOTATIONS, Meta.DAV,
    Meta.ARCHIVECACHE,
)  # fmt: skip


def paths(store: MailStore, entry: MboxEntry) -> Paths:
    """Old and new path of all that may have to be renamed for a mailbox, in order; it need not exist."""
    config = store.config
    partitions = store.partitions
    after = replace(entry, mbtype=entry.mbtype & ~mbtypes.LEGACY_DIRS)
    found = {
        partitions.data_dir(entry): partitions.data_dir(after),
        partitions.archive_dir(entry): partitions.archive_dir(after),
        partitions.meta_dir(entry): partitions.meta_dir(after),
    }
    for kind in _META:
        old = f"{partitions.meta_dir(entry, kind)}/{kind.filename}"
        found[old] = f"{partitions.meta_dir(after, kind)}/{kind.filename}"
    name = store.rules.from_internal(entry.name)
    if name.is_inbox:
        assert entry.uniqueid
        for suffix in _STATE:
            old = legacy_state_path(config.directory, name, suffix)
            found[old] = state_path(config.directory, entry.uniqueid, suffix)
        sievedir = config[opt.sievedir] or ""
        found[sieve_path(sievedir, name, None)] = sieve_path(sievedir, name, entry.uniqueid)
        if config[opt.search_engine] == "xapian":
            found.update(_search_tiers(store, name, entry.uniqueid))
    return tuple(found.items())


def carry_out(store: MailStore, entry: MboxEntry, renames: Paths, say: Say = lambda line: None) -> str:
    """Rename what exists, then change the records; ``say`` hears of it. The owner's namespace is locked.

    When something cannot be renamed, what was is renamed back, and the reason returned.
    """
    done: list[tuple[str, str]] = []
    for old, new in renames:
        if not os.path.lexists(old):
            continue
        say(f"\tRenaming: {old}\t -> {new}")
        try:
            _rename(old, new)
        except OSError as error:
            xlog.ioerror(log, "rename failed", error, oldname=old, newname=new)
            for back, there in reversed(done):
                say(f"\tRenaming: {there}\t -> {back}")
                _rename(there, back)
            return f"Failed to rename {old}\t -> {new}: {error.strerror}"
        done.append((old, new))
    # the records must not get to disk before the names
    for directory in {os.path.dirname(path) for pair in done for path in pair}:
        files.fsync_dir(directory)
    mbtype = entry.mbtype & ~mbtypes.LEGACY_DIRS
    store.mboxlist.update(replace(entry, mbtype=mbtype))
    with store.open(entry.name, write=True) as mailbox:
        mailbox.header.mbtype = mbtypes.format(mbtype)
        mailbox.header_changed()
    return ""


def go_on(store: MailStore, entry: MboxEntry, renames: Paths) -> None:
    """What a dead process did not come to. Raises IoError."""
    known = store.mboxlist.get(entry.name)
    if known is None or known.uniqueid != entry.uniqueid:
        return
    if known.mbtype & mbtypes.LEGACY_DIRS:
        if carry_out(store, known, renames):
            raise IoError
        return
    with store.open(entry.name, write=True) as mailbox:
        mailbox.header.mbtype = mbtypes.format(known.mbtype)
        mailbox.header_changed()


def _rename(old: str, new: str) -> None:
    try:
        os.rename(old, new)
    except FileNotFoundError:
        files.mkdirs_for(new)
        os.rename(old, new)
    except OSError as error:
        if error.errno != errno.EXDEV or not os.path.isfile(old):
            raise
        files.mkdirs_for(new)
        files.copy(old, new, keep_times=True)
        os.unlink(old)


def _search_tiers(store: MailStore, name: MboxName, uniqueid: str) -> Iterator[tuple[str, str]]:
    """The user's indexes that ``xapianactive`` names, as ``tier:generation``."""
    active = legacy_state_path(store.config.directory, name, userstate.XAPIANACTIVE)
    try:
        with open(active, encoding="utf-8", errors="surrogateescape") as stream:
            items = [item.rpartition(":") for item in stream.read().split()]
    except FileNotFoundError:
        return
    full = name.rules.fulldirhash
    domain = f"/domain/{hash_letter(name.domain, full=full)}/{name.domain}" if name.domain is not None else ""
    owner = name.localpart or ""
    old = f"{domain}/{hash_letter(owner, full=full)}/user/{owner}"
    new = f"/user/{id_path(uniqueid)}"
    for key, root in store.config.overflow_items():
        tier, mark, _ = key.partition("searchpartition-")
        for wanted, _, generation in items:
            if mark and wanted == tier:
                index = f"/xapian.{generation}" if generation not in ("", "0") else "/xapian"
                yield root + old + index, root + new + index
