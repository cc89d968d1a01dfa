"""Lists and annotations of versions before 3.6, whose keys have no ids.

Then the keys of mailboxes.db were internal names, without anything before them, and annotations.db went by
those names too. Directories went by names, and go on to do so for mailboxes found here.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Iterable

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.base import files
from libcyrus.base.dataclasses import replace
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config
from libcyrus.errors import MailboxBadFormat, NotFound
from libcyrus.mboxname import NameRules

from . import mbtype as mbtypes
from .annotate import FILENAME as ANNOTATIONS
from .annotate import pack_key, unpack_key
from .mbentry import MboxEntry, unpack
from .mboxlist import FILENAME, Mboxlist

log = logging.getLogger(__name__)

Record = tuple[bytes, bytes]


def upgrade(config: Config, find_id: Callable[[MboxEntry], str | None]) -> bool:
    """Rewrite an old list and the annotations; False if the list is not old.

    ``find_id`` knows the unique id of a mailbox whose record has none. To be called while no server runs.
    The list comes last, so that what was interrupted is done again.
    """
    backend = config[opt.mboxlist_db]
    settings = cyrusdb.Settings.from_config(config)
    path = config[opt.mboxlist_db_path] or f"{config.directory}/{FILENAME}"
    try:
        with cyrusdb.open_db(backend, path, settings=settings) as db:
            if not is_old(db.foreach()):
                return False
            records = list(db.foreach())
    except NotFound:
        return False
    log.log(NOTICE, "upgrading %s to records by id", path)
    entries = read_old(records, NameRules.from_config(config), find_id)
    _upgrade_annotations(config, entries)
    # a table cannot be replaced by another; it is changed in its place
    new = path if backend == "sql" else path + ".NEW"
    if new != path:
        files.remove(new)
    mailboxes = Mboxlist(config, new)
    try:
        with mailboxes.transaction() as change:
            change.clear()
            for entry in in_order_of_names(entries):
                change.update(entry)
    finally:
        mailboxes.close()
    if new != path:
        _replace(new, path)
    return True


def is_old(records: Iterable[Record]) -> bool:
    """Whether the records of a list have names for keys.

    In a new list those with a letter before come in this order: reverse ACLs, ids, names.
    """
    for key, data in records:
        if key.startswith((b"AS\x1e", b"AU\x1e")):
            return False
        if key.startswith(b"I"):
            return b" N " not in data
        if not key.startswith(b"N"):
            return True
    return False


def read_old(
    records: Iterable[Record], rules: NameRules, find_id: Callable[[MboxEntry], str | None]
) -> list[MboxEntry]:
    """The entries of an old list, in its order."""
    entries = []
    for key, data in records:
        if key.startswith((b"$RACL", b"$RUNQ")):
            continue
        name = key.decode("utf-8", "surrogateescape")
        try:
            entry = unpack(name, data, rules)
        except MailboxBadFormat:
            log.warning("cannot parse the mailboxes.db record of '%s'", name)
            continue
        entry = replace(entry, mbtype=entry.mbtype | mbtypes.LEGACY_DIRS)
        if not entry.uniqueid and not entry.mbtype & (mbtypes.REMOTE | mbtypes.INTERMEDIATE):
            entry = replace(entry, uniqueid=find_id(entry))
        entries.append(entry)
    return entries


def in_order_of_names(entries: Iterable[MboxEntry]) -> list[MboxEntry]:
    """``entries`` so that of one mailbox's names the present one is written last.

    Tombstones of former names come before it, by their foldermodseq.
    """
    names: defaultdict[str, list[MboxEntry]] = defaultdict(list)
    for entry in entries:
        # without an id nothing ties the names together
        names[entry.uniqueid or f"\0{entry.name}"].append(entry)
    ordered = []
    for same in names.values():
        same.sort(key=lambda entry: (not entry.deleted, entry.foldermodseq if entry.deleted else 0))
        ordered += same
    return ordered


def _upgrade_annotations(config: Config, entries: Iterable[MboxEntry]) -> None:
    """Let mailboxes' annotations go by the ids; the old file stays as ``annotations.db.OLD``.

    Those of the server, and of ids, stay; those of unknown mailboxes go.
    """
    ids = {entry.name: entry.uniqueid for entry in entries if not entry.deleted and entry.uniqueid}
    known = {"", *ids.values()}
    backend = config[opt.annotation_db]
    settings = cyrusdb.Settings.from_config(config)
    path = config[opt.annotation_db_path] or f"{config.directory}/{ANNOTATIONS}"
    try:
        with cyrusdb.open_db(backend, path, settings=settings) as db:
            records = list(db.foreach())
    except NotFound:
        return
    new = path + ".NEW"
    files.remove(new)
    with (
        cyrusdb.open_db(backend, new, create=True, settings=settings) as db,
        db.transaction() as txn,
    ):
        for key, data in records:
            parts = unpack_key(key)
            if parts is None:
                continue
            owner, entry, userid = parts
            if owner in known:
                txn.store(key, data)
            elif owner in ids:
                txn.store(pack_key(ids[owner] or "", entry, userid), data)
    files.remove(path + ".OLD")
    os.link(path, path + ".OLD")
    _replace(new, path)


def _replace(new: str, path: str) -> None:
    os.rename(new, path)
    files.fsync_dir(os.path.dirname(path))
