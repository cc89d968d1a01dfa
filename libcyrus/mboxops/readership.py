"""Who reads and who subscribed to mailboxes: what seen.db and sub.db of all users say.

Owners are no readers by this, since what they have seen is in the mailbox itself.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.cyrusdb import Database
from libcyrus.errors import CyrusError, MailboxBadFormat, NotFound
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.seen import SeenData, open_existing
from libcyrus.records.userstate import SEEN, SUBSCRIPTIONS

log = logging.getLogger(__name__)

_VERSION_KEY = b"\x1fVER\x1f"


@dataclass(slots=True)
class Readership:
    """Userids, in the order of the users' files."""

    readers: list[str] = field(default_factory=list)
    subscribers: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Period:
    """Who read between ``start`` and ``end`` (seconds) counts; states older than ``prune`` are forgotten."""

    start: int
    end: int
    prune: int = 0


def count(
    store: MailStore,
    mailboxes: Iterable[MboxEntry],
    period: Period,
    *,
    subscriptions: bool,
    advance: Callable[[], None],
) -> dict[str, Readership]:
    """The readership of these mailboxes, by internal name. ``advance`` is called after each user.

    A user's file that cannot be read is logged and left out.
    """
    by_name: dict[str, Readership] = {}
    by_id: dict[str, Readership] = {}
    for entry in mailboxes:
        by_name[entry.name] = by_id[entry.uniqueid or ""] = Readership()
    for userid, directory_files in _users(store):
        try:
            if SEEN in directory_files:
                _count_seen(store, userid, directory_files[SEEN], by_id, period)
            if subscriptions and SUBSCRIPTIONS in directory_files:
                _count_subscriptions(store, userid, directory_files[SUBSCRIPTIONS], by_name)
        except (CyrusError, OSError) as error:
            log.error("reading state of user %s: %s", userid, error)
        advance()
    return by_name


def _users(store: MailStore) -> Iterator[tuple[str, dict[str, str]]]:
    """Every user with their seen and subscription files; those of the old layout need no INBOX."""
    known: set[str] = set()
    for entry in store.mboxlist.all():
        name = store.rules.from_internal(entry.name)
        if not name.is_inbox or name.deleted or name.userid is None:
            continue
        paths = {kind: store.userstate.path(name, kind) for kind in (SEEN, SUBSCRIPTIONS)}
        known.update(paths.values())
        yield name.userid, {kind: path for kind, path in paths.items() if os.path.exists(path)}
    orphans: dict[str, dict[str, str]] = {}
    top = os.path.join(store.config.directory, "user")
    for letter in sorted(os.listdir(top)):
        directory = os.path.join(top, letter)
        for file in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
            user, _, kind = file.rpartition(".")
            path = os.path.join(directory, file)
            if user and kind in (SEEN, SUBSCRIPTIONS) and path not in known:
                orphans.setdefault(user, {})[kind] = path
    yield from orphans.items()


def _count_seen(
    store: MailStore, userid: str, path: str, by_id: dict[str, Readership], period: Period
) -> None:
    stale = []
    with _open(store, store.config[opt.seenstate_db], path) as db:
        for key, data in db.foreach():
            try:
                lastread = SeenData.unpack(data).lastread
            except MailboxBadFormat:
                continue
            found = by_id.get(os.fsdecode(key))
            if found is not None and period.start <= lastread <= period.end:
                found.readers.append(userid)
            if lastread < period.prune:
                stale.append(key)
        if stale:
            with db.transaction() as txn:
                for key in stale:
                    txn.delete(key)


def _count_subscriptions(store: MailStore, userid: str, path: str, by_name: dict[str, Readership]) -> None:
    with _open(store, store.config[opt.subscription_db], path) as db:
        current = db.fetch(_VERSION_KEY) is not None
        inbox = store.rules.from_userid(userid).dbname
        for key, _ in db.foreach(b"N" if current else b""):
            name = os.fsdecode(key)
            if current:
                name = name[1:]
                dbname = inbox + name[5:] if name.startswith("INBOX") else name
                name = store.rules.from_db(dbname).internal
            found = by_name.get(name)
            if found is not None:
                found.subscribers.append(userid)


def _open(store: MailStore, backend: str, path: str) -> Database:
    return cyrusdb.open_db(backend, path, settings=cyrusdb.Settings.from_config(store.config))


def owners(store: MailStore) -> Iterator[tuple[str, MboxEntry]]:
    """Every mailbox that somebody owns, with the owner's userid."""
    for entry in store.mboxlist.all():
        userid = store.rules.from_internal(entry.name).userid
        if userid is not None:
            yield userid, entry


def forget_seen(store: MailStore, userid: str, uniqueids: Iterable[str]) -> None:
    """Remove a user's seen state of mailboxes from seen.db, durably; a user may have none."""
    try:
        db = open_existing(store.config, store.userstate, userid)
    except NotFound:
        return
    if db is not None:
        with db:
            for uniqueid in uniqueids:
                db.delete(uniqueid)
