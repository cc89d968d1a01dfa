"""The client side of LMTP, and deliver's command line."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence

import pytest

from imap.client import deliver
from imap.client.deliver import UsageError
from imap.client.lmtp import Addressee, Client, Reply, Result, meaning
from libcyrus import errors
from libcyrus.prot import ProtStream
from libcyrus.smtp.data import stuffed


def pieces(*parts: bytes) -> Callable[[int], bytes]:
    left = [*parts, b""]
    return lambda size: left.pop(0)


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        (b"a\r\nb\r\n", b"a\r\nb\r\n.\r\n"),
        (b"a\nb\n", b"a\r\nb\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b"", b".\r\n"),
        (b".\n..x\n", b"..\r\n...x\r\n.\r\n"),
        (b"a\rb\r\r\nc\r", b"ab\r\nc\r\n.\r\n"),
    ],
)
def test_a_message_as_data_carries_it(text: bytes, sent: bytes) -> None:
    assert b"".join(stuffed(pieces(text))) == sent
    for cut in range(1, len(text)):
        assert b"".join(stuffed(pieces(text[:cut], text[cut:]))) == sent, cut


@pytest.mark.parametrize(
    ("text", "kind", "result"),
    [
        ("250 2.1.5 ok", None, Result.GOOD),
        ("451 4.3.1 full", errors.NoSpace, Result.TEMPORARY),
        ("451 4.3.0 broken", errors.IoError, Result.TEMPORARY),
        ("451 4.2.1 moved", errors.MailboxMoved, Result.TEMPORARY),
        ("452 4.2.2 Over quota", errors.QuotaExceeded, Result.TEMPORARY),
        ("550 5.1.1 User unknown", errors.MailboxNonexistent, Result.PERMANENT),
        ("550 5.7.1 Permission denied", errors.PermissionDenied, Result.PERMANENT),
        ("552 5.2.2 Over quota", errors.QuotaExceeded, Result.PERMANENT),
        ("552 5.2.3 Too large", errors.MessageTooLarge, Result.PERMANENT),
        ("554 5.6.0 bad", errors.MessageBadHeader, Result.PERMANENT),
        ("501 what", errors.ProtocolError, Result.PERMANENT),
        ("421 bye", errors.Again, Result.TEMPORARY),
    ],
)
def test_what_replies_mean(text: str, kind: type[errors.CyrusError] | None, result: Result) -> None:
    reply = Reply(int(text[:3]), text)
    assert reply.result is result
    if kind is not None:
        assert type(meaning(reply)) is kind


class Server(threading.Thread):
    """Answers each line (and the data) with the next reply; hangs up when there are no more."""

    def __init__(self, sock: socket.socket, replies: Sequence[bytes]) -> None:
        super().__init__()
        self.sock = sock
        self.replies = list(replies)
        self.heard: list[bytes] = []
        self.start()

    def run(self) -> None:
        with self.sock, self.sock.makefile("rb") as stream:
            while self.replies:
                self.sock.sendall(self.replies.pop(0))
                if not self.replies:
                    return
                line = stream.readline()
                self.heard.append(line)
                if self.heard[-2:-1] == [b"DATA\r\n"]:
                    while line not in (b".\r\n", b""):
                        line = stream.readline()


GREETING = (
    b"220 hi\r\n",
    b"250-me\r\n250-AUTH EXTERNAL\r\n250 IGNOREQUOTA\r\n",
    b"250 ok\r\n",
    b"250 ok\r\n",
)


def transact(replies: Sequence[bytes], *names: str) -> tuple[list[Addressee], list[bytes]]:
    ours, theirs = socket.socketpair()
    server = Server(theirs, replies)
    stream = ProtStream(ours, timeout=20)
    recipients = [Addressee(name, ignorequota=True) for name in names]
    client = Client(stream, "deliver")
    client.transact("me", recipients, pieces(b"A: b\n\nx\n"), authuser="j+e")
    stream.close()
    server.join()
    return recipients, server.heard


def test_a_transaction_with_a_result_for_each_recipient() -> None:
    recipients, heard = transact(
        [*GREETING, b"250 ok\r\n", b"550-no\r\n550 5.1.1 no\r\n", b"250 ok\r\n", b"354 go\r\n",
         b"250 ok\r\n452 4.2.2 full\r\n"],
        "joe", "nobody", "ann",
    )  # fmt: skip
    assert heard[:6] == [
        b"LHLO deliver\r\n",
        b"RSET\r\n",
        b"MAIL FROM:<me> AUTH=j+2Be\r\n",
        b"RCPT TO:<joe> IGNOREQUOTA\r\n",
        b"RCPT TO:<nobody> IGNOREQUOTA\r\n",
        b"RCPT TO:<ann> IGNOREQUOTA\r\n",
    ]
    assert [recipient.result for recipient in recipients] == [
        Result.GOOD,
        Result.PERMANENT,
        Result.TEMPORARY,
    ]
    assert deliver.exit_code(recipients) == 75


def test_no_data_without_a_recipient() -> None:
    recipients, heard = transact([*GREETING, b"550 5.1.1 no\r\n"], "nobody")
    assert heard[-1].startswith(b"RCPT")
    assert deliver.exit_code(recipients) == 65


@pytest.mark.parametrize("count", range(2, 7))
def test_a_server_that_hangs_up_means_later(count: int) -> None:
    replies = [*GREETING, b"250 ok\r\n", b"354 go\r\n"][:count]
    recipients, _ = transact(replies, "joe")
    assert recipients[0].result is Result.TEMPORARY


@pytest.mark.parametrize(
    "reply", [b"what\r\n", b"25\r\n", b"250-" + b"x" * 9000 + b"\r\n", b"250-x\r\n" * 1001]
)
def test_a_server_that_speaks_something_else_means_later(reply: bytes) -> None:
    recipients, _ = transact([*GREETING[:2], reply], "joe")
    assert recipients[0].result is Result.TEMPORARY


def test_the_command_line() -> None:
    arguments = deliver.parse("-C conf -d -e -D -q -r me -a auth -m x.y joe".split())
    assert arguments == deliver.Arguments("conf", "me", "x.y", "auth", False, True, ["joe"])
    assert deliver.parse(["-l"]).relay


@pytest.mark.parametrize(
    "words", [["-m", "a", "-m", "b"], ["-a", "a", "-a", "b"], ["-F", "x"], ["-E", "3"], ["-z"], ["-m"]]
)
def test_the_command_line_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError):
        deliver.parse(words)


@pytest.mark.parametrize(
    ("users", "mailbox", "addresses"),
    [
        (["joe", "ann@x.org"], None, ["joe", "ann@x.org"]),
        (["joe", "ann@x.org"], "a.b", ["joe+a.b", "ann+a.b@x.org"]),
        ([], "a.b", ["post+a.b"]),
    ],
)
def test_addresses(users: list[str], mailbox: str | None, addresses: list[str]) -> None:
    arguments = deliver.Arguments(users=users, mailbox=mailbox)
    assert [recipient.address for recipient in deliver.addressees(arguments, "post")] == addresses
    with pytest.raises(UsageError):
        deliver.addressees(deliver.Arguments(), "post")
