"""The birth, renaming and end of a mailbox's files. mailboxes.db is the caller's (``mboxops``).

All of it needs the exclusive namespace lock of the owner; a mailbox comes into being under its name lock
held exclusively, and its files go under that lock.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from libcyrus import options as opt
from libcyrus.base import files, xlog
from libcyrus.base.dataclasses import replace
from libcyrus.errors import CyrusError, IoError, MailboxLocked, MailboxNonexistent
from libcyrus.mailbox import audit, index_header
from libcyrus.mailbox.header import MailboxHeader
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.paths import MailboxPaths
from libcyrus.mboxname import is_prefix
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry

if TYPE_CHECKING:
    from libcyrus.mailbox.mailstore import MailStore

log = logging.getLogger(__name__)

_ID_LENGTH = 24
_ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def create(
    store: MailStore,
    entry: MboxEntry,
    *,
    options: int = 0,
    uidvalidity: int = 0,
    createdmodseq: int = 0,
    highestmodseq: int = 0,
) -> Mailbox:
    """Make the directories and files of a new mailbox; returns it open, name and index locked exclusively.

    ``entry`` names it, with unique id, partition, ACL and type. What is 0 is taken from the owner's
    counters; the mailbox's ``entry`` and ``i`` have what was chosen. An ``highestmodseq`` that is given stays
    as it is (replication). Everything is on disk on return. Raises MailboxLocked when it is open here or the
    user's namespace is not locked, PartitionUnknown, NoSpace, IoError.
    """
    if store.is_open(entry.name) is not None:
        raise MailboxLocked
    mailbox = Mailbox(store, entry)
    held = store.locks.holds_user(mailbox.userid)
    if mailbox.userid is not None and (held is None or not held.exclusive):
        raise MailboxLocked
    counters, kind = store.counters, entry.mbtype
    placeholder = _reserve_state(store, entry)
    if uidvalidity:
        counters.set_uidvalidity(entry.name, uidvalidity)
    else:
        uidvalidity = counters.next_uidvalidity(entry.name, int(time.time()))
    mailbox.silent = bool(highestmodseq)
    if highestmodseq:
        counters.set_modseq(entry.name, highestmodseq, kind, folder=True)
    else:
        highestmodseq = counters.next_modseq(entry.name, 0, kind, folder=True)
    if not createdmodseq or createdmodseq > highestmodseq:
        createdmodseq = highestmodseq
    mailbox.entry = replace(entry, uidvalidity=uidvalidity)
    index = IndexHeader(
        options=options,
        uidvalidity=uidvalidity,
        createdmodseq=createdmodseq,
        highestmodseq=highestmodseq,
        changes_epoch=int(time.time()),
    )
    try:
        made = _make_directories(mailbox.paths)
        mailbox.begin(new_header(store, entry), index)
        for directory in made:
            if not mailbox.index_file.keeps_names(directory):
                files.fsync_dir(directory)
    except BaseException as error:
        mailbox.drop()
        if placeholder:
            store.mboxlist.delete(entry.name)
        if not isinstance(error, OSError):
            raise
        xlog.ioerror(log, "creating mailbox failed", error, mailbox=entry.name)
        raise IoError from error
    store.adopt(mailbox)
    if store.auditlog:
        audit.mailbox_event(mailbox, "create", f" uidvalidity=<{uidvalidity}>")
    return mailbox


def _reserve_state(store: MailStore, entry: MboxEntry) -> bool:
    """Let the counters and conversations of a new user be found, which go by the INBOX's unique id.

    True if mailboxes.db got an entry for that, of which a crash leaves a mere place in the tree. A tombstone
    of a former user gives way to it.
    """
    if not store.conversations_on or not store.rules.from_internal(entry.name).is_inbox:
        return False
    known = store.mboxlist.get_all(entry.name)
    if known is not None and known.uniqueid == entry.uniqueid:
        return False
    store.mboxlist.update(
        MboxEntry(name=entry.name, uniqueid=entry.uniqueid, mbtype=entry.mbtype | mbtypes.INTERMEDIATE)
    )
    return True


def create_below(store: MailStore, name: str, mbtype: int) -> Mailbox:
    """Make a mailbox with the ACL, partition and layout of the one above it, and record it.

    Returned as by ``create``. Raises MailboxNonexistent if there is none above, and what ``create`` raises.
    """
    parent = store.mboxlist.parent(name)
    if parent is None:
        raise MailboxNonexistent
    entry = MboxEntry(
        name=name,
        mbtype=mbtype | parent.mbtype & mbtypes.LEGACY_DIRS,
        uniqueid=make_uniqueid(),
        partition=parent.partition,
        acl=parent.acl,
    )
    options = store.config[opt.mailbox_default_options] | index_header.POP3_NEW_UIDL
    mailbox = create(store, entry, options=options)
    entry = replace(
        mailbox.entry, createdmodseq=mailbox.i.createdmodseq, foldermodseq=mailbox.i.highestmodseq
    )
    try:
        store.mboxlist.update(entry)
    except BaseException:
        delete(mailbox)
        raise
    return mailbox


def make_uniqueid() -> str:
    """A new unique id in the original's form: 24 digits and lower-case letters."""
    # twice the bits that are needed, so that no letter is likelier than another
    number = int.from_bytes(os.urandom(32), "big")
    letters = []
    for _ in range(_ID_LENGTH):
        number, digit = divmod(number, len(_ID_ALPHABET))
        letters.append(_ID_ALPHABET[digit])
    return "".join(letters)


