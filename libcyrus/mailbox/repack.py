"""Writing ``cyrus.index`` and ``cyrus.cache`` anew, without what is no longer needed.

The new files are ``cyrus.index.NEW`` and ``cyrus.cache.NEW``, complete and synced before the first
rename. Index goes first: if the machine stops between the renames, the old cache beside the new index
has the wrong records at the offsets. Their CRCs and the generation tell; we finish the rename,
the original computes the records again. The name lock is held exclusively, so nobody else has either
file open.

A repack drops unlinked records, raises the generation number, sets ``last_repack_time`` and
raises ``deletedmodseq`` (with ``changes_epoch``) to the highest modseq it forgot. With another
``version`` it also converts the index; ``conversion`` has what moves on that way.
"""

from __future__ import annotations

import logging
import os
import time
from struct import Struct
from zlib import crc32

from libcyrus.base import files, xlog
from libcyrus.base.dataclasses import replace
from libcyrus.errors import CyrusError, MailboxBadFormat, MailboxChecksum, MailboxLocked
from libcyrus.mailbox import index_header, index_record, old_index, remove, soundness, synccrc
from libcyrus.mailbox.cache import GENERATION_SIZE
from libcyrus.mailbox.conversion import Conversion
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.flagchange import user_number
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.index_record import (
    ARCHIVED,
    EXPUNGED,
    NEEDS_CLEANUP,
    SYSTEM_FLAGS,
    UNLINKED,
    IndexRecord,
)
from libcyrus.mailbox.mailbox import Mailbox

log = logging.getLogger(__name__)

# uid, internaldate, last_updated, flags, user flags, cache_version, guid, modseq
_FIELDS = ">II20xII16s4xI20sQ"
_FIELDS_SIZE = 88
_WORD = Struct(">I").pack
_U32 = 0xFFFFFFFF
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
    if version not in index_header.VERSIONS:
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
    work.finish()
    mailbox.reopen_replaced()


class _Repack:
    """One repack. ``run`` writes the new files and puts the index in its place."""

    def __init__(self, mailbox: Mailbox, version: int) -> None:
        self._mailbox = mailbox
        self._header = header = _new_header(mailbox, version)
        self._conversion = Conversion(mailbox, header) if version != mailbox.i.minor_version else None
        self._index: _IndexWriter | None = None
        self._caches: dict[str, _CacheWriter] = {}

    def run(self) -> None:
        mailbox, header = self._mailbox, self._header
        self._index = index = _IndexWriter(mailbox.paths.index + ".NEW", header)
        conversion = self._conversion
        if conversion is not None or header.minor_version <= old_index.NEWEST:
            sync_crc = 0
            for record in mailbox.records():
                sync_crc ^= self._add(record)
        else:
            sync_crc = self._copy()
        if conversion is not None:
            header.sync_crc = sync_crc
            conversion.count_annotations()
        elif sync_crc != header.sync_crc and header.minor_version > old_index.NEWEST:
            xlog.xsyslog(
                log, logging.ERROR, "IOERROR: CRC mismatch on repack commit", None,
                mailbox=mailbox.name, oldbasic=header.sync_crc, newbasic=sync_crc,
            )  # fmt: skip
            raise MailboxChecksum
        index.finish()
        for writer in self._caches.values():
            writer.finish()
        os.rename(index.path, mailbox.paths.index)

    def _add(self, record: IndexRecord) -> int:
        """Add one record, unless it is to be dropped; its share of the sync CRC."""
        mailbox, conversion, index = self._mailbox, self._conversion, self._index
        assert index is not None
        if not self._keep(record):
            return 0
        new_cache = None if conversion is None else conversion.convert(record)
        cache = mailbox.cache(record) if new_cache is None else new_cache
        record.cache_offset = self._cache(archived=record.archived).add(cache)
        index.add(index_record.pack(record, self._header.minor_version))
        return synccrc.basic(record, mailbox.flag_crcs)

    def _add_doubtful(self, recno: int) -> int:
        try:
            record = self._mailbox.record(recno)
        except MailboxChecksum:
            # logged; the sums will not agree
            return 0
        # reconstruct wipes records that cannot be read: they have no uid
        return self._add(record) if record.uid else 0

    def _copy(self) -> int:
        """Add all records: packed, only with another cache_offset, where nothing else is to be done."""
        mailbox, index = self._mailbox, self._index
        assert index is not None
        region, size = mailbox.region, mailbox.i.record_size
        caches = soundness.cache_records(mailbox, region, size)
        flag_crcs: dict[tuple[int, bytes], int] = {}
        sync_crc = place = 0
        layout = Struct(f"{_FIELDS}{size - _FIELDS_SIZE - 4}xI")
        for recno, fields in enumerate(layout.iter_unpack(region), 1):
            uid, date, updated, flags, user, version, guid, modseq, crc = fields
            cache = next(caches)
            start, place = place, place + size
            old = bytes(region[start:place])
            if cache is None or flags & (NEEDS_CLEANUP | UNLINKED) or not uid or crc32(old[:-4]) != crc:
                sync_crc ^= self._add_doubtful(recno)
                continue
            offset = self._cache(archived=bool(flags & ARCHIVED)).add(cache)
            body = b"%b%b%b%b%b" % (
                old[:24],
                _WORD(offset & _U32),
                old[28:56],
                _WORD(version & 0xFFFF | offset >> 16 & 0xFFFF0000),
                old[60:-4],
            )
            index.add(body + _WORD(crc32(body)))
            if flags & EXPUNGED:
                continue
            key = (flags & SYSTEM_FLAGS, user)
            flag_crc = flag_crcs.get(key)
            if flag_crc is None:
                flag_crc = flag_crcs[key] = mailbox.flag_crcs.of(key[0], user_number(user))
            text = b"%d %d %d (%d) %d %b" % (uid, modseq, updated, flag_crc, date, guid.hex().encode())
            sync_crc ^= crc32(text)
        return sync_crc

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

    def finish(self) -> None:
        """The new index is in use."""
        if self._conversion is not None:
            self._conversion.finish()
        mailbox, header = self._mailbox, self._header
        mailbox.annotations.commit()
        mailbox.store.counters.set_modseq(
            mailbox.name, header.deletedmodseq, mailbox.entry.mbtype, delete=True
        )

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


class _IndexWriter:
    """A new index file: records as they come, the header last."""

    def __init__(self, path: str, header: IndexHeader) -> None:
        self.path = path
        self._header = header
        self._fd = files.open_making_dirs(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        self._parts = [bytes(header.start_offset)]

    def add(self, packed: bytes) -> None:
        header = self._header
        if header.disk_record_size:
            packed = old_index.narrow(packed, header.disk_record_size, header.minor_version)
        self._parts.append(packed)
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
        disk_record_size=old_index.record_size(version) or 0,
        num_records=0,
        leaked_cache_records=0,
        last_repack_time=int(time.time()),
        options=mailbox.i.options & ~(index_header.NEEDS_REPACK | index_header.NEEDS_UNLINK),
    )
