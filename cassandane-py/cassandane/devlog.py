"""devlog SOCKET COMMAND...: run a command whose ``/dev/log`` is SOCKET.

A machine that tests run on need not have a syslog daemon, and a program of the original's cannot be asked
to log elsewhere. So it gets a ``/dev`` of its own, in a mount namespace that nobody else sees and that goes
away with the last process. Who is not root gets a user namespace too, in which the same user may mount.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_BIND, _REC, _PRIVATE = 0x1000, 0x4000, 1 << 18
_NODES = ("null", "zero", "full", "random", "urandom", "tty")
_LINE = re.compile(r"<(\d+)>(\w+ +\d+ [\d:]+) (.*?): ?(.*)", re.DOTALL)


_MARK = b"mark"


class Receiver:
    """Writes what comes to a socket into a file, in the form in which our own programs are captured."""

    def __init__(self, path: Path, log: Path) -> None:
        self._log = log
        self._path = str(path)
        self._taken = threading.Semaphore(0)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        path.chmod(0o666)
        threading.Thread(target=self._receive, daemon=True).start()

    def flush(self) -> None:
        """Return when everything that was sent until now is in the file."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(_MARK, self._path)
        assert self._taken.acquire(timeout=30), "nobody takes what is logged"

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _receive(self) -> None:
        with suppress(OSError):
            while data := self._socket.recv(65536):
                if data == _MARK:
                    self._taken.release()
                    continue
                found = _LINE.match(data.decode("utf-8", "replace").rstrip("\n\0"))
                if found is None:
                    continue
                priority, stamp, ident, text = found.groups()
                with open(self._log, "a") as file:
                    file.write(f"{stamp} {ident}: <{int(priority) & 7}> {text}\n")


def main() -> None:
    log, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)

    def mount(source: str, target: str, flags: int) -> None:
        _check(libc.mount(os.fsencode(source), os.fsencode(target), None, flags, None))

    uid, gid = os.geteuid(), os.getegid()
    _check(libc.unshare(_NEWNS if uid == 0 else _NEWNS | _NEWUSER))
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    mount("none", "/", _REC | _PRIVATE)
    devices = Path(log).with_suffix(".dev")
    devices.mkdir(exist_ok=True)
    for name in _NODES:
        (devices / name).touch()
        mount(f"/dev/{name}", str(devices / name), _BIND)
    for name, target in (("log", log), ("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1")):
        with suppress(FileExistsError):
            (devices / name).symlink_to(target)
    mount(str(devices), "/dev", _BIND | _REC)
    os.execvp(command[0], command)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
