"""The methods of notification, by the name that a notification asks for.

``null`` does nothing, ``log`` writes to the system's log, ``mailto`` sends mail to the first option, and
``external`` runs the program of ``notify_external`` with the message on its standard input. A program that
takes too long is ended, so that it does not hold up all other notifications (the original waits for it).
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from collections.abc import Callable
from itertools import count

from libcyrus import options as opt
from libcyrus.base import times
from libcyrus.config import Config
from libcyrus.events.notify import Notification

log = logging.getLogger(__name__)

_TIMEOUT = 60.0
"""Seconds that a program may take."""
_X_SIEVE = "CMU Sieve 3.0"
_numbers = count()

Method = Callable[[Config, Notification], None]


def _null(config: Config, what: Notification) -> None:
    """Nothing."""


def _log(config: Config, what: Notification) -> None:
    options = f"({', '.join(what.options)})" if what.options else ""
    log.info(
        '%s, %s, %s, %s, %s "%s"', what.kind, what.priority, what.user, what.mailbox, options, what.message
    )


def _mailto(config: Config, what: Notification) -> None:
    if not what.options:
        log.error("notify_mailto: mailto URI not specified")
        return
    recipient = what.options[0]
    if any(char in recipient for char in "\r\n"):
        log.error("notify_mailto: bad recipient")
        return
    now = int(time.time())
    head = [
        f"Message-ID: <cmu-sieve-{os.getpid()}-{now}-{next(_numbers)}@{config.servername}>",
        f"Date: {times.to_rfc5322(now)}",
        f"X-Sieve: {_X_SIEVE}",
        f"From: Mail Sieve Subsystem <{config[opt.postmaster]}>",
        f"To: <{recipient}>",
        f"Subject: [{what.kind}] New mail notification",
    ]
    if not what.message.isascii():
        head += [
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=UTF-8",
            "Content-Transfer-Encoding: 8BIT",
        ]
    text = "\r\n".join([*head, "", what.message, ""])
    _run([config[opt.sendmail] or "", "-i", "-f", "<>", "--", recipient], text, name="sendmail")


def _external(config: Config, what: Notification) -> None:
    program = config[opt.notify_external]
    if not program:
        log.error("ERROR: no external recipient (program) specified")
        return
    arguments = [
        program, "-c", what.kind, "-p", what.priority or "", "-u", what.user or "", "-m", what.mailbox or "",
        "-f",
    ]  # fmt: skip
    if what.filename is not None:
        arguments.append(what.filename)
    _run(arguments, what.message + "\n")


METHODS: dict[str, Method] = {"null": _null, "log": _log, "mailto": _mailto, "external": _external}


def _run(arguments: list[str], text: str, *, name: str | None = None) -> None:
    """Run a program with ``text`` on its standard input; it is called by its path, or by ``name``."""
    program = arguments[0]
    command = [name or program, *arguments[1:]]
    data = text.encode("utf-8", "surrogateescape")
    try:
        with subprocess.Popen(command, executable=program, stdin=subprocess.PIPE) as process:
            try:
                process.communicate(data, timeout=_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                log.error("notification program %s took too long", program)
    except OSError as error:
        log.error("cannot run %s: %s", program, error.strerror or error)
