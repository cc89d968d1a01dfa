"""One worker: accept, tell master, serve, and again until it has been used enough.

Who waits, waits for four things at once: the listening socket, a signal, the
time limit of an idle worker, and the death of master (its end of the status
pipe closes). A worker that has nobody to report to ends when it is idle, so
that no port stays taken.

A connection wakes one of the waiting workers, and always the one that has been
there longest (EPOLLEXCLUSIVE), where the original has them take turns by way of
a lock: its caches are warm, which is worth a quarter of a short connection's
CPU time, and those that are too many grow idle and end. Who was woken must take
the client, whatever else it is told in that moment, because nobody else is
woken for it.

What master is told, in this order: UNAVAILABLE and CONNECTION when a client
was accepted, AVAILABLE when it has gone and the worker will take another.

Memory is tidied only when the worker is about to sleep, so a busy one loses no
time to it.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import logging
import os
import select
import signal
import socket
import sys
from typing import Any, Generic, NoReturn

from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.master_protocol import NOTIFY, STATUS_FD, Message
from libcyrus.base.signals import ShutdownRequested
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import Fatal
from libcyrus.server.connection import Connection
from libcyrus.server.program import App, Service, ServiceProgram

log = logging.getLogger(__name__)

# A burst's next client comes sooner than this; only after it is the worker called idle, and tidied.
_BURST = 0.02

# What accept(2) says of a client that went away, or of a network that did.
_PASSING = frozenset(
    {
        errno.EINTR,
        errno.EAGAIN,
        errno.EINVAL,
        errno.ECONNABORTED,
        errno.ENETDOWN,
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.EHOSTDOWN,
        errno.ENONET,
        errno.EHOSTUNREACH,
        errno.EOPNOTSUPP,
        errno.ENETUNREACH,
    }
)

_malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


@dataclass(slots=True)
class Limits:
    """When a worker has been used enough: connections, and idle seconds (0: never)."""

    uses: int
    idle: int

    def spread_idle(self) -> int:
        """Between once and twice ``idle``, so that workers do not end all at once."""
        return self.idle + int.from_bytes(os.urandom(2), "big") * self.idle // 65536


class Worker(Generic[App]):
    """The state of one worker; a pool parent holds one unstarted and its children run it."""

    def __init__(
        self,
        program: ServiceProgram[App],
        service: Service,
        app: App,
        listener: socket.socket,
        limits: Limits,
        *,
        verbose: bool,
        status_fd: int = STATUS_FD,
    ) -> None:
        self.program = program
        self.service = service
        self._app = app
        self._listener = listener
        self._is_stream = listener.type == socket.SOCK_STREAM
        self._limits = limits
        self._verbose = verbose
        self._status_fd = status_fd
        self._keepalive = _keepalive_options(service)
        self._file = _file_of_program()
        self._initial = self._identity()
        self._tidied = True
        self._is_closed = False

    def run(self) -> NoReturn:
        """Serve until it is time to go. Handlers must be installed already. Never returns, never raises."""
        code = self._guarded(self.work)
        if self.program.close is not None:
            close = self.program.close
            code = self._guarded(lambda: close(self._app)) or code
        self.service.proc.cleanup()
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def file_has_changed(self) -> bool:
        """Whether the program was replaced or removed since it began; says so in the log."""
        try:
            identity = self._identity(missing_ok=False)
        except OSError as error:
            log.info("cannot stat process file: %s", error.strerror)
            return True
        if identity != self._initial:
            log.info("process file has changed")
            return True
        return False

    def _guarded(self, work: Any) -> int:
        """Run ``work`` and turn what it raises into the log line and the exit code that are due."""
        try:
            work()
        except ShutdownRequested:
            log.log(NOTICE, "graceful shutdown")
            return os.EX_TEMPFAIL
        except Fatal as fatal:
            log.error("Fatal error: %s", fatal)
            return fatal.code
        except SystemExit as ended:
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        except BaseException:
            log.exception("%s died of a bug", self.program.name)
            return os.EX_SOFTWARE
        return 0

    def work(self) -> None:
        """Serve until it is time to go; what is raised in doing so is the caller's."""
        signals = self.service.signals
        poll = select.epoll()
        poll.register(self._listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        poll.register(signals.wakeup_fd, select.EPOLLIN)
        poll.register(self._status_fd, 0)
        if self.program.started is not None:
            self.program.started(self._app)
        uses, idle = 0, self._limits.spread_idle()
        while True:
            if uses and idle:
                signal.alarm(idle)
            client = self._next_client(poll)
            signal.alarm(0)
            if client is None:
                return
            uses += 1
            self._serve(client)
            if signals.poll() == signal.SIGHUP or uses >= self._limits.uses:
                return
            if any(demand.is_apart for demand in self.service.demands):
                return
            signals.forget(signal.SIGALRM)
            if not self._notify(Message.AVAILABLE):
                return

    def _serve(self, client: socket.socket) -> None:
        self._notify(Message.UNAVAILABLE, Message.CONNECTION)
        log.debug("accepted connection")
        self._tidied = False
        try:
            if self._is_stream and client.family != socket.AF_UNIX:
                self._set_options(client)
            self.program.serve(self._app, Connection(client))
        finally:
            self.service.proc.cleanup()
            if self._is_stream:
                client.close()

    def _next_client(self, poll: select.epoll) -> socket.socket | None:
        """A client, or None when the worker should end: signalled, idle too long, replaced, or orphaned."""
        while not self._is_closed and not self.file_has_changed():
            # before waiting too: what came while the process was being forked wakes nobody
            if self.service.signals.poll():
                return None
            events = dict(self._wait(poll))
            if self._listener.fileno() in events:
                client = self._take()
                if client is not None:
                    return client
            elif self._status_fd in events and not self.service.signals.poll():
                log.info("master is gone")
                return None
        return None

    def _wait(self, poll: select.epoll) -> list[tuple[int, int]]:
        if not self._tidied:
            events = poll.poll(_BURST)
            if events:
                return events
            self._tidy()
        return poll.poll()

    def _take(self) -> socket.socket | None:
        """Accept the client; a datagram is left in the socket for the program to read."""
        if not self._is_stream:
            return self._listener
        try:
            return self._listener.accept()[0]
        except OSError as error:
            if error.errno == errno.EINVAL:
                self._is_closed = True  # master gave the service up
            if error.errno in _PASSING:
                return None
            raise Fatal(f"accept failed: {error.strerror}", os.EX_OSERR) from error

    def _notify(self, *messages: Message) -> bool:
        """Tell master; False when it is not there any more."""
        pid = os.getpid()
        if self._verbose:
            for message in messages:
                log.debug("telling master %x", message)
        try:
            os.write(self._status_fd, b"".join([NOTIFY.pack(message, pid) for message in messages]))
        except OSError as error:
            log.error("unable to tell master %x: %s", messages[0], error.strerror)
            return False
        return True

    def _set_options(self, client: socket.socket) -> None:
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for level, name, value in self._keepalive:
                client.setsockopt(level, name, value)
        except OSError as error:
            log.error("unable to setsocketopt: %s", error.strerror)

    def _tidy(self) -> None:
        """Give back what the last client needed."""
        if self._tidied:
            return
        self._tidied = True
        gc.collect()
        if _malloc_trim is not None:
            _malloc_trim(0)

    def _identity(self, *, missing_ok: bool = True) -> tuple[int, int, int] | None:
        try:
            status = os.stat(self._file)
        except OSError:
            if missing_ok:
                return None
            raise
        return status.st_ino, status.st_size, status.st_mtime_ns


def _file_of_program() -> str:
    return os.path.abspath(sys.argv[0])


def _keepalive_options(service: Service) -> list[tuple[int, int, int]]:
    config = service.config
    if not config[opt.tcp_keepalive]:
        return []
    wanted = [
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, config[opt.tcp_keepalive_cnt]),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, config[opt.tcp_keepalive_idle]),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, config[opt.tcp_keepalive_intvl]),
    ]
    return [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *(one for one in wanted if one[2])]
