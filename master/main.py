"""master(8): starts the services of cyrus.conf and looks after them.

The order of things at start: command line, imapd.conf, standard descriptors,
background and pidfile, cyrus.conf, START commands, sockets; then, for all that
follows, the Cyrus user; daemons that are waited for. Then the process that waits with ``-d`` is told
that all is well, and the loop begins.
"""

from __future__ import annotations

import os
import signal
import sys
import syslog

from libcyrus import options as opt
from libcyrus.base import privileges, process_name, systemlog
from libcyrus.base.getopt import getopt, number
from libcyrus.base.master_protocol import LISTEN_FD, POOL_FD, STATUS_FD
from libcyrus.config import Config
from libcyrus.errors import Fatal
from libcyrus.version import PACKAGE, VERSION
from master import conf, pidfile, services
from master.listen import How, type_of_service
from master.loop import Master, Settings
from master.pidfile import Starter
from master.systemd import Notifier, take_sockets

_IDENT = "master"
_RESERVED = (STATUS_FD, LISTEN_FD, POOL_FD)

_BACKLOG = 4096
"""How many may wait to be served. With the original's 32, who comes in a burst knocks for minutes."""


class _CommandLine:
    def __init__(self) -> None:
        self.config_file: str | None = None
        self.conf_path = conf.DEFAULT_PATH
        self.pidfile = pidfile.DEFAULT_PATH
        self.backlog = _BACKLOG
        self.janitor_frequency = 1
        self.error_log: str | None = None
        self.daemon = False
        self.debug = False
        self.verbose = 0
        self.version = False


def main() -> int:
    """Run master; its exit code."""
    # an interrupt before the loop has its own handlers ends us as it ends any program
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    process_name.take()
    systemlog.open_log(_IDENT)
    waiting = [Starter()]
    try:
        return _run(_parse(sys.argv), waiting)
    except Fatal as fatal:
        systemlog.write(syslog.LOG_CRIT, str(fatal))
        systemlog.write(syslog.LOG_NOTICE, "exiting")
        print(f"master: {fatal}", file=sys.stderr)
        waiting[-1].report(fatal.code)
        return fatal.code
    except Exception:
        # without us workers end by themselves when they are idle; what went wrong must not be lost
        import traceback

        for text in traceback.format_exc().splitlines():
            systemlog.write(syslog.LOG_CRIT, text)
        waiting[-1].report(os.EX_SOFTWARE)
        return os.EX_SOFTWARE


def _run(line: _CommandLine, waiting: list[Starter]) -> int:
    if line.version:
        print(f"{PACKAGE} {VERSION}")
        return os.EX_OK
    notifier, handed = Notifier.from_environment(), take_sockets()
    _reserve_descriptors()
    config = Config.load(line.config_file, _IDENT)
    systemlog.open_log(_IDENT, prefix=config[opt.syslog_prefix])
    if not config[opt.debug]:
        systemlog.drop_debug()
    if not line.debug or line.error_log is not None:
        _replace_standard_descriptors(line.error_log)
    if line.daemon:
        kept = (*_RESERVED, *(sock.fileno() for sock in handed))
        waiting.append(pidfile.daemonize(line.pidfile, config.directory, kept))
        systemlog.open_log(_IDENT, prefix=config[opt.syslog_prefix])
    lock = pidfile.take(line.pidfile)
    systemlog.write(syslog.LOG_DEBUG, "process started")
    how = How(
        line.backlog,
        type_of_service(config[opt.qosmarking]),
        config[opt.master_bind_errors_fatal],
        tuple(handed),
    )
    settings = Settings(config, line.conf_path, how, line.verbose, line.janitor_frequency, notifier)
    master = Master(settings)
    master.boot(services.read(line.conf_path, strict=True), lambda: _become_cyrus(config))
    waiting[-1].report(os.EX_OK)
    master.run()
    os.close(lock)
    return os.EX_OK


def _parse(argv: list[str]) -> _CommandLine:
    line = _CommandLine()
    if "CYRUS_VERBOSE" in os.environ:
        line.verbose = number(os.environ["CYRUS_VERBOSE"]) + 1
    for letter, value in getopt(argv[1:], "C:L:M:p:l:Ddj:vV", argv[0])[0]:
        if letter == "C":
            line.config_file = value
        elif letter == "M":
            line.conf_path = value
        elif letter == "l":
            line.backlog = number(value)
        elif letter == "p":
            line.pidfile = value
        elif letter == "d":
            line.daemon = True
        elif letter == "D":
            line.debug = True
        elif letter == "L":
            line.error_log = value
        elif letter == "j":
            line.janitor_frequency = number(value)
            if line.janitor_frequency < 1:
                raise Fatal("The janitor period must be at least 1 second", os.EX_CONFIG)
        elif letter == "v":
            line.verbose += 1
        else:
            line.version = True
            return line
    if line.daemon and line.debug:
        raise Fatal("Unable to be both debug and daemon mode", os.EX_CONFIG)
    return line


def _reserve_descriptors() -> None:
    """Keep the numbers that services will find their descriptors on from being used for anything else."""
    for fd in _RESERVED:
        try:
            os.close(fd)
        except OSError:
            pass
        try:
            # a DAEMON that is started again says there that it is ready, though nobody asked
            os.dup2(0, fd, inheritable=fd != POOL_FD)
        except OSError as error:
            raise Fatal(f"couldn't dup fd 0: {error.strerror}", 2) from error


def _replace_standard_descriptors(error_log: str | None) -> None:
    """Put /dev/null, or the log for output, in place of the descriptors that master was given."""
    for target in range(3):
        path, flags = os.devnull, os.O_WRONLY if target else os.O_RDWR
        if error_log is not None and target:
            path, flags = error_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            fd = os.open(path, flags, 0o666)
        except OSError as error:
            raise Fatal(f"couldn't open {path}: {error.strerror}", 2) from error
        os.dup2(fd, target)
        if fd != target:
            os.close(fd)


def _become_cyrus(config: Config) -> None:
    try:
        privileges.become_cyrus(config[opt.cyrus_user], config[opt.cyrus_group], keep_bind=True)
    except privileges.PrivilegeError as error:
        systemlog.write(syslog.LOG_ERR, str(error))
        raise Fatal("can't change to the cyrus user", 1) from error
