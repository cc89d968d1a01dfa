"""What moves when ``cyrus.index`` is rewritten in another version.

Conversation id (13), savedate (15) and createdmodseq (16) are annotations of the message in versions that
have no place for them. Before 12 the owner's \\Seen and recent mark are in the seen database, under
``anyone`` if the mailbox has ``sharedseen``; and records have no checksum of their cache record and before
10 no guid, so every message is read again on the way up.
"""

from __future__ import annotations

import logging
import time
from zlib import crc32

from libcyrus import message
from libcyrus.base import xlog
from libcyrus.base.seqset import SeqSet
from libcyrus.errors import CyrusError, IoError
from libcyrus.mailbox import index_header, leftovers, synccrc
from libcyrus.mailbox.index_header import GUID_VERSION, OWN_SEEN_VERSION, IndexHeader
from libcyrus.mailbox.index_record import (
    CACHE_VERSION,
    OLDEST_CACHE_VERSION,
    SEEN,
    IndexRecord,
    complete_dates,
)
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.synccrc import ANNOTATION_PREFIX
from libcyrus.records import seen
from libcyrus.records.annotate import Annotation
from libcyrus.records.seen import SeenData, SeenDb

log = logging.getLogger(__name__)

_MOVED = (("thrid", "cid", 13), ("savedate", "savedate", 15), ("createdmodseq", "createdmodseq", 16))
_U64 = 0xFFFFFFFFFFFFFFFF


class Conversion:
    """Records of an open mailbox on their way into the index that ``header`` begins, which counts them.

    What goes to other databases waits in memory for ``count_annotations``, except for the seen state.
    """

    def __init__(self, mailbox: Mailbox, header: IndexHeader) -> None:
        self._mailbox = mailbox
        self._header = header
        self._old, self._new = mailbox.i.minor_version, header.minor_version
        self._living: list[int] = []
        self._gained = {word: field for word, field, since in _MOVED if self._old < since <= self._new}
        self._lost = {word: field for word, field, since in _MOVED if self._new < since <= self._old}
        self._stored: dict[int, dict[str, bytes]] = {}
        if self._gained:
            for uid, annotation in mailbox.annotations.all():
                word = annotation.entry.removeprefix(ANNOTATION_PREFIX)
                if word in self._gained and word != annotation.entry and not annotation.userid:
                    self._stored.setdefault(uid, {})[word] = annotation.value
        self._gains_seen = self._old < OWN_SEEN_VERSION <= self._new
        self._gains_derived = self._gains_seen or self._old < GUID_VERSION <= self._new
        self._loses_seen = self._new < OWN_SEEN_VERSION <= self._old
        self._seen = SeqSet(sparse=False)
        if self._gains_seen:
            self._read_seen()
        header.answered = header.flagged = header.deleted = header.unseen = header.exists = 0
        header.quota_mailbox_used = 0
        header.sync_crc_annot = index_header.SYNC_CRC_ANNOT_START

    def convert(self, record: IndexRecord) -> bytes | None:
        """Give a record what is elsewhere, note what it cannot keep; a new cache record if it needs one.

        Raises IoError, logged, when it needs one and the message cannot be read.
        """
        cache = None
        if self._gains_seen:
            record.system_flags &= ~SEEN
            record.system_flags |= SEEN if record.uid in self._seen else 0
        if self._gains_derived:
            cache = self._parse(record, derived=True)
        elif record.cache_version < OLDEST_CACHE_VERSION and self._new >= 15:
            cache = self._parse(record, derived=False)
        if self._loses_seen:
            self._seen.add(record.uid, bool(record.system_flags & SEEN))
            record.system_flags &= ~SEEN
        for word, field in self._lost.items():
            self._keep_as_annotation(record.uid, word, getattr(record, field))
            setattr(record, field, 0)
        stored = self._stored.get(record.uid)
        if stored is not None:
            for word, value in stored.items():
                setattr(record, self._gained[word], _number(word, value))
        self._header.count(record)
        self._header.sync_crc_annot ^= synccrc.virtual(record, self._new)
        if not record.expunged:
            self._living.append(record.uid)
        return cache

    def count_annotations(self) -> None:
        """All records were converted: write what they lost, and count annotations. Raises IoError."""
        mailbox, header = self._mailbox, self._header
        mailbox.annotations.commit()
        found = mailbox.annotations.crcs_and_sizes(self._new, virtual=False)
        header.quota_annot_used = mailbox.store.annotation_size(mailbox.uniqueid)
        for uid in self._living:
            crc, size = found.get(uid, (0, 0))
            header.sync_crc_annot ^= crc
            header.quota_annot_used += size
        if self._loses_seen:
            self._write_seen()

    def finish(self) -> None:
        """The new index is in place: what it has is nowhere else any more, from the next commit on."""
        if self._gains_seen:
            try:
                leftovers.remove_expunged(self._mailbox)
            except OSError as error:
                xlog.ioerror(log, "removing expunged messages failed", error, mailbox=self._mailbox.name)
        for uid, words in self._stored.items():
            for word, value in words.items():
                if value:
                    self._mailbox.annotations.forget(uid, ANNOTATION_PREFIX + word)

    def _parse(self, record: IndexRecord, *, derived: bool) -> bytes:
        mailbox = self._mailbox
        try:
            parsed = message.parse_file(mailbox.message_path(record), mailbox.store.parse_options)
            if not parsed.size:
                raise IoError("empty message file")
        except (OSError, CyrusError) as error:
            mailbox.complain("IOERROR: failed to parse file", uid=record.uid, reason=error)
            raise IoError from error
        if derived:
            record.sentdate, record.gmtime = parsed.sentdate & 0xFFFFFFFF, parsed.gmtime & 0xFFFFFFFF
            record.size, record.header_size = parsed.size, parsed.header_size
            record.guid = parsed.guid
            complete_dates(record, int(time.time()))
        cache = parsed.cache_record()
        record.cache_version, record.cache_crc = CACHE_VERSION, crc32(cache)
        return cache

    def _keep_as_annotation(self, uid: int, word: str, value: int) -> None:
        if value:
            text = f"{value:x}" if word == "thrid" else f"{value}"
            modseq = self._mailbox.i.highestmodseq
            entry = Annotation(str(uid), ANNOTATION_PREFIX + word, "", text.encode(), modseq)
            self._mailbox.annotations.write(uid, entry)

    # the owner's seen state

    @property
    def _seen_user(self) -> str | None:
        mailbox = self._mailbox
        return "anyone" if mailbox.i.options & index_header.SHAREDSEEN else mailbox.userid

    def _read_seen(self) -> None:
        mailbox, userid = self._mailbox, self._seen_user
        database = None
        if userid is not None:
            database = seen.open_existing(mailbox.store.config, mailbox.store.userstate, userid)
        if database is None:
            return
        with database:
            data = database.read(mailbox.uniqueid)
        self._seen = SeqSet.parse(data.uids, maxval=data.lastuid)
        self._header.recentuid, self._header.recenttime = data.lastuid, data.lastchange

    def _write_seen(self) -> None:
        mailbox, userid = self._mailbox, self._seen_user
        if userid is None:
            return
        state = SeenData(int(time.time()), mailbox.i.last_uid, mailbox.i.last_appenddate, str(self._seen))
        with SeenDb(mailbox.store.config, mailbox.store.userstate, userid, create=True) as database:
            database.write(mailbox.uniqueid, state)


def _number(word: str, value: bytes) -> int:
    try:
        return int(value, 16 if word == "thrid" else 10) & _U64
    except ValueError:
        return 0
