"""Files written so that a crash leaves the old content or the new one, never a mixture.

What "synced" means here: after ``fsync`` of a file its content survives a
power cut; a *name* (created, renamed, removed) survives only after ``fsync``
of its directory, or as ``sync_keeps_names`` has it. Functions below say which of the two they give.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache

Buffer = bytes | bytearray | memoryview
_IOV_MAX = 1024
_COPY_CHUNK = 1 << 20
_READ_CHUNK = 1 << 16
_SYNC_TOGETHER = 16

# nanoseconds, with room to spare
_FINE_CLOCK = 100_000_000
_COARSE_CLOCK = 2_000_000_000


def fsync_dir(path: str | os.PathLike[str]) -> None:
    """Make the names in a directory survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# with one journal for all changes of names, sizes and inodes, which gets to disk in order
_ORDERED = frozenset(("ext3", "ext4", "xfs"))


@cache
def sync_keeps_names(device: int) -> bool:
    """Whether, on a device (``st_dev``), to sync a file that has grown makes all names lasting as they are.

    POSIX does not promise it. Where a file system has one journal, the new size cannot get to disk without
    every change of names that came before it. False in doubt.
    """
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            fields, _, rest = line.partition(" - ")
            if fields.split(" ")[2] == wanted:
                return rest.split(" ")[0] in _ORDERED
    return False


def mkdirs(path: str | os.PathLike[str], mode: int = 0o755) -> None:
    """Create the directory ``path`` and what is missing above it (mode limited by umask)."""
    try:
        os.mkdir(path, mode)
    except FileNotFoundError:
        parent = os.path.dirname(os.fspath(path).rstrip("/"))
        if not parent or parent == os.fspath(path):
            raise
        mkdirs(parent, mode)
        with suppress(FileExistsError):
            os.mkdir(path, mode)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(path).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fspath(path)) from None


def mkdirs_lasting(path: str | os.PathLike[str]) -> None:
    """The same, with the names of the directories that were made synced; costs one call if all are there."""
    directory = os.fspath(path)
    missing = []
    while directory and not os.path.isdir(directory):
        missing.append(directory)
        directory = os.path.dirname(directory.rstrip("/"))
    for made in reversed(missing):
        mkdirs(made)
        fsync_dir(os.path.dirname(made.rstrip("/")) or ".")


def sync_contents(paths: Sequence[str]) -> None:
    """Bring the contents of files that were just written to disk. Raises OSError when one did not get there.

    Many are first handed to the disk together, which beats waiting for each; asking for each one then is
    cheap, and what reports a failure.
    """
    if len(paths) > _SYNC_TOGETHER:
        os.sync()
    for path in paths:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def mkdirs_for(path: str | os.PathLike[str], mode: int = 0o755) -> None:
    """Create every missing directory above the *file* ``path``."""
    parent = os.path.dirname(os.fspath(path))
    if parent:
        mkdirs(parent, mode)


def open_making_dirs(path: str | os.PathLike[str], flags: int, mode: int = 0o666) -> int:
    """``os.open``, and once more after creating missing directories, whose names are synced."""
    try:
        return os.open(path, flags | os.O_CLOEXEC, mode)
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
        mkdirs_lasting(os.path.dirname(os.fspath(path)) or ".")
        return os.open(path, flags | os.O_CLOEXEC, mode)


def read_all(path: str | os.PathLike[str]) -> bytes:
    """A file's content, in half the calls that a file object makes for a small one."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = chunk = os.read(fd, _READ_CHUNK)
        while len(chunk) == _READ_CHUNK:
            chunk = os.read(fd, _READ_CHUNK)
            content += chunk
        return content
    finally:
        os.close(fd)


def write_all(fd: int, data: Buffer) -> None:
    """Write every byte at the descriptor's position, however often the kernel stops short."""
    done = os.write(fd, data)
    if done == len(data):
        return
    view = memoryview(data)
    while done < len(view):
        done += os.write(fd, view[done:])


