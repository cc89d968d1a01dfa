"""The beginning of every daemon that master starts: options, configuration, then worker or pool.

A daemon's ``main`` is ``service.main(ServiceProgram(...))``. Options every
daemon has, which must stand apart from their arguments and from each other:

=========== ==================================================================
-C FILE     another imapd.conf
-U NUMBER   connections served before a worker ends, default 250
-T SECONDS  idle time after which a used worker ends, default 60; 0: never
-D          run the option ``debug_command`` first
-X          serve one conversation on stdin and stdout, without a master
=========== ==================================================================

The environment comes from master: CYRUS_SERVICE (name in cyrus.conf, which is
also the prefix of options and the syslog ident), CYRUS_ID (which of the
service's addresses), CYRUS_VERBOSE, and CYRUS_POOL_FD from a master that knows
pools.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import syslog
import time

from libcyrus.base import systemlog
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.base.getopt import getopt, number
from libcyrus.base.master_protocol import LISTEN_FD, POOL_VARIABLE, STATUS_FD
from libcyrus.base.signals import Signals
from libcyrus.config import startup
from libcyrus.errors import Fatal
from libcyrus.server import debugger, pool, proc, stdio
from libcyrus.server.connection import Connection
from libcyrus.server.program import App, Service, ServiceProgram
from libcyrus.server.worker import Limits, Worker

__all__ = ["Connection", "Service", "ServiceProgram", "main"]

MAX_USE = 250
REUSE_TIMEOUT = 60

_OWN_OPTIONS = "C:U:T:DX"

log = logging.getLogger(__name__)


def main(program: ServiceProgram[App]) -> int:
    """Run the daemon; the exit code of this process, if it returns at all.

    Workers end in here and leave through ``os._exit``.
    """
    systemlog.open_log(os.environ.get("CYRUS_SERVICE", program.name))
    try:
        return _run(program)
    except Fatal as fatal:
        systemlog.write(syslog.LOG_ERR, f"Fatal error: {fatal}")
        return fatal.code
    except Exception:
        log.exception("%s: cannot start", program.name)
        return os.EX_SOFTWARE


@dataclass(slots=True)
class _CommandLine:
    config_file: str | None = None
    limits: Limits = field(default_factory=lambda: Limits(MAX_USE, REUSE_TIMEOUT))
    debugger: bool = False
    stdio: bool = False
    rest: list[str] = field(default_factory=list)


def _run(program: ServiceProgram[App]) -> int:
    command_line = _parse(sys.argv[1:])
    name = _from_environment("CYRUS_SERVICE")
    _from_environment("CYRUS_ID")
    verbose = "CYRUS_VERBOSE" in os.environ
    if number(os.environ.get("CYRUS_VERBOSE", "")) > 29:
        systemlog.write(syslog.LOG_DEBUG, "waiting 15 seconds for debugger")
        time.sleep(15)
    config = startup.begin(command_line.config_file, name, need_partitions=program.need_partitions)
    if command_line.debugger:
        debugger.run(config, name)
    log.debug("executed")

    options, arguments, _ = getopt(command_line.rest, program.options, program.name)
    signals = Signals()
    service = Service(name, config, options, arguments, signals, proc.ProcFile(proc.directory(config)))
    if command_line.stdio:
        signals.install()
        return stdio.serve(program, service)

    listener = _listener()
    app = program.init(service)
    worker = Worker(program, service, app, listener, command_line.limits, verbose=verbose)
    channel = os.environ.pop(POOL_VARIABLE, None)
    if channel is not None and channel.isdigit():
        pool.run(worker, socket.socket(fileno=int(channel)))
    signals.install()
    return worker.run()


def _parse(arguments: list[str]) -> _CommandLine:
    """Take the service's options out and leave the rest to the program, as the original does."""
    line = _CommandLine()
    rest, operands = line.rest, []
    words = iter(range(len(arguments)))
    for index in words:
        word = arguments[index]
        if word == "--":
            operands += arguments[index + 1 :]
            break
        if not word.startswith("-") or word == "-":
            operands.append(word)
            continue
        if len(word) > 2:
            raise Fatal("options and arguments MUST be separated by whitespace", os.EX_USAGE)
        following = arguments[index + 1] if index + 1 < len(arguments) else None
        takes_value = word[1] + ":" in _OWN_OPTIONS
        if word[1] not in _OWN_OPTIONS or word[1] == ":":
            rest.append(word)
            if following is not None and not following.startswith("-"):
                rest.append(following)
                next(words)
            continue
        if takes_value and following is None:
            rest.append(word)
            continue
        if takes_value:
            next(words)
        _apply(line, word[1], following or "")
    rest += operands
    return line


def _apply(line: _CommandLine, letter: str, value: str) -> None:
    if letter == "C":
        line.config_file = value
    elif letter == "U":
        line.limits.uses = max(0, number(value))
    elif letter == "T":
        line.limits.idle = max(0, number(value))
    elif letter == "D":
        line.debugger = True
    else:
        line.stdio = True


def _from_environment(variable: str) -> str:
    value = os.environ.get(variable)
    if value is None:
        raise Fatal(f"could not getenv({variable}); exiting", os.EX_SOFTWARE)
    return value


def _listener() -> socket.socket:
    """The listening socket; it and the status pipe must not reach programs that the daemon runs."""
    try:
        os.set_inheritable(LISTEN_FD, False)
        os.set_inheritable(STATUS_FD, False)
    except OSError as error:
        raise Fatal(f"unable to set close on exec: {error.strerror}", 1) from error
    try:
        listener = socket.socket(fileno=LISTEN_FD)
    except OSError as error:
        raise Fatal(f"getsockopt: SOL_SOCKET: failed to get type: {error.strerror}", 1) from error
    listener.setblocking(False)
    return listener
