"""``cyrus.annotations``: the annotations of single messages, a database beside the index.

Here is what the mailbox itself needs of them: their share of quota and CRCs, copying along
with a message, removal with it. The owner of a record is the UID as text; see ``records.annotate``
for keys and values. A mailbox without annotations needs no file; the original often makes an empty one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from libcyrus.base.dataclasses import replace
from libcyrus.config import Config
from libcyrus.mailbox import synccrc
from libcyrus.records.annotate import OWNER, Annotation, AnnotationDb

if TYPE_CHECKING:
    from libcyrus.mailbox.mailbox import Mailbox


class MessageAnnotations:
    """The database of one mailbox; changes wait in memory for ``commit``. Needs the index lock."""

    __slots__ = ("_db", "_known", "_owner", "_removed", "_written")

    def __init__(self, config: Config, path: str, owner: str | None) -> None:
        self._db = AnnotationDb(config, path)
        self._owner = owner or ""
        # by uid, entry and userid
        self._written: dict[tuple[int, str, str], Annotation] = {}
        self._removed: list[int] = []
        # what the database has, if that was read for many lookups
        self._known: dict[tuple[int, str, str], bytes] | None = None

    def of(self, uid: int, prefix: str = "") -> Iterator[Annotation]:
        """A message's annotations, as they are in the database; ``prefix`` begins their entries."""
        if os.path.exists(self._db.path):
            yield from self._db.find(str(uid), prefix)

    def lookup(self, uid: int, entry: str, userid: str) -> bytes:
        """A value, also one that waits to be committed; ``userid`` is as in the key."""
        key = (uid, entry, userid)
        waiting = self._written.get(key)
        if waiting is not None:
            return waiting.value
        if self._known is not None:
            return self._known.get(key, b"")
        return self._db.lookup(str(uid), entry, userid)

    def preload(self) -> None:
        """Read the database once for all lookups until the next commit."""
        self._known = {(uid, one.entry, one.userid): one.value for uid, one in self.all()}

    def all(self) -> Iterator[tuple[int, Annotation]]:
        """Every annotation with the uid it belongs to."""
        if os.path.exists(self._db.path):
            for annotation in self._db.all():
                if annotation.owner.isdigit():
                    yield int(annotation.owner), annotation

    def by_uid(self) -> dict[int, list[Annotation]]:
        """Every annotation, those of a message in the order of the database."""
        found: dict[int, list[Annotation]] = {}
        for uid, annotation in self.all():
            found.setdefault(uid, []).append(annotation)
        return found

    def virtual(self, uid: int, version: int) -> list[str]:
        """The words (``thrid`` and so on) of annotations that an index of this version keeps itself."""
        return [
            annotation.entry.removeprefix(synccrc.ANNOTATION_PREFIX)
            for annotation in self.of(uid)
            if not annotation.userid and synccrc.is_virtual(annotation.entry, version)
        ]

    def crc_and_size(self, uid: int, version: int) -> tuple[int, int]:
        """One message's share of the annotation CRC and of the annotation quota."""
        crc = size = 0
        for annotation in self.of(uid):
            crc ^= self.crc(uid, annotation, version)
            size += len(annotation.value)
        return crc, size

    def crcs_and_sizes(self, version: int, *, virtual: bool = True) -> dict[int, tuple[int, int]]:
        """``crc_and_size`` of every message that has annotations; perhaps without what the index keeps."""
        found: dict[int, tuple[int, int]] = {}
        for uid, annotation in self.all():
            if not virtual and synccrc.is_virtual(annotation.entry, version):
                continue
            crc, size = found.get(uid, (0, 0))
            found[uid] = (crc ^ self.crc(uid, annotation, version), size + len(annotation.value))
        return found

    def crc(self, uid: int, annotation: Annotation, version: int) -> int:
        """The share of one annotation in an index of this version."""
        if synccrc.is_virtual(annotation.entry, version):
            return 0
        userid = self._owner if annotation.userid == OWNER else annotation.userid
        return synccrc.annotation(uid, annotation.entry, userid, annotation.value)

    def write(self, uid: int, annotation: Annotation) -> None:
        """Store a value for this message at the next commit. Counting it is the caller's."""
        self._written[uid, annotation.entry, annotation.userid] = annotation

    def forget(self, uid: int, entry: str) -> None:
        """Remove a shared value at the next commit, leaving a tombstone."""
        self.write(uid, Annotation(str(uid), entry, "", b""))

    def remove(self, uid: int) -> None:
        """Remove a message's annotations at the next commit, leaving no trace."""
        if os.path.exists(self._db.path):
            self._removed.append(uid)

    def remove_behind(self, last: int) -> None:
        """Remove the annotations of messages with a higher uid than any at the next commit."""
        self._removed += {uid for uid, _ in self.all() if uid > last}

    @property
    def written(self) -> bool:
        """Whether values wait to be written."""
        return bool(self._written)

    def commit_written(self) -> None:
        """Write the values that wait, in one transaction. Raises IoError."""
        if not self._written:
            return
        with self._db.transaction() as change:
            for (uid, entry, userid), new in self._written.items():
                change.put(str(uid), entry, userid, new.value, modseq=new.modseq)
        self._known = None
        self._written.clear()

    def commit(self) -> None:
        """Write and remove what waits. Raises IoError."""
        self.commit_written()
        if self._removed:
            with self._db.transaction() as change:
                for uid in self._removed:
                    change.delete_owner(str(uid))
        self.abort()

    def abort(self) -> None:
        """Forget what waits."""
        self._known = None
        self._written.clear()
        self._removed.clear()

    def close(self) -> None:
        self._db.close()


def change(
    mailbox: Mailbox,
    uid: int,
    entry: str,
    userid: str,
    value: bytes,
    *,
    old: bytes | None = None,
    silent: bool = False,
) -> None:
    """Give a living message another value (empty: none), and count it. ``userid`` is as in the key.

    ``old`` is the value so far, if it is known. Raises the mailbox's modseq unless ``silent``. Needs the
    exclusive index lock.
    """
    annotations, i = mailbox.annotations, mailbox.i
    if old is None:
        old = annotations.lookup(uid, entry, userid)
    if silent:
        mailbox.dirty()
    else:
        mailbox.bump_modseq()
    mailbox.quota_dirty()
    new = Annotation(str(uid), entry, userid, value, i.highestmodseq)
    annotations.write(uid, new)
    if old:
        i.sync_crc_annot ^= annotations.crc(uid, replace(new, value=old), i.minor_version)
    if value:
        i.sync_crc_annot ^= annotations.crc(uid, new, i.minor_version)
    i.quota_annot_used = max(0, i.quota_annot_used - len(old)) + len(value)
