"""Opens the sockets that services listen on."""

from __future__ import annotations

import os
import socket
import stat
import syslog
from collections.abc import Container, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from libcyrus.base.privileges import binding
from libcyrus.base.systemlog import write
from libcyrus.errors import Fatal
from master.conf import ServiceSpec

_UNIX_PATH = 108

# proto: family and type
_PROTOCOLS = {
    "tcp": (socket.AF_UNSPEC, socket.SOCK_STREAM),
    "tcp4": (socket.AF_INET, socket.SOCK_STREAM),
    "tcp6": (socket.AF_INET6, socket.SOCK_STREAM),
    "udp": (socket.AF_UNSPEC, socket.SOCK_DGRAM),
    "udp4": (socket.AF_INET, socket.SOCK_DGRAM),
    "udp6": (socket.AF_INET6, socket.SOCK_DGRAM),
}
_FAMILIES: dict[int, str] = {socket.AF_UNIX: "unix", socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}


class ListenError(Exception):
    """The service must be disabled; ``priority`` and text are for the log."""

    def __init__(self, priority: int, text: str) -> None:
        super().__init__(text)
        self.priority = priority


class How(NamedTuple):
    """The queue of waiting connections, the IP type of service, and whether failing to bind is fatal.

    ``handed`` are sockets that are bound already, by who started master; one is used where its address
    is asked for.
    """

    backlog: int
    tos: int
    errors_are_fatal: bool
    handed: tuple[socket.socket, ...] = ()


def open_all(
    spec: ServiceSpec, how: How, taken: Container[tuple[int, object]] = ()
) -> list[tuple[str, socket.socket]]:
    """A socket with its family's name for each address of ``listen``; those that fail are logged.

    Families and addresses in ``taken`` are the service's already.
    Raises ListenError if none can be had, Fatal (EX_UNAVAILABLE) where errors are fatal.
    """
    opened = []
    reason = "no address"
    for family, kind, protocol, address in _addresses(spec):
        if (family, address) in taken:
            continue
        name = _FAMILIES.get(family, "unknown")
        try:
            opened.append((name, _open(spec, how, family, kind, protocol, address)))
        except _Failure as failure:
            reason = os.strerror(failure.errno)
            text = f"unable to {failure.doing} {spec.name}/{name} socket: {reason}"
            if how.errors_are_fatal:
                raise Fatal(text, os.EX_UNAVAILABLE) from failure
            write(syslog.LOG_ERR, text)
    if not opened:
        raise ListenError(syslog.LOG_ERR, f"unable to create {spec.name} listener socket: {reason}")
    return opened


def split_listen(listen: str) -> tuple[str | None, str | None]:
    """Host and port of ``port``, ``host:port``, ``[host]`` or ``[host]:port``; raises ValueError."""
    if listen.startswith("["):
        host, bracket, rest = listen[1:].rpartition("]")
        if not bracket or (rest and (not rest.startswith(":") or rest == ":")):
            raise ValueError(listen)
        return host, rest[1:] or None
    host, colon, port = listen.rpartition(":")
    if colon and not port:
        raise ValueError(listen)
    return (host if colon else None), port


def type_of_service(name: str) -> int:
    """The IP_TOS byte of a value of the option ``qosmarking``."""
    if name == "ef":
        return 46 << 2
    if name.startswith("af"):
        return int(name[2]) << 5 | int(name[3]) << 3
    return int(name[2]) << 5


class _Failure(Exception):
    def __init__(self, doing: str, error: OSError) -> None:
        super().__init__(str(error))
        self.doing = doing
        self.errno = error.errno or 0


_Address = tuple[int, int, int, object]


