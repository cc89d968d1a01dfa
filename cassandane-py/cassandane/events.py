"""A notifyd for tests: it collects what servers send to it, and compares what two of them tell."""

from __future__ import annotations

import json
import os
import queue
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from cassandane.clients import DEADLINE, ImapClient
from cassandane.instance import Instance

GROUPS = "message quota flags access mailbox subscription calendar applepushservice"
"""All words of ``event_groups``."""

_MASKS = (
    (rb'"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:Z|[+-]\d\d:\d\d)"', b'"timestamp":"T"'),
    (rb'"pid":\d+', b'"pid":0'),
    (rb"UIDVALIDITY=\d+", b"UIDVALIDITY=0"),
    (rb'"(serverPort|clientPort)":\d+', rb'"\1":0'),
    (rb'"(vnd\.(?:cmu|fastmail)\.sessionId)":"mail\.example\.org-[-\d]+"', rb'"\1":"S"'),
    (rb'"mailboxID":"[0-9a-z]{24}"', b'"mailboxID":"ID"'),
    (rb"(/DELETED/[^;\"]*/)[0-9A-F]{8}\b", rb"\g<1>0"),
    # its last number is a UIDVALIDITY
    (rb'("vnd\.fastmail\.counters":"[^"]*) \d+"', rb'\1 0"'),
)
# a delivered message has a Received header with the server's version
_MASKS_OF_DELIVERIES = (
    (rb'"messageSize":\d+', b'"messageSize":0'),
    (rb"\bM[0-9a-f]{24}\b", b"M0"),
)


class Receiver:
    """Binds a datagram socket and takes in what comes, until it is closed."""

    def __init__(self, path: Path | str) -> None:
        self._path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._path)
        os.chmod(self._path, 0o777)
        self._got: queue.Queue[bytes] = queue.Queue()
        self._markers = 0
        threading.Thread(target=self._take_in, daemon=True).start()

    def take(self) -> list[bytes]:
        """Every datagram that was sent before this call and was not taken yet."""
        self._markers += 1
        marker = b"marker %d" % self._markers
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(marker, self._path)
        found = []
        while (data := self._got.get(timeout=DEADLINE)) != marker:
            found.append(data)
        return found

    def texts(self) -> list[dict[str, Any]]:
        """``take``, of events: the JSON texts."""
        return [json.loads(data.split(b"\0")[6]) for data in self.take()]

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(OSError):
            sender.sendto(b"", self._path)

    def _take_in(self) -> None:
        with self._socket:
            while data := self._socket.recv(1 << 17):
                self._got.put(data)


def masked(data: bytes) -> bytes:
    """A datagram without what differs from one run to the next."""
    for pattern, replacement in _MASKS:
        data = re.sub(pattern, replacement, data)
    if b'"event":"MessageNew"' in data:
        for pattern, replacement in _MASKS_OF_DELIVERIES:
            data = re.sub(pattern, replacement, data)
    return data


class Server:
    """A server of one kind with all programs, and what it tells. ``told`` are steps and masked datagrams."""

    def __init__(self, kind: str, settings: dict[str, str]) -> None:
        self.kind = kind
        self.told: list[str | bytes] = []
        self.instance = Instance(
            services=("imap", "lmtp"),
            programs={"imap": kind, "lmtp": kind},
            master=kind,
            imapd_conf={"event_notifier": "log", "event_groups": GROUPS, **settings},
        )
        self.receiver = Receiver(self.instance.directory / "conf/socket/notify")
        self.instance.start()

    def note(self, step: str) -> None:
        """Remember what was done, and what was told of it."""
        self.told.append(step)
        self.told += map(masked, self.receiver.take())

    def login(self, user: str) -> Client:
        client = Client(self)
        client(f"LOGIN {user} secret")
        return client

    def deliver(self, message: bytes, *recipients: str) -> None:
        with self.instance.lmtp() as client:
            client.deliver(message, *recipients)
        self.note(f"deliver to {recipients}")

    def run(self, program: str, *arguments: str) -> None:
        done = self.instance.run(program, *arguments, kind=self.kind, check=False)
        self.note(f"{program} {' '.join(arguments)}: {done.returncode}")

    def end(self) -> None:
        self.receiver.close()
        self.instance.stop(check=False)
        self.instance.remove()


class Client:
    """A session at a server; each command is a step."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._imap: ImapClient = server.instance.imap()

    def __call__(self, *commands: str, literals: tuple[bytes, ...] = ()) -> None:
        for command in commands:
            reply = self._imap.command(command, *literals)
            self._server.note(f"{command}: {reply.status}")

    def append(self, mailbox: str, *messages: bytes) -> None:
        """``mailbox`` may be followed by flags."""
        self(f"APPEND {mailbox}" + " {}" * len(messages), literals=messages)

    def logout(self) -> None:
        """Ends the session; what is told of that comes before the connection is closed."""
        reply = self._imap.command("LOGOUT")
        assert self._imap.at_end()
        self._imap.close()
        self._server.note(f"LOGOUT: {reply.status}")


def both(
    script: Callable[[Server], None], settings: dict[str, str]
) -> tuple[list[str | bytes], list[str | bytes]]:
    """What ours and the original tell while the script is played to each of them."""
    told = []
    for kind in ("ours", "reference"):
        server = Server(kind, settings)
        try:
            script(server)
        finally:
            server.end()
        told.append(server.told)
    return told[0], told[1]
