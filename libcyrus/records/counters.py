"""counters.db: the highest modification sequences of a user's mailboxes by kind, and the last UIDVALIDITY.

A file of big-endian numbers, read and rewritten whole under an exclusive lock on itself (so whoever waited
must check that the name still leads to the file it locked)::

    0    generation     4 bytes, one more at every write
    4    version        4 bytes, 9
    8    35 modseqs     8 bytes each, in the order of ``MODSEQS``
    288  uidvalidity    4 bytes
    292  CRC-32 of what is before

Older versions hold fewer modseqs. The counters are kept only while ``conversations`` is on; otherwise callers
get one more than the value they know, and no file is touched.
"""

from __future__ import annotations

import logging
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from libcyrus import options as opt
from libcyrus.base import files, lock, xlog
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.config import Config
from libcyrus.errors import IoError, MailboxBadFormat, MailboxChecksum
from libcyrus.mboxname import MboxName

from . import mbtype as mbtypes
from .userstate import COUNTERS, UserState

log = logging.getLogger(__name__)

VERSION = 9
MODSEQS = (
    "highest",
    "mail", "caldav", "carddav", "notes",
    "mailfolders", "caldavfolders", "carddavfolders", "notesfolders",
    "quota", "racl",
    "submission", "submissionfolders",
    "maildeleted", "caldavdeleted", "carddavdeleted", "notesdeleted", "submissiondeleted",
    "mailfoldersdeleted", "caldavfoldersdeleted", "carddavfoldersdeleted", "notesfoldersdeleted",
    "submissionfoldersdeleted",
    "davnotification", "davnotificationdeleted", "davnotificationfolders", "davnotificationfoldersdeleted",
    "jmapnotification", "jmapnotificationdeleted", "jmapnotificationfolders",
    "jmapnotificationfoldersdeleted",
    "sieve", "sievedeleted", "sievefolders", "sievefoldersdeleted",
)  # fmt: skip
_COUNT_OF_VERSION = {0: 4, 1: 5, 2: 6, 3: 9, 4: 11, 5: 13, 6: 23, 7: 27, 8: 31, 9: 35}


@dataclass
class CounterValues:
    """The content of the file; ``modseqs`` has every name of ``MODSEQS``."""

    generation: int = 0
    modseqs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(MODSEQS, 0))
    uidvalidity: int = 0

    @classmethod
    def unpack(cls, data: bytes) -> CounterValues:
        """Raises MailboxChecksum for a damaged file, MailboxBadFormat for a version from the future."""
        generation, version = struct.unpack_from(">II", data)
        if len(data) == 48:
            # the first layout left the version field to chance
            version = 0
        count = _COUNT_OF_VERSION.get(version)
        if count is None:
            raise MailboxBadFormat
        size = 16 + 8 * count
        if len(data) != size or zlib.crc32(data[: size - 4]) != int.from_bytes(data[size - 4 :]):
            raise MailboxChecksum
        *modseqs, uidvalidity = struct.unpack_from(f">{count}QI", data, 8)
        values = cls(generation, uidvalidity=uidvalidity)
        values.modseqs.update(zip(MODSEQS, modseqs, strict=False))
        return values

    def pack(self) -> bytes:
        data = struct.pack(
            f">II{len(MODSEQS)}QI",
            self.generation & 0xFFFFFFFF,
            VERSION,
            *(self.modseqs[name] for name in MODSEQS),
            self.uidvalidity,
        )
        return data + struct.pack(">I", zlib.crc32(data))


