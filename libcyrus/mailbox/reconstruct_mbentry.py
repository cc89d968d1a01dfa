"""Making the records of mailboxes.db agree with the mailboxes that are there.

The words are the original's.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator

from libcyrus.base.dataclasses import replace
from libcyrus.errors import CyrusError, MailboxBadFormat, MailboxNonexistent
from libcyrus.mailbox import header
from libcyrus.mailbox.header import MailboxHeader
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.paths import MailboxPaths
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry

log = logging.getLogger(__name__)

Say = Callable[[str], None]

FILENAME = "cyrus.header"


class UniqueidClash(Exception):
    """Two mailboxes have one unique id, and nobody asked to change that."""


def compare(
    mailbox: Mailbox,
    say: Say,
    *,
    make_changes: bool,
    prefer_mboxlist: bool = False,
    new_uniqueid: Callable[[], str] | None = None,
) -> None:
    """Bring the records of an open mailbox in line with its files.

    Where uidvalidity or ACL differ the mailbox is right, or with ``prefer_mboxlist`` mailboxes.db. A
    mailbox whose unique id belongs to another one gets a ``new_uniqueid``; without it that raises
    UniqueidClash, as it does where the id is the place of the files. Raises IoError.
    """
    store, name = mailbox.store, mailbox.name
    old = store.mboxlist.lookup(name)
    entry = old
    if mailbox.uniqueid != entry.uniqueid:
        say(f"Wrong uniqueid in mbentry, fixing {name} ({_text(entry.uniqueid)} -> {mailbox.uniqueid})")
        entry = replace(entry, uniqueid=mailbox.uniqueid)
    entry, stale = _compare_by_id(mailbox, entry, say, new_uniqueid)
    if mailbox.i.uidvalidity != entry.uidvalidity:
        ours, theirs = mailbox.i.uidvalidity, entry.uidvalidity
        if not ours or (prefer_mboxlist and theirs):
            say(f"Wrong uidvalidity in mailbox, fixing {name} ({ours} -> {theirs})")
            mailbox.dirty()
            mailbox.i.uidvalidity = theirs
        else:
            say(f"Wrong uidvalidity in mbentry, fixing {name} ({theirs} -> {ours})")
            entry = replace(entry, uidvalidity=ours)
    if prefer_mboxlist:
        mailbox.set_acl(entry.acl or "")
    if (stale or entry != old) and make_changes:
        store.mboxlist.update(entry)


def _compare_by_id(
    mailbox: Mailbox, entry: MboxEntry, say: Say, new_uniqueid: Callable[[], str] | None
) -> tuple[MboxEntry, bool]:
    """Compare with the I record; returns the entry to write and whether the I record is wrong."""
    store, name = mailbox.store, mailbox.name
    try:
        by_id = store.mboxlist.lookup_uniqueid(entry.uniqueid or "")
    except MailboxNonexistent:
        say(f"Missing mboxlist entry for uniqueid - will rewrite {name} ({entry.uniqueid})")
        return entry, True
    if by_id.name != name:
        say(f"Wrong uniqueid! {by_id.name} (should be {name})")
        if new_uniqueid is None or not entry.mbtype & mbtypes.LEGACY_DIRS:
            log.error("uniqueid clash with %s for %s (%s)", by_id.name, name, mailbox.uniqueid)
            raise UniqueidClash
        uniqueid = new_uniqueid()
        log.error(
            "uniqueid clash with %s - changed %s (%s => %s)", by_id.name, name, by_id.uniqueid, uniqueid
        )
        mailbox.header.uniqueid = uniqueid
        mailbox.header_changed()
        return replace(entry, uniqueid=uniqueid), True
    stale = False
    for word, ours, theirs in (
        ("uidvalidity", entry.uidvalidity, by_id.uidvalidity),
        ("mbtype", entry.mbtype, by_id.mbtype),
        ("partition", _text(entry.partition), _text(by_id.partition)),
        ("server", _text(entry.server), _text(by_id.server)),
        ("acl", _text(entry.acl), _text(by_id.acl)),
    ):
        if ours != theirs:
            say(f"mismatched {word} byid {name} ({ours} {theirs})")
            stale = True
    return entry, stale


def from_header(store: MailStore, path: str, say: Say) -> None:
    """Write the records of the mailbox whose ``cyrus.header`` is at ``path`` (or in that directory).

    What cannot be done is said, not raised.
    """
    try:
        real = os.path.realpath(path, strict=True)
    except OSError:
        say(f"Can not resolve path '{path}'")
        return
    if not path.endswith(FILENAME):
        real += "/" + FILENAME
    try:
        with open(real, "rb") as file:
            found = header.unpack(file.read())
    except (OSError, MailboxBadFormat):
        say(f"Invalid/missing cyrus.header at '{real}'")
        return
    partition = _partition_of(store, real)
    if partition is None:
        say(f"Header for mailbox '{_text(found.name)}' is not located on a valid [meta]partition")
        return
    name = found.name
    if name is None and found.uniqueid is not None:
        name = store.mboxlist.name_of_uniqueid(found.uniqueid)
    if name is None:
        log.info("neither the mailbox header nor mbentry had a mailbox name: %s", real)
        return
    with store.locks.user(store.rules.from_internal(name).userid):
        _from_header(store, name, real, partition, found, say)


def find_by_name(store: MailStore, name: str, partition: str) -> MboxEntry | None:
    """The entry for a directory on this partition whose header bears ``name``, if there is one."""
    legacy = MboxEntry(name, mbtype=mbtypes.LEGACY_DIRS, partition=partition)
    candidates = [MailboxPaths(store.config, store.rules, legacy).header]
    root = store.config.metapartition_dir(partition, "header") or store.config.partition_dir(partition)
    if root is not None:
        candidates += _headers_by_id(root)
    for path in candidates:
        try:
            with open(path, "rb") as file:
                found = header.unpack(file.read())
        except (OSError, MailboxBadFormat):
            continue
        is_legacy = path == candidates[0]
        if found.uniqueid and (is_legacy or found.name == name):
            kind = mbtypes.parse(found.mbtype) & ~mbtypes.LEGACY_DIRS
            return MboxEntry(
                name,
                mbtype=kind | (mbtypes.LEGACY_DIRS if is_legacy else 0),
                uniqueid=found.uniqueid,
                partition=partition,
                acl=found.acl,
            )
    return None


def _from_header(
    store: MailStore, name: str, path: str, partition: str, found: MailboxHeader, say: Say
) -> None:
    uniqueid, mbtype = found.uniqueid, mbtypes.parse(found.mbtype)
    fix_header = uniqueid is None or found.name is None
    if uniqueid is None:
        uniqueid = _uniqueid_in_path(path)
        if uniqueid is None:
            known = store.mboxlist.get_all(name)
            uniqueid = known.uniqueid if known is not None else None
            mbtype |= mbtypes.LEGACY_DIRS
        if uniqueid is None:
            say(f"Header for mailbox '{name}' is not located in proper UUID location: '{path}'")
            return
    entry = MboxEntry(name, mbtype=mbtype, uniqueid=uniqueid, partition=partition, acl=found.acl or "")
    proper = MailboxPaths(store.config, store.rules, entry).header
    if os.path.realpath(proper) != path:
        say(f"Header for mailbox '{name}' ({uniqueid}) is not located in proper location: '{proper}'")
        return
    try:
        with store.open(entry, write=True, exclusive=True) as mailbox:
            entry = replace(
                entry,
                uidvalidity=mailbox.i.uidvalidity,
                foldermodseq=mailbox.i.highestmodseq,
                createdmodseq=mailbox.i.createdmodseq,
            )
            if fix_header:
                mailbox.header = replace(
                    mailbox.header, name=name, uniqueid=uniqueid, mbtype=mbtypes.format(mbtype)
                )
                mailbox.header_changed()
    except CyrusError as error:
        say(f"failed to open mailbox {name} ({uniqueid}): {error}")
        return
    try:
        store.mboxlist.update(entry)
    except CyrusError as error:
        say(f"failed to create mbentry for {name} ({uniqueid}): {error}")
        return
    say(f"created mbentry for {name} ({uniqueid})")


def _partition_of(store: MailStore, path: str) -> str | None:
    config = store.config
    for name in config.partitions():
        root = config.metapartition_dir(name, "header") or config.partition_dir(name)
        if root is not None and path.startswith(os.path.realpath(root) + "/"):
            return name
    return None


def _headers_by_id(root: str) -> Iterator[str]:
    for first in _names(f"{root}/uuid"):
        for second in _names(f"{root}/uuid/{first}"):
            for uniqueid in _names(f"{root}/uuid/{first}/{second}"):
                yield f"{root}/uuid/{first}/{second}/{uniqueid}/{FILENAME}"


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _uniqueid_in_path(path: str) -> str | None:
    parts = path.split("/")[-5:-1]
    if len(parts) == 4 and parts[0] == "uuid" and parts[3][:1] == parts[1] and parts[3][1:2] == parts[2]:
        return parts[3]
    return None


def _text(value: str | None) -> str:
    return "(null)" if value is None else value
