"""idled(8): the loop, and what a message does.

Idlers announce themselves, changers tell of mailboxes, and idled passes that on (see ``events.idle``). When
the administrator closes service, or idled ends, all idlers are told to look for themselves.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import signal
import socket
import sys
import time
from contextlib import suppress

from imap.idled.table import IdleTable
from libcyrus import options as opt
from libcyrus.base.getopt import getopt
from libcyrus.base.signals import ShutdownRequested, Signals
from libcyrus.config import Config, startup
from libcyrus.errors import Fatal
from libcyrus.events import idle
from libcyrus.events.idle import Which
from libcyrus.server import shutdown_file

log = logging.getLogger(__name__)

_LEAST_TIMEOUT = 30 * 60
_LOOK_FOR_SHUTDOWN = 1.0
"""Seconds."""


class Idled:
    """The daemon's socket and table."""

    def __init__(self, config: Config, *, verbose: bool) -> None:
        """Raises OSError when the socket cannot be made."""
        self._config = config
        self._verbose = verbose
        self._table = IdleTable(max(config[opt.timeout], _LEAST_TIMEOUT))
        self._path = idle.server_path(config)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        self._socket.bind(self._path)
        os.chmod(self._path, 0o777)

    def run(self, signals: Signals, *, is_daemon: bool) -> int:
        """Until a signal or the shutdown file ends it; the exit code."""
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        poller.register(signals.wakeup_fd, select.POLLIN)
        look = 0.0
        try:
            while True:
                if signals.poll() == signal.SIGHUP:
                    signals.forget(signal.SIGHUP)
                    if is_daemon:
                        log.debug("received SIGHUP, shutting down gracefully")
                        return 0
                # not before every message: a burst of them must not look a thousand times
                if (now := time.monotonic()) >= look:
                    look = now + _LOOK_FOR_SHUTDOWN
                    if shutdown_file.message(self._config) is not None:
                        return 1
                poller.poll(_LOOK_FOR_SHUTDOWN * 1000)
                self._receive()
        except ShutdownRequested:
            return 0
        finally:
            self._close()

    def _receive(self) -> None:
        """Everything that has come, but not for longer than a burst of messages takes."""
        for _ in range(1000):
            try:
                data, address = self._socket.recvfrom(idle.LARGEST)
            except BlockingIOError:
                return
            except OSError as error:
                log.error("IDLE: recvfrom failed: %s", error.strerror)
                return
            try:
                which, mboxname = idle.unpack(data)
            except ValueError as error:
                log.error("IDLE: %s", error)
                continue
            self.heed(which, mboxname, address)

    def heed(self, which: Which, mboxname: str, address: str | None) -> None:
        """Do what a message asks for; who has no address cannot idle."""
        self._trace("IDLE_MSG_%s '%s'", which.name, mboxname)
        if which is Which.NOTIFY:
            for idler in self._table.idling(mboxname, time.monotonic()):
                if not self._send(idler, Which.NOTIFY, mboxname):
                    self._table.remove(mboxname, idler)
        elif address and which is Which.INIT:
            self._table.add(mboxname, address, time.monotonic())
        elif address and which is Which.DONE:
            self._table.remove(mboxname, address)

    def _send(self, address: str, which: Which, mboxname: str) -> bool:
        """False for an idler that is not there any more."""
        try:
            self._socket.sendto(idle.pack(which, mboxname), address)
        except OSError as error:
            # its name is gone when it ended as it should
            if error.errno != errno.ENOENT:
                log.error(
                    "IDLE: error sending message %s to imapd %s for mailbox %s: %s, forgetting.",
                    which.name, address.rpartition(".")[2], mboxname, error.strerror,
                )  # fmt: skip
            return False
        self._trace("    fwd %s %s", which.name, address)
        return True

    def _close(self) -> None:
        for address in self._table.everybody():
            self._send(address, Which.ALERT, idle.NO_MAILBOX)
        self._socket.close()
        with suppress(OSError):
            os.unlink(self._path)

    def _trace(self, text: str, *values: object) -> None:
        if self._verbose:
            log.debug(text, *values)


def main() -> int:
    options, _, understood = getopt(sys.argv[1:], "C:d", "idled")
    if not understood:
        print("invalid argument", file=sys.stderr)
        return os.EX_USAGE
    values = dict(options)
    debug = "d" in values
    is_daemon = "CYRUS_ISDAEMON" in os.environ
    try:
        config = startup.begin(values.get("C"), "idled")
    except Fatal as fatal:
        print(f"idled: {fatal}", file=sys.stderr)
        return fatal.code
    signals = Signals()
    signals.install()
    try:
        idled = Idled(config, verbose=debug or "CYRUS_VERBOSE" in os.environ)
    except OSError as error:
        print(f"bind: {error.strerror}", file=sys.stderr)
        log.error("cannot listen on %s: %s", idle.server_path(config), error.strerror)
        return 1
    if not debug and not is_daemon:
        if os.fork():
            # the socket is there, so who started us may go on
            os._exit(0)
        signals.renew()
    return idled.run(signals, is_daemon=is_daemon)
