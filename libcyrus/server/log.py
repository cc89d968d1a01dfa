"""Connects the ``logging`` of the library to syslog, for daemons and tools alike."""

from __future__ import annotations

import logging
import syslog
import traceback

from libcyrus import options as opt
from libcyrus.base import systemlog
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config

_PRIORITIES = (
    (logging.CRITICAL, syslog.LOG_CRIT),
    (logging.ERROR, syslog.LOG_ERR),
    (logging.WARNING, syslog.LOG_WARNING),
    (NOTICE, syslog.LOG_NOTICE),
    (logging.INFO, syslog.LOG_INFO),
)


class SyslogHandler(logging.Handler):
    """Writes each record as one line, and each line of a traceback as one more."""

    def emit(self, record: logging.LogRecord) -> None:
        priority = next(
            (priority for level, priority in _PRIORITIES if record.levelno >= level), syslog.LOG_DEBUG
        )
        try:
            systemlog.write(priority, record.getMessage())
            if record.exc_info:
                for part in traceback.format_exception(*record.exc_info):
                    for text in part.rstrip().split("\n"):
                        systemlog.write(priority, text)
        except Exception:
            self.handleError(record)


def attach(ident: str) -> None:
    """Send everything that is logged to syslog as ``ident``, before the configuration is known."""
    systemlog.open_log(ident)
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    if not any(isinstance(handler, SyslogHandler) for handler in root.handlers):
        root.addHandler(SyslogHandler())


def configure(config: Config) -> None:
    """Open the log again as the options ``syslog_prefix``, ``syslog_facility`` and ``debug`` say."""
    prefix, facility = config[opt.syslog_prefix], config[opt.syslog_facility]
    number = systemlog.DEFAULT_FACILITY
    if facility is not None:
        known = systemlog.FACILITIES.get(facility.upper())
        if known is None:
            systemlog.write(syslog.LOG_ERR, f"config error: syslog name {facility} not recognised")
        else:
            number = known
    if prefix is not None or facility is not None:
        systemlog.open_log(config.ident, prefix=prefix, facility=number)
    if not config[opt.debug]:
        systemlog.drop_debug()
        logging.getLogger().setLevel(logging.INFO)
