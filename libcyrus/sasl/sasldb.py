"""Users' properties from a file: the ``sasldb`` auxprop plugin and what ``saslpasswd2`` writes.

A key is the user's name, the realm and the property's name with NULs between them, a value is the
property's. Which library keeps the file depends on how libsasl2 was built: Berkeley DB on Debian, GDBM or
LMDB elsewhere. The file's first bytes tell; a new one is of Berkeley DB.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, Protocol

from libcyrus.sasl.auxprop import PASSWORD, Auxprop
from libcyrus.sasl.codes import SaslCode, SaslError

log = logging.getLogger(__name__)

DEFAULT_PATH = "/etc/sasldb2"
DEFAULT_MAP_SIZE = 1024 * 1024
DEFAULT_READERS = 126

_NEW_FILE_MODE = 0o660
_HEAD_SIZE = 20
_MAGIC = (
    ("berkeley", 12, {0x061561, 0x053162}),
    ("gdbm", 0, {0x13579ACD, 0x13579ACE, 0x13579ACF, 0x13579AD0, 0x13579AD1}),
    ("lmdb", 16, {0xBEEFC0DE}),
)
"""Kinds of files, and which number stands where in them, in either byte order."""


class Table(Protocol):
    """An open file. What was put is on disk when it has been closed."""

    def get(self, key: bytes) -> bytes | None: ...

    def put(self, key: bytes, value: bytes) -> None: ...


class Sasldb(Auxprop):
    """Opens the file for each question: others write and replace it.

    ``map_size`` (bytes) and ``readers`` are limits of LMDB's.
    """

    writable = True
    digests = True

    def __init__(
        self,
        path: str,
        default_realm: str,
        *,
        map_size: int = DEFAULT_MAP_SIZE,
        readers: int = DEFAULT_READERS,
    ) -> None:
        self._path = path
        self._default_realm = default_realm
        self._map_size = map_size
        self._readers = readers

    def lookup(self, user: str, prop: str = PASSWORD) -> bytes | None:
        """Without a file, or in one that was only touched, there are no users."""
        try:
            if not os.path.getsize(self._path):
                return None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed(error) from error
        with self._open(write=False) as table:
            return table.get(self._key(user, prop))

    def store(self, user: str, prop: str, value: bytes) -> None:
        with self._open(write=True) as table:
            table.put(self._key(user, prop), value)

    def missing_library(self) -> str | None:
        """Why a file of its kind cannot be used here; None also for one that is no database."""
        from libcyrus.sasl import berkeley

        try:
            match self._kind():
                case "gdbm":
                    import_module("_gdbm")
                case "lmdb":
                    import_module("lmdb")
                case "berkeley":
                    berkeley.library()
        except ImportError as error:
            return f"the Python package {error.name} is not installed"
        except berkeley.BerkeleyError as error:
            return str(error)
        except (OSError, ValueError):
            # which is said when it is asked for a password, and may have been mended by then
            pass
        return None

    def _key(self, user: str, prop: str) -> bytes:
        name, at, realm = user.partition("@")
        return b"\0".join(map(os.fsencode, (name, realm if at else self._default_realm, prop)))

    @contextmanager
    def _open(self, *, write: bool) -> Iterator[Table]:
        try:
            opener = {"gdbm": self._gdbm, "lmdb": self._lmdb}.get(self._kind(), self._berkeley)
            with opener(write) as table:
                yield table
        except Exception as error:
            # each library has errors of its own
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> SaslError:
        log.error("sasldb plugin: %s: %s", self._path, error)
        return SaslError(SaslCode.FAIL, "the password database cannot be used")

    def _kind(self) -> str:
        try:
            with open(self._path, "rb") as file:
                head = file.read(_HEAD_SIZE)
        except FileNotFoundError:
            head = b""
        if not head:
            return "berkeley"
        for kind, offset, numbers in _MAGIC:
            magic = head[offset : offset + 4]
            if {int.from_bytes(magic, "little"), int.from_bytes(magic, "big")} & numbers:
                return kind
        raise ValueError("not a database of a known kind")

    def _berkeley(self, write: bool) -> AbstractContextManager[Table]:
        from libcyrus.sasl.berkeley import BerkeleyFile

        return BerkeleyFile(self._path, write=write)

    @contextmanager
    def _gdbm(self, write: bool) -> Iterator[Table]:
        import dbm.gnu

        with dbm.gnu.open(self._path, "ws" if write else "r", _NEW_FILE_MODE) as file:
            yield _GdbmTable(file)

    @contextmanager
    def _lmdb(self, write: bool) -> Iterator[Table]:
        environment = import_module("lmdb").open(
            self._path, subdir=False, readonly=not write, map_size=self._map_size, max_readers=self._readers,
            create=False, max_dbs=0,
        )  # fmt: skip
        try:
            with environment.begin(write=write) as transaction:
                yield transaction
        finally:
            environment.close()


class _GdbmTable:
    def __init__(self, file: Any) -> None:
        self._file = file

    def get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._file.get(key)
        return value

    def put(self, key: bytes, value: bytes) -> None:
        self._file[key] = value
