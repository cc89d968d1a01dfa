"""Writing ``cyrus.index`` and ``cyrus.cache`` anew, without what is no longer needed.

The new files are ``cyrus.index.NEW`` and ``cyrus.cache.NEW``, complete and synced before the first
rename. Index goes first: if the machine stops between the renames, the old cache beside the new index
has the wrong records at the offsets. Their CRCs and the generation tell; we finish the rename,
the original computes the records again. The name lock is held exclusively, so nobody else has either
file open.

A repack drops unlinked records, raises the generation number, sets ``last_repack_time`` and
raises ``deletedmodseq`` (with ``changes_epoch``) to the highest modseq it forgot. With another
``version`` it also converts the index, for versions 12 to 17.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import replace

from libcyrus.base import files, xlog
from libcyrus.errors import CyrusError, MailboxBadFormat, MailboxChecksum, MailboxLocked
from libcyrus.mailbox import index_header, index_record, remove, synccrc
from libcyrus.mailbox.cache import GENERATION_SIZE
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.index_record import NEEDS_CLEANUP, UNLINKED, IndexRecord
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.synccrc import ANNOTATION_PREFIX
from libcyrus.records.annotate import Annotation

log = logging.getLogger(__name__)

_FLUSH = 1 << 20


def repack(mailbox: Mailbox, version: int | None = None) -> None:
    """Rewrite the files; the mailbox stays open and locked, its record numbers changed.

    Needs the name lock exclusively. Raises MailboxLocked, MailboxBadFormat for a version that cannot be
    written, MailboxChecksum when the records do not add up to the sync CRC of the header (the mailbox
    needs reconstruct), NoSpace, IoError; the old files then stay.
    """
    if not mailbox.name_locked_exclusively:
        raise MailboxLocked
    mailbox.commit()
    version = mailbox.i.minor_version if version is None else version
    if not index_header.OLDEST_VERSION <= version <= index_header.MINOR_VERSION:
        raise MailboxBadFormat(f"Index version {version} is not supported")
    log.info("Repacking mailbox %s version %d", mailbox.name, version)
    writers: dict[bool, _CacheWriter] = {}
    new_index = mailbox.paths.index + ".NEW"
    try:
        header = _new_header(mailbox, version)
        records = _copy_records(mailbox, header, writers)
        if version != mailbox.i.minor_version:
            for record in records:
                _convert(mailbox, record, version)
            mailbox.annotations.commit()
        _recount(mailbox, header, records)
        _write_index(new_index, header, records)
        for writer in writers.values():
            writer.finish()
        _rename(mailbox, new_index, writers)
    except OSError as error:
        _discard(new_index, writers)
        mailbox.abort()
        xlog.ioerror(log, "repacking mailbox failed", error, mailbox=mailbox.name)
        raise storage_error(error) from error
    except CyrusError:
        _discard(new_index, writers)
        mailbox.abort()
        raise
    for record in records if version != mailbox.i.minor_version else ():
        for word in mailbox.annotations.virtual(record.uid, version):
            mailbox.annotations.forget(record.uid, ANNOTATION_PREFIX + word)
    mailbox.annotations.commit()
    mailbox.reopen_replaced()


class _CacheWriter:
    """A new cache file; ``add`` returns the offset of a record."""

    def __init__(self, path: str, generation: int) -> None:
        self.path = path
        self.new_path = path + ".NEW"
        self._fd = files.open_making_dirs(self.new_path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._parts: list[bytes | memoryview] = [generation.to_bytes(GENERATION_SIZE, "big")]
        self._pending = 0
        self._offset = GENERATION_SIZE

    def add(self, data: bytes | memoryview) -> int:
        offset = self._offset
        self._parts.append(data)
        self._offset += len(data)
        self._pending += len(data)
        if self._pending > _FLUSH:
            self._flush()
        return offset

    def finish(self) -> None:
        self._flush()
        os.fsync(self._fd)
        os.close(self._fd)
        self._fd = -1

    def discard(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        files.remove(self.new_path)

    def _flush(self) -> None:
        files.writev_all(self._fd, self._parts)
        self._parts.clear()
        self._pending = 0


def _new_header(mailbox: Mailbox, version: int) -> IndexHeader:
    return replace(
        mailbox.i,
        generation_no=(mailbox.i.generation_no + 1) & 0xFFFFFFFF,
        minor_version=version,
        start_offset=index_header.header_size(version),
        record_size=index_record.record_size(version),
        num_records=0,
        leaked_cache_records=0,
        last_repack_time=int(time.time()),
        options=mailbox.i.options & ~(index_header.NEEDS_REPACK | index_header.NEEDS_UNLINK),
    )


def _copy_records(
    mailbox: Mailbox, header: IndexHeader, writers: dict[bool, _CacheWriter]
) -> list[IndexRecord]:
    records = []
    for record in mailbox.records():
        if record.internal_flags & (NEEDS_CLEANUP | UNLINKED):
            remove.record_files(mailbox, record)
            record.internal_flags &= ~NEEDS_CLEANUP
        if record.unlinked:
            if record.modseq > header.deletedmodseq:
                header.deletedmodseq = record.modseq
                header.changes_epoch = record.last_updated
            continue
        data = mailbox.cache(record)
        writer = writers.get(record.archived)
        if writer is None:
            path = mailbox.paths.meta("archivecache") if record.archived else mailbox.paths.cache
            if any(other.path == path for other in writers.values()):
                writer = next(other for other in writers.values() if other.path == path)
            else:
                writer = _CacheWriter(path, header.generation_no)
            writers[record.archived] = writer
        record.cache_offset = writer.add(data)
        records.append(record)
    header.num_records = len(records)
    return records


def _convert(mailbox: Mailbox, record: IndexRecord, version: int) -> None:
    """Move what only one of the two versions keeps in the index from or to an annotation."""
    old = mailbox.i.minor_version
    for word, since, value in (
        ("thrid", 13, f"{record.cid:x}" if record.cid else ""),
        ("savedate", 15, f"{record.savedate}" if record.savedate else ""),
        ("createdmodseq", 16, f"{record.createdmodseq}" if record.createdmodseq else ""),
    ):
        if version < since <= old and value:
            entry = Annotation(
                str(record.uid), ANNOTATION_PREFIX + word, "", value.encode(), mailbox.i.highestmodseq
            )
            mailbox.annotations.write(record.uid, entry)
        elif old < since <= version:
            _take_annotation(mailbox, record, word)


def _take_annotation(mailbox: Mailbox, record: IndexRecord, word: str) -> None:
    for annotation in mailbox.annotations.of(record.uid):
        if annotation.userid or annotation.entry != ANNOTATION_PREFIX + word:
            continue
        try:
            number = int(annotation.value, 16 if word == "thrid" else 10)
        except ValueError:
            continue
        setattr(record, "cid" if word == "thrid" else word, number & 0xFFFFFFFFFFFFFFFF)


def _recount(mailbox: Mailbox, header: IndexHeader, records: list[IndexRecord]) -> None:
    """A converted index counts anew; otherwise the records must add up to what the header says."""
    flag_crcs = mailbox.flag_crcs
    basic = 0
    for record in records:
        basic ^= synccrc.basic(record, flag_crcs)
    if header.minor_version == mailbox.i.minor_version:
        if basic != header.sync_crc:
            xlog.xsyslog(
                log, logging.ERROR, "IOERROR: CRC mismatch on repack commit", None,
                mailbox=mailbox.name, oldbasic=header.sync_crc, newbasic=basic,
            )  # fmt: skip
            raise MailboxChecksum
        return
    version = header.minor_version
    header.answered = header.flagged = header.deleted = header.unseen = header.exists = 0
    header.quota_mailbox_used = 0
    header.sync_crc = basic
    header.sync_crc_annot = index_header.SYNC_CRC_ANNOT_START
    header.quota_annot_used = mailbox.store.annotation_size(mailbox.uniqueid)
    annotations = mailbox.annotations.crcs_and_sizes(version, virtual=False)
    for record in records:
        header.count(record)
        if not record.expunged:
            crc, size = annotations.get(record.uid, (0, 0))
            header.sync_crc_annot ^= synccrc.virtual(record, version) ^ crc
            header.quota_annot_used += size


def _write_index(path: str, header: IndexHeader, records: list[IndexRecord]) -> None:
    version = header.minor_version
    fd = files.open_making_dirs(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        head = index_header.pack(header)
        files.write_all(fd, head.ljust(header.start_offset, b"\0"))
        for start in range(0, len(records), 8192):
            run = records[start : start + 8192]
            files.write_all(fd, b"".join(index_record.pack(record, version) for record in run))
        os.fsync(fd)
    finally:
        os.close(fd)


def _rename(mailbox: Mailbox, new_index: str, writers: dict[bool, _CacheWriter]) -> None:
    os.rename(new_index, mailbox.paths.index)
    directories = {os.path.dirname(mailbox.paths.index)}
    renamed = set()
    for writer in writers.values():
        if writer.path not in renamed:
            os.rename(writer.new_path, writer.path)
            renamed.add(writer.path)
            directories.add(os.path.dirname(writer.path))
    for path in {mailbox.paths.cache, mailbox.paths.meta("archivecache")} - renamed:
        if files.remove(path):
            log.log(xlog.NOTICE, "Removed unused cache file %s", path)
    for directory in directories:
        files.fsync_dir(directory)


def _discard(new_index: str, writers: dict[bool, _CacheWriter]) -> None:
    files.remove(new_index)
    for writer in writers.values():
        writer.discard()
