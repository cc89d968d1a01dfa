"""Sessions that TLS 1.2 clients without tickets go on with by their ids, kept outside the process.

OpenSSL gets at such a store by callbacks, which a server's context must not have (see ``tls``). So the
session that a client names is put into OpenSSL's own cache before the handshake, and a new one is asked
for after it. pyOpenSSL has no name for the functions that this takes: they are called in the library that
it has loaded, where that is one of its own, as in distributions. Where OpenSSL is a part of the
``cryptography`` package, they cannot be reached: then such sessions go on in the worker that they began in,
and nowhere else.
"""

from __future__ import annotations

import ctypes
import sys
import time
from typing import Any, Protocol

from OpenSSL import SSL

_MODULES = ("cryptography.hazmat.bindings._openssl", "cryptography.hazmat.bindings._rust")
_LONGEST_ID = 32
_LARGEST_SESSION = 64 * 1024
_SET_CACHE_SIZE = 42


class Store(Protocol):
    """Where sessions are kept, in ASN.1; ``expire`` is in seconds since 1970."""

    def fetch(self, session_id: bytes, /) -> bytes | None: ...

    def store(self, session_id: bytes, session: bytes, expire: int, /) -> object: ...


class SessionStore:
    """Moves sessions between a store and OpenSSL's contexts. Use :func:`reach`."""

    def __init__(self, library: ctypes.CDLL, store: Store) -> None:
        self._library = library
        self._store = store

    def prepare(self, context: SSL.Context) -> None:
        """The process itself shall keep the last session only; a size of zero would be none at all."""
        self._library.SSL_CTX_ctrl(_pointer(context._context), _SET_CACHE_SIZE, 1, None)

    def recall(self, context: SSL.Context, session_id: bytes) -> None:
        """Give a context the session that a client wants to go on with, if it is known."""
        if not 0 < len(session_id) <= _LONGEST_ID:
            return
        data = self._store.fetch(session_id)
        if data is None:
            return
        place = ctypes.c_char_p(data)
        session = self._library.d2i_SSL_SESSION(None, ctypes.byref(place), len(data))
        if session:
            self._library.SSL_CTX_add_session(_pointer(context._context), session)
            self._library.SSL_SESSION_free(session)

    def remember(self, connection: SSL.Connection, lifetime: int) -> None:
        """Keep the session that was just begun for so many seconds, if the client can name it."""
        handle = getattr(connection.get_session(), "_session", None)
        if handle is None:
            return
        pointer = _pointer(handle)
        size = ctypes.c_uint()
        start = self._library.SSL_SESSION_get_id(pointer, ctypes.byref(size))
        session_id = ctypes.string_at(start, size.value) if start else b""
        length = self._library.i2d_SSL_SESSION(pointer, None)
        if not session_id or not 0 < length <= _LARGEST_SESSION:
            return
        data = ctypes.create_string_buffer(length)
        place = ctypes.cast(data, ctypes.c_char_p)
        self._library.i2d_SSL_SESSION(pointer, ctypes.byref(place))
        self._store.store(session_id, data.raw, int(time.time()) + lifetime)


def reach(store: Store) -> SessionStore | None:
    """None where OpenSSL's functions cannot be called, or not with what pyOpenSSL has in its hands."""
    known = "_ffi" in vars(SSL) and hasattr(SSL.Context(SSL.TLS_SERVER_METHOD), "_context")
    library = _library() if known else None
    return None if library is None else SessionStore(library, store)


def _library() -> ctypes.CDLL | None:
    for name in _MODULES:
        path = getattr(sys.modules.get(name), "__file__", None)
        if path is None:
            continue
        try:
            # a handle of the module finds what the libraries export that it was linked with
            library = ctypes.CDLL(path)
            _declare(library)
        except (OSError, AttributeError):
            continue
        return library
    return None


def _declare(library: ctypes.CDLL) -> None:
    pointer = ctypes.c_void_p
    library.SSL_CTX_ctrl.argtypes = (pointer, ctypes.c_int, ctypes.c_long, pointer)
    library.SSL_CTX_ctrl.restype = ctypes.c_long
    library.SSL_CTX_add_session.argtypes = (pointer, pointer)
    library.SSL_SESSION_free.argtypes = (pointer,)
    library.SSL_SESSION_free.restype = None
    library.SSL_SESSION_get_id.argtypes = (pointer, pointer)
    library.SSL_SESSION_get_id.restype = pointer
    library.i2d_SSL_SESSION.argtypes = (pointer, pointer)
    library.d2i_SSL_SESSION.argtypes = (pointer, pointer, ctypes.c_long)
    library.d2i_SSL_SESSION.restype = pointer


def _pointer(handle: Any) -> int:
    """The address that one of pyOpenSSL's handles stands for."""
    memory: Any = vars(SSL)["_ffi"]
    return int(memory.cast("uintptr_t", handle))
