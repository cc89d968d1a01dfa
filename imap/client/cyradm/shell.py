"""The loop: read a line, run its commands with their redirections, and go on."""

from __future__ import annotations

import atexit
import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

from imap.client.cyradm import commands, lexer
from imap.client.cyradm.admin import LostConnection
from imap.client.cyradm.commands import Refusal, Shell, UsageError
from imap.client.cyradm.lexer import Command, Redirection, SyntaxMistake
from libcyrus.prot import TlsError
from libcyrus.sasl import SaslError

HISTORY = "~/.cyradm_history"
HISTORY_LINES = 1000


def run_lines(shell: Shell, lines: Iterable[str]) -> None:
    """Run lines to their end. Raises Exit."""
    for line in lines:
        try:
            for command in lexer.split(line):
                shell.status = _run(shell, command)
        except (SyntaxMistake, Refusal) as error:
            shell.err.write(f"{error}\n")
            shell.status = -1
        except UsageError as error:
            shell.err.write(f"usage: {error}\n")
            shell.status = -1
        except (LostConnection, BrokenPipeError):
            shell.err.write("\nConnection to server lost.\n")
            shell.admin, shell.status = None, -1
        except (SaslError, TlsError) as error:
            text = error.code.text if isinstance(error, SaslError) else str(error)
            shell.err.write(f"authenticate: {text}\n")
            shell.status = -1
        except OSError as error:
            shell.err.write(f"{error.strerror or error}\n")
            shell.status = -1
        shell.out.flush()
        shell.err.flush()


def typed(shell: Shell) -> Iterator[str]:
    """Lines from standard input, with history and completion where somebody sits there."""
    ask: Callable[[str], str] = input if sys.stdin.isatty() else _unattended
    if sys.stdin.isatty():
        _edit_lines()
    while True:
        name = shell.admin.servername if shell.admin is not None else "cyradm"
        try:
            yield ask(f"{name}> ")
        except EOFError:
            return
        except KeyboardInterrupt:
            shell.out.write("\n")


def _unattended(prompt: str) -> str:
    sys.stdout.write(prompt)
    sys.stdout.flush()
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")


def _edit_lines() -> None:
    with suppress(ImportError, OSError):
        import readline

        path = os.path.expanduser(HISTORY)
        with suppress(OSError):
            readline.read_history_file(path)
        readline.set_history_length(HISTORY_LINES)
        names = sorted(commands.names())

        def complete(begin: str, number: int) -> str | None:
            if readline.get_begidx():
                return None
            fitting = [name for name in names if name.startswith(begin)]
            return f"{fitting[number]} " if number < len(fitting) else None

        readline.set_completer(complete)
        readline.parse_and_bind("tab: complete")
        atexit.register(_keep_history, readline.write_history_file, path)


def _keep_history(write: Callable[[str], None], path: str) -> None:
    with suppress(OSError):
        write(path)


def _run(shell: Shell, command: Command) -> int:
    """One command, ours or the system's."""
    name, *words = command.words
    if name not in commands.names():
        # the system's shell understands the redirections itself
        shell.out.flush()
        return subprocess.run(["/bin/sh", "-c", command.text]).returncode
    with _redirected(shell, command.redirections):
        status = commands.run(shell, name, words)
    return status or 0


@contextmanager
def _redirected(shell: Shell, redirections: Iterable[Redirection]) -> Iterator[None]:
    """The shell's output and errors elsewhere, as the redirections say, in their order."""
    before = shell.out, shell.err
    streams: dict[int, IO[str] | None] = {0: sys.stdin, 1: shell.out, 2: shell.err}
    with ExitStack() as opened:
        for redirection in redirections:
            streams[redirection.fd] = _target(redirection, streams, opened)
        shell.out = streams[1] or opened.enter_context(_nowhere())
        shell.err = streams[2] or opened.enter_context(_nowhere())
        try:
            yield
        finally:
            shell.out, shell.err = before


def _target(
    redirection: Redirection, streams: dict[int, IO[str] | None], opened: ExitStack
) -> IO[str] | None:
    if redirection.copies:
        if redirection.target == "-":
            return None
        if streams.get(int(redirection.target)) is None:
            raise Refusal(f"file descriptor `{redirection.target}' not open")
        return streams[int(redirection.target)]
    mode = {"<": "r", ">": "w", ">>": "a"}[redirection.mode]
    try:
        file = open(redirection.target, mode, encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
    except OSError as error:
        raise Refusal(f"{redirection.target}: {error.strerror}") from error
    return opened.enter_context(file)


def _nowhere() -> IO[str]:
    return io.StringIO()
