"""Mail programs that others wrote, run against an instance: with a home directory and, if wanted, a terminal.

A test drives the program, then looks at what is on the server with ``mail_of`` and on the program's own disk.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cassandane import reference
from cassandane.clients import ImapClient, Reply
from cassandane.instance import Instance

DEADLINE = 60.0
"""Seconds a program may take."""

PASSWORD = "secret"
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78])")
_ROWS, _COLUMNS = 40, 160


@dataclass
class Account:
    """A user of a server, and a home directory for the programs that they run."""

    server: Instance
    user: str
    home: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(mode=0o700, parents=True)
        self.environment = {
            "HOME": str(self.home), "USER": self.user, "LOGNAME": self.user, "LANG": "C.UTF-8",
            "TERM": "xterm", "TZ": "UTC", "EDITOR": "/bin/true", "MAIL": str(self.home / "no-mail"),
            "PERL_HASH_SEED": "0", "PERL_PERTURB_KEYS": "0",
        }

    @property
    def port(self) -> int:
        return self.server.ports["imap"]

    @property
    def tls_port(self) -> int:
        return self.server.ports["imaps"]

    @property
    def certificate(self) -> str:
        return self.server.settings["tls_server_cert"]

    def imap(self) -> ImapClient:
        return self.server.imap(self.user)

    def write(self, name: str, text: str, *, mode: int = 0o600) -> Path:
        """A file in the home directory."""
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def command(self, name: str, *arguments: str | Path) -> tuple[list[str], dict[str, str]]:
        """The words and the environment to start a program with."""
        path = reference.program(name)
        words = [path, *map(str, arguments)]
        with open(path, "rb") as opened:
            in_python = b"python" in opened.readline()
        if in_python:
            return [sys.executable, *words], {**reference.python_environment(), **self.environment}
        return words, {**reference.environment(), **self.environment}

    def run(
        self, name: str, *arguments: str | Path, stdin: bytes = b"", codes: Sequence[int] = (0,)
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program to its end, which must be one of these exit codes."""
        words, environment = self.command(name, *arguments)
        done = subprocess.run(
            words, input=stdin, capture_output=True, env=environment, cwd=self.home, timeout=DEADLINE,
            start_new_session=True,  # or some would ask on the terminal that the tests run on
        )
        printed = (done.stdout + done.stderr).decode(errors="replace")
        assert done.returncode in codes, (
            f"{' '.join(words)} exited {done.returncode}\n{printed}\n{self.server.describe()}"
        )
        return done

    def start(self, name: str, *arguments: str | Path) -> subprocess.Popen[bytes]:
        words, environment = self.command(name, *arguments)
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment, cwd=self.home,
        )

    def run_on_terminal(self, name: str, *arguments: str | Path, codes: Sequence[int] = (0,)) -> str:
        """Run a program that draws on a terminal and gets its keys from its arguments; what it drew."""
        with Terminal(*self.command(name, *arguments), self.home) as terminal:
            code = terminal.wait()
        assert code in codes, f"{name} ended with {code}\n{terminal.text()}\n{self.server.describe()}"
        return terminal.text()


class Terminal:
    """A program on a pseudo terminal."""

    def __init__(self, words: Sequence[str], environment: dict[str, str], directory: Path) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        self._drawn = b""
        self._process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=directory,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._master)

    def text(self) -> str:
        """Everything drawn so far, without the codes that place and colour it."""
        return _ESCAPES.sub("", self._drawn.decode(errors="replace"))

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def expect(self, pattern: str) -> None:
        """Wait until what was drawn since the last expectation has this; AssertionError at the deadline."""
        end = time.monotonic() + DEADLINE
        while not (found := re.search(pattern, self.text()[self._seen :])):
            assert self._draw(end), f"{pattern!r} did not come\n{self.text()}"
        self._seen += found.end()

    _seen = 0

    def wait(self) -> int:
        """The exit status of the program, whose drawing goes on being read until it ends."""
        end = time.monotonic() + DEADLINE
        while self._draw(end):
            pass
        assert time.monotonic() < end, f"{self._process.args!r} does not end\n{self.text()[-4000:]}"
        return self._process.wait(DEADLINE)

    def _draw(self, end: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return False
        try:
            drawn = os.read(self._master, 65536)
        except OSError:  # Linux's way to say that the last process on it has gone
            return False
        self._drawn += drawn
        return bool(drawn)


def mail_of(account: Account, *folders: str) -> dict[str, list[tuple[bytes, frozenset[str]]]]:
    """The messages of these folders, or of all: bytes and flags (without \\Recent), in the order of UIDs."""
    with account.imap() as client:
        names = folders or tuple(folder_names(client))
        return {name: messages_of(client, name) for name in names}


def folder_names(client: ImapClient) -> list[str]:
    """Those that can be selected, in the order of LIST."""
    lines = [line for line in client.ok('LIST "" "*"').untagged if "\\Noselect" not in line]
    found = [re.match(r'LIST \([^)]*\) (?:"[^"]*"|NIL) "?(.*?)"?$', line) for line in lines]
    return [match[1] for match in found if match]


def messages_of(client: ImapClient, folder: str) -> list[tuple[bytes, frozenset[str]]]:
    client.ok(f'EXAMINE "{folder}"')
    return [_message(line) for line in client.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])").grep(r"FETCH \(")]


def _message(line: str) -> tuple[bytes, frozenset[str]]:
    flags = re.search(r"FLAGS \(([^)]*)\)", line)
    literal = re.search(r"BODY\[\] \{(\d+)\}\r\n", line)
    assert flags and literal, line[:200]
    data = line[literal.end() : literal.end() + int(literal[1])].encode("latin-1")
    return data, frozenset(flags[1].split()) - {"\\Recent"}


def flags_by_subject(account: Account, folder: str) -> dict[str, frozenset[str]]:
    found = {}
    for data, flags in mail_of(account, folder)[folder]:
        subject = re.search(rb"(?im)^subject: (.*?)\r$", data)
        found[subject[1].decode() if subject else ""] = flags
    return found


def fill(account: Account, folder: str, *messages: bytes, flags: str = "") -> Reply:
    """APPEND messages, as another program of the user's would; the last answer."""
    with account.imap() as client:
        for message in messages:
            reply = client.ok(f'APPEND "{folder}" {flags + " " if flags else ""}{{}}', message)
    return reply
