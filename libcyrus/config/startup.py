"""What every program does before its own work: log, read the configuration, become the Cyrus user.

Services and command-line programs share it. Records of ``logging`` go to
libc's syslog as ``syslog_prefix/ident``; a traceback is written line by line.
"""

from __future__ import annotations

import logging
import os
import syslog
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from libcyrus import options as opt
from libcyrus.base import privileges, process_name, systemlog
from libcyrus.base.xlog import NOTICE
from libcyrus.config import Config
from libcyrus.errors import Fatal

log = logging.getLogger(__name__)

_DATABASES = (
    opt.annotation_db,
    opt.conversations_db,
    opt.duplicate_db,
    opt.mboxlist_db,
    opt.quota_db,
    opt.statuscache_db,
    opt.tls_sessions_db,
    opt.userdeny_db,
)
"""The options that may name ``sql``."""
_SASL = "libcyrus.sasl."
_SQL_MODULES = {"sqlite": "sqlite3", "pgsql": "psycopg", "mysql": "pymysql"}


class SyslogHandler(logging.Handler):
    """Hands records to syslog(3) under whatever name the log was opened with.

    What is said while passwords are checked is marked, as the original marks what its SASL library says.
    """

    def emit(self, record: logging.LogRecord) -> None:
        try:
            priority = _priority(record.levelno)
            mark = "SASL " if record.name.startswith(_SASL) else ""
            systemlog.write(priority, mark + record.getMessage())
            if record.exc_info:
                for part in traceback.format_exception(*record.exc_info):
                    for line in part.rstrip().split("\n"):
                        systemlog.write(priority, line)
        except Exception:
            self.handleError(record)


def begin(
    path: str | None,
    ident: str,
    *,
    need_partitions: bool = False,
    before: Callable[[Config], None] | None = None,
) -> Config:
    """Load the configuration as ``ident`` and set up the process by it.

    Root becomes ``cyrus_user``, which may not be able to read modules that are
    loaded later: ``before`` can do that. The umask is set; DEBUG messages are passed
    on only with ``debug: yes``. Raises ``Fatal``: EX_CONFIG for the configuration,
    EX_USAGE where root cannot become the Cyrus user.
    """
    _hold_standard_descriptors()
    process_name.take()
    systemlog.open_log(ident)
    _attach()
    config = Config.load(path, ident, need_partitions=need_partitions)
    # what that loads, the Cyrus user may not be able to read
    _watch_locks(config)
    _load_sql(config)
    if config[opt.event_notifier]:
        import_module("libcyrus.mailbox.telling")
    if before is not None:
        before(config)
    if os.geteuid() == 0:
        try:
            privileges.become_cyrus(config[opt.cyrus_user], config[opt.cyrus_group])
        except privileges.PrivilegeError as error:
            log.error("%s", error)
            raise Fatal("must run as the Cyrus user", os.EX_USAGE) from None
    _reopen_log(config)
    os.umask(umask(config))
    return config


def _watch_locks(config: Config) -> None:
    # neither is loaded where nobody asks for it
    if limit := config[opt.lock_debugtime]:
        from libcyrus.base import lock_timer

        lock_timer.install(limit)
    if "CYRUS_CHECK_LOCKS" in os.environ:
        from libcyrus.base import lock_order

        lock_order.install()


def _load_sql(config: Config) -> None:
    """The package behind ``sql`` databases; who opens one complains if it is not there."""
    if any(config[option] == "sql" for option in _DATABASES):
        with suppress(ImportError):
            import_module(_SQL_MODULES.get(config[opt.sql_engine] or "pgsql", "psycopg"))


def umask(config: Config) -> int:
    """The option ``umask``: its octal digits, whatever stands between them."""
    digits = "".join(char for char in config[opt.umask] if char in "01234567")
    return int(digits or "0", 8) & 0o777


def _hold_standard_descriptors() -> None:
    # a file opened as descriptor 0, 1 or 2 would later receive what is meant for the terminal
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor < 3:
        os.set_inheritable(descriptor, True)
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def _attach() -> None:
    root = logging.getLogger()
    root.handlers[:] = [SyslogHandler()]
    root.setLevel(logging.DEBUG)
    # what no line of the log says need not be found out for each
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False


def _reopen_log(config: Config) -> None:
    prefix = config[opt.syslog_prefix]
    name = config[opt.syslog_facility]
    if prefix is not None or name is not None:
        facility = systemlog.FACILITIES.get((name or "").upper(), systemlog.DEFAULT_FACILITY)
        if name is not None and name.upper() not in systemlog.FACILITIES:
            log.error("config error: syslog name %s not recognised", name)
        syslog.closelog()
        systemlog.open_log(config.ident, prefix=prefix, facility=facility)
    if not config[opt.debug]:
        systemlog.drop_debug()
        logging.getLogger().setLevel(logging.INFO)


def _priority(level: int) -> int:
    if level >= logging.CRITICAL:
        return syslog.LOG_CRIT
    if level >= logging.ERROR:
        return syslog.LOG_ERR
    if level >= logging.WARNING:
        return syslog.LOG_WARNING
    if level >= NOTICE:
        return syslog.LOG_NOTICE
    return syslog.LOG_INFO if level >= logging.INFO else syslog.LOG_DEBUG
