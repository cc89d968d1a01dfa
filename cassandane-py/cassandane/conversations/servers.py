"""Our imapd and the original's on equal spools, playing the same streams."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cassandane.conversations.masking import Mask
from cassandane.conversations.stream import Exchange, Stream
from cassandane.conversations.wire import Session
from cassandane.instance import Instance, give_away

_DATA = ("conf", "spool")
_SELECTS = re.compile(rb"\S+ (SELECT|EXAMINE) ", re.IGNORECASE)
_TOLERATED = ("Fatal error: num too big", "IOERROR: out of flags", "IOERROR: conversations GUID limit")
"""What our server logs of clients that ask for too much."""


@dataclass(frozen=True)
class Heard:
    """The masked replies of both servers to one exchange."""

    stream: str
    exchange: Exchange
    ours: list[bytes]
    original: list[bytes]

    @property
    def lines(self) -> list[bytes]:
        """What either said."""
        return self.ours if self.ours == self.original else self.ours + self.original

    @property
    def sent(self) -> bytes:
        return self.exchange.sent

    def __str__(self) -> str:
        lines = [f"--- {self.stream}: {self.exchange.by} sends {self.sent[:2000]!r}"]
        for one, other in zip(self.ours, self.original, strict=False):
            if one == other:
                lines[1:] = [f"    {one[:300]!r}"]
                continue
            at = len(os.path.commonprefix([one, other]))
            cut = max(0, at - 300)
            lines += [f"ours {one[cut : at + 300]!r}", f"orig {other[cut : at + 300]!r}"]
            break
        else:
            shared = min(len(self.ours), len(self.original))
            lines += [f"ours {line[:600]!r}" for line in self.ours[shared:]]
            lines += [f"orig {line[:600]!r}" for line in self.original[shared:]]
        return "\n".join(lines)


class Servers:
    """Both servers, running."""

    def __init__(self, ours: Instance, original: Instance) -> None:
        self.ours = ours
        self.original = original

    def play(self, stream: Stream) -> Iterator[Heard]:
        """The replies to each exchange in turn.

        A session that a server has closed begins anew on both, with the mailbox that was selected last.
        """
        masks = Mask(), Mask()
        sessions: dict[str, tuple[Session, Session]] = {}
        selected: dict[str, Exchange] = {}
        try:
            for exchange in stream.exchanges:
                if exchange.by not in sessions:
                    user = stream.user_of(exchange.by)
                    pair = sessions[exchange.by] = (
                        self._session(self.ours, user),
                        self._session(self.original, user),
                    )
                    if exchange.by in selected:
                        _exchanged(pair, selected[exchange.by])
                pair = sessions[exchange.by]
                raw = _exchanged(pair, exchange)
                ours, original = ([mask(line) for line in one] for mask, one in zip(masks, raw, strict=True))
                yield Heard(stream.name, exchange, ours, original)
                if any(session.over for session in pair):
                    self._forget_hanging(pair)
                    del sessions[exchange.by]
                elif _SELECTS.match(exchange.sent) and exchange.commands == 1:
                    selected[exchange.by] = exchange
        finally:
            for pair in sessions.values():
                for session in pair:
                    session.close()

    def _forget_hanging(self, pair: tuple[Session, Session]) -> None:
        for session, server in zip(pair, (self.ours, self.original), strict=True):
            session.close()
            if session.silent:
                # it would keep its locks, and master waiting
                for process in server.processes():
                    if any(word.endswith("/imapd") for word in process.cmdline()):
                        process.kill()

    @staticmethod
    def _session(server: Instance, user: str | None) -> Session:
        return Session(("127.0.0.1", server.ports["imap"]), user)


def _exchanged(pair: tuple[Session, Session], exchange: Exchange) -> tuple[list[bytes], list[bytes]]:
    """What both servers said, each given the next part when it has said what the last one waits for."""
    heard: tuple[list[bytes], list[bytes]] = [], []
    for session in pair:
        session.begin()
    for part in exchange.parts:
        for session in pair:
            session.send_part(part)
        for session, lines in zip(pair, heard, strict=True):
            lines += session.hear_part(exchange, part)
    for session in pair:
        session.send_end(exchange)
    for session, lines in zip(pair, heard, strict=True):
        lines += session.hear_end(exchange)
    return heard


@contextmanager
def running(
    fill: Callable[[Instance], None],
    settings: Mapping[str, str],
    *,
    filled_by: str = "reference",
    tls: bool = False,
) -> Iterator[Servers]:
    """Both servers on the spool that ``fill`` makes on one of them, with these settings."""
    services = ("imap",)
    original = Instance(services=services, imapd_conf=settings, tls=tls)
    ours = Instance(services=services, imapd_conf=settings, tls=tls)
    started: list[Instance] = []
    try:
        original.use(master=filled_by, programs=filled_by)
        started.append(original)
        original.start()
        fill(original)
        original.stop(check=False)
        copy_data(original, ours)
        ours.allowed_log += _TOLERATED
        original.use(master="reference", programs="reference")
        for server in (original, ours):
            started.append(server)
            server.start()
        yield Servers(ours, original)
        ours.check_log()
    finally:
        for server in started:
            server.stop(check=False)
    ours.remove()
    original.remove()


def copy_data(source: Instance, target: Instance) -> None:
    """Give a stopped server the data of another."""
    for name in _DATA:
        shutil.rmtree(target.directory / name)
        shutil.copytree(source.directory / name, target.directory / name, symlinks=True, ignore=_sockets)
        for directory, _, files in os.walk(target.directory / name):
            for path in (directory, *(os.path.join(directory, file) for file in files)):
                give_away(Path(path))


def _sockets(directory: str, names: list[str]) -> list[str]:
    return [name for name in names if Path(directory, name).is_socket()]
