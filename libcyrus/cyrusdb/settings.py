"""What configuration tells the backends, apart from which of them to use."""

from __future__ import annotations

import logging
import time

from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.xlog import xsyslog
from libcyrus.config import Config

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """The defaults are those of the options, and no stamp."""

    skipstamp: str | None = None
    """The file with the time since when skiplist files need recovery."""
    skiplist_unsafe: bool = False
    skiplist_always_checkpoint: bool = True
    sql_engine: str | None = None
    sql_database: str | None = None
    sql_hostnames: str = ""
    sql_user: str | None = None
    sql_passwd: str | None = None
    sql_usessl: bool = False
    fulldirhash: bool = False
    virtdomains: bool = False

    @classmethod
    def from_config(cls, config: Config) -> Settings:
        return cls(
            skipstamp=f"{config.directory}/db/skipstamp",
            skiplist_unsafe=config[opt.skiplist_unsafe],
            skiplist_always_checkpoint=config[opt.skiplist_always_checkpoint],
            sql_engine=config[opt.sql_engine],
            sql_database=config[opt.sql_database],
            sql_hostnames=config[opt.sql_hostnames],
            sql_user=config[opt.sql_user],
            sql_passwd=config[opt.sql_passwd],
            sql_usessl=config[opt.sql_usessl],
            fulldirhash=config[opt.fulldirhash],
            virtdomains=config[opt.virtdomains] != "off",
        )

    def recovered_since(self) -> int:
        """The time since when skiplist files need to have been recovered; 0 without a stamp's name.

        Where the stamp is missing it is the time when the machine was started:
        only a failure of the machine can have harmed a file. (The original
        recovers every file whenever it is opened then.)
        """
        if self.skipstamp is None:
            return 0
        now = time.time()
        try:
            with open(self.skipstamp, "rb") as stream:
                content = stream.read(4)
        except FileNotFoundError:
            content = b""
            xsyslog(
                log,
                logging.INFO,
                "skipstamp is missing, have you run `ctl_cyrusdb -r`?",
                filename=self.skipstamp,
            )
        except OSError as error:
            content = b""
            xsyslog(
                log,
                logging.ERROR,
                "DBERROR: skipstamp unreadable, assuming the worst",
                error,
                filename=self.skipstamp,
            )
        if len(content) < 4:
            return int(now - time.clock_gettime(time.CLOCK_BOOTTIME))
        return min(int.from_bytes(content), int(now))
