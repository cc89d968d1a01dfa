"""A message on its way in: one file for all the mailboxes it goes to.

The file lies in ``PARTITION/stage./`` as ``PID-TIME-NUMBER``, so it can be linked
into any mailbox of that partition; for another partition it is copied once. It is
written as the network brings it, synced once, parsed once. A crash leaves a stray file there
that nobody refers to, never part of a mailbox.
"""

from __future__ import annotations

import logging
import mmap
import os
import time
from collections.abc import Iterable
from functools import cached_property
from itertools import count
from types import TracebackType
from typing import Self
from zlib import crc32

from libcyrus import message
from libcyrus import options as opt
from libcyrus.base import files, xlog
from libcyrus.errors import InternalError, IoError, MessageTooLarge, NoSpace, PartitionUnknown
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.index_record import CACHE_VERSION, IndexRecord
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.paths import STAGE_DIRECTORY

log = logging.getLogger(__name__)

# what an index record can hold
_LARGEST = 0xFFFFFFFF
_SMALL = 1 << 15
_numbers = count()


class Stage:
    """Write the message, ``finish`` it, append it (``Appender.append``) any number of times, ``remove`` it.

    It stays until what it was appended to is committed. As a context manager it removes itself.
    ``internaldate`` (seconds, 0 for now) becomes the file's modification time, as every message file has it.
    """

    def __init__(self, store: MailStore, partition: str | None = None, *, internaldate: int = 0) -> None:
        """Begin in a partition (None: the default one). Raises PartitionUnknown, NoSpace, IoError."""
        self._store = store
        self.internaldate = internaldate or int(time.time())
        self._name = f"{os.getpid()}-{self.internaldate}-{next(_numbers)}"
        self._paths: dict[str, str] = {}
        self.size = 0
        self._finished = False
        self._fd = -1
        self.partition = partition or store.config[opt.defaultpartition] or "default"
        self.path = self._path(self.partition)
        try:
            self._fd = self._create()
        except OSError as error:
            raise self._failed(error) from error
        self._paths[self.partition] = self.path

    @classmethod
    def from_bytes(cls, store: MailStore, data: bytes, *, partition: str | None = None) -> Self:
        """A finished stage with this message."""
        stage = cls(store, partition)
        stage.write(data)
        stage.finish()
        return stage

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Add to the message. Raises NoSpace, IoError."""
        try:
            files.write_all(self._fd, data)
        except OSError as error:
            raise self._failed(error) from error
        self.size += len(data)

    def rewrite(self, blocks: Iterable[bytes]) -> None:
        """Put other octets in the message's place before ``finish``. Raises NoSpace, IoError.

        The blocks may be made from ``data`` meanwhile: they go to a new file.
        """
        old = self._fd
        try:
            os.unlink(self.path)
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._failed(error) from error
        try:
            self.size = 0
            for block in blocks:
                self.write(block)
        finally:
            os.close(old)

    def finish(self) -> message.Message:
        """The message is complete: bring it to disk, parse it. Raises NoSpace, IoError, MessageTooLarge."""
        try:
            os.utime(self._fd, (self.internaldate, self.internaldate))
            os.fsync(self._fd)
            self.size = os.fstat(self._fd).st_size
        except OSError as error:
            raise self._failed(error) from error
        if self.size > _LARGEST:
            raise MessageTooLarge
        self._finished = True
        return self.message

    @cached_property
    def message(self) -> message.Message:
        """The parsed message; only after ``finish``."""
        if not self._finished:
            raise InternalError
        parsed = message.parse(self.data(), self._store.parse_options)
        for notice in parsed.notices(self.path):
            log.error(notice)
        return parsed

    @cached_property
    def cache_record(self) -> bytes:
        return self.message.cache_record()

    @cached_property
    def cache_crc(self) -> int:
        return crc32(self.cache_record)

    def data(self) -> mmap.mmap | bytes:
        """The bytes of the message; mapped, unless they are few."""
        if self.size <= _SMALL:
            return os.pread(self._fd, _SMALL, 0)
        return mmap.mmap(self._fd, 0, prot=mmap.PROT_READ)

    def record(self) -> IndexRecord:
        """A new index record with everything that follows from the message itself."""
        parsed = self.message
        return IndexRecord(
            size=parsed.size,
            header_size=parsed.header_size,
            guid=parsed.guid,
            sentdate=parsed.sentdate & 0xFFFFFFFF,
            gmtime=parsed.gmtime & 0xFFFFFFFF,
            cache_version=CACHE_VERSION,
            cache_crc=self.cache_crc,
        )

    def file_in(self, partition: str) -> str:
        """The path of the staged file in a partition, copied there when first asked. Raises as ``write``."""
        path = self._paths.get(partition)
        if path is None:
            path = self._path(partition)
            try:
                files.copy(self.path, path, keep_times=True)
            except OSError as error:
                files.remove(path)
                raise _error(error, path) from error
            self._paths[partition] = path
        return path

    def remove(self) -> None:
        """Remove the file; mailboxes have it under its own name."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        for path in self._paths.values():
            try:
                files.remove(path)
            except OSError as error:
                xlog.ioerror(log, "error unlinking file", error, filename=path)
        self._paths.clear()

    def _create(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        try:
            return files.open_making_dirs(self.path, flags, 0o600)
        except FileExistsError:
            # what a crash left
            os.unlink(self.path)
            return files.open_making_dirs(self.path, flags, 0o600)

    def _path(self, partition: str) -> str:
        root = self._store.config.partition_dir(partition)
        if root is None:
            raise PartitionUnknown
        return f"{root}/{STAGE_DIRECTORY}/{self._name}"

    def _failed(self, error: OSError) -> NoSpace | IoError:
        result = _error(error, self.path)
        self.remove()
        return result


def _error(error: OSError, path: str) -> NoSpace | IoError:
    xlog.ioerror(log, "creating message file", error, filename=path)
    return storage_error(error)
