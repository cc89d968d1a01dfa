"""Brings the table of services into line with cyrus.conf, at start and on every reload."""

from __future__ import annotations

import os
import socket
import syslog
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from libcyrus.base.systemlog import write
from libcyrus.errors import Fatal
from master import conf, listen, spawn
from master.conf import ConfError, Entry, EventSpec, ServiceSpec, StartSpec
from master.listen import How, ListenError
from master.table import Pooling, Service, Table

Spec = TypeVar("Spec")


class Wanted(NamedTuple):
    """What the file asks for."""

    start: list[StartSpec]
    services: list[ServiceSpec]
    events: list[EventSpec]
    daemons: list[ServiceSpec]


def read(path: str, *, strict: bool) -> Wanted:
    """Read the whole file. A senseless entry is Fatal if ``strict``, else left out with a warning."""
    content = conf.read(path)

    def parsed(section: str, parse: Callable[[Entry], Spec]) -> list[Spec]:
        specs = []
        for entry in conf.section(content, section, path):
            try:
                specs.append(parse(entry))
            except ConfError as error:
                _complain(str(error), strict=strict)
        return specs

    return Wanted(
        parsed("START", conf.start),
        parsed("SERVICES", conf.service),
        parsed("EVENTS", conf.event),
        parsed("DAEMON", conf.daemon),
    )


def merge(table: Table, wanted: Wanted, *, strict: bool, verbose: int = 0) -> None:
    """Enable what is wanted, reusing what runs already on the same address; all else is disabled.

    With a ``verbose`` of more than 2 the log says how each entry was understood.
    """
    for service in table.everything():
        service.enabled = False
    for spec in (*wanted.services, *wanted.daemons):
        try:
            is_known = _merge_one(table, spec)
        except ConfError as error:
            _complain(str(error), strict=strict)
            continue
        if verbose > 2:
            write(syslog.LOG_DEBUG, f"{'reconfig' if is_known else 'add'}: {spec.understood}")


def open_listeners(table: Table, service: Service, how: How) -> None:
    """Give an enabled service its socket, and further addresses services of their own. May disable it."""
    taken = {
        (other.listener.family, other.listener.getsockname())
        for other in table.services
        if other.listener is not None and _is_same(other.spec, service.spec)
    }
    try:
        opened = listen.open_all(service.spec, how, taken)
    except ListenError as error:
        write(error.priority, str(error))
        service.enabled = False
        return
    for place, (family, sock) in enumerate(opened):
        if place:
            service = _another_address(table, service)
        service.family = family
        try:
            _attach(service, sock)
        except OSError as error:
            write(syslog.LOG_ERR, f"couldn't create status pipe for {service.label}: {error.strerror}")
            service.enabled = False


def stop_listening(service: Service, how: How) -> None:
    """Close a disabled service's socket; shutting it down first wakes workers that wait on it."""
    if service.listener is None:
        return
    if not listen.is_handed(how, service.listener):
        try:
            service.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # a datagram socket is not connected
    service.listener.close()
    service.listener = None


def remove(table: Table, service: Service) -> None:
    """Forget a disabled service that has no processes any more."""
    for fd in (service.status_read, service.status_write):
        if fd >= 0:
            os.close(fd)
    if service.listener is not None:
        service.listener.close()
    (table.waitdaemons if service in table.waitdaemons else table.services).remove(service)


def _merge_one(table: Table, spec: ServiceSpec) -> bool:
    """Whether there was such a service already."""
    own, other = table.services, table.waitdaemons
    kind = "service"
    if spec.waits:
        own, other, kind = other, own, "waitdaemon"
    if any(service.enabled and service.spec.name == spec.name for service in (*own, *other)):
        raise ConfError(f"multiple entries for {kind} '{spec.name}'")
    path = spawn.executable(spec.command)
    if not spawn.is_runnable(path):
        word = "daemon" if spec.is_daemon and not spec.waits else kind
        raise ConfError(f"cannot find executable for {word} '{spec.name}'")
    pooling = Pooling.NEVER
    if not spec.is_daemon and spec.is_tcp and spawn.may_pool(path):
        pooling = Pooling.UNKNOWN
    same = [service for service in own if _is_same(service.spec, spec)]
    is_known = bool(same)
    if all(service.address for service in same):
        # the first address is new, or was given up for its failures
        first = Service(spec, family="daemon" if spec.is_daemon else "")
        same.append(first)
        own.append(first)
    for service in same:
        service.configure(spec, path, pooling)
    return is_known


def _is_same(old: ServiceSpec, new: ServiceSpec) -> bool:
    return (old.name, old.listen, old.proto) == (new.name, new.listen, new.proto)


def _another_address(table: Table, primary: Service) -> Service:
    last = max(other.address for other in table.services if _is_same(other.spec, primary.spec))
    service = Service(primary.spec, address=last + 1)
    service.configure(primary.spec, primary.path, primary.pooling)
    table.services.append(service)
    return service


def _attach(service: Service, sock: socket.socket) -> None:
    service.listener = sock
    service.status_read, service.status_write = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(service.status_read, False)


def _complain(text: str, *, strict: bool) -> None:
    if strict:
        raise Fatal(text, os.EX_CONFIG)
    write(syslog.LOG_WARNING, f"WARNING: {text} -- ignored")