def new_header(store: MailStore, entry: MboxEntry) -> MailboxHeader:
    """What ``cyrus.header`` says as long as the mailbox has no user flags."""
    return MailboxHeader(
        name=entry.name,
        uniqueid=entry.uniqueid,
        mbtype=mbtypes.format(entry.mbtype),
        quotaroot=store.quota.find_root(entry.name),
        acl=entry.acl or "",
    )


def delete(mailbox: Mailbox, *, tell: bool = False) -> None:
    """Mark a mailbox deleted and close it, which removes its files once nobody has it open.

    ``tell`` makes an event of that it changed. Needs the exclusive index lock. Raises IoError or NoSpace,
    with the mailbox closed all the same.
    """
    store = mailbox.store
    try:
        mailbox.conversing.remove_all()
        if tell and store.events is not None:
            mailbox.changes.tell(store.events.modseq_changed(mailbox))
        mailbox.quota_dirty()
        mailbox.dirty()
        mailbox.i.options |= index_header.MAILBOX_DELETED
        mailbox.commit()
        with store.annotations.transaction() as change:
            change.delete_owner(mailbox.uniqueid)
    except BaseException:
        mailbox.abort()
        mailbox.close()
        raise
    log.log(xlog.NOTICE, "Deleted mailbox %s", mailbox.name)
    if store.auditlog:
        audit.mailbox_event(mailbox, "delete")
    mailbox.close()


def rename_in_place(
    mailbox: Mailbox,
    new_name: str,
    moves: UsageMoves,
    *,
    acl: str | None = None,
    silent: bool = False,
    with_user: bool = False,
) -> int:
    """Give a mailbox whose directory goes by its unique id another name, and ``acl``: the header; commits.

    Returns the modseq of the renaming, behind which a new ACL has its own.

    Needs the exclusive index lock. What it counts for goes into ``moves``. ``silent`` (replication) keeps the
    modseq. A mailbox that goes to another owner, or comes back from a delayed delete, takes its messages
    along to the conversations of that owner, which the original forgets to do; not so if the owner is renamed
    (``with_user``), who keeps them.
    """
    moves.count_for(mailbox, mailbox.store.quota.find_root(new_name))
    modseq = mailbox.i.highestmodseq if silent else mailbox.bump_modseq()
    if new_name != mailbox.name:
        mailbox.conversing.rename(new_name, with_user=with_user)
    mailbox.header.name = new_name
    mailbox.header_changed()
    if acl is not None and acl != mailbox.header.acl:
        # as often as two changes of the ACL would
        mailbox.bump_modseq()
        mailbox.bump_modseq()
        mailbox.set_acl(acl)
    mailbox.commit()
    return modseq


def agree(mailbox: Mailbox) -> None:
    """Let ``cyrus.header`` say what mailboxes.db and the quota roots say: name, ACL, root. Commits.

    An operation that was interrupted may have left it otherwise. Usage is not moved: the root that the
    mailbox counts for must be counted anew.
    """
    entry, header = mailbox.entry, mailbox.header
    if header.name != entry.name:
        header.name = entry.name
        mailbox.header_changed()
        mailbox.conversing.restore()
    mailbox.set_acl(mailbox.acl)
    mailbox.set_quotaroot(mailbox.store.quota.find_root(entry.name))
    if mailbox.i.highestmodseq < entry.foldermodseq and not mailbox.store.counters.enabled:
        mailbox.i.highestmodseq = entry.foldermodseq
        mailbox.dirty()
    mailbox.commit()


