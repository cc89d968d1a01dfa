"""A Berkeley DB file by the system's own library, version 5.3, through ctypes.

The packages on PyPI need that library's headers and a compiler; the library itself is on every Debian. It
hands out its methods in a structure whose layout is its own affair, but exports them by name as well,
and those names are what is called here. No call goes back into Python.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
from collections.abc import Iterator
from ctypes import POINTER, byref, c_char_p, c_int, c_uint32, c_void_p
from functools import cache
from typing import Any, Final

LIBRARY: Final = "libdb-5.3.so"

LARGEST_VALUE: Final = 8192
"""Bytes: what the original takes of one property."""

_HASH, _UNKNOWN = 2, 5
_CREATE, _RDONLY = 0x1, 0x400
_USERMEM, _READONLY = 0x800, 0x100
_NEXT = 16
_NOTFOUND = -30988


class BerkeleyError(Exception):
    """The library cannot be used, or said no; the text is for the log."""


class _Thang(ctypes.Structure):
    """DBT: a key or a value, in memory of ours."""

    _fields_ = (
        ("data", c_char_p),
        ("size", c_uint32),
        ("ulen", c_uint32),
        ("dlen", c_uint32),
        ("doff", c_uint32),
        ("app_data", c_void_p),
        ("flags", c_uint32),
    )


class BerkeleyFile:
    """One file, open until :meth:`close`. All methods raise BerkeleyError."""

    def __init__(self, path: str, *, write: bool = False) -> None:
        """With ``write`` a missing file is made, for its owner and group alone."""
        self._library = library()
        self._path = path
        self._lock = -1
        if write:
            # libsasl2 takes no lock at all: this one only orders our own writers
            with contextlib.suppress(FileNotFoundError):
                self._lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._handle = c_void_p()
        self._call("db_create", byref(self._handle), None, 0)
        kind, flags = (_HASH, _CREATE) if write else (_UNKNOWN, _RDONLY)
        try:
            self._call("__db_open_pp", self._handle, None, os.fsencode(path), None, kind, flags, 0o660)
        except BerkeleyError:
            self._library["__db_close_pp"](self._handle, 0)
            self._unlock()
            raise

    def __enter__(self) -> BerkeleyFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """What was written is on disk when this returns."""
        handle, self._handle = self._handle, c_void_p()
        try:
            if handle:
                self._call("__db_close_pp", handle, 0)
        finally:
            self._unlock()

    def _unlock(self) -> None:
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def get(self, key: bytes) -> bytes | None:
        value, room = _room()
        found = self._call("__db_get_pp", self._handle, None, byref(_given(key)), byref(value), 0)
        return room.raw[: value.size] if found else None

    def put(self, key: bytes, value: bytes) -> None:
        self._call("__db_put_pp", self._handle, None, byref(_given(key)), byref(_given(value)), 0)

    def delete(self, key: bytes) -> None:
        """A key that is not there is all right."""
        self._call("__db_del_pp", self._handle, None, byref(_given(key)), 0)

    def keys(self) -> Iterator[bytes]:
        """In no order."""
        cursor = c_void_p()
        self._call("__db_cursor_pp", self._handle, None, byref(cursor), 0)
        try:
            while True:
                (key, name), (value, _) = _room(), _room()
                if not self._call("__dbc_get_pp", cursor, byref(key), byref(value), _NEXT):
                    return
                yield name.raw[: key.size]
        finally:
            self._call("__dbc_close_pp", cursor)

    def _call(self, name: str, *arguments: object) -> bool:
        """Whether there is such a key. Raises BerkeleyError for all else that went wrong."""
        code: int = self._library[name](*arguments)
        if code in (0, _NOTFOUND):
            return code == 0
        raise BerkeleyError(f"{self._path}: {self._library.db_strerror(code).decode('utf-8', 'replace')}")


def _given(data: bytes) -> _Thang:
    """A value to read from; the structure keeps ``data`` alive as long as itself."""
    return _Thang(data=data, size=len(data), flags=_READONLY)


def _room() -> tuple[_Thang, ctypes.Array[ctypes.c_char]]:
    room = ctypes.create_string_buffer(LARGEST_VALUE)
    return _Thang(data=ctypes.cast(room, c_char_p), ulen=LARGEST_VALUE, flags=_USERMEM), room


@cache
def library() -> ctypes.CDLL:
    """Raises BerkeleyError where it is not installed, or is another."""
    try:
        found = ctypes.CDLL(LIBRARY)
        thang = POINTER(_Thang)
        signatures: dict[str, tuple[Any, ...]] = {
            "db_create": (POINTER(c_void_p), c_void_p, c_uint32),
            "__db_open_pp": (c_void_p, c_void_p, c_char_p, c_char_p, c_int, c_uint32, c_int),
            "__db_close_pp": (c_void_p, c_uint32),
            "__db_get_pp": (c_void_p, c_void_p, thang, thang, c_uint32),
            "__db_put_pp": (c_void_p, c_void_p, thang, thang, c_uint32),
            "__db_del_pp": (c_void_p, c_void_p, thang, c_uint32),
            "__db_cursor_pp": (c_void_p, c_void_p, POINTER(c_void_p), c_uint32),
            "__dbc_get_pp": (c_void_p, thang, thang, c_uint32),
            "__dbc_close_pp": (c_void_p,),
        }
        for name, arguments in signatures.items():
            found[name].argtypes = arguments
        found.db_strerror.restype = c_char_p
    except (OSError, AttributeError) as error:
        raise BerkeleyError(f"{LIBRARY} cannot be used: {error}") from error
    return found
