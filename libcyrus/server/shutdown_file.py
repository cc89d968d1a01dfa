"""The administrator's notice that service is closed: ``msg/shutdown`` in the configuration directory."""

from __future__ import annotations

import logging
import os

from libcyrus.config import Config

log = logging.getLogger(__name__)

LONGEST = 4095


def message(config: Config) -> str | None:
    """The first line of ``msg/shutdown.IDENT``, else of ``msg/shutdown``; None when neither is there."""
    path = os.path.join(config.directory, "msg", "shutdown")
    for candidate in (f"{path}.{config.ident}", path):
        try:
            with open(candidate, "rb") as file:
                line = file.readline(LONGEST)
        except OSError:
            continue
        text = line.split(b"\r")[0].split(b"\n")[0].decode("utf-8", "surrogateescape")
        log.debug("Shutdown file: %s, closing connection", text)
        return text
    return None