class UsageMoves:
    """What mailboxes count for other quota roots than before, told to the database at once for each root."""

    def __init__(self) -> None:
        self._moves: dict[str, list[tuple[str, Sequence[int]]]] = {}

    @property
    def roots(self) -> list[str]:
        return list(self._moves)

    def count_for(self, mailbox: Mailbox, root: str | None) -> None:
        """Count a mailbox, whose index is locked exclusively, for ``root`` (None: for none) from now on."""
        old = mailbox.quotaroot
        if old == root:
            return
        usage = mailbox.usage()
        if old is not None:
            self._moves.setdefault(old, []).append((mailbox.name, [-used for used in usage]))
        mailbox.set_quotaroot(root)
        if root is not None:
            self._moves.setdefault(root, []).append((mailbox.name, usage))

    def change_root(self, mailbox: Mailbox, root: str | None) -> None:
        """count_for(), but a mailbox that counts for a root of its own, below the new one, stays there."""
        old = mailbox.quotaroot
        if old is None or root is None or not is_prefix(old, root):
            self.count_for(mailbox, root)

    def apply(self, store: MailStore, *, silent: bool = False) -> None:
        """Change the sums. A failure is in the log only, for the mailboxes count for other roots already."""
        moves, self._moves = self._moves, {}
        for root, differences in moves.items():
            with suppress(CyrusError):
                store.quota.update_each(root, differences, silent=silent)


def remove_deleted(mailbox: Mailbox) -> None:
    """Remove the files of a mailbox that ``delete`` marked, unless a new one has taken its place."""
    try:
        mailbox.relock_exclusively()
    except CyrusError as error:
        log.debug("files of deleted mailbox %s not removed: %s", mailbox.name, error)
        return
    if mailbox.i.options & index_header.MAILBOX_DELETED:
        remove_files(mailbox.store, mailbox.entry)


def remove_files(store: MailStore, entry: MboxEntry, *, keep: Collection[str] = ()) -> None:
    """Remove everything below a mailbox's directories, and the directories that are empty then.

    All but the directories ``keep``. Needs the name lock exclusively. What cannot be removed is logged.
    """
    directories = [
        directory
        for directory in MailboxPaths(store.config, store.rules, entry).directories()
        if directory not in keep
    ]
    for directory in directories:
        _remove_content(directory)
    if entry.path_id is not None:
        for directory in directories:
            _rmdir(directory)
        return
    _remove_legacy_directories(store, entry, directories)


def _make_directories(paths: MailboxPaths) -> list[str]:
    """Make what is missing; returns the directories in which something was made."""
    changed: list[str] = []
    for directory in dict.fromkeys(
        (os.path.dirname(paths.index), os.path.dirname(paths.header), paths.data)
    ):
        missing = directory
        while not os.path.isdir(missing):
            missing = os.path.dirname(missing)
            changed.append(missing)
        files.mkdirs(directory)
    return list(dict.fromkeys(changed))


def _remove_content(directory: str) -> None:
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return
    except OSError as error:
        xlog.ioerror(log, "reading directory failed", error, filename=directory)
        return
    for name in names:
        # directories in here are mailboxes of the legacy layout
        with suppress(IsADirectoryError, PermissionError, FileNotFoundError):
            os.unlink(f"{directory}/{name}")


def _rmdir(directory: str) -> None:
    try:
        os.rmdir(directory)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.log(
            xlog.NOTICE, "Remove of supposedly empty directory %s failed: %s", directory, error.strerror
        )


def _remove_legacy_directories(store: MailStore, entry: MboxEntry, directories: list[str]) -> None:
    """A directory named after a mailbox also holds its children, and parents that are no mailbox go along."""
    name = store.rules.from_internal(entry.name)
    while True:
        children = store.mboxlist.tree(name.internal, root=False)
        if any(child.partition == entry.partition for child in children):
            return
        for directory in directories:
            _rmdir(directory)
        parent = name.parent()
        if parent is None:
            return
        known = store.mboxlist.get(parent.internal)
        if known is not None and (known.mbtype & mbtypes.MOVING or known.partition == entry.partition):
            return
        directories = [os.path.dirname(directory) for directory in directories]
        name = parent
