"""cyrus.conf: what master starts, listens on, runs by the clock and looks after.

Four sections, START, SERVICES, EVENTS and DAEMON, in any order. Of several with
one name only the first is read::

    SERVICES {
        # name  argument="value" ...
        imap    cmd="imapd" listen="imap" prefork=5
    }

A ``#`` begins a comment wherever it stands, inside quotes too. Names and keys
are ASCII letters and digits; no space around ``=``; of a repeated key the first
counts. A line is at most 4095 bytes, an entry has at most 64 arguments.
Section names may be in any case but for their first letter.

Numbers that do not look like numbers, and switches that say neither yes nor
no, leave the default as it is. Everything else that is wrong raises ``Fatal``
with EX_CONFIG.
"""

from __future__ import annotations

import os
import syslog
from collections.abc import Iterator
from typing import NamedTuple

from libcyrus.base.getopt import number
from libcyrus.base.systemlog import write
from libcyrus.errors import Fatal

DEFAULT_PATH = "/etc/cyrus.conf"

_LINE = 4095
_MOST_ARGUMENTS = 64
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_SPACE = " \t\v\f\r\n"
_SEPARATORS = str.maketrans("\t\r\n", "   ")
_SAFE_FORKRATE = 10
UNLIMITED = 2**31 - 1
"""What no limit of processes is shown as."""

_TCP = ("tcp", "tcp4", "tcp6")


class ConfError(Exception):
    """One entry makes no sense; fatal at start, a warning on reload."""


class Entry(NamedTuple):
    """One line of a section."""

    name: str
    arguments: tuple[tuple[str, str], ...]
    line: int

    def text(self, key: str, default: str) -> str:
        return next((value for name, value in self.arguments if name == key), default)

    def integer(self, key: str, default: int) -> int:
        value = next((value for name, value in self.arguments if name == key), None)
        if value is None:
            return default
        digit = value[1:2] if value.startswith("-") else value[:1]
        if digit and digit in "0123456789":
            return number(value)
        write(syslog.LOG_DEBUG, f"value '{value}' for '{key}' does not look like a number.")
        return default

    def switch(self, key: str, default: bool) -> bool:
        value = next((value for name, value in self.arguments if name == key), None)
        if value is None:
            return default
        if value.startswith(("0", "n", "of", "f")):
            return False
        if value.startswith(("1", "y", "on", "t")):
            return True
        write(syslog.LOG_DEBUG, f"cannot interpret value '{value}' for key '{key}'. use y/n.")
        return default


class ServiceSpec(NamedTuple):
    """An entry of SERVICES, or of DAEMON (then ``listen`` is empty).

    ``maxchild`` None is unlimited; ``maxforkrate`` 0 is no limit, ``maxfds`` 0 the limit of master, and
    a negative one as much as may be.
    """

    name: str
    command: tuple[str, ...]
    listen: str = ""
    proto: str = "tcp"
    prefork: int = 0
    babysit: bool = False
    maxchild: int | None = None
    maxfds: int = 0
    maxforkrate: int = 0
    waits: bool = False

    @property
    def is_daemon(self) -> bool:
        return not self.listen

    @property
    def understood(self) -> str:
        """The entry in one line, for the log."""
        command = " ".join(self.command)
        if self.is_daemon:
            return f"{'waitdaemon' if self.waits else 'daemon'} '{self.name}' ({command}, {self.maxfds})"
        most = UNLIMITED if self.maxchild is None else self.maxchild
        return (
            f"service '{self.name}' ({command}, {self.proto}:{self.listen}, "
            f"{self.prefork}, {most}, {self.maxfds})"
        )

    @property
    def is_tcp(self) -> bool:
        return self.proto in _TCP


class EventSpec(NamedTuple):
    """An entry of EVENTS: every ``period`` seconds (0: once), or daily at ``at`` = (hour, minute)."""

    name: str
    command: tuple[str, ...]
    period: int = 0
    at: tuple[int, int] | None = None


class StartSpec(NamedTuple):
    name: str
    command: tuple[str, ...]


def read(path: str) -> bytes:
    """The file's content; below $CYRUS_PREFIX, if set and there, before the path itself."""
    candidates = [path]
    if "CYRUS_PREFIX" in os.environ:
        candidates.insert(0, os.environ["CYRUS_PREFIX"] + path)
    failure: OSError | None = None
    for candidate in candidates:
        try:
            with open(candidate, "rb") as file:
                return file.read()
        except OSError as error:
            failure = error
    reason = failure.strerror if failure is not None else ""
    raise Fatal(f"can't open configuration file {path}: {reason}", os.EX_CONFIG)


def section(content: bytes, name: str, path: str) -> list[Entry]:
    """The entries of the first section called ``name``; ``path`` is for messages only."""
    level = 0
    lines = _lines(content)
    for _, text in lines:
        text = text.split("#", 1)[0]
        if level == 0 and _opens(text, name):
            level += _depth(text[len(name) :])
            if level == 1:
                return list(_entries(lines, path))
            continue
        level += _depth(text)
    return []


