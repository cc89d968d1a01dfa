"""The option ``debug_command``: something that the administrator wants to look at a process with."""

from __future__ import annotations

import logging
import os
import sys

from libcyrus import options as opt
from libcyrus.config import Config

log = logging.getLogger(__name__)


def run(config: Config, name: str) -> None:
    """Run the command, if there is one, and wait for it.

    The first ``%s`` or ``%d`` in it becomes the program, the next the pid, the third ``name``.
    """
    command = config[opt.debug_command]
    if command is None:
        return
    text = command
    for value in (sys.argv[0], os.getpid(), name):
        place = min((at for at in (text.find("%s"), text.find("%d")) if at >= 0), default=-1)
        if place < 0:
            break
        text = f"{text[:place]}{value}{text[place + 2 :]}"
    log.debug("running external debugger: %s", text)
    log.debug("debugger returned exit status: %d", os.system(text))
