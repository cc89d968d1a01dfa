"""Write what a program sends to syslog into the file that CYRUS_TEST_LOG names.

The harness puts this directory on PYTHONPATH of the servers it starts: a test
machine need not have a syslog daemon, and each instance keeps its own log.
"""

import os
import sys
import time

_path = os.environ.get("CYRUS_TEST_LOG")

if _path:
    import syslog

    _ident = ["python"]

    def _openlog(ident: str = "", logoption: int = 0, facility: int = 0) -> None:
        _ident[0] = ident or os.path.basename(sys.argv[0])

    def _syslog(priority: object, message: str | None = None) -> None:
        level, text = (priority, message) if message is not None else (syslog.LOG_INFO, priority)
        stamp = time.strftime("%b %d %H:%M:%S")
        line = f"{stamp} {_ident[0]}[{os.getpid()}]: <{level}> {text}\n"
        descriptor = os.open(_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("utf-8", "backslashreplace"))
        finally:
            os.close(descriptor)

    syslog.openlog = _openlog  # type: ignore[assignment]
    syslog.syslog = _syslog  # type: ignore[assignment]
