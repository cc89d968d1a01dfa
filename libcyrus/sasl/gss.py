"""GSS-API (RFC 2743, RFC 2744) by the system's own Kerberos library, through ctypes.

The packages on PyPI and in distributions are C extensions that have to be compiled for the very Python; the
library itself, MIT's, has kept its interface for decades and is on almost every machine. No call goes back
into Python, and whatever the library hands out is copied and given back at once.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from functools import cache
from typing import Any, Final

LIBRARY: Final = "libgssapi_krb5.so.2"

CONFIDENTIALITY, INTEGRITY = 16, 32
"""What a context can do: bits of ``flags``."""

LEAST_STRENGTH = 56
"""Bits: of a context whose strength the library cannot tell."""

_MUTUAL, _SEQUENCE = 2, 8
_INITIATE, _ACCEPT = 1, 2
_INDEFINITE = 0xFFFFFFFF
_NULL_ADDRESS = 255
_CONTINUE_NEEDED = 1
_ERRORS = 0xFFFF0000
_OF_CALL, _OF_MECHANISM = 1, 2
_MOST_MESSAGES = 8


class GssError(Exception):
    """The library cannot be used, or refused; the text is for the log."""


class _Buffer(ctypes.Structure):
    _fields_ = (("length", c_size_t), ("value", c_void_p))


class _Oid(ctypes.Structure):
    _fields_ = (("length", c_uint32), ("elements", c_char_p))


class _OidSet(ctypes.Structure):
    _fields_ = (("count", c_size_t), ("elements", POINTER(_Oid)))


class _KeyValue(ctypes.Structure):
    _fields_ = (("key", c_char_p), ("value", c_char_p))


class _KeyValues(ctypes.Structure):
    _fields_ = (("count", c_uint32), ("elements", POINTER(_KeyValue)))


class _BufferSet(ctypes.Structure):
    _fields_ = (("count", c_size_t), ("elements", POINTER(_Buffer)))


class _ChannelBindings(ctypes.Structure):
    _fields_ = (
        ("initiator_type", c_uint32),
        ("initiator_address", _Buffer),
        ("acceptor_type", c_uint32),
        ("acceptor_address", _Buffer),
        ("application_data", _Buffer),
    )


def _oid(encoded: bytes) -> _Oid:
    return _Oid(length=len(encoded), elements=encoded)


KERBEROS: Final = _oid(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02")
SPNEGO: Final = _oid(b"\x2b\x06\x01\x05\x05\x02")
_HOST_SERVICE: Final = _oid(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x04")
_USER: Final = _oid(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x01\x01")
_NO_FLAGS: Final = _oid(b"\x2a\x85\x70\x2b\x0d\x1d")
_STRENGTH: Final = _oid(b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x05\x0f")


class _Handle:
    """Something of the library's, given back when nobody has it any more."""

    def __init__(self, release: str, *more: object) -> None:
        self._release = library()[release]
        self._more = more
        self.pointer = c_void_p()

    def __del__(self) -> None:
        if getattr(self, "pointer", None):
            self._release(byref(c_uint32()), byref(self.pointer), *self._more)


class _Name(_Handle):
    def __init__(self, text: str | None = None, kind: _Oid | None = None) -> None:
        super().__init__("gss_release_name")
        if text is not None:
            written, _held = _given(os.fsencode(text))
            _call("gss_import_name", byref(written), kind and byref(kind), byref(self.pointer))

    def text(self) -> str:
        with _Taken() as shown:
            _call("gss_display_name", self.pointer, byref(shown.buffer), None)
            return os.fsdecode(shown.bytes())

    def is_same(self, other: _Name) -> bool:
        equal = c_int()
        _call("gss_compare_name", self.pointer, other.pointer, byref(equal))
        return bool(equal.value)


class Context:
    """One side of a security context. All methods raise GssError."""

    def __init__(self, binding: bytes | None) -> None:
        self._context = _Handle("gss_delete_sec_context", None)
        self._binding = None if binding is None else _bindings(binding)
        self._flags = c_uint32()

    @property
    def flags(self) -> int:
        return self._flags.value

    def wrap(self, data: bytes, *, conceal: bool) -> bytes:
        given, _held = _given(data)
        with _Taken() as wrapped:
            _call(
                "gss_wrap", self._context.pointer, int(conceal), 0, byref(given), None, byref(wrapped.buffer)
            )
            return wrapped.bytes()

    def unwrap(self, data: bytes) -> bytes:
        """Also refuses what came twice, or in another order than it was sent in."""
        given, _held = _given(data)
        with _Taken() as clear:
            status = _call(
                "gss_unwrap", self._context.pointer, byref(given), byref(clear.buffer), None, None
            )
            if status:
                raise GssError("a token came twice or out of its order")
            return clear.bytes()

    def clear_limit(self, wrapped_limit: int) -> int:
        """The most bytes that, wrapped, are no more than so many."""
        size = c_uint32()
        _call("gss_wrap_size_limit", self._context.pointer, 1, 0, wrapped_limit, byref(size))
        return size.value

    def strength(self) -> int:
        """In bits, of its encryption."""
        found = POINTER(_BufferSet)()
        try:
            _call(
                "gss_inquire_sec_context_by_oid", self._context.pointer, byref(_STRENGTH), byref(found)
            )
        except GssError:
            return LEAST_STRENGTH
        try:
            if not found or found.contents.count != 1 or found.contents.elements[0].length != 4:
                return LEAST_STRENGTH
            return int.from_bytes(ctypes.string_at(found.contents.elements[0].value, 4), "big")
        finally:
            library().gss_release_buffer_set(byref(c_uint32()), byref(found))