def start(entry: Entry) -> StartSpec:
    """Raises ConfError."""
    command = entry.text("cmd", "")
    if not command:
        raise ConfError(f"unable to find command for {entry.name}")
    return StartSpec(entry.name, _words(command))


def service(entry: Entry) -> ServiceSpec:
    """Raises ConfError."""
    command, listen = entry.text("cmd", ""), entry.text("listen", "")
    if not command or not listen:
        raise ConfError(f"unable to find command or port for service '{entry.name}'")
    proto = entry.text("proto", "tcp")
    babysit = entry.switch("babysit", False)
    prefork = entry.integer("prefork", 0) or int(babysit)
    maxforkrate = entry.integer("maxforkrate", 0) or (_SAFE_FORKRATE if babysit else 0)
    maxchild: int | None = number(entry.text("maxchild", "-1"))
    if maxchild is not None and maxchild < 0:
        maxchild = None
    if proto not in _TCP:
        # one process reads all the datagrams
        prefork, babysit, maxchild = min(prefork, 1), False, 1
    return ServiceSpec(
        entry.name,
        _words(command),
        listen,
        proto,
        prefork,
        babysit,
        maxchild,
        entry.integer("maxfds", 0),
        max(0, maxforkrate),
    )


def daemon(entry: Entry) -> ServiceSpec:
    """Raises ConfError."""
    command = entry.text("cmd", "")
    if not command:
        raise ConfError(f"unable to find command or port for service '{entry.name}'")
    return ServiceSpec(
        entry.name,
        _words(command),
        prefork=1,
        babysit=True,
        maxchild=1,
        maxfds=entry.integer("maxfds", 0),
        maxforkrate=max(0, entry.integer("maxforkrate", 0) or _SAFE_FORKRATE),
        waits=entry.switch("wait", False),
    )


def event(entry: Entry) -> EventSpec:
    """Raises ConfError."""
    command = entry.text("cmd", "")
    if not command:
        raise ConfError(f"unable to find command or port for event '{entry.name}'")
    hour, minute = divmod(entry.integer("at", -1), 100)
    if 0 <= hour <= 23 and minute <= 59:
        return EventSpec(entry.name, _words(command), at=(hour, minute))
    return EventSpec(entry.name, _words(command), max(0, 60 * entry.integer("period", 0)))


def _words(command: str) -> tuple[str, ...]:
    # str.split() would take more characters for space than the original does
    words = tuple(word for word in command.translate(_SEPARATORS).split(" ") if word)
    if not words:
        raise ConfError("empty command")
    return words


def _lines(content: bytes) -> Iterator[tuple[int, str]]:
    """Numbered lines without leading space; one that is too long is cut into several."""
    number_ = 0
    for line in content.split(b"\n"):
        for at in range(0, max(1, len(line)), _LINE):
            number_ += 1
            text = line[at : at + _LINE].split(b"\0")[0]
            # a character for each byte: what is no ASCII letter is as wrong as what is none at all
            yield number_, text.decode("latin-1").lstrip(_SPACE)


def _opens(text: str, name: str) -> bool:
    following = text[len(name) : len(name) + 1]
    return text[:1] == name[0] and text[: len(name)].upper() == name and following not in _NAME


def _depth(text: str) -> int:
    return text.count("{") - text.count("}")


def _entries(lines: Iterator[tuple[int, str]], path: str) -> Iterator[Entry]:
    for number_, text in lines:
        text = text.split("#", 1)[0]
        if not text:
            continue
        if text[0] == "}":
            return
        end = 0
        while end < len(text) and text[end] in _NAME:
            end += 1
        if 0 < end < len(text) and text[end] not in _SPACE:
            raise _fatal(path, f"bad character '{_text(text[end])}' in name on line {number_}")
        yield Entry(text[:end], tuple(_arguments(text[end + 1 :], number_, path)), number_)


def _arguments(text: str, line: int, path: str) -> Iterator[tuple[str, str]]:
    text = text.lstrip(_SPACE)
    count = 0
    while text:
        end = 0
        while end < len(text) and text[end] in _NAME:
            end += 1
        if text[end : end + 1] != "=":
            raise _fatal(path, f"bad character '{_text(text[end : end + 1])}' in argument on line {line}")
        key, text = text[:end], text[end + 1 :]
        if text.startswith('"'):
            value, quote, text = text[1:].partition('"')
            if not quote:
                raise _fatal(path, f'missing " on line {line}')
        else:
            end = next((at for at, char in enumerate(text) if char in _SPACE), len(text))
            value, text = text[:end], text[end + 1 :]
        count += 1
        if count > _MOST_ARGUMENTS:
            raise _fatal(path, f"too many arguments on line {line}")
        yield key, _text(value)
        text = text.lstrip(_SPACE)


def _text(octets: str) -> str:
    return os.fsdecode(octets.encode("latin-1"))


def _fatal(path: str, what: str) -> Fatal:
    return Fatal(f"configuration file {path}: {what}", os.EX_CONFIG)
