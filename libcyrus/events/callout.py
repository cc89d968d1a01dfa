"""Asking the program or daemon of ``annotation_callout`` about a new message.

The question goes to standard input or the UNIX socket as its length in decimal, a newline, the question, and
``0`` and a newline. The answer is one dlist.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import time
from typing import Any

from libcyrus import dlist

log = logging.getLogger(__name__)

_TIMEOUT = 10.0
_LONGEST_ANSWER = 1024 * 1024


def ask(path: str, question: bytes) -> list[Any] | None:
    """The items of the answer; None, logged, when there is none within ten seconds."""
    framed = b"%d\n%b0\n" % (len(question), question)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISSOCK(mode):
            answer = _ask_daemon(path, framed)
        elif stat.S_ISREG(mode) and mode & 0o111:
            answer = _run(path, framed)
        else:
            log.error("cannot classify annotation_callout %s", path)
            return None
    except TimeoutError:
        log.error("timed out waiting for callout %s", path)
        return None
    except OSError as error:
        log.error("cannot use annotation_callout %s: %s", path, error.strerror or error)
        return None
    items = _parsed(answer)
    if items is None:
        log.error("no sense in the answer of annotation_callout %s", path)
    return items


def _parsed(answer: bytes) -> list[Any] | None:
    try:
        value = dlist.parse(answer.strip(b" \r\n"))
    except dlist.DlistError:
        return None
    return value if isinstance(value, list) else None


def _ask_daemon(path: str, framed: bytes) -> bytes:
    """Read until the answer is whole, for the daemon need not hang up."""
    deadline = time.monotonic() + _TIMEOUT
    answer = b""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_TIMEOUT)
        connection.connect(path)
        connection.sendall(framed)
        while _parsed(answer) is None and len(answer) < _LONGEST_ANSWER:
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            data = connection.recv(65536)
            if not data:
                break
            answer += data
    return answer


def _run(path: str, framed: bytes) -> bytes:
    # not needed by most servers, and slow to load
    import subprocess

    with subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            return process.communicate(framed, timeout=_TIMEOUT)[0][:_LONGEST_ANSWER]
        except subprocess.TimeoutExpired:
            process.kill()
            raise TimeoutError from None
