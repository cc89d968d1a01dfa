"""The cache files of a mailbox: that beside the index, and that of the archive partition if it is another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from libcyrus.errors import IoError
from libcyrus.mailbox.cache import CacheFile
from libcyrus.mailbox.index_record import IndexRecord
from libcyrus.mailbox.paths import MailboxPaths


class CacheFiles:
    """Opened when first needed. ``finish_repack`` aside, the mailbox's lock rules apply."""

    __slots__ = ("_files", "_paths")

    def __init__(self, paths: MailboxPaths) -> None:
        self._paths = paths
        self._files: dict[str, CacheFile] = {}

    def read(self, offset: int, crc: int, *, archived: bool, end: int = 0) -> memoryview:
        """A checked cache record, see ``CacheFile.read``. Raises IoError, MailboxChecksum."""
        if not offset or not crc:
            raise IoError("no cache record")
        try:
            return self._file(archived).read(offset, crc, end=end)
        except (OSError, ValueError) as error:
            raise IoError(str(error)) from error

    def read_each(
        self, places: Iterable[tuple[int, int, int]], *, archived: bool = False
    ) -> Iterator[memoryview | None]:
        """Many checked records of one file, from (offset, crc, end); None for a bad one.

        Raises IoError when there is no cache file.
        """
        try:
            yield from self._file(archived).read_each(places)
        except (OSError, ValueError) as error:
            raise IoError(str(error)) from error

    def unchecked(self, offset: int, *, archived: bool) -> memoryview:
        """The cache record at ``offset``, if there is something like one. Raises IoError."""
        if not offset:
            raise IoError("no cache record")
        try:
            return self._file(archived).read(offset)
        except (OSError, ValueError) as error:
            raise IoError(str(error)) from error

    def append(self, record: IndexRecord, data: bytes | memoryview, generation: int) -> None:
        """Write a cache record and note its offset. Raises OSError."""
        record.cache_offset = self._file(record.archived).append(data, generation)

    def settle(self) -> None:
        """What was appended stays. Raises OSError."""
        for file in self._files.values():
            file.settle()

    def undo(self) -> None:
        """Cut off what was appended since the last ``settle``."""
        for file in self._files.values():
            file.undo()

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()

    def finish_repack(self, generation: int, *, archived: bool, rename: bool) -> bool:
        """Whether the file of this generation still waited for its rename, and is now in use.

        A repack that died may have left it under its temporary name; with ``rename`` it gets its own.
        """
        path = self._path(archived)
        old, new = self._file(archived), CacheFile(path + ".NEW")
        if new.generation() != generation or CacheFile(path).generation() == generation:
            return False
        if old.path == new.path:
            return False
        old.close()
        if rename:
            os.rename(new.path, path)
        else:
            self._files[path] = new
        return True

    def _path(self, archived: bool) -> str:
        return self._paths.meta("archivecache") if archived else self._paths.cache

    def _file(self, archived: bool) -> CacheFile:
        path = self._path(archived)
        found = self._files.get(path)
        if found is None:
            found = self._files[path] = CacheFile(path)
        return found


