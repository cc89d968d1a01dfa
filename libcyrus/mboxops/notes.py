"""Notes of operations under way, which outlive a process that dies in the middle; see ``unfinished``.

A note is a file ``CONFIGDIRECTORY/unfinished/PID-TIME-N`` with JSON in it, locked as long as its writer
lives and removed when the operation is complete. Nobody ever waits for that lock, so it has no place in the
lock order.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

from libcyrus.base import files, lock, xlog
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import MailboxBadFormat
from libcyrus.mailbox import leftovers
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.paths import UNFINISHED
from libcyrus.records.mbentry import MboxEntry

log = logging.getLogger(__name__)

_NEW = "."
"""What begins the name of a note that is being written."""
_VERSION = 1
_MOST_BYTES = 64 << 20

_numbers = count()


@dataclass(frozen=True, slots=True)
class Operation:
    """What an operation touches.

    ``owners`` are the users whose namespaces are locked (None: that of shared mailboxes). ``places`` are the
    directories it makes or gives up, as entries of mailboxes.db; ``names`` the mailboxes whose headers it
    changes, under their old and new names, and ``mbtype`` the kind of mailboxes to be made above these.
    ``roots`` are the quota roots whose usage changes, ``made_roots`` those it makes. ``inbox`` is the INBOX
    of a user whose data goes, or is given to the user ``heir``. ``layout`` is a mailbox that goes from the
    old layout to the new one by ``renames``, old and new paths.
    """

    kind: str
    owners: tuple[str | None, ...]
    places: tuple[MboxEntry, ...] = ()
    names: tuple[str, ...] = ()
    mbtype: int = 0
    roots: tuple[str, ...] = ()
    made_roots: tuple[str, ...] = ()
    inbox: MboxEntry | None = None
    heir: str | None = None
    layout: MboxEntry | None = None
    renames: tuple[tuple[str, str], ...] = ()

    def pack(self) -> bytes:
        fields = {
            "version": _VERSION,
            "operation": self.kind,
            "owners": self.owners,
            "places": [_pack_entry(place) for place in self.places],
            "names": self.names,
            "mbtype": self.mbtype,
            "roots": self.roots,
            "made": self.made_roots,
            "inbox": _pack_entry(self.inbox) if self.inbox is not None else None,
            "heir": self.heir,
            "layout": _pack_entry(self.layout) if self.layout is not None else None,
            "renames": self.renames,
        }
        return json.dumps(fields).encode("ascii")

    @classmethod
    def unpack(cls, data: bytes) -> Operation:
        """Raises ValueError for what is no note, MailboxBadFormat for one of a later version."""
        try:
            fields = json.loads(data)
            if fields["version"] != _VERSION:
                raise MailboxBadFormat
            inbox, layout = fields["inbox"], fields["layout"]
            return cls(
                kind=str(fields["operation"]),
                owners=tuple(fields["owners"]),
                places=tuple(_unpack_entry(place) for place in fields["places"]),
                names=tuple(fields["names"]),
                mbtype=int(fields["mbtype"]),
                roots=tuple(fields["roots"]),
                made_roots=tuple(fields["made"]),
                inbox=_unpack_entry(inbox) if inbox is not None else None,
                heir=fields["heir"],
                layout=_unpack_entry(layout) if layout is not None else None,
                renames=tuple((old, new) for old, new in fields["renames"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("not a note of an operation") from error


@contextmanager
def noted(store: MailStore, operation: Operation, *, lasting: bool = True) -> Iterator[None]:
    """Do the steps of an operation in the block. If it fails, the note stays for whoever comes next."""
    note = Note.write(store, operation, lasting=lasting)
    try:
        yield
    except BaseException:
        note.leave()
        raise
    note.remove()


class Note:
    """One that this process has written and keeps locked."""

    def __init__(self, path: str, fd: int) -> None:
        self._path = path
        self._fd = fd

    @classmethod
    def write(cls, store: MailStore, operation: Operation, *, lasting: bool) -> Note:
        """``lasting``: it survives a power cut. Raises NoSpace, IoError."""
        directory = f"{store.config.directory}/{UNFINISHED}"
        # the number of a dead process may be given again
        name = f"{os.getpid()}-{time.time_ns():x}-{next(_numbers)}"
        path, new = f"{directory}/{name}", f"{directory}/{_NEW}{name}"
        try:
            fd = files.open_making_dirs(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                lock.try_exclusive(fd)
                files.write_all(fd, operation.pack())
                if lasting:
                    os.fsync(fd)
                os.rename(new, path)
                if lasting:
                    files.fsync_dir(directory)
            except BaseException:
                os.close(fd)
                files.remove(new)
                raise
        except OSError as error:
            xlog.ioerror(log, "writing note failed", error, filename=path)
            raise storage_error(error) from error
        return cls(path, fd)

    def remove(self) -> None:
        """A power cut may bring it back: what it tells of is then found to be done."""
        with suppress(OSError):
            os.unlink(self._path)
        self.leave()

    def leave(self) -> None:
        lock.release_and_close(self._fd)


def left_of(store: MailStore, userids: set[str | None] | None) -> list[str]:
    """The notes of dead processes that concern these users (None: anybody); usually there are none."""
    directory = f"{store.config.directory}/{UNFINISHED}"
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    found = []
    for name in sorted(names):
        path = f"{directory}/{name}"
        if name.startswith(_NEW):
            _remove_if_dead(path)
        elif _concerns(path, userids):
            found.append(path)
    return found


def _remove_if_dead(path: str) -> None:
    """A note that was never complete, so nothing was begun, unless it is just being written."""
    pid = os.path.basename(path).removeprefix(_NEW).partition("-")[0]
    if pid.isdigit() and not leftovers.is_alive(int(pid)):
        with suppress(OSError):
            os.unlink(path)


def _concerns(path: str, userids: set[str | None] | None) -> bool:
    with opened(path) as operation:
        return operation is not None and (userids is None or not userids.isdisjoint(operation.owners))


@contextmanager
def opened(path: str) -> Iterator[Operation | None]:
    """The note, locked; None when its writer lives, or it is gone or unreadable."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        if not lock.try_exclusive(fd) or not os.fstat(fd).st_nlink:
            yield None
            return
        data = os.pread(fd, min(os.fstat(fd).st_size, _MOST_BYTES), 0)
        operation = None
        try:
            operation = Operation.unpack(data)
        except MailboxBadFormat:
            log.warning("leaving %s alone, the note of a later version", path)
        except ValueError:
            # a power cut can leave that of a note that was not synced
            log.warning("removing %s, which is no note of an operation", path)
            with suppress(OSError):
                os.unlink(path)
        yield operation
    finally:
        lock.release_and_close(fd)


def _pack_entry(entry: MboxEntry) -> list[Any]:
    return [entry.name, entry.mbtype, entry.uniqueid, entry.partition]


def _unpack_entry(packed: list[Any]) -> MboxEntry:
    name, mbtype, uniqueid, partition = packed
    return MboxEntry(name=name, mbtype=mbtype, uniqueid=uniqueid, partition=partition)
