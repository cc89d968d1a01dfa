"""notifytest(8): send one notification to a notifyd."""

from __future__ import annotations

import os
import pwd
import socket
import sys

from libcyrus.base.getopt import getopt
from libcyrus.events.notify import Notification

_MAX_OPTIONS = 10
_LARGEST = 8192
_USAGE = """{0}: usage: {0} -f socket_path -t text [-n method]
              [-c class] [-p priority]
              [-u user] [-m mailbox]
              [option ...]
"""


def main() -> int:
    program = sys.argv[0]
    options, operands, understood = getopt(sys.argv[1:], "f:n:c:p:u:m:t:", program)
    given = dict(options)
    if not understood or "f" not in given or "t" not in given:
        sys.stderr.write(_USAGE.format(program))
        return 1
    if len(operands) > _MAX_OPTIONS:
        sys.stderr.write(f"too many options (> {_MAX_OPTIONS})\n")
        return 1
    what = Notification(
        method=given.get("n", ""),
        kind=given.get("c", "MESSAGE"),
        priority=given.get("p", "normal"),
        user=given.get("u") or _own_name(),
        mailbox=given.get("m"),
        options=operands,
        message=given["t"],
        filename=None,
    )
    data = what.pack()
    if len(data) > _LARGEST:
        sys.stderr.write("dgram too big\n")
        return 255
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(data, given["f"])
    except OSError as error:
        sys.stderr.write(f"sendto() : {error.strerror or error}\n")
        return 255
    return 0


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
