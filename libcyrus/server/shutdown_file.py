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


class ShutdownWatch:
    """``message`` for who asks before every command; looks again when the directory changed."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._directory = os.path.join(config.directory, "msg")
        self._changed: int | None = None
        self._message: str | None = None

    def message(self) -> str | None:
        try:
            changed = os.stat(self._directory).st_mtime_ns
        except OSError:
            return None
        if changed != self._changed or self._message is not None:
            self._message = message(self._config)
            self._changed = changed
        return self._message
