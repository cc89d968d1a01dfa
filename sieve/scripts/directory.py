"""A directory of compiled scripts below ``sievedir``: bytecode and the link to the active one.

Whoever changes it holds the user's ``#sieve`` exclusively locked. All changes are one rename (or one unlink)
and are on disk when the call returns; a name that is put or removed is synced with its directory. Errors are
IoError or NoSpace, with one line in the log.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from libcyrus import options as opt
from libcyrus.base import files, xlog
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import sieve_path

log = logging.getLogger(__name__)

ACTIVE = "defaultbc"
BYTECODE = ".bc"
SCRIPT = ".script"
_NEW = ".NEW"
_MODE = 0o600
_LONGEST_NAME = 1024 - len(SCRIPT) - len(_NEW)
_CONTROLS = frozenset(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)))


def is_valid_name(name: str) -> bool:
    """Whether a script may be called so: RFC 5804 section 1.6, and what is no file name.

    Names that mean something as a file of the directory are none either.
    """
    try:
        length = len(name.encode())
    except UnicodeEncodeError:
        return False
    return 0 < length < _LONGEST_NAME and "/" not in name and _CONTROLS.isdisjoint(name)


class ScriptDirectory:
    def __init__(self, path: str) -> None:
        self.path = path

    def make(self) -> None:
        """Make it, if it is missing."""
        with self._failing("can not make sieve directory"):
            files.mkdirs_lasting(self.path)

    def active(self) -> str | None:
        """The name of the script that is run; it need not exist."""
        try:
            target = os.readlink(self._file(ACTIVE))
        except FileNotFoundError:
            return None
        except OSError as error:
            xlog.ioerror(log, "failed to read active script link", error, link=self._file(ACTIVE))
            return None
        name = target.removesuffix(BYTECODE)
        return name if name and name != target else None

    def scripts(self) -> list[str]:
        """The names of scripts that an earlier version left as files, sorted."""
        try:
            with os.scandir(self.path) as found:
                names = [entry.name for entry in found if entry.is_file(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        except OSError as error:
            xlog.ioerror(log, "can not open sieve directory", error, path=self.path)
            return []
        return sorted(name.removesuffix(SCRIPT) for name in names if name.endswith(SCRIPT) and name != SCRIPT)

    def read_script(self, name: str) -> bytes:
        with self._failing("can not read sieve script", name):
            return files.read_all(self._file(name + SCRIPT))

    def has_script(self, name: str) -> bool:
        """Whether an earlier version left the text of a script here."""
        return os.path.exists(self._file(name + SCRIPT))

    def script_time(self, name: str) -> int:
        """When the file of a script was changed last."""
        with self._failing("can not read sieve script", name):
            return int(os.stat(self._file(name + SCRIPT)).st_mtime)

    def put_script(self, name: str, text: bytes) -> None:
        """Keep the text of a script as earlier versions did."""
        with self._failing("failed to write script file", name):
            files.replace(self._file(name + SCRIPT), text, mode=_MODE)

    def remove_script(self, name: str) -> None:
        self._remove(name + SCRIPT, "failed to delete script file")

    def has_bytecode(self, name: str, not_before: int = 0) -> bool:
        """Whether a script is compiled, since a time in seconds."""
        try:
            return os.stat(self._file(name + BYTECODE)).st_mtime >= not_before
        except OSError:
            return False

    def prepare(self, name: str, bytecode: bytes) -> None:
        """Write bytecode beside the old one and sync it, so that ``put`` has nothing left that may fail."""
        new = self._file(name + BYTECODE + _NEW)
        with self._failing("failed to write new bytecode file", name):
            # a stray hard link must not be written to
            files.remove(new)
            try:
                fd = files.open_making_dirs(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
                try:
                    files.write_all(fd, bytecode)
                    os.fsync(fd)
                finally:
                    os.close(fd)
            except OSError:
                files.remove(new)
                raise

    def put(self, name: str) -> None:
        """Let what was prepared be the bytecode."""
        path = self._file(name + BYTECODE)
        with self._failing("failed to rename bytecode file", name):
            os.rename(path + _NEW, path)
            files.fsync_dir(self.path)

    def cancel(self, name: str) -> None:
        """Take away what was prepared."""
        with suppress(OSError):
            files.remove(self._file(name + BYTECODE + _NEW))

    def activate(self, name: str) -> None:
        """Let mail run through this script."""
        if self.active() == name:
            return
        link = self._file(ACTIVE)
        with self._failing("failed to rename active script link", name):
            files.remove(link + _NEW)
            os.symlink(name + BYTECODE, link + _NEW)
            os.rename(link + _NEW, link)
            files.fsync_dir(self.path)

    def deactivate(self) -> None:
        self._remove(ACTIVE, "failed to delete active script link")

    def remove(self, name: str) -> None:
        """Take the bytecode of a script away."""
        self._remove(name + BYTECODE, "failed to delete bytecode file")

    def _remove(self, name: str, description: str) -> None:
        with self._failing(description, name), suppress(FileNotFoundError):
            os.unlink(self._file(name))
            files.fsync_dir(self.path)

    def _file(self, name: str) -> str:
        return f"{self.path}/{name}"

    @contextmanager
    def _failing(self, description: str, name: str = "") -> Iterator[None]:
        try:
            yield
        except OSError as error:
            xlog.ioerror(log, description, error, path=f"{self.path}/{name}")
            raise storage_error(error) from error


def directory_of(store: MailStore, userid: str) -> ScriptDirectory:
    """Where a user's compiled scripts are."""
    inbox = store.mboxlist.get(store.rules.inbox(userid))
    name = store.rules.from_userid(userid)
    sievedir = store.config[opt.sievedir] or ""
    return ScriptDirectory(sieve_path(sievedir, name, inbox.path_id if inbox is not None else None))
