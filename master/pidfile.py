"""The pidfile, its lock, and going into the background with an exit code for whoever waits.

With ``-d`` the first process locks ``PIDFILE.lock``, so that two masters do
not start at once, forks, and waits on a pipe for the exit code that the second
one sends when it is up or has failed. The second one is the leader of a new
session. python-daemon does for it what else a daemon owes its surroundings;
the fork is ours, because python-daemon's parent exits with 0 before anything
is known.

The pidfile itself stays open and locked for the life of master; that lock, not
the file, says that one is running. It is a POSIX lock like the original's, so
that ``F_GETLK`` names the holder. Such a lock is lost when the process closes
any descriptor of the file: nothing else here may open it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import syslog
import time
from collections.abc import Iterable

from libcyrus.base.systemlog import write
from libcyrus.errors import Fatal

DEFAULT_PATH = "/run/cyrus-master.pid"

_CODE = struct.Struct("=i")


class Starter:
    """The process that waits for us, if there is one."""

    def __init__(self, pipe_fd: int = -1, lock_fd: int = -1) -> None:
        self._pipe_fd, self._lock_fd = pipe_fd, lock_fd

    def report(self, code: int) -> None:
        """Tell it the exit code; only the first one counts."""
        if self._pipe_fd < 0:
            return
        try:
            os.write(self._pipe_fd, _CODE.pack(code))
        except OSError as error:
            write(syslog.LOG_ERR, f"can't write to startup parent pipe: {error.strerror}")
        os.close(self._pipe_fd)
        os.close(self._lock_fd)
        self._pipe_fd = -1


def daemonize(path: str, directory: str, keep: Iterable[int]) -> Starter:
    """Go into the background; returns in the new process only. Raises Fatal before, exits after.

    Descriptors 0 to 2 must be what the daemon shall have; of others, those in
    ``keep`` stay. The log is closed: open it again.
    """
    lock_path = path + ".lock"
    try:
        lock_fd = os.open(lock_path, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise Fatal(
            f"can't open pidfile lock: {lock_path} ({error.strerror})", os.EX_OSERR
        ) from error
    if not _try_lock(lock_fd):
        raise Fatal(f"can't get exclusive lock on {lock_path}", os.EX_TEMPFAIL)
    try:
        os.chdir(directory)
    except OSError as error:
        raise Fatal(f"couldn't chdir to {directory}: {error.strerror}", 2) from error
    try:
        os.chdir("cores")
    except OSError:
        pass  # core files may lie in the directory itself
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    if _fork():
        os.close(write_fd)
        answer = os.read(read_fd, _CODE.size)
        os.unlink(lock_path)
        os._exit(_CODE.unpack(answer)[0] if len(answer) == _CODE.size else os.EX_OSERR)
    os.close(read_fd)
    os.setsid()
    _let_go((*keep, write_fd, lock_fd))
    return Starter(write_fd, lock_fd)


def _let_go(keep: Iterable[int]) -> None:
    """Close what whoever started us left open. Mask, directory, signals and core files stay as they are."""
    import daemon

    # its descriptor would be closed behind its back, and then be something else
    syslog.closelog()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
    mask = os.umask(0o077)
    daemon.DaemonContext(
        detach_process=False,
        working_directory=os.getcwd(),
        umask=mask,
        prevent_core=False,
        signal_map={},
        files_preserve=list(keep),
        stdin=sys.stdin,
        stdout=sys.stdout,
        stderr=sys.stderr,
    ).open()


def take(path: str) -> int:
    """Lock the pidfile and write this process into it; its descriptor, to be kept open. Raises Fatal."""
    try:
        fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise Fatal(f"can't open pidfile: {error.strerror}", os.EX_OSERR) from error
    if not _try_lock(fd):
        raise Fatal(
            "cannot get exclusive lock on pidfile (is another master still running?)", os.EX_OSERR
        )
    try:
        os.ftruncate(fd, 0)
        os.write(fd, b"%d\n" % os.getpid())
        os.fsync(fd)
    except OSError as error:
        raise Fatal("unable to write to pidfile (see syslog for details)", os.EX_OSERR) from error
    return fd


def _try_lock(fd: int) -> bool:
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _fork() -> int:
    while True:
        try:
            return os.fork()
        except BlockingIOError as error:
            write(syslog.LOG_WARNING, f"master fork failed (sleeping): {error.strerror}")
            time.sleep(5)
        except OSError as error:
            raise Fatal("fork error", os.EX_OSERR) from error
