"""annotation_callout: a program or a daemon is asked about each new message, as the original asks it."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.instance import Instance, give_away

pytestmark = pytest.mark.reference

MULTIPART = b"\r\n".join(
    (
        b"From: a@b.example", b"To: c@d.example", b"Subject: =?utf-8?q?h=C3=A9?=", b"MIME-Version: 1.0",
        b"Content-Type: multipart/mixed; boundary=x", b"", b"--x", b"Content-Type: text/plain; charset=utf-8",
        b"", b"hello", b"--x", b"Content-Type: message/rfc822", b"", b"Subject: inner", b"", b"inside",
        b"--x", b"Content-Type: image/png", b"Content-Transfer-Encoding: base64",
        b'Content-Disposition: attachment; filename="a b.png"', b"", b"AAAA", b"--x--", b"",
    )
)  # fmt: skip
EMPTY = b"Subject: nothing\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\nno parts\r\n"
# the original wants something behind the list
ANSWERS = (
    b"()\n",
    b"(+FLAGS (\\Flagged \\Seen Work) -FLAGS \\Draft)\n",
    b'(ANNOTATION (/comment (value.shared "from the callout")))\n',
    b'(ANNOTATION (/comment (value.priv "mine") (value.shared {4}\r\nours)) +FLAGS X)\r\n',
    b"(-FLAGS (\\Seen \\DRAFT) NONSENSE x)\n",
    b"nothing\n",
)
COMMANDS = (
    (r"APPEND INBOX (\Seen \Draft) {}", MULTIPART),
    ('APPEND INBOX ANNOTATION (/comment (value.shared "brought" value.priv "along")) {}', EMPTY),
)
# the original does not close the pipe before it has the answer
PROGRAM = """#!/bin/sh
read size
head -c $size >> {directory}/asked
read end
cat {directory}/answer
"""


class Asked:
    """A server with its callout: what it answers, and what it was asked."""

    def __init__(self, kind: str) -> None:
        self.server = Instance(
            services=("imap", "lmtp"), programs={"imap": kind, "lmtp": kind}, master=kind,
        )  # fmt: skip
        self.directory = self.server.directory / "callout"
        self.directory.mkdir()
        self.answer(b"()")
        self.questions = self.directory / "asked"
        self.questions.touch()
        program = self.directory / "program"
        program.write_text(PROGRAM.format(directory=self.directory))
        program.chmod(0o755)
        for path in (self.directory, self.questions, program):
            give_away(path)
        self.use(program)

    def use(self, callout: Path) -> None:
        self.server.settings["annotation_callout"] = str(callout)
        self.server.write_configuration()

    def answer(self, answer: bytes) -> None:
        (self.directory / "answer").write_bytes(answer)

    def asked(self) -> bytes:
        """The questions since the last time, without what differs between servers."""
        data = self.questions.read_bytes()
        self.questions.write_bytes(b"")
        return re.sub(rb'(?<=FILENAME )"[^"]*/(\d+\.)"', rb'"\1"', data)


@pytest.fixture(scope="module")
def pair() -> Iterator[list[Asked]]:
    both = [Asked("ours"), Asked("reference")]
    try:
        for one in both:
            one.server.start()
            one.server.create_user("bob")
        yield both
    finally:
        for one in both:
            one.server.stop(check=False)
    for one in both:
        one.server.remove()


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_program_is_asked_about_each_message(pair: list[Asked], answer: bytes) -> None:
    found = []
    for one in pair:
        one.answer(answer)
        told: list[object] = []
        with one.server.imap("bob") as client:
            for command, message in COMMANDS:
                told.append(client.command(command, message).status)
                told.append(one.asked())
            client.ok("SELECT INBOX")
            told += client.command("FETCH *,1:* (FLAGS ANNOTATION (/comment value))").untagged
            client.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
            client.ok("EXPUNGE")
        with one.server.lmtp() as lmtp:
            told += [reply[:3] for reply in lmtp.deliver(b"Subject: x\r\n\r\nbody\r\n", "bob")]
        assert one.asked().count(b"BODY (\"TEXT\"") == 1
        with one.server.imap("bob") as client:
            client.ok("SELECT INBOX")
            told += client.command("FETCH 1:* (FLAGS ANNOTATION (/comment value))").untagged
            client.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
            client.ok("EXPUNGE")
        found.append(told)
    assert found[0] == found[1]


def test_messages_are_looked_at_again(pair: list[Asked]) -> None:
    found = []
    for one in pair:
        one.answer(b"()\n")
        told: list[object] = []
        with one.server.imap("bob") as client:
            for command, message in COMMANDS:
                client.ok(command, message)
            client.ok("SELECT INBOX")
            client.ok("STORE 2 +FLAGS (Work \\Answered)")
            one.asked()
            one.answer(b'(+FLAGS (\\Flagged New) -FLAGS Work ANNOTATION (/comment (value.priv "later")))\n')
            for command in (
                "XRUNANNOTATOR 2", "UID XRUNANNOTATOR 1:*", "XRUNANNOTATOR 9", "XRUNANNOTATOR",
                "XRUNANNOTATOR x", "XRUNANNOTATOR 1 2", "UID XRUNANNOTATOR",
            ):  # fmt: skip
                reply = client.command(command)
                told.append(re.sub(r" \(.*", "", f"{reply.status} {reply.text}"))
                told.append(one.asked())
            told += client.command("FETCH 1:* (FLAGS ANNOTATION (/comment value))").untagged
            client.ok("EXAMINE INBOX")
            told.append(client.command("XRUNANNOTATOR 1").status)
            client.ok("SELECT INBOX")
            client.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
            client.ok("EXPUNGE")
        found.append(told)
    assert found[0] == found[1]


def test_a_daemon_is_asked_too() -> None:
    asked = []

    def serve(listener: socket.socket) -> None:
        for answer in (b'(+FLAGS Dae', b'mon ANNOTATION (/comment (value.shared "x")))'):
            asked.append(answer)
        connection, _ = listener.accept()
        with connection:
            data = b""
            while not data.endswith(b"0\n"):
                data += connection.recv(65536)
            asked.append(data)
            for piece in asked[:2]:
                connection.sendall(piece)
            # the answer is enough, whether or not the daemon hangs up
            connection.recv(1)

    one = Asked("ours")
    path = one.directory / "socket"
    one.use(path)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            give_away(path)
            listener.listen()
            one.server.start()
            one.server.create_user("bob")
            thread = threading.Thread(target=serve, args=(listener,))
            thread.start()
            with one.server.imap("bob") as client:
                client.append("INBOX", EMPTY)
                client.ok("SELECT INBOX")
                found = client.ok("FETCH 1 (FLAGS ANNOTATION (/comment value.shared))").untagged
            thread.join()
        assert found == [r'1 FETCH (FLAGS (\Recent Daemon) ANNOTATION (/comment (value.shared "x")))']
        assert asked[2].startswith(b"%d\n(FILENAME " % (len(asked[2]) - len(b"%d\n0\n" % len(asked[2]))))
        # without anybody behind it a callout is no reason to refuse mail
        with one.server.imap("bob") as client:
            client.append("INBOX", EMPTY)
    finally:
        one.server.stop(check=False)
    one.server.remove()
