"""annotations.db and the cyrus.annotations of a mailbox: values attached to the server, mailboxes and
messages.

The key is ``owner NUL entry NUL userid NUL``. The owner is the unique id of a mailbox, empty for the server,
and in cyrus.annotations the UID of a message. The userid is empty for a shared value and ``[.OwNeR.]`` for
the private value of the mailbox's owner. The value::

    0    length         the value's, big-endian in the first 4 of 8 bytes
    8    value, NUL, "text/plain", NUL, 8 bytes of zero (once: type and time)
         modseq         8 bytes, big-endian
         flags          1 byte; 1 is deleted

Records of older versions may end after any of these.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from libcyrus import cyrusdb
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.cyrusdb import Database, Records
from libcyrus.errors import NotFound
from libcyrus.mboxname import NameRules

log = logging.getLogger(__name__)

FILENAME = "annotations.db"
NAMESPACE = "/vendor/cmu/cyrus-imapd/"
SPECIALUSE = "/specialuse"
OWNER = "[.OwNeR.]"
FLAG_DELETED = 1
_TAIL = b"\0text/plain\0" + bytes(8)


@dataclass(frozen=True, slots=True)
class Annotation:
    """One stored value. ``owner`` and ``userid`` are as in the key."""

    owner: str
    entry: str
    userid: str
    value: bytes
    modseq: int = 0
    flags: int = 0


def pack_key(owner: str, entry: str, userid: str | None = None) -> bytes:
    """A key, or with ``userid`` None the beginning that all keys of an entry share."""
    parts = (owner, entry) if userid is None else (owner, entry, userid, "")
    return "\0".join(parts).encode("utf-8", "surrogateescape")


def unpack_key(key: bytes) -> tuple[str, str, str] | None:
    """Owner, entry and userid; None for a key without all of them."""
    parts = key.decode("utf-8", "surrogateescape").split("\0")
    return (parts[0], parts[1], parts[2]) if len(parts) >= 4 else None


def pack_value(value: bytes, modseq: int = 0, flags: int = 0) -> bytes:
    return struct.pack(f">I4x{len(value)}s", len(value), value) + _TAIL + struct.pack(">QB", modseq, flags)


def unpack_value(data: bytes) -> tuple[bytes, int, int]:
    """Value, modseq and flags. A deleted value is empty; what is missing at the end counts as zero."""
    if len(data) < 8:
        return b"", 0, 0
    end = 8 + int.from_bytes(data[:4])
    value = data[8:end]
    type_end = data.find(b"\0", end + 1)
    modseq = flags = 0
    if type_end >= 0:
        rest = data[type_end + 9 :]
        modseq = int.from_bytes(rest[:8]) if len(rest) >= 8 else 0
        flags = rest[8] if len(rest) > 8 else 0
    return (b"" if flags & FLAG_DELETED else value), modseq, flags


class AnnotationDb:
    """One annotation database: the global one, or with ``path`` that of a mailbox.

    Rights, quota and modseqs are the callers' business.
    """

    def __init__(self, config: Config, path: str | None = None) -> None:
        self._backend = config[opt.annotation_db]
        self._settings = cyrusdb.Settings.from_config(config)
        self.path = path or config[opt.annotation_db_path] or f"{config.directory}/{FILENAME}"
        self._rules = NameRules.from_config(config)
        self._db: Database | None = None

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def user_key(self, name: str, userid: str) -> str:
        """What stands for ``userid`` in keys about the internal mailbox ``name``."""
        if userid and name and self._rules.from_internal(name).userid == userid:
            return OWNER
        return userid

    def lookup(self, owner: str, entry: str, userid: str = "") -> bytes:
        """A value; empty when there is none. ``userid`` is as in the key (see ``user_key``)."""
        db = self._open()
        data = db.fetch(pack_key(owner, entry, userid)) if db is not None else None
        return unpack_value(data)[0] if data is not None else b""

    def lookup_mailbox(self, uniqueid: str, name: str, entry: str, userid: str = "") -> bytes:
        """The value that ``userid`` (empty: everybody) gave to a mailbox, exactly."""
        return self.lookup(uniqueid, entry, self.user_key(name, userid))

    def lookup_masked(self, uniqueid: str, name: str, entry: str, userid: str) -> bytes:
        """The value in force for ``userid``: one's own, unless one is the owner, and else the shared one."""
        value = b""
        if userid and self._rules.from_internal(name).userid != userid:
            value = self.lookup(uniqueid, entry, userid)
        return value or self.lookup(uniqueid, entry)

    def find(self, owner: str, prefix: str = "", *, tombstones: bool = False) -> Iterator[Annotation]:
        """What is attached to ``owner``, for entries that begin with ``prefix``."""
        db = self._open()
        for key, data in db.foreach(pack_key(owner, prefix)) if db is not None else ():
            parts = unpack_key(key)
            if parts is None:
                continue
            value, modseq, flags = unpack_value(data)
            if value or tombstones:
                yield Annotation(*parts, value, modseq, flags)

    def all(self, *, tombstones: bool = False) -> Iterator[Annotation]:
        """Everything in the database."""
        db = self._open()
        for key, data in db.foreach() if db is not None else ():
            parts = unpack_key(key)
            value, modseq, flags = unpack_value(data)
            if parts is not None and (value or tombstones):
                yield Annotation(*parts, value, modseq, flags)

    @contextmanager
    def transaction(self) -> Iterator[AnnotationChange]:
        """Changes that become durable together; makes a missing database."""
        db = self._open(create=True)
        assert db is not None
        with db.transaction() as txn:
            yield AnnotationChange(txn)

    def _open(self, *, create: bool = False) -> Database | None:
        if self._db is None:
            try:
                self._db = cyrusdb.open_db(
                    self._backend, self.path, create=create, convert=True, settings=self._settings
                )
            except NotFound:
                return None
        return self._db


class AnnotationChange:
    """An open transaction; made by ``AnnotationDb.transaction``."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def lookup(self, owner: str, entry: str, userid: str = "") -> bytes:
        data = self._records.fetch(pack_key(owner, entry, userid))
        return unpack_value(data)[0] if data is not None else b""

    def write(self, owner: str, entry: str, userid: str, value: bytes, *, modseq: int = 0) -> bool:
        """Set a value, or remove it with an empty one; False if it was so already."""
        if self.lookup(owner, entry, userid) == value:
            return False
        key = pack_key(owner, entry, userid)
        if value:
            self._records.store(key, pack_value(value, modseq))
        else:
            self._records.delete(key)
        return True

    def put(self, owner: str, entry: str, userid: str, value: bytes, *, modseq: int) -> None:
        """Set a value whatever it was; an empty one leaves a tombstone, as messages' annotations do."""
        flags = 0 if value else FLAG_DELETED
        self._records.store(pack_key(owner, entry, userid), pack_value(value, modseq, flags))

    def delete_owner(self, owner: str) -> None:
        """Remove everything attached to a mailbox or message."""
        for key, _ in list(self._records.foreach(pack_key(owner, ""))):
            self._records.delete(key)