class Acceptor(Context):
    """The server's side, for one exchange of ``service`` on ``host``, with this module's ``mechanisms``."""

    def __init__(
        self,
        service: str,
        host: str,
        mechanisms: Sequence[_Oid],
        *,
        keytab: str | None = None,
        binding: bytes | None = None,
    ) -> None:
        """Raises GssError when there is no key for the service; ``keytab`` None is the system's."""
        super().__init__(binding)
        self._credential = _acceptor_credential(service, host, mechanisms, keytab)
        self._client = _Name()

    def step(self, token: bytes) -> tuple[bytes, bool]:
        """What to tell the client, and whether the context stands now."""
        given, _held = _given(token)
        if self._client.pointer:
            self._client = _Name()
        with _Taken() as said:
            status = _call(
                "gss_accept_sec_context",
                byref(self._context.pointer),
                self._credential.pointer,
                byref(given),
                self._binding and byref(self._binding),
                byref(self._client.pointer),
                None,
                byref(said.buffer),
                byref(self._flags),
                None,
                None,
            )
            return said.bytes(), not status & _CONTINUE_NEEDED

    def client(self) -> str:
        """Who the client is, without the realm where that is our own."""
        name = self._client.text()
        short, at, _ = name.partition("@")
        return short if at and short and self._client.is_same(_Name(short, _USER)) else name


class Initiator(Context):
    """The client's side, with the credentials of who runs it. ``mechanism`` is one of this module's."""

    def __init__(
        self, service: str, host: str, mechanism: _Oid, *, wanted: int, binding: bytes | None = None
    ) -> None:
        """``wanted``: CONFIDENTIALITY, INTEGRITY, both or none. SPNEGO knows only both and none."""
        super().__init__(binding)
        # Kerberos sets these flags unasked, unless the credential says not to
        self._credential = None if wanted else _plain_ticket()
        self._target = _Name(f"{service}@{host}", _HOST_SERVICE)
        self._mechanism = mechanism
        self._wanted = wanted | _MUTUAL | _SEQUENCE

    def step(self, token: bytes | None) -> tuple[bytes, bool]:
        """What to tell the server, whose last word ``token`` is, and whether the context stands now."""
        given, _held = _given(token or b"")
        with _Taken() as said:
            status = _call(
                "gss_init_sec_context",
                self._credential and self._credential.pointer,
                byref(self._context.pointer),
                self._target.pointer,
                byref(self._mechanism),
                self._wanted,
                0,
                self._binding and byref(self._binding),
                byref(given) if token else None,
                None,
                byref(said.buffer),
                byref(self._flags),
                None,
            )
            return said.bytes(), not status & _CONTINUE_NEEDED


class ServiceKeys:
    """Where the keys of ``service`` on ``host`` are: in ``keytab``, None for the system's."""

    def __init__(self, service: str, host: str, keytab: str | None) -> None:
        self._service = service
        self._host = host
        self._keytab = keytab

    def acceptor(self, mechanisms: Sequence[_Oid], binding: bytes | None) -> Acceptor:
        """The server's side of one exchange. Raises GssError, where there is no key for instance."""
        return Acceptor(self._service, self._host, mechanisms, keytab=self._keytab, binding=binding)


def has_ticket() -> bool:
    """Whether who runs this could be a client."""
    try:
        _initiator_credential()
    except GssError:
        return False
    return True


def _initiator_credential() -> _Handle:
    found = _Handle("gss_release_cred")
    pointer = byref(found.pointer)
    _call("gss_acquire_cred_from", None, _INDEFINITE, None, _INITIATE, None, pointer, None, None)
    return found


def _plain_ticket() -> _Handle:
    """The credential of a client that wants no layer."""
    found = _initiator_credential()
    _call("gss_set_cred_option", byref(found.pointer), byref(_NO_FLAGS), byref(_Buffer()))
    return found


