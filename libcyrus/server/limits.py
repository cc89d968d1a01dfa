"""How many sessions a host or a user may hold: ``maxlogins_per_host`` and ``maxlogins_per_user``.

And what a daemon must not be asked to be, because it would do it wrong.
"""

from __future__ import annotations

import logging
import os

from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.errors import Fatal
from libcyrus.server import proc

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TooMany:
    """The sessions there are already, and the limits (0: none)."""

    host: int
    maxhost: int
    user: int
    maxuser: int
    clienthost: str
    userid: str

    def __str__(self) -> str:
        parts = []
        if self.maxhost:
            parts.append(f"{self.host} of {self.maxhost} from {self.clienthost}")
        if self.maxuser:
            parts.append(f"{self.user} of {self.maxuser} for {self.userid}")
        return f"Too many open connections ({', '.join(parts)})"


def refuse_murder(config: Config) -> None:
    """A member of a Murder tells the others of each mailbox, which we cannot do. Raises Fatal (EX_CONFIG)."""
    if config[opt.mupdate_server]:
        raise Fatal("mupdate_server: a Murder is not supported", os.EX_CONFIG)


def check(config: Config, clienthost: str, userid: str) -> TooMany | None:
    """Why this login may not be: its text is for the reply and has been logged. None if it may.

    Counts sessions that have logged in, of all services, by their proc files.
    """
    maxhost, maxuser = config[opt.maxlogins_per_host], config[opt.maxlogins_per_user]
    if not maxhost and not maxuser:
        return None
    host = user = 0
    for entry in proc.foreach(proc.directory(config)):
        if entry.user:
            host += entry.host == clienthost
            user += entry.user == userid
    if (maxhost and host >= maxhost) or (maxuser and user >= maxuser):
        excess = TooMany(host, maxhost, user, maxuser, clienthost, userid)
        log.error("%s", excess)
        return excess
    return None