def _addresses(spec: ServiceSpec) -> list[_Address]:
    if spec.listen.startswith("/"):
        if len(os.fsencode(spec.listen)) >= _UNIX_PATH:
            raise ListenError(
                syslog.LOG_ERR, f"invalid listen '{spec.listen}' (too long), disabling {spec.name}"
            )
        kind = socket.SOCK_STREAM if spec.proto == "tcp" else socket.SOCK_DGRAM
        return [(socket.AF_UNIX, kind, 0, spec.listen)]
    if spec.proto not in _PROTOCOLS:
        raise ListenError(syslog.LOG_INFO, f"invalid proto '{spec.proto}', disabling {spec.name}")
    family, kind = _PROTOCOLS[spec.proto]
    try:
        host, port = split_listen(spec.listen)
    except ValueError:
        raise ListenError(
            syslog.LOG_ERR, f"invalid listen '{spec.listen}', disabling {spec.name}"
        ) from None
    try:
        # bytes, since text would go through a codec that lies in a directory we may have left behind
        raw = None if host is None else os.fsencode(host)
        found = socket.getaddrinfo(raw, port, family, kind, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise ListenError(syslog.LOG_INFO, f"{error.strerror}, disabling {spec.name}") from error
    return [(one[0], one[1], one[2], one[4]) for one in found]


def is_handed(how: How, sock: socket.socket) -> bool:
    """Whether the socket is also somebody else's: it may be closed, but not shut down."""
    return any(sock.getsockname() == other.getsockname() for other in how.handed)


def _handed(how: How, family: int, kind: int, address: object) -> socket.socket | None:
    for sock in how.handed:
        if (sock.family, sock.type, sock.getsockname()) == (family, kind, address):
            return sock.dup()
    return None


def _open(
    spec: ServiceSpec, how: How, family: int, kind: int, protocol: int, address: object
) -> socket.socket:
    handed = _handed(how, family, kind, address)
    if handed is not None:
        _set_options(spec, how, handed)
        if kind == socket.SOCK_STREAM:
            handed.listen(how.backlog)
        return handed
    try:
        opened = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _Failure("open", error) from error
    try:
        _set_options(spec, how, opened)
        _bind(opened, address)
        if spec.is_tcp:
            try:
                opened.listen(how.backlog)
            except OSError as error:
                raise _Failure("listen to", error) from error
    except _Failure:
        opened.close()
        raise
    return opened


def _set_options(spec: ServiceSpec, how: How, opened: socket.socket) -> None:
    wanted = [("SO_REUSEADDR", socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]
    if opened.family == socket.AF_INET6:
        if not opened.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY):
            # a socket that is bound already would refuse it
            wanted.append(("IPV6_V6ONLY", socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1))
        wanted.append(("IP_TOS", socket.IPPROTO_IPV6, socket.IPV6_TCLASS, how.tos))
    elif opened.family == socket.AF_INET:
        wanted.append(("IP_TOS", socket.IPPROTO_IP, socket.IP_TOS, how.tos))
    family = _FAMILIES.get(opened.family, "unknown")
    for name, level, option, value in wanted:
        try:
            opened.setsockopt(level, option, value)
        except OSError as error:
            write(
                syslog.LOG_ERR,
                f"unable to setsocketopt({name}) service {spec.name}/{family}: {error.strerror}",
            )


def _bind(opened: socket.socket, address: object) -> None:
    """Bind; what is at the path of a UNIX socket is removed first, and everybody may connect to it."""
    if not isinstance(address, str):
        try:
            with binding():
                opened.bind(address)  # type: ignore[arg-type]
        except OSError as error:
            raise _Failure("bind to", error) from error
        return
    mask = os.umask(0)
    try:
        with _as_owner(os.path.dirname(address)):
            with suppress(OSError):  # then bind says what is wrong
                if not stat.S_ISDIR(os.lstat(address).st_mode):
                    os.unlink(address)
            opened.bind(address)
            os.chmod(address, 0o777)
    except OSError as error:
        raise _Failure("bind to", error) from error
    finally:
        os.umask(mask)


@contextmanager
def _as_owner(directory: str) -> Iterator[None]:
    """Let root act as whoever owns the directory.

    Without all its capabilities root may not write there, and with them it must not be led astray by links
    that the owner planted.
    """
    owner = os.stat(directory)
    if os.geteuid() or not owner.st_uid:
        yield
        return
    group = os.getegid()
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
