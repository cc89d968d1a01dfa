"""What each server process is doing right now: a small file named by its pid.

The files lie in the directory of the option ``proc_path``, else in
``configdirectory/proc``. One line: service, client, user, mailbox, command,
separated by TAB. `cyr_info proc`, the limits on logins and the code that ends
a deleted user's sessions read them.
"""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module

from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config
from libcyrus.errors import Fatal

_title: Callable[[str], None] | None
try:
    _title = import_module("setproctitle").setproctitle
except ImportError:
    _title = None

log = logging.getLogger(__name__)

_PATIENCE = (0.1, 0.2, 0.5, 1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class ProcEntry:
    pid: int
    service: str
    host: str
    user: str | None
    mailbox: str | None
    command: str | None


class ProcFile:
    """This process's own file; created by the first ``register`` after the process began.

    It appears as a whole. What changes is written over it in one piece, since readers take one line and
    leave what is behind it; a shorter line is filled up. ``titled``: ps(1) shows it too, if it can.
    """

    def __init__(self, directory: str, *, titled: bool = True) -> None:
        self._directory = directory
        self._title = _title if titled else None
        self._written: str | None = None
        self._size = 0
        self._path = ""
        self._fd = -1

    def register(self, service: str, host: str, user: str = "", mailbox: str = "", command: str = "") -> None:
        """Say what this process does. Costs nothing when that is what the file says already.

        Raises Fatal when the file cannot be written.
        """
        text = f"{service}\t{host}\t{user}\t{mailbox}\t{command}\n"
        if text == self._written:
            return
        self._path = os.path.join(self._directory, str(os.getpid()))
        try:
            try:
                if self._fd >= 0:
                    line = _octets(text).ljust(self._size, b"\n")
                    os.pwrite(self._fd, line, 0)
                    self._size = len(line)
                else:
                    self._replace(text)
            except FileNotFoundError:
                self._create_directory()
                self._replace(text)
        except OSError as error:
            log.error("IOERROR: creating %s: %s", self._path, error.strerror)
            raise Fatal("can't write proc file", os.EX_IOERR) from error
        self._written = text
        if self._title is not None:
            self._title(f"{service}: {host} {user} {mailbox} {command}")

    def cleanup(self) -> None:
        """Remove the file, at the end of a connection."""
        if self._written is None:
            return
        self._written = None
        self._close()
        try:
            os.unlink(self._path)
        except OSError:
            pass

    def end_others(self, *, user: str | None = None, mailbox: str | None = None) -> None:
        """Have other processes finish (SIGTERM): those that serve ``user``, or have ``mailbox`` selected."""
        for entry in foreach(self._directory):
            concerned = (user and entry.user == user) or (mailbox and entry.mailbox == mailbox)
            if concerned and entry.pid != os.getpid():
                with suppress(OSError):
                    os.kill(entry.pid, signal.SIGTERM)

    def cancel_others(self, user: str, command: str) -> None:
        """Ask other processes that run ``command`` for ``user`` to give it up (SIGUSR2)."""
        for entry in foreach(self._directory):
            if (entry.user, entry.command) == (user, command) and entry.pid != os.getpid():
                with suppress(OSError):
                    os.kill(entry.pid, signal.SIGUSR2)

    def _replace(self, text: str) -> None:
        self._close()
        new = self._path + ".new"
        self._fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
        self._size = os.write(self._fd, _octets(text))
        os.rename(new, self._path)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _create_directory(self) -> None:
        try:
            os.makedirs(self._directory, 0o755, exist_ok=True)
        except OSError as error:
            raise Fatal("couldn't create proc directory", os.EX_IOERR) from error
        log.log(NOTICE, "created proc directory")


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def directory(config: Config) -> str:
    """Where the files are. Raises Fatal for a ``proc_path`` that is relative or the root."""
    path = config[opt.proc_path]
    if path is None:
        return os.path.join(config.directory, "proc")
    if not path.startswith("/"):
        raise Fatal("proc path must be fully qualified", os.EX_CONFIG)
    if len(path) < 2:
        raise Fatal("proc path must not be '/'", os.EX_CONFIG)
    return path


def foreach(path: str) -> Iterator[ProcEntry]:
    """Every process that has a file in the directory ``path``; files that vanish are passed over."""
    try:
        names = os.listdir(path)
    except OSError:
        return
    for name in names:
        if name.startswith(".") or name.endswith(".new"):
            continue
        if not name.isascii() or not name.isdigit() or not int(name):
            log.error('IOERROR: bogus filename "%s/%s" in proc_foreach', path, name)
            continue
        entry = _read(os.path.join(path, name), int(name))
        if entry is not None:
            yield entry


def end_user(path: str, user: str) -> None:
    """Have every process that serves ``user`` finish: by SIGTERM, after some 15 seconds by SIGKILL."""
    pids = {entry.pid for entry in foreach(path) if entry.user == user}
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = {pid for pid in pids if _signal(pid, number)}
        for delay in _PATIENCE:
            if not pids:
                return
            time.sleep(delay)
            pids = {pid for pid in pids if _signal(pid, 0)}
    if pids:
        log.critical("cannot kill some processes even with SIGKILL")


def _signal(pid: int, number: int) -> bool:
    """Whether the process is there, and ours to signal."""
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def _read(path: str, pid: int) -> ProcEntry | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            line = file.read(65536)
    except OSError:
        return None
    fields = line.split("\r")[0].split("\n")[0].split("\t", 4)
    if len(fields) < 2:
        return None
    more: list[str | None] = [*fields[2:], None, None, None]
    return ProcEntry(pid, fields[0], fields[1], more[0], more[1], more[2])