def pwrite_all(fd: int, data: Buffer, offset: int) -> None:
    """Write every byte at ``offset``; the descriptor's position stays."""
    done = os.pwrite(fd, data, offset)
    if done == len(data):
        return
    view = memoryview(data)
    while done < len(view):
        done += os.pwrite(fd, view[done:], offset + done)


def writev_all(fd: int, buffers: Iterable[Buffer]) -> int:
    """Write all buffers in order with as few calls as possible; returns the number of bytes."""
    pending = [memoryview(buffer) for buffer in buffers if len(buffer)]
    total = 0
    while pending:
        done = os.writev(fd, pending[:_IOV_MAX])
        total += done
        complete = 0
        for view in pending:
            if done < len(view):
                break
            done -= len(view)
            complete += 1
        del pending[:complete]
        if done:
            pending[0] = pending[0][done:]
    return total


def replace(
    path: str | os.PathLike[str],
    data: Buffer | Sequence[Buffer],
    *,
    mode: int = 0o600,
    temporary: str | None = None,
    sync: bool = True,
    sync_name: bool | None = None,
) -> None:
    """Give ``path`` new content at once, by way of ``temporary`` (default: ``path`` + ``.NEW``).

    With ``sync`` content and name survive a power cut on return; without
    ``sync_name`` (default: as ``sync``) the old file may come back, whole. On any
    error the old file stays, the temporary one is removed, and ``OSError`` is
    raised. Callers that race for one temporary name must hold a lock.
    """
    name = os.fspath(path)
    new = temporary or name + ".NEW"
    fd = open_making_dirs(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)
    try:
        try:
            if isinstance(data, (bytes, bytearray, memoryview)):
                write_all(fd, data)
            else:
                writev_all(fd, data)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.rename(new, name)
    except OSError:
        remove(new)
        raise
    if sync if sync_name is None else sync_name:
        fsync_dir(os.path.dirname(name) or ".")


def settled_state(path: str | os.PathLike[str]) -> tuple[int, int, int] | None:
    """What tells this content of a file from every later one: inode, size, time of change.

    None while the last change is so recent that another one could leave the same time: file systems that
    keep fractions of a second renew their clock many times a second, others once in one or two. Raises
    OSError.
    """
    status = os.stat(path)
    changed = status.st_mtime_ns
    granule = _COARSE_CLOCK if changed % 1_000_000_000 == 0 else _FINE_CLOCK
    if time.time_ns() - changed <= granule:
        return None
    return status.st_ino, status.st_size, changed


def remove(path: str | os.PathLike[str]) -> bool:
    """Unlink a file; False when there was none."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return False
    return True


def copy(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    keep_times: bool = False,
    sync: bool = True,
) -> None:
    """Copy one file's bytes, creating missing directories; a half-written target is removed.

    An empty source is refused (``EINVAL``), as the original does: no message,
    index or database of Cyrus is empty by right.
    """
    reader = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(reader)
        if not status.st_size:
            raise OSError(errno.EINVAL, "zero byte file", os.fspath(source))
        writer = open_making_dirs(target, os.O_RDWR | os.O_TRUNC | os.O_CREAT)
        try:
            while chunk := os.read(reader, _COPY_CHUNK):
                write_all(writer, chunk)
            if sync:
                os.fsync(writer)
            if keep_times:
                os.utime(writer, ns=(status.st_atime_ns, status.st_mtime_ns))
        except OSError:
            remove(target)
            raise
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def link_or_copy(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    link: bool = True,
    keep_times: bool = False,
    sync: bool = True,
) -> bool:
    """Hard-link ``source`` as ``target``, or copy where links cannot go; True when it was a link.

    An existing target is replaced. Missing directories are created. A copy's
    content is synced with ``sync``; a link needs none. The name is not synced.
    """
    if link:
        for _attempt in range(3):
            try:
                os.link(source, target)
                return True
            except FileExistsError:
                os.unlink(target)
            except FileNotFoundError:
                if not os.path.exists(source):
                    raise
                mkdirs_for(target)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
                    raise
                break
    copy(source, target, keep_times=keep_times, sync=sync)
    return False
