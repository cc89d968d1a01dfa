"""Session ids: what ties a client's reply, the log lines and the audit trail of one task together."""

from __future__ import annotations

import os
import time

from libcyrus import options as opt
from libcyrus.config import Config


class SessionId:
    """The current id, ``BASE-TIME-PID-COUNT-RANDOM``; made at first use, changed by :meth:`new`.

    BASE is ``syslog_prefix`` or the server's name. LMTP starts a new one with each LHLO and RSET.
    """

    def __init__(self, config: Config) -> None:
        self._base = (config[opt.syslog_prefix] or config.servername)[:128]
        self._time = 0
        self._count = 0
        self._text = ""

    def new(self) -> str:
        now = int(time.time())
        if now != self._time:
            self._time, self._count = now, 0
        self._count += 1
        chance = int.from_bytes(os.urandom(8))
        self._text = f"{self._base}-{now}-{os.getpid()}-{self._count}-{chance}"
        return self._text

    def __str__(self) -> str:
        return self._text or self.new()
