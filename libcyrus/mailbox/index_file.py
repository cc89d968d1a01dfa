"""``cyrus.index`` as a file: opening, locking, mapping, and writing it so that a crash does no harm.

Changed records are written first, the header with ``num_records`` and the counters last, then one
sync. Records behind ``num_records`` do not exist to readers. If the power fails inside this one sync,
the disk may hold the new header but not a new record: its CRC tells, both servers skip it, and it was not
acknowledged. Or the file has not grown: see ``lacking``.

Before records are changed in place the header is marked CHANGING, and the header
written last is not: should the writer die in between, the next one to lock the index counts anew.
Records changed in place go out in one call unless they lie far apart, so that a dying writer has changed
all of them or none.

Files of versions before 12 are read and written here as if they had the layout of 12 (see ``old_index``).
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterator

from libcyrus.base import files, lock
from libcyrus.errors import MailboxBadFormat
from libcyrus.mailbox import columns, index_header, index_record, old_index
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.index_record import UNLINKED, IndexRecord

_ONE_WRITE = 1 << 18
_PAGE = 4096


class IndexFile:
    """The index of one mailbox. Errors of the system come as OSError.

    ``num_records`` counts the records on disk, as of the last ``read`` or ``write``; ``identity`` changes
    when the file was replaced by another; ``raw`` are the header's bytes. ``lacking`` is how many of
    the records that the header on disk counts are not there.
    """

    __slots__ = (
        "_disk_size", "_fd", "_map", "_old_version", "_record_size", "_start", "_wide", "identity",
        "lacking", "num_records", "raw",
    )  # fmt: skip

    def __init__(self) -> None:
        self._fd = -1
        self._map: memoryview | None = None
        self._start = self._record_size = self._disk_size = self._old_version = 0
        self._wide: bytes | None = None
        self.identity = (0, 0)
        self.num_records = self.lacking = 0
        self.raw = b""

    def is_current(self, path: str) -> bool:
        """Whether the open file still is the one of this name; False when none is open."""
        if self._fd < 0:
            return False
        status = os.stat(path)
        return (status.st_dev, status.st_ino) == self.identity

    def open(self, path: str) -> None:
        """Open the file, for writing if permissions allow."""
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EROFS):
                raise
            self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._identify()

    def create(self, path: str, header: IndexHeader) -> None:
        """Open a new, empty file, or empty an old one, for ``write``."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._identify()
        self._take_layout(header)

    def lock(self, *, exclusive: bool) -> None:
        lock.acquire(self._fd, exclusively=exclusive)

    def unlock(self) -> None:
        if self._fd >= 0:
            lock.release(self._fd)

    def close(self) -> None:
        """Let go of the file and with it the lock; regions handed out live on."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._map = self._wide = None
        self.identity = (0, 0)
        self.raw = b""

    def read(self) -> IndexHeader | None:
        """The header; None when it has not changed since the last time. The file must be locked.

        A file that ends with an earlier record is read as if an append were going on, see ``lacking``.
        Raises MailboxBadFormat, MailboxChecksum.
        """
        raw = os.pread(self._fd, index_header.HEADER_SIZE, 0)
        header = None
        if not self.raw or not raw.startswith(self.raw) or self._old_version:
            header = index_header.unpack(raw)
            self.raw = raw[: index_header.header_size(header.minor_version)]
            self._take_layout(header)
            self.num_records = header.num_records
        self.lacking = 0
        room = os.fstat(self._fd).st_size - self._start
        if room < self.num_records * self._disk_size:
            header = header or index_header.unpack(raw)
            present, part = divmod(room, self._disk_size)
            if part or present < 0:
                self.raw = b""
                raise MailboxBadFormat
            self.lacking = header.num_records - present
            self.num_records = header.num_records = present
            header.options |= index_header.CHANGING
            self.raw = b""
        if header is not None and self._old_version:
            self._look_for_expunged(header)
        return header

    def forget(self) -> None:
        """Have the next ``read`` return the header in any case."""
        self.raw = b""

    def unchanged(self, path: str, since: bytes) -> bool:
        """Whether, without any lock, the file has the header ``since``; False in doubt.

        The oldest headers do not tell of every change. One that nobody could vouch for is empty.
        """
        if self._old_version or not since:
            return False
        try:
            return self.is_current(path) and os.pread(self._fd, len(since), 0) == since
        except OSError:
            return False

    def newest_uid(self) -> int:
        """The last uid, read without any lock: a hint only. 0 in doubt."""
        try:
            return int.from_bytes(os.pread(self._fd, 4, index_header.OFFSET_LAST_UID), "big")
        except OSError:
            return 0

    def region(self) -> memoryview:
        """The records on disk, mapped; in-place changes of all processes show.

        Of an old version they are a copy, made anew whenever the file was locked or written.
        """
        if not self._old_version:
            return self._disk_region()
        if self._wide is None:
            self._wide = old_index.widen(self._disk_region(), self._disk_size, self._old_version)
        return memoryview(self._wide)

    def _disk_region(self) -> memoryview:
        end = self._start + self.num_records * self._disk_size
        mapped = self._map
        if mapped is None or len(mapped) < end:
            if not self.num_records:
                return memoryview(b"")
            mapped = self._map = memoryview(mmap.mmap(self._fd, end, prot=mmap.PROT_READ))
        return mapped[self._start : end]

    def record(self, recno: int, version: int) -> IndexRecord:
        """The record on disk. Raises MailboxChecksum."""
        offset = (recno - 1) * self._record_size
        return index_record.unpack(self.region(), offset, version=version, recno=recno)

    def uid(self, recno: int) -> int:
        """The uid of the record on disk, whatever else it says."""
        offset = (recno - 1) * self._record_size
        return int.from_bytes(self.region()[offset : offset + 4], "big")

    def grows(self, header: IndexHeader) -> bool:
        """Whether to write this header's records makes the file longer."""
        end = self._start + header.num_records * self._disk_size
        return os.fstat(self._fd).st_size < end

    def keeps_names(self, directory: str) -> bool:
        """Whether the names in a directory are lasting once this file has grown and been synced."""
        device = os.stat(directory).st_dev
        return device == self.identity[0] and files.sync_keeps_names(device)

    def mark_changing(self) -> None:
        """Say on disk, lastingly, that a change is going on. Who finds it said counts anew."""
        if self.raw:
            version = index_header.unpack(self.raw).minor_version
            old = self.raw[: index_header.header_size(version)]
            files.pwrite_all(self._fd, index_header.mark_changing(old), 0)
            os.fdatasync(self._fd)

    def write(
        self,
        header: IndexHeader,
        changes: dict[int, bytes],
        *,
        lasting: bool = True,
        records_first: bool = False,
    ) -> None:
        """Write packed records, by number, and header, and if ``lasting`` wait until they are on disk.

        With ``records_first`` those are there before the header is written. An OSError leaves the file as
        long as it was.
        """
        version = header.minor_version
        if self._old_version:
            changes = {
                recno: old_index.narrow(record, self._disk_size, version)
                for recno, record in changes.items()
            }
        old_size = os.fstat(self._fd).st_size
        try:
            if self.raw and any(recno <= self.num_records for recno in changes):
                old = self.raw[: index_header.header_size(version)]
                files.pwrite_all(self._fd, index_header.mark_changing(old), 0)
            for first, run in self._runs(changes):
                files.pwrite_all(self._fd, b"".join(run), self._start + (first - 1) * self._disk_size)
            if records_first and changes:
                os.fdatasync(self._fd)
            raw = index_header.pack(header)
            files.pwrite_all(self._fd, raw, 0)
        except OSError:
            os.ftruncate(self._fd, old_size)
            raise
        if lasting:
            os.fdatasync(self._fd)
        self.raw = raw
        self.num_records = header.num_records
        self._wide = None

    def _runs(self, changes: dict[int, bytes]) -> Iterator[tuple[int, list[bytes]]]:
        """Records in file order, with the first one's number, in as few pieces as makes sense.

        Unchanged records between changed ones are written again: one call is done or not done when the
        process dies, two may leave half a change. It ends where the bytes written for that outgrow its use.
        """
        if not changes:
            return
        numbers = sorted(changes)
        span = (numbers[-1] - numbers[0] + 1) * self._disk_size
        widest = numbers[-1] if span <= _ONE_WRITE else _PAGE // self._disk_size
        first = previous = numbers[0]
        run: list[bytes] = []
        for recno in numbers:
            if recno - previous > widest:
                yield first, run
                first, run = recno, []
            elif recno - previous > 1:
                run.append(self._unchanged(previous + 1, recno))
            run.append(changes[recno])
            previous = recno
        yield first, run

    def _unchanged(self, first: int, end: int) -> bytes:
        size = self._disk_size
        return bytes(self._disk_region()[(first - 1) * size : (end - 1) * size])

    def _look_for_expunged(self, header: IndexHeader) -> None:
        """An old header counts expunged messages, and the oldest cannot say that they are to be removed."""
        region, size = self.region(), self._record_size
        header.exists = columns.living(region, size).count(1)
        if any(map(UNLINKED.__and__, columns.words(region, size, index_record.OFFSET_FLAGS))):
            header.options |= index_header.NEEDS_REPACK | index_header.NEEDS_UNLINK

    def _take_layout(self, header: IndexHeader) -> None:
        self._start, self._record_size = header.start_offset, header.record_size
        self._disk_size = header.stored_record_size
        version = header.minor_version
        self._old_version = version if version <= old_index.NEWEST else 0
        self._wide = None

    def _identify(self) -> None:
        status = os.fstat(self._fd)
        self.identity = (status.st_dev, status.st_ino)
