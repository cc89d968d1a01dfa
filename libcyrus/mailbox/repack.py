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

from libcyrus.base import files, xlog
from libcyrus.base.dataclasses import replace
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
_BATCH = 8192


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
    work = _Repack(mailbox, version)
    try:
        work.run()
    except OSError as error:
        work.discard()
        mailbox.abort()
        xlog.ioerror(log, "repacking mailbox failed", error, mailbox=mailbox.name)
        raise storage_error(error) from error
    except CyrusError:
        work.discard()
        mailbox.abort()
        raise
    work.rename_caches()
    work.remove_moved_annotations()
    mailbox.reopen_replaced()


class _Repack:
    """One repack. ``run`` writes the new files and puts the index in its place."""

    def __init__(self, mailbox: Mailbox, version: int) -> None:
        self._mailbox = mailbox
        self._converting = version != mailbox.i.minor_version
        self._header = _new_header(mailbox, version)
        self._index: _IndexWriter | None = None
        self._caches: dict[str, _CacheWriter] = {}
        self._living: list[int] = []

    def run(self) -> None:
        mailbox, header = self._mailbox, self._header
        self._index = index = _IndexWriter(mailbox.paths.index + ".NEW", header)
        sync_crc = 0
        if self._converting:
            self._begin_count()
        for record in mailbox.records():
            if not self._keep(record):
                continue
            record.cache_offset = self._cache(archived=record.archived).add(mailbox.cache(record))
            if self._converting:
                self._convert(record)
            sync_crc ^= synccrc.basic(record, mailbox.flag_crcs)
            index.add(record)
        if self._converting:
            header.sync_crc = sync_crc
            self._count_annotations()
        elif sync_crc != header.sync_crc:
            xlog.xsyslog(
                log, logging.ERROR, "IOERROR: CRC mismatch on repack commit", None,
                mailbox=mailbox.name, oldbasic=header.sync_crc, newbasic=sync_crc,
            )  # fmt: skip
            raise MailboxChecksum
        index.finish()
        for writer in self._caches.values():
            writer.finish()
        os.rename(index.path, mailbox.paths.index)

    def rename_caches(self) -> None:
        """Put the caches in their places; should that fail, they are found where they are."""
        paths = self._mailbox.paths
        try:
            for path, writer in self._caches.items():
                os.rename(writer.new_path, path)
            for path in {paths.cache, paths.meta("archivecache")} - self._caches.keys():
                if files.remove(path):
                    log.log(xlog.NOTICE, "Removed unused cache file %s", path)
            for directory in {os.path.dirname(path) for path in (paths.index, *self._caches)}:
                files.fsync_dir(directory)
        except OSError as error:
            xlog.ioerror(log, "renaming cache file failed", error, mailbox=self._mailbox.name)

    def remove_moved_annotations(self) -> None:
        """What the index has from now on is no annotation any more."""
        annotations, version = self._mailbox.annotations, self._header.minor_version
        for uid in self._living if self._converting else ():
            for word in annotations.virtual(uid, version):
                annotations.forget(uid, ANNOTATION_PREFIX + word)
        annotations.commit()

    def discard(self) -> None:
        if self._index is not None:
            self._index.discard()
        for writer in self._caches.values():
            writer.discard()

    def _keep(self, record: IndexRecord) -> bool:
        """Remove what is due of a message's files; False for a record that is dropped."""
        header = self._header
        if record.internal_flags & (NEEDS_CLEANUP | UNLINKED):
            remove.record_files(self._mailbox, record)
            record.internal_flags &= ~NEEDS_CLEANUP
        if record.unlinked and record.modseq > header.deletedmodseq:
            header.deletedmodseq = record.modseq
            header.changes_epoch = record.last_updated
        return not record.unlinked

    def _cache(self, *, archived: bool) -> _CacheWriter:
        paths = self._mailbox.paths
        path = paths.meta("archivecache") if archived else paths.cache
        writer = self._caches.get(path)
        if writer is None:
            writer = self._caches[path] = _CacheWriter(path, self._header.generation_no)
        return writer

    # converting: what an index of another version counts differs

    def _begin_count(self) -> None:
        header = self._header
        header.answered = header.flagged = header.deleted = header.unseen = header.exists = 0
        header.quota_mailbox_used = 0
        header.sync_crc_annot = index_header.SYNC_CRC_ANNOT_START

    def _convert(self, record: IndexRecord) -> None:
        """Move what only one of the two versions keeps in the index from or to an annotation; count."""
        mailbox, header = self._mailbox, self._header
        old, version = mailbox.i.minor_version, header.minor_version
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
        header.count(record)
        header.sync_crc_annot ^= synccrc.virtual(record, version)
        if not record.expunged:
            self._living.append(record.uid)

    def _count_annotations(self) -> None:
        mailbox, header = self._mailbox, self._header
        mailbox.annotations.commit()
        found = mailbox.annotations.crcs_and_sizes(header.minor_version, virtual=False)
        header.quota_annot_used = mailbox.store.annotation_size(mailbox.uniqueid)
        for uid in self._living:
            crc, size = found.get(uid, (0, 0))
            header.sync_crc_annot ^= crc
            header.quota_annot_used += size


class _IndexWriter:
    """A new index file: records as they come, the header last."""

    def __init__(self, path: str, header: IndexHeader) -> None:
        self.path = path
        self._header = header
        self._fd = files.open_making_dirs(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._parts = [bytes(header.start_offset)]

    def add(self, record: IndexRecord) -> None:
        self._parts.append(index_record.pack(record, self._header.minor_version))
        self._header.num_records += 1
        if len(self._parts) > _BATCH:
            self._flush()

    def finish(self) -> None:
        self._flush()
        files.pwrite_all(self._fd, index_header.pack(self._header), 0)
        os.fsync(self._fd)
        os.close(self._fd)
        self._fd = -1

    def discard(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        files.remove(self.path)

    def _flush(self) -> None:
        files.write_all(self._fd, b"".join(self._parts))
        self._parts.clear()


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


def _take_annotation(mailbox: Mailbox, record: IndexRecord, word: str) -> None:
    for annotation in mailbox.annotations.of(record.uid):
        if annotation.userid or annotation.entry != ANNOTATION_PREFIX + word:
            continue
        try:
            number = int(annotation.value, 16 if word == "thrid" else 10)
        except ValueError:
            continue
        setattr(record, "cid" if word == "thrid" else word, number & 0xFFFFFFFFFFFFFFFF)
