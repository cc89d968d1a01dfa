"""smalldisk DIRECTORY SIZE COMMAND...: run a command that finds a small file system mounted on a directory.

The mount is in a mount namespace of its own, so nobody else sees it and it goes away with the last process.
Who is not root gets a user namespace too, in which the same user may mount.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_REC, _PRIVATE = 0x4000, 1 << 18


def main() -> None:
    directory, size, *command = sys.argv[1:]
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.geteuid(), os.getegid()
    owner = os.stat(directory)
    _check(libc.unshare(_NEWNS if uid == 0 else _NEWNS | _NEWUSER))
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _check(libc.mount(b"none", b"/", None, _REC | _PRIVATE, None))
    options = f"size={size},mode=700,uid={owner.st_uid},gid={owner.st_gid}"
    _check(libc.mount(b"none", os.fsencode(directory), b"tmpfs", 0, options.encode()))
    os.execvp(command[0], command)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    main()
