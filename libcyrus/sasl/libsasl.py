"""The system's libsasl2, server side, through ctypes: where its own plugins are wanted.

The library calls back for its options, for canonical names, and to ask who may act as whom. An exception
must not be lost on the way through it, and what it would take for a yes must not be said by accident: each
callback answers with a failure unless it comes to its end, and keeps what was raised for the caller.
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, byref, c_char_p, c_int, c_uint, c_ulong, c_void_p
from functools import cache
from typing import Any, Final

from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.sasl.codes import SaslCode, SaslError
from libcyrus.sasl.layer import RECEIVE_BUFFER
from libcyrus.sasl.settings import setting

log = logging.getLogger(__name__)

LIBRARY: Final = "libsasl2.so.2"
APPLICATION = b"Cyrus"

MOST_SECONDS = 90
"""A call of the library that takes longer ends the process: nothing else can stop it."""

NO_PLAINTEXT, NO_ANONYMOUS = 0x01, 0x10
SUCCESS_DATA = 0x04

_STDERR = 2
_OK, _CONTINUE, _FAIL, _BUFOVER = 0, 1, -1, -3
_GETOPT, _LOG, _PROXY_POLICY, _CANON_USER = 1, 2, 0x8001, 0x8007
_AUTHID, _AUTHZID = 1, 2
_USERNAME, _STRENGTH, _MAXOUTBUF, _AUTHUSER = 0, 1, 2, 16
_BINDING, _OUTSIDE_STRENGTH, _LIMITS, _OUTSIDE_USER = 21, 100, 101, 102
_DETAIL = re.compile(r"SASL\(-?\d+\): [^:]*: ")
# its numbers of log levels: errors, failures, warnings, notes, and three for debugging
_LOG_LEVELS = {1: logging.ERROR, 2: logging.ERROR, 3: logging.WARNING, 4: logging.INFO}


class LibraryError(Exception):
    """The library is not there or does not start; the text is for the log."""


class _Callback(ctypes.Structure):
    _fields_ = (("id", c_ulong), ("proc", c_void_p), ("context", c_void_p))


class _Limits(ctypes.Structure):
    _fields_ = (
        ("min_ssf", c_uint),
        ("max_ssf", c_uint),
        ("maxbufsize", c_uint),
        ("security_flags", c_uint),
        ("property_names", c_void_p),
        ("property_values", c_void_p),
    )


class _ChannelBinding(ctypes.Structure):
    _fields_ = (("name", c_char_p), ("critical", c_int), ("len", c_ulong), ("data", c_char_p))


_Getopt = CFUNCTYPE(c_int, c_void_p, c_char_p, c_char_p, POINTER(c_void_p), POINTER(c_uint))
_Log = CFUNCTYPE(c_int, c_void_p, c_int, c_char_p)
_Proxy = CFUNCTYPE(
    c_int, c_void_p, c_void_p, c_void_p, c_uint, c_void_p, c_uint, c_char_p, c_uint, c_void_p
)
_Canon = CFUNCTYPE(
    c_int, c_void_p, c_void_p, c_void_p, c_uint, c_uint, c_char_p, c_void_p, c_uint, POINTER(c_uint)
)


@dataclass(frozen=True, slots=True)
class Properties:
    """What a connection is: strengths in bits, ``flags`` of this module, ``user`` that TLS vouches for."""

    minimum: int
    maximum: int
    flags: int
    outside: int
    user: str | None
    binding: bytes | None
    binding_kind: str = "tls-unique"


class System:
    """The library, started with the ``sasl_*`` settings of one configuration.

    It is started once in a process: what its plugins read when they are loaded is the first one's.
    """

    def __init__(self, config: Config) -> None:
        """Loads all plugins. Raises LibraryError."""
        self._config = config
        self._answers: dict[str, ctypes.Array[ctypes.c_char]] = {}
        self.getopt = _Getopt(self._option)
        self._log = _Log(_write_log)
        self._callbacks = _table((_GETOPT, self.getopt), (_LOG, self._log))
        code = library().sasl_server_init(self._callbacks, APPLICATION)
        if code != _OK:
            raise LibraryError(f"{LIBRARY} cannot be started: {_error_text(code)}")

    def close(self) -> None:
        """Unload the plugins. No connection may be left."""
        library().sasl_server_done()

    def _option(self, _: object, plugin: bytes | None, name: bytes, answer: Any, length: Any) -> int:
        try:
            text = setting(self._config, name.decode(), plugin.decode() if plugin else None)
            if text is None:
                return _FAIL
            # the library keeps the pointers
            held = self._answers.get(text)
            if held is None:
                held = self._answers[text] = ctypes.create_string_buffer(os.fsencode(text))
            answer[0] = ctypes.addressof(held)
            if length:
                length[0] = len(held) - 1
            return _OK
        except BaseException:
            log.exception("libsasl2 asked for an option")
            return _FAIL


class Connection:
    """One connection's state in the library.

    ``canonify(user, authzid)`` and ``authorize(authcid, userid)`` raise SaslError to refuse.
    """

    def __init__(
        self,
        system: System,
        service: str,
        host: str,
        properties: Properties,
        *,
        canonify: Callable[[str, bool], str],
        authorize: Callable[[str, str], object],
        success_data: bool = False,
    ) -> None:
        self._canonify = canonify
        self._authorize = authorize
        self._failure: BaseException | None = None
        self._pointer = c_void_p()
        # what the library points to lives as long as this
        self._kept: list[object] = [system, _Canon(self._canon), _Proxy(self._proxy)]
        self._callbacks = _table(
            (_GETOPT, system.getopt), (_CANON_USER, self._kept[1]), (_PROXY_POLICY, self._kept[2])
        )
        flags = SUCCESS_DATA if success_data else 0
        code = library().sasl_server_new(
            service.encode(), host.encode(), None, None, None, self._callbacks, flags, byref(self._pointer)
        )
        if code != _OK:
            raise SaslError(_code(code), f"sasl_server_new: {_error_text(code)}")
        self._set_properties(properties)

    def __del__(self) -> None:
        if getattr(self, "_pointer", None):
            library().sasl_dispose(byref(self._pointer))

    def _set_properties(self, wanted: Properties) -> None:
        limits = _Limits(
            min_ssf=wanted.minimum,
            max_ssf=wanted.maximum,
            maxbufsize=RECEIVE_BUFFER,
            security_flags=wanted.flags,
        )
        self._check(library().sasl_setprop(self._pointer, _LIMITS, byref(limits)))
        if wanted.outside:
            strength = c_uint(wanted.outside)
            self._check(library().sasl_setprop(self._pointer, _OUTSIDE_STRENGTH, byref(strength)))
        if wanted.user:
            self._check(library().sasl_setprop(self._pointer, _OUTSIDE_USER, os.fsencode(wanted.user)))
        if wanted.binding is not None:
            binding = _ChannelBinding(
                name=wanted.binding_kind.encode(), critical=0, len=len(wanted.binding), data=wanted.binding
            )
            self._kept.append(binding)
            self._check(library().sasl_setprop(self._pointer, _BINDING, byref(binding)))

    def mechanisms(self) -> tuple[str, ...]:
        """Those that may be used now."""
        names = c_char_p()
        code = library().sasl_listmech(self._pointer, None, b"", b" ", b"", byref(names), None, None)
        return tuple((names.value or b"").decode("ascii", "replace").split()) if code == _OK else ()

    def start(self, mechanism: str, initial: bytes | None) -> tuple[bytes, bool]:
        """The server's next word, and whether all is said. Raises SaslError."""
        return self._exchange(
            library().sasl_server_start, mechanism.encode("ascii", "replace"), initial, len(initial or b"")
        )

    def step(self, response: bytes) -> tuple[bytes, bool]:
        """As :meth:`start`."""
        return self._exchange(library().sasl_server_step, response, len(response))

    def check_password(self, user: str, password: str) -> None:
        """Raises SaslError."""
        name, secret = os.fsencode(user), os.fsencode(password)
        with _bounded():
            code = library().sasl_checkpass(self._pointer, name, len(name), secret, len(secret))
        self._check(code)

    def check_apop(self, challenge: bytes, response: bytes) -> None:
        """Raises SaslError."""
        with _bounded():
            code = library().sasl_checkapop(self._pointer, challenge, len(challenge), response, len(response))
        self._check(code)

    def identities(self) -> tuple[str, str]:
        """Who has logged in, and as whom. Raises SaslError if nobody has."""
        return self._text(_AUTHUSER), self._text(_USERNAME)

    def strength(self) -> int:
        """Of the layer that was agreed on, in bits; 0 for none."""
        return self._number(_STRENGTH)

    def largest_piece(self) -> int:
        """The most bytes that :meth:`encode` takes."""
        return self._number(_MAXOUTBUF)

    def encode(self, data: bytes) -> bytes:
        return self._convert(library().sasl_encode, data)

    def decode(self, data: bytes) -> bytes:
        return self._convert(library().sasl_decode, data)

    def _convert(self, function: Any, data: bytes) -> bytes:
        found, size = c_void_p(), c_uint()
        self._check(function(self._pointer, data, len(data), byref(found), byref(size)))
        return ctypes.string_at(found.value, size.value) if found.value and size.value else b""

    def _exchange(self, function: Any, *arguments: object) -> tuple[bytes, bool]:
        said, size = c_void_p(), c_uint()
        with _bounded():
            code = function(self._pointer, *arguments, byref(said), byref(size))
        if code not in (_OK, _CONTINUE):
            self._check(code)
        self._raise_kept()
        return ctypes.string_at(said.value, size.value) if said.value and size.value else b"", code == _OK

    def _text(self, number: int) -> str:
        found = c_void_p()
        self._check(library().sasl_getprop(self._pointer, number, byref(found)))
        if not found.value:
            raise SaslError(SaslCode.FAIL, "nobody has logged in")
        return os.fsdecode(ctypes.string_at(found.value))

    def _number(self, number: int) -> int:
        found = POINTER(c_uint)()
        if library().sasl_getprop(self._pointer, number, byref(found)) != _OK or not found:
            return 0
        return int(found.contents.value)

    def _check(self, code: int) -> None:
        self._raise_kept()
        if code != _OK:
            said = library().sasl_errdetail(self._pointer) or b""
            raise SaslError(_code(code), _DETAIL.sub("", said.decode("utf-8", "replace"), count=1))

    def _raise_kept(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _canon(
        self,
        _conn: object,
        _context: object,
        user: int,
        size: int,
        flags: int,
        _realm: object,
        out: int,
        room: int,
        used: Any,
    ) -> int:
        try:
            name = self._canonify(_string(user, size), bool(flags & _AUTHZID))
            data = os.fsencode(name)
            if len(data) >= room:
                return _BUFOVER
            ctypes.memmove(out, data + b"\0", len(data) + 1)
            used[0] = len(data)
            return _OK
        except BaseException as error:
            return self._keep(error)

    def _proxy(
        self,
        _conn: object,
        _context: object,
        user: int,
        size: int,
        authcid: int,
        authcid_size: int,
        *_realm: object,
    ) -> int:
        try:
            self._authorize(_string(authcid, authcid_size), _string(user, size))
            return _OK
        except BaseException as error:
            return self._keep(error)

    def _keep(self, error: BaseException) -> int:
        self._failure = error
        return int(error.code) if isinstance(error, SaslError) else _FAIL


def _string(pointer: int | None, size: int) -> str:
    if not pointer:
        return ""
    data = ctypes.string_at(pointer, size) if size else ctypes.string_at(pointer)
    return os.fsdecode(data)


def _table(*callbacks: tuple[int, Any]) -> ctypes.Array[_Callback]:
    """Callbacks as the library wants them: with an end."""
    table = (_Callback * (len(callbacks) + 1))()
    for place, (number, function) in enumerate(callbacks):
        table[place].id = number
        table[place].proc = ctypes.cast(function, c_void_p).value
    return table


def _write_log(_: object, level: int, message: bytes) -> int:
    try:
        log.log(_LOG_LEVELS.get(level, logging.DEBUG), "%s", message.decode("utf-8", "replace").strip())
    except BaseException:
        return _FAIL
    return _OK


@contextmanager
def _bounded() -> Iterator[None]:
    """End the process, and say where it was, if the library does not come back."""
    faulthandler.dump_traceback_later(MOST_SECONDS, exit=True, file=_STDERR)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def _code(code: int) -> SaslCode:
    try:
        return SaslCode(code)
    except ValueError:
        return SaslCode.FAIL


def _error_text(code: int) -> str:
    text: bytes = library().sasl_errstring(code, None, None)
    return text.decode("utf-8", "replace")


@cache
def library() -> ctypes.CDLL:
    """Raises LibraryError where it is not installed."""
    handle, text, number, size = c_void_p, c_char_p, c_int, c_uint
    sizes, pointer = POINTER(c_uint), POINTER(c_void_p)
    signatures: dict[str, tuple[Any, ...]] = {
        "sasl_server_init": (POINTER(_Callback), text),
        "sasl_server_done": (),
        "sasl_server_new": (text, text, text, text, text, POINTER(_Callback), size, pointer),
        "sasl_dispose": (pointer,),
        "sasl_setprop": (handle, number, c_void_p),
        "sasl_getprop": (handle, number, c_void_p),
        "sasl_listmech": (handle, text, text, text, text, POINTER(c_char_p), sizes, POINTER(c_int)),
        "sasl_server_start": (handle, text, text, size, pointer, sizes),
        "sasl_server_step": (handle, text, size, pointer, sizes),
        "sasl_checkpass": (handle, text, size, text, size),
        "sasl_checkapop": (handle, text, size, text, size),
        "sasl_encode": (handle, text, size, pointer, sizes),
        "sasl_decode": (handle, text, size, pointer, sizes),
        "sasl_errdetail": (handle,),
        "sasl_errstring": (number, text, POINTER(c_char_p)),
    }
    try:
        found = ctypes.CDLL(LIBRARY)
        for name, arguments in signatures.items():
            found[name].argtypes = arguments
        found.sasl_errdetail.restype = found.sasl_errstring.restype = c_char_p
        found.sasl_dispose.restype = None
    except (OSError, AttributeError) as error:
        raise LibraryError(f"{LIBRARY} cannot be used: {error}") from error
    return found
