"""What a user has beside mailboxes: state databases, Sieve scripts, quota roots, annotations."""

from __future__ import annotations

import logging
import os
from contextlib import suppress

from libcyrus import options as opt
from libcyrus.base import files, xlog
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import is_prefix, legacy_state_path, sieve_path, state_path
from libcyrus.records import userstate
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.subscriptions import Subscriptions

log = logging.getLogger(__name__)

_SUFFIXES = (
    userstate.DAV,
    userstate.SUBSCRIPTIONS,
    userstate.COUNTERS,
    userstate.CONVERSATIONS,
    userstate.SEEN,
    userstate.MBOXKEY,
)


def remove(store: MailStore, inbox: MboxEntry, userid: str) -> None:
    """Remove all of it. ``inbox`` is the entry that the INBOX had; the namespace lock is held."""
    name = store.rules.from_userid(userid)
    if not store.config[opt.sieveusehomedir]:
        _remove_directory(sieve_path(store.config[opt.sievedir] or "", name, inbox.path_id))
    _delete_quota_roots(store, userid)
    store.sync_log.unuser(userid)
    if inbox.path_id is not None:
        directory = state_path(store.config.directory, inbox.path_id, None)
        for suffix in _SUFFIXES:
            _remove(state_path(store.config.directory, inbox.path_id, suffix))
        with suppress(OSError):
            # anything else in there is not ours to remove
            os.rmdir(directory)
        return
    for suffix in _SUFFIXES:
        _remove(legacy_state_path(store.config.directory, name, suffix))


def hand_over(store: MailStore, inbox: MboxEntry, old: str, new: str) -> None:
    """Give what the user ``old`` had to ``new``, who has the mailboxes now; may be repeated.

    ``inbox`` is the entry that the INBOX had: what goes by its id stays where it is. Quota roots are there
    already under their new names.
    """
    if inbox.path_id is None:
        _rename_files(store, old, new)
    _delete_quota_roots(store, old)
    store.sync_log.unuser(old)
    store.sync_log.user(new)


def _delete_quota_roots(store: MailStore, userid: str) -> None:
    """Remove the quota roots of a user's INBOX and everything below it."""
    inbox = store.rules.inbox(userid)
    for quota in list(store.quota.all(inbox)):
        if is_prefix(quota.root, inbox):
            store.quota.delete(quota.root)


def _rename_files(store: MailStore, old: str, new: str) -> None:
    """Give the state files of a user in the old layout the names for the user ``new``."""
    source, target = store.rules.from_userid(old), store.rules.from_userid(new)
    directory = store.config.directory
    _rename(
        legacy_state_path(directory, source, userstate.SEEN),
        legacy_state_path(directory, target, userstate.SEEN),
    )
    subscriptions = Subscriptions(store.config, store.userstate)
    old_inbox, new_inbox = source.internal, target.internal
    subscriptions.add(
        new,
        *(
            new_inbox + name[len(old_inbox) :] if is_prefix(name, old_inbox) else name
            for name in subscriptions.list(old)
        ),
    )
    if not store.config[opt.sieveusehomedir]:
        sievedir = store.config[opt.sievedir] or ""
        _rename(sieve_path(sievedir, source, None), sieve_path(sievedir, target, None))


def _rename(old: str, new: str) -> None:
    if not os.path.exists(old):
        return
    try:
        files.mkdirs_for(new)
        os.rename(old, new)
    except OSError as error:
        xlog.ioerror(log, "rename failed", error, oldname=old, newname=new)


def _remove_directory(path: str) -> None:
    try:
        names = os.listdir(path)
    except OSError:
        return
    for name in names:
        _remove(f"{path}/{name}")
    with suppress(OSError):
        os.rmdir(path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        xlog.ioerror(log, "unlink failed", error, filename=path)
