"""The wrapper of every command-line program: options, exit codes, the process around the work.

A program is a click command plus ``main = tool.main(command)``. Its body calls
``tool.begin`` for the configuration, works, and may return an exit code.

Exit codes are those of sysexits(3), from what is raised: ``Fatal`` its own, a
``CyrusError`` by the table below. A usage error prints what getopt(3) would say
and the help text, and exits with the code the original used for that program,
64 or 255.
"""

from __future__ import annotations

import io
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable

import click

from libcyrus import errors
from libcyrus.config.startup import begin as begin

log = logging.getLogger(__name__)

config_option = click.option(
    "-C", "config_file", metavar="FILE", help="Read FILE instead of /etc/imapd.conf."
)

# first match wins, so a class stands before its base
_EXIT_CODES: tuple[tuple[type[errors.CyrusError], int], ...] = (
    (errors.DatabaseCorrupt, os.EX_DATAERR),
    (errors.IoError, os.EX_IOERR),
    (errors.NoSpace, os.EX_TEMPFAIL),
    (errors.PermissionDenied, os.EX_NOPERM),
    (errors.QuotaExceeded, os.EX_TEMPFAIL),
    (errors.MailboxLocked, os.EX_TEMPFAIL),
    (errors.MailboxNotSupported, os.EX_DATAERR),
    (errors.MailboxNonexistent, os.EX_UNAVAILABLE),
)


def main(command: click.Command, *, usage_code: int = os.EX_USAGE) -> Callable[[], None]:
    """The entry point of a program; ``usage_code`` is what a usage error exits with."""
    # the original's programs know short options only: --help is an error like any other
    command.add_help_option = False

    def entry() -> None:
        _speak_bytes()
        # until the log is open nothing must reach the terminal by way of it
        logging.getLogger().addHandler(logging.NullHandler())
        code = run(command, sys.argv, usage_code)
        sys.exit(_flushed(code))

    return entry


def run(command: click.Command, argv: list[str], usage_code: int) -> int:
    """Run ``command`` and return its exit code; messages go to standard error."""
    program = os.path.basename(argv[0])
    try:
        with command.make_context(program, argv[1:]) as context:
            result = command.invoke(context)
        return result if isinstance(result, int) else os.EX_OK
    except click.UsageError as error:
        return _usage(command, argv[0], error, usage_code)
    except (KeyboardInterrupt, click.Abort):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        return 128 + signal.SIGINT
    except errors.Fatal as error:
        _say(f"fatal error: {error}")
        return error.code
    except errors.CyrusError as error:
        _say(f"{program}: {error}")
        return exit_code(error)
    except BrokenPipeError:
        return 128 + signal.SIGPIPE
    except OSError as error:
        log.error("%s: %s", program, error, exc_info=True)
        _say(f"fatal error: {_describe(error)}")
        return os.EX_IOERR
    except Exception:
        log.critical("%s: internal error", program, exc_info=True)
        traceback.print_exc()
        return os.EX_SOFTWARE


def exit_code(error: errors.CyrusError) -> int:
    for kind, code in _EXIT_CODES:
        if isinstance(error, kind):
            return code
    return os.EX_SOFTWARE


class Progress:
    """Counts on standard error what a long run has done, if that is a terminal. ``done`` takes it away."""

    _INTERVAL = 0.2

    def __init__(self, what: str) -> None:
        self._what = what
        self._visible = sys.stderr.isatty()
        self._count = 0
        self._shown = 0.0

    def step(self) -> None:
        self._count += 1
        if self._visible and time.monotonic() - self._shown >= self._INTERVAL:
            self._shown = time.monotonic()
            self._write(f"\r{self._what}: {self._count}")

    def done(self) -> None:
        if self._visible and self._shown:
            self._write("\r" + " " * len(f"{self._what}: {self._count}") + "\r")

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def usage_error(text: str = "") -> click.UsageError:
    """What a command raises where its arguments make no sense together."""
    return click.UsageError(text)


def _usage(command: click.Command, path: str, error: click.UsageError, code: int) -> int:
    program = os.path.basename(path)
    if isinstance(error, click.NoSuchOption):
        _say(f"{path}: invalid option -- '{error.option_name.removeprefix('-')[:1]}'")
    elif isinstance(error, click.BadOptionUsage):
        _say(f"{path}: option requires an argument -- '{error.option_name.lstrip('-')}'")
    elif error.format_message():
        _say(f"{program}: {error.format_message()}")
    with click.Context(command, info_name=program) as context:
        _say(command.get_help(context))
    return code


def _describe(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{os.fsdecode(error.filename)}: {reason}" if error.filename is not None else reason


def _say(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        pass


def _speak_bytes() -> None:
    """Names of mailboxes and files are bytes: they leave as they were read, in any locale."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")


def _flushed(code: int) -> int:
    """Write out what is still buffered, where a failure can yet change the exit code."""
    if sys.stdout is None:
        return code
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # the interpreter must find nothing to flush again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        _say(f"fatal error: {_describe(error)}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return os.EX_IOERR
    return code