def _acceptor_credential(
    service: str, host: str, mechanisms: Sequence[_Oid], keytab: str | None
) -> _Handle:
    found = _Handle("gss_release_cred")
    name = _Name(f"{service}@{host}", _HOST_SERVICE)
    wanted = _OidSet(count=len(mechanisms), elements=(_Oid * len(mechanisms))(*mechanisms))
    store = None
    if keytab is not None:
        element = (_KeyValue * 1)(_KeyValue(key=b"keytab", value=os.fsencode(keytab)))
        store = byref(_KeyValues(count=1, elements=element))
    _call(
        "gss_acquire_cred_from",
        name.pointer,
        _INDEFINITE,
        byref(wanted),
        _ACCEPT,
        store,
        byref(found.pointer),
        None,
        None,
    )
    return found


class _Taken:
    """A buffer that the library fills: read it before the end of the ``with``."""

    def __init__(self) -> None:
        self.buffer = _Buffer()

    def bytes(self) -> bytes:
        return ctypes.string_at(self.buffer.value, self.buffer.length) if self.buffer.length else b""

    def __enter__(self) -> _Taken:
        return self

    def __exit__(self, *_: object) -> None:
        if self.buffer.value:
            library().gss_release_buffer(byref(c_uint32()), byref(self.buffer))


def _given(data: bytes) -> tuple[_Buffer, c_char_p]:
    """A buffer that the library reads, and what has to be kept as long as it does."""
    held = c_char_p(data)
    return _Buffer(length=len(data), value=ctypes.cast(held, c_void_p).value), held


def _bindings(data: bytes) -> _ChannelBindings:
    """Bindings to a channel, by its data alone (RFC 5554 section 3); what they point to lives as long."""
    buffer, held = _given(data)
    found = _ChannelBindings(application_data=buffer)
    found.held = held
    return found


def _call(name: str, *arguments: object) -> int:
    """Call with a minor status before the arguments. The supplementary bits of the major one."""
    minor = c_uint32()
    status: int = library()[name](byref(minor), *arguments)
    if status & _ERRORS:
        raise GssError(f"{_message(status, _OF_CALL)} ({_message(minor.value, _OF_MECHANISM)})")
    return status


def _message(status: int, kind: int) -> str:
    texts: list[str] = []
    more = c_uint32()
    for _ in range(_MOST_MESSAGES):
        with _Taken() as text:
            failed = library().gss_display_status(
                byref(c_uint32()), status, kind, None, byref(more), byref(text.buffer)
            )
            if failed & _ERRORS:
                break
            texts.append(text.bytes().decode("utf-8", "replace"))
        if not more.value:
            break
    return " ".join(texts)


@cache
def library() -> ctypes.CDLL:
    """Raises GssError where it is not installed."""
    handle, buffer, oid, number = POINTER(c_void_p), POINTER(_Buffer), POINTER(_Oid), POINTER(c_uint32)
    oids, bindings, whole = POINTER(_OidSet), POINTER(_ChannelBindings), POINTER(c_int)
    signatures: dict[str, tuple[Any, ...]] = {
        "gss_import_name": (buffer, oid, handle),
        "gss_display_name": (c_void_p, buffer, c_void_p),
        "gss_compare_name": (c_void_p, c_void_p, whole),
        "gss_release_name": (handle,),
        "gss_release_cred": (handle,),
        "gss_release_buffer": (buffer,),
        "gss_release_buffer_set": (POINTER(POINTER(_BufferSet)),),
        "gss_delete_sec_context": (handle, buffer),
        "gss_display_status": (c_uint32, c_int, oid, number, buffer),
        "gss_acquire_cred_from": (
            c_void_p, c_uint32, oids, c_int, POINTER(_KeyValues), handle, c_void_p, number,
        ),
        "gss_set_cred_option": (handle, oid, buffer),
        "gss_accept_sec_context": (
            handle, c_void_p, buffer, bindings, handle, c_void_p, buffer, number, number, handle,
        ),
        "gss_init_sec_context": (
            c_void_p, handle, c_void_p, oid, c_uint32, c_uint32, bindings, buffer, c_void_p, buffer, number,
            number,
        ),
        "gss_wrap": (c_void_p, c_int, c_uint32, buffer, whole, buffer),
        "gss_unwrap": (c_void_p, buffer, buffer, whole, number),
        "gss_wrap_size_limit": (c_void_p, c_int, c_uint32, c_uint32, number),
        "gss_inquire_sec_context_by_oid": (c_void_p, oid, POINTER(POINTER(_BufferSet))),
    }  # fmt: skip
    try:
        found = ctypes.CDLL(LIBRARY)
        for name, arguments in signatures.items():
            found[name].argtypes = (number, *arguments)
            found[name].restype = c_uint32
    except (OSError, AttributeError) as error:
        raise GssError(f"{LIBRARY} cannot be used: {error}") from error
    return found
