"""promstatsd(8): the loop that renews the report."""

from __future__ import annotations

import errno
import logging
import os
import select
import signal
import sys
import time

from imap.promstatsd import services, usage
from libcyrus import options as opt
from libcyrus.base import lock
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.getopt import getopt, number
from libcyrus.base.signals import ShutdownRequested, Signals
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config, startup
from libcyrus.errors import CyrusError, Fatal
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.server import debugger, metrics, shutdown_file

log = logging.getLogger(__name__)

_USAGE = """\
Usage:
    {0} [-C alt_config] [-v] [-f frequency] [-d]
    {0} [-C alt_config] [-v] -c
"""


@dataclass(slots=True)
class _CommandLine:
    config_file: str | None = None
    clean: bool = False
    debug: bool = False
    debugger: bool = False
    once: bool = False
    verbose: bool = False
    frequency: int = 0


class Reporter:
    """Makes the report, again and again; another promstatsd may do so too, in the same file."""

    def __init__(self, config: Config) -> None:
        """Raises Fatal (EX_IOERR) when there can be no such file."""
        self._config = config
        self._directory = metrics.directory(config)
        self._store = MailStore(config)
        self.path = os.path.join(self._directory, metrics.REPORT)
        try:
            os.makedirs(self._directory, 0o755, exist_ok=True)
            # who reads the old one goes on doing so, and nobody takes it for a new one
            if os.path.lexists(self.path):
                os.unlink(self.path)
            self._write(b"")
        except OSError as error:
            log.error("IOERROR: opening %s: %s", self.path, error.strerror)
            raise Fatal("couldn't open report file", os.EX_IOERR) from error

    def renew(self) -> None:
        """Raises Fatal (EX_IOERR) when the report cannot be written."""
        started = time.monotonic()
        text = self._of_services()
        counted = time.monotonic()
        log.debug("collated service report in %f seconds", counted - started)
        text += self._of_usage()
        log.debug("collated usage report in %f seconds", time.monotonic() - counted)
        try:
            self._write(text.encode("utf-8", "surrogateescape"))
        except OSError as error:
            log.error("IOERROR: writing %s: %s", self.path, error.strerror)
            raise Fatal("error writing report file", os.EX_IOERR) from error

    def close(self) -> None:
        self._store.close()

    def _of_services(self) -> str:
        try:
            found = metrics.collect(self._directory)
        except OSError as error:
            log.error("IOERROR: reading %s: %s", self._directory, error.strerror)
            return ""
        log.debug("updating prometheus report for %d services", len(found))
        return services.render(found)

    def _of_usage(self) -> str:
        try:
            found = usage.count(self._store.mboxlist, self._store.quota)
        except CyrusError as error:
            log.error("cannot count mailboxes: %s", error)
            return ""
        return usage.render(found, int(time.time() * 1000))

    def _write(self, content: bytes) -> None:
        written = False
        while not written:
            try:
                # in place, under the lock that readers take; it need not survive a crash
                with lock.exclusive_file(self.path) as fd:
                    os.pwrite(fd, content, 0)
                    os.ftruncate(fd, len(content))
                written = True
            except lock.ReopenError as error:
                # another promstatsd begins by removing it, perhaps between our opening and locking it
                if error.errno != errno.ENOENT:
                    raise


def main() -> int:
    line = _parse(sys.argv[1:])
    if line is None:
        sys.stderr.write(_USAGE.format(os.path.basename(sys.argv[0])))
        return os.EX_USAGE
    try:
        return _run(line)
    except Fatal as fatal:
        log.critical("%s", fatal)
        log.log(NOTICE, "exiting")
        print(f"promstatsd: {fatal}", file=sys.stderr)
        return fatal.code


def _parse(words: list[str]) -> _CommandLine | None:
    """None where it makes no sense."""
    line = _CommandLine(verbose="CYRUS_VERBOSE" in os.environ)
    options, _, understood = getopt(words, "C:D1cdf:v", sys.argv[0])
    for letter, value in options:
        if letter == "C":
            line.config_file = value
        elif letter == "f":
            line.frequency = number(value)
            understood &= line.frequency > 0
        else:
            name = {"D": "debugger", "1": "once", "c": "clean", "d": "debug", "v": "verbose"}[letter]
            setattr(line, name, True)
    return line if understood else None


def _run(line: _CommandLine) -> int:
    config = startup.begin(line.config_file, "promstatsd")
    if line.clean:
        return _clean(config)
    if not config[opt.prometheus_enabled]:
        raise Fatal(
            "Prometheus metrics are not being tracked.  Set prometheus_enabled in imapd.conf", os.EX_CONFIG
        )
    signals = Signals()
    signals.install()
    reporter = Reporter(config)
    is_daemon = "CYRUS_ISDAEMON" in os.environ
    if not line.once and not line.debug and not is_daemon:
        if os.fork():
            # the report can be written, so who started us may go on
            os._exit(0)
        _leave_terminal()
        signals.renew()
    if line.debugger:
        debugger.run(config, "promstatsd")
    frequency = line.frequency or config[opt.prometheus_update_freq]
    frequency = frequency if frequency > 0 else 10
    log.debug("updating %s every %d seconds", reporter.path, frequency)
    try:
        while not _is_over(config, signals, is_daemon=is_daemon, verbose=line.verbose or line.debug):
            reporter.renew()
            if line.once:
                break
            _wait(signals, frequency)
    except ShutdownRequested:
        return os.EX_TEMPFAIL
    finally:
        reporter.close()
    return 0


def _leave_terminal() -> None:
    """Who started us may wait for the end of our output, or have a terminal to close."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.close(null)


def _clean(config: Config) -> int:
    directory = metrics.directory(config)
    try:
        metrics.clean(directory)
    except OSError as error:
        log.error("IOERROR: opendir(%s): %s", directory, error.strerror)
        return os.EX_IOERR
    return 0


def _is_over(config: Config, signals: Signals, *, is_daemon: bool, verbose: bool) -> bool:
    """Raises ShutdownRequested."""
    if signals.poll() == signal.SIGHUP:
        signals.forget(signal.SIGHUP)
        if is_daemon:
            log.debug("received SIGHUP, shutting down gracefully")
            return True
    if shutdown_file.message(config) is not None:
        if verbose:
            log.debug("Detected shutdown file")
        return True
    return False


def _wait(signals: Signals, seconds: float) -> None:
    poller = select.poll()
    poller.register(signals.wakeup_fd, select.POLLIN)
    poller.poll(seconds * 1000)
