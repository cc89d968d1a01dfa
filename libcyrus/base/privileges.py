"""Becoming the Cyrus user for good, and what root keeps while it does.

A master that root started keeps one capability, CAP_NET_BIND_SERVICE, in its
permitted set, so that a reload of its configuration can open another port
below 1024. It is raised for the length of a ``bind`` only and is lost by
``exec``. Everything else of root is given up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

DEFAULT_USER = "cyrus"

_CAP_SETUID = 1 << 7
_CAP_NET_BIND_SERVICE = 1 << 10
_CAPABILITY_VERSION = 0x20080522
_PR_SET_KEEPCAPS = 8


class PrivilegeError(Exception):
    """The process cannot become the Cyrus user; the text says why."""


def become_cyrus(user: str | None, group: str | None, *, keep_bind: bool = False) -> None:
    """Change to ``user`` and ``group``, the options of the same names, for ever.

    None means the default user and that user's own group. The variables
    CYRUS_USER and CYRUS_GROUP beat both. Nothing happens when the process is
    that user already, so an ordinary user may run everything under its own
    name. Raises PrivilegeError.
    """
    import grp
    import pwd

    user = os.environ.get("CYRUS_USER") or user or DEFAULT_USER
    group = os.environ.get("CYRUS_GROUP") or group
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise PrivilegeError(f"no entry in /etc/passwd for user {user}") from None
    uid, gid = entry.pw_uid, entry.pw_gid
    if group:
        try:
            gid = grp.getgrnam(group).gr_gid
        except KeyError:
            raise PrivilegeError(f"no entry in /etc/group for group {group}") from None
    if os.getresuid()[:2] == (uid, uid) and os.getresgid()[:2] == (gid, gid):
        return
    try:
        os.initgroups(user, gid)
    except OSError as error:
        raise PrivilegeError(f"unable to initialize groups for user {user}: {error.strerror}") from error
    try:
        os.setgid(gid)
    except OSError as error:
        raise PrivilegeError(
            f"unable to set group id to {gid} for user {user}: {error.strerror}"
        ) from error
    try:
        _set_uid(uid, keep_bind=keep_bind and uid != 0)
    except OSError as error:
        raise PrivilegeError(f"unable to set user id to {uid} for user {user}: {error.strerror}") from error


@contextmanager
def binding() -> Iterator[None]:
    """Hold the kept capability, if there is one, while a socket is bound."""
    if not _keeps_bind:
        yield
        return
    _set_capabilities(_CAP_NET_BIND_SERVICE, _CAP_NET_BIND_SERVICE)
    try:
        yield
    finally:
        _set_capabilities(0, _CAP_NET_BIND_SERVICE)


_keeps_bind = False  # of the process, as the capability itself is


def _set_uid(uid: int, *, keep_bind: bool) -> None:
    global _keeps_bind
    if not keep_bind or not _set_capabilities(_CAP_SETUID, _CAP_SETUID | _CAP_NET_BIND_SERVICE):
        os.setuid(uid)
        return
    libc = _libc()
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setuid(uid)
    _keeps_bind = _set_capabilities(0, _CAP_NET_BIND_SERVICE)
    libc.prctl(_PR_SET_KEEPCAPS, 0, 0, 0, 0)


def _set_capabilities(effective: int, permitted: int) -> bool:
    """Whether the kernel agreed; a container may have taken the capability from root itself."""
    import struct

    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    data = struct.pack("=6I", effective, permitted, 0, 0, 0, 0)
    result: int = _libc().capset(header, data)
    return result == 0


def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)