class Counters:
    """The counters of the owners of mailboxes; names are internal."""

    def __init__(self, config: Config, state: UserState) -> None:
        self.enabled = config[opt.conversations]
        self._state = state
        self._rules = state.mailboxes.rules
        self._prefixes = {
            config[opt.addressbookprefix]: "carddav",
            config[opt.calendarprefix]: "caldav",
            config[opt.notesmailbox]: "notes",
            config[opt.jmapsubmissionfolder]: "submission",
            config[opt.davnotificationsprefix]: "davnotification",
            config[opt.sieve_folder]: "sieve",
        }

    def read(self, name: str) -> CounterValues:
        """All counters of the owner of ``name``; zeros where there is no file yet."""
        path = self._state.path(self._rules.from_internal(name), COUNTERS)
        try:
            with open(path, "rb") as stream:
                data = stream.read(4096)
        except FileNotFoundError:
            return CounterValues()
        except OSError as error:
            xlog.ioerror(log, "open failed", error, filename=path)
            raise IoError from error
        return CounterValues.unpack(data) if len(data) >= 8 else CounterValues()

    def kind(self, name: str, mbtype: int = mbtypes.EMAIL) -> str:
        """Which counter a mailbox raises, a word of ``MODSEQS``."""
        return self._kind(self._rules.from_internal(name), mbtype)

    def next_modseq(
        self, name: str, last: int, mbtype: int = mbtypes.EMAIL, *, folder: bool = False, delete: bool = False
    ) -> int:
        """A modseq above ``last`` and above everything counted; ``folder`` for a change of the mailbox
        itself, ``delete`` for the removal of what it counts.
        """
        return self._modseq(name, last, self._names(name, mbtype, folder=folder, delete=delete), 1)

    def set_modseq(
        self,
        name: str,
        value: int,
        mbtype: int = mbtypes.EMAIL,
        *,
        folder: bool = False,
        delete: bool = False,
    ) -> int:
        """Make sure that the counters are at least ``value``; returns the highest."""
        return self._modseq(name, value, self._names(name, mbtype, folder=folder, delete=delete), 0)

    def next_quotamodseq(self, name: str, last: int) -> int:
        return self._modseq(name, last, ("quota",), 1)

    def set_quotamodseq(self, name: str, value: int) -> int:
        return self._modseq(name, value, ("quota",), 0)

    def next_uidvalidity(self, name: str, last: int) -> int:
        """A UIDVALIDITY above ``last`` and above all of the owner's."""
        if not self.enabled:
            return last + 1
        with self._change(name) as values:
            values.uidvalidity = max(values.uidvalidity, last) + 1
            return values.uidvalidity

    def set_uidvalidity(self, name: str, value: int) -> int:
        """Make sure that the counter is at least ``value``; returns ``value``."""
        if self.enabled:
            with self._change(name) as values:
                values.uidvalidity = max(values.uidvalidity, value)
        return value

    def _names(self, name: str, mbtype: int, *, folder: bool, delete: bool) -> tuple[str, ...]:
        kind = self._kind(self._rules.from_internal(name), mbtype)
        deleted = "deleted" if delete else ""
        return (f"{kind}{deleted}", f"{kind}folders{deleted}") if folder else (f"{kind}{deleted}",)

    def _kind(self, name: MboxName, mbtype: int) -> str:
        match mbtypes.kind(mbtype):
            case mbtypes.ADDRESSBOOK:
                return "carddav"
            case mbtypes.CALENDAR:
                return "caldav"
            case mbtypes.JMAPSUBMIT:
                return "submission"
            case mbtypes.COLLECTION:
                return "davnotification"
            case mbtypes.SIEVE:
                return "sieve"
        return self._prefixes.get(name.boxes[0], "mail") if name.boxes else "mail"

    def _modseq(self, name: str, last: int, names: tuple[str, ...], add: int) -> int:
        if not self.enabled:
            return last + add
        try:
            return self._change_modseq(name, last, names, add)
        except (MailboxBadFormat, MailboxChecksum, IoError) as error:
            # what is counted matters more than the counters
            log.error("counting modseqs for %s failed: %s", name, error)
            return last + add

    def _change_modseq(self, name: str, last: int, names: tuple[str, ...], add: int) -> int:
        with self._change(name) as values:
            modseqs = values.modseqs
            for counter in ("highest", *names):
                modseqs[counter] = max(modseqs[counter], last)
            if add:
                modseqs["highest"] += add
                for counter in names:
                    modseqs[counter] = modseqs["highest"]
            return modseqs["highest"]

    @contextmanager
    def _change(self, name: str) -> Iterator[CounterValues]:
        path = self._state.path(self._rules.from_internal(name), COUNTERS)
        try:
            fd = files.open_making_dirs(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            xlog.ioerror(log, "create failed", error, filename=path)
            raise IoError from error
        try:
            status, _ = lock.reopen_exclusive(fd, path)
            data = os.pread(fd, 4096, 0) if status.st_size else b""
            values = CounterValues.unpack(data) if len(data) >= 8 else CounterValues()
            before = values.pack()
            yield values
            if values.pack() != before:
                values.generation += 1
                # what a power cut takes of them, the modseqs of the mailboxes and the time make up for
                files.replace(path, values.pack(), mode=0o644, sync_name=False)
        except OSError as error:
            xlog.ioerror(log, "counters update failed", error, filename=path)
            raise IoError from error
        finally:
            os.close(fd)
