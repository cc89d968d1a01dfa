"""Operations of several steps: a note of each under way, and what puts right what a dead process left.

mailboxes.db changes in one transaction an operation, and that transaction decides: if it is not committed,
the operation is undone, else it is finished. Nobody needs that to read or deliver mail, since what
mailboxes.db names is whole at any time. These states may be left:

=================  ==================================  =================================================
a crash during     before the transaction              after it
=================  ==================================  =================================================
create             a directory that no record names    nothing is missing
delete             nothing has happened                directories, user data, quota roots yet to go
rename, by id      name, ACL, root of new headers      usage of quota roots; user data, as above
rename by copy,    the same, and directories that      the old directories yet to go, and as above
partition move     no record names
set quota          mailboxes that count for the        (has none)
                   root above, and usage
set ACL            an ACL in cyrus.header only         nothing is missing
relocate by id     directories that mailboxes.db does  the mark of the layout in cyrus.header
                   not expect there: it is finished
=================  ==================================  =================================================

Whoever next takes the namespace locks of the owners to change something (``exclusive``) first does what is
left, as do login, ctl_cyrusdb -r, reconstruct and quota -f (``repair_all``). The original knows no notes and
leaves such things to reconstruct, quota -f and the administrator.

Notes (see ``notes``) are synced, unless what would be lost with one is only that a directory should go which
nothing names, or what a header says. A mailbox can be removed without, when the disk is full.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from libcyrus.base import xlog
from libcyrus.errors import CyrusError, MailboxNonexistent, NoSpace
from libcyrus.mailbox import lifecycle
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.paths import MailboxPaths
from libcyrus.records.mbentry import MboxEntry

from . import byid, recount, userdata
from .make import fill_in_ancestors
from .notes import Note, Operation, left_of, opened

log = logging.getLogger(__name__)


@contextmanager
def noted(
    store: MailStore, operation: Operation, *, lasting: bool = True, needed: bool = True
) -> Iterator[None]:
    """Do the steps of ``operation`` in the block; the namespace locks are held.

    If the block fails, what it did is undone, or finished, as after a crash. ``lasting``: the note survives a
    power cut. Unless it is ``needed``, a full disk does not keep the steps from being done without note.
    """
    try:
        note = Note.write(store, operation, lasting=lasting)
    except NoSpace:
        if needed:
            raise
        yield
        return
    try:
        yield
    except BaseException:
        try:
            _put_right(store, operation)
        except (CyrusError, OSError) as error:
            log.error("cannot undo %s, left for later: %s", operation.kind, error)
            note.leave()
        else:
            note.remove()
        raise
    note.remove()


@contextmanager
def exclusive(store: MailStore, *userids: str | None, quota_change: bool = False) -> Iterator[None]:
    """Hold the namespace locks of these users with nothing left undone there.

    ``quota_change`` takes the lock for that too, which comes first. What cannot be put right is logged, and
    left to the next one. Raises MailboxLocked when this process holds such a lock in another way.
    """
    # inside of another operation that one has done it
    nested = any(store.locks.holds_user(userid) is not None for userid in userids)
    tried: set[str] = set()
    while True:
        with ExitStack() as locks:
            if quota_change:
                locks.enter_context(store.locks.quota_change())
            locks.enter_context(store.lock_users(*userids))
            left = [] if nested else [one for one in left_of(store, set(userids)) if one not in tried]
            if not left:
                yield
                return
        tried.update(left)
        for path in left:
            _try_to_repair(store, path)


def repair_all(store: MailStore, userid: str | None = None) -> int:
    """Put right whatever dead processes left; with ``userid`` only what concerns that user.

    No namespace may be locked. Returns how much was done; what cannot be is logged.
    """
    return sum(_try_to_repair(store, path) for path in left_of(store, None if userid is None else {userid}))


def _try_to_repair(store: MailStore, path: str) -> bool:
    try:
        return _repair(store, path)
    except (CyrusError, OSError) as error:
        log.error("cannot finish what %s tells of: %s", path, error)
        return False


def _repair(store: MailStore, path: str) -> bool:
    with opened(path) as operation:
        if operation is None:
            return False
        log.log(xlog.NOTICE, "putting right an interrupted %s, of %s", operation.kind,
                ", ".join(str(owner) for owner in operation.owners))  # fmt: skip
        with store.locks.quota_change(), store.lock_users(*operation.owners):
            _put_right(store, operation)
            recount.recount(store, operation.roots, operation.owners)
        os.unlink(path)
    return True


# putting right


def _put_right(store: MailStore, operation: Operation) -> None:
    """All but the usage of quota roots. The namespaces are locked. Raises what stands in the way."""
    if operation.layout is not None:
        byid.go_on(store, operation.layout, operation.renames)
    for place in operation.places:
        _clear(store, place)
    for name in operation.names:
        entry = store.mboxlist.get(name)
        if entry is not None and entry.partition and not entry.remote:
            with store.open(name, write=True) as mailbox:
                lifecycle.agree(mailbox)
    for root in operation.made_roots:
        if store.mboxlist.get(root) is None and not store.mboxlist.has_children(root):
            store.quota.delete(root, silent=True)
    for name in operation.names:
        fill_in_ancestors(store, name, operation.mbtype)
    inbox = operation.inbox
    if inbox is None or store.mboxlist.get(inbox.name) is not None:
        return
    owner = store.rules.from_internal(inbox.name).userid
    assert owner is not None
    if operation.heir is None:
        userdata.remove(store, inbox, owner)
    else:
        userdata.hand_over(store, inbox, owner, operation.heir)


def _clear(store: MailStore, place: MboxEntry) -> None:
    """Remove what is at a place where the mailbox does not live (any more, or not yet)."""
    if _is_home(store, place):
        return
    home = _home(store, place)
    if home is None and os.path.exists(MailboxPaths(store.config, store.rules, place).header):
        try:
            lifecycle.delete(store.open(place, write=True))
        except CyrusError as error:
            log.info("%s cannot be opened, only its files are removed: %s", place.name, error)
    locked = store.locks.acquire(place.path_id or place.name, exclusive=True, nonblock=True)
    try:
        # two partitions may have their archive, for one, in the same directory
        keep = MailboxPaths(store.config, store.rules, home).directories() if home is not None else ()
        lifecycle.remove_files(store, place, keep=keep)
    finally:
        locked.release()


def _home(store: MailStore, place: MboxEntry) -> MboxEntry | None:
    try:
        home = store.mboxlist.lookup_uniqueid(place.uniqueid or "")
    except MailboxNonexistent:
        # nothing else, such as a list that cannot be read, means that files may go
        return None
    return None if home.deleted or home.intermediate or not home.partition else home


def _is_home(store: MailStore, place: MboxEntry) -> bool:
    """Whether the mailbox, or by now another one, lives at that place."""
    home = _home(store, place)
    if home is not None and (home.partition, home.path_id) == (place.partition, place.path_id):
        return place.path_id is not None or home.name == place.name
    if place.path_id is not None:
        return False
    other = store.mboxlist.get(place.name)
    return other is not None and other.path_id is None and other.partition == place.partition
