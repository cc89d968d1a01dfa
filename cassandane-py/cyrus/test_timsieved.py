"""timsieved: what it answers, beside the original, and what becomes of scripts."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.instance import Instance, give_away

SCRIPT = b'redirect "a@b.c";\r\n'
_DIFFERENT = (
    (rb"Cyrus timsieved [^\"]*", b"Cyrus timsieved V"),
    # what JMAP, calendars and address books bring is not offered without them
    (rb" vnd\.cyrus\.(imip|jmapquery)| extlists", b""),
    (rb'"EXTLISTS" "[^"]*"\r\n', b""),
)

CONVERSATIONS: dict[str, list[bytes]] = {
    "before a login": [
        b"LISTSCRIPTS", b"NOOP", b'NOOP "x"', b"NOOP {1+}\r\ny", b"NOOP x", b"noop  ", b"FOO bar", b"",
        b'CHECKSCRIPT "keep;"', b'CHECKSCRIPT "foo;"', b"CHECKSCRIPT", b"CHECKSCRIPT keep",
        b'PUTSCRIPT "a" "keep;"', b'HAVESPACE "a" 10', b"UNAUTHENTICATE", b"AUTHENTICATE", b"AUTHENTICATE ",
        b"AUTHENTICATE PLAIN", b'AUTHENTICATE "PLAIN" x', b'AUTHENTICATE "PLAIN" "x" "y"',
        b'AUTHENTICATE "NONE"', b'AUTHENTICATE "PLAIN" "%%%"', b"CAPABILITY", b"CAPABILITY x", b"LOGOUT x",
        b"STARTTLS x", b'"NOOP"', b"{4+}\r\nNOOP", b"123", b"LOGOUT",
    ],
    "arguments": [
        b"LOGIN", b"GETSCRIPT", b"GETSCRIPT a", b'GETSCRIPT "a" "b"', b'GETSCRIPT "none"', b'GETSCRIPT ""',
        b"PUTSCRIPT", b"PUTSCRIPT foo", b'PUTSCRIPT "a"', b'PUTSCRIPT "a" 5', b'PUTSCRIPT "a" {5}',
        b'PUTSCRIPT "a/b" "keep;"', b'PUTSCRIPT "" "keep;"', b'PUTSCRIPT "bad" "foo;"',
        b'PUTSCRIPT "a" "keep;" x', b'PUTSCRIPT {3+}\r\na\r\nb "keep;"', b"HAVESPACE", b'HAVESPACE "a"',
        b'HAVESPACE "a" "10"', b'HAVESPACE "a" 10 x', b'HAVESPACE "a" 99999999', b'HAVESPACE "a/b" 1',
        b"SETACTIVE", b'SETACTIVE "none"', b'SETACTIVE ""', b'SETACTIVE "a" "b"', b"RENAMESCRIPT",
        b'RENAMESCRIPT "a"', b'RENAMESCRIPT "none" "b"', b'RENAMESCRIPT "a/b" "b"', b'RENAMESCRIPT "a" "b/"',
        b"DELETESCRIPT", b'DELETESCRIPT "none"', b"LISTSCRIPTS x", b"LISTSCRIPTS", b"STARTTLS x",
        b'AUTHENTICATE "PLAIN"', b"CAPABILITY", b"LOGOUT",
    ],
    "a life": [
        b"LOGIN", b'PUTSCRIPT "a" {19+}\r\n' + SCRIPT, b'PUTSCRIPT "b" "keep;"', b"LISTSCRIPTS",
        b'SETACTIVE "a"', b"LISTSCRIPTS", b'GETSCRIPT "a"', b'DELETESCRIPT "a"', b'RENAMESCRIPT "a" "b"',
        b'RENAMESCRIPT "a" "c d"', b"LISTSCRIPTS", b'PUTSCRIPT "c d" "discard;"', b"LISTSCRIPTS",
        b'GETSCRIPT "c d"', b'SETACTIVE "b"', b'DELETESCRIPT "c d"', b'SETACTIVE ""', b"LISTSCRIPTS",
        b'PUTSCRIPT "' + b"n" * 1100 + b'" "keep;"', b'DELETESCRIPT "b"', b"LISTSCRIPTS",
        b"UNAUTHENTICATE", b"LISTSCRIPTS", b"CAPABILITY", b"LOGIN", b"LISTSCRIPTS", b"LOGOUT",
    ],
    "too many": [
        b"LOGIN", *[b'PUTSCRIPT "s%d" "keep;"' % number for number in range(6)], b'HAVESPACE "x" 1',
        b"LISTSCRIPTS", b"LOGOUT",
    ],
}  # fmt: skip


class Client:
    def __init__(self, server: Instance) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.ports["sieve"]), timeout=10)
        self.greeting = self.reply()

    def reply(self) -> bytes:
        """One reply, literals and all, up to its status line."""
        data = b""
        while not re.search(rb"(?:\A|\n)(?:OK|NO|BYE)\b(?:[^{]*|[^{]*\{\d+\}\r\n.*)\r\n\Z", data, re.DOTALL):
            block = self.sock.recv(65536)
            if not block:
                return data + b"<end>"
            data += block
        return data

    def until(self, mark: bytes) -> bytes:
        """All replies before the one with a mark, or up to the end."""
        data = b""
        while mark not in data or not data.endswith(b"\r\n"):
            block = self.sock.recv(65536)
            if not block:
                return data + b"<end>"
            data += block
        return data.partition(mark)[0]

    def say(self, line: bytes) -> bytes:
        self.sock.sendall(line + b"\r\n")
        return self.reply()

    def log_in(self, user: str) -> bytes:
        secret = base64.b64encode(f"\0{user}\0secret".encode())
        return self.say(b'AUTHENTICATE "PLAIN" "%b"' % secret)

    def start_tls(self) -> bytes:
        assert self.say(b"STARTTLS").startswith(b"OK")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)
        return self.reply()


@contextlib.contextmanager
def running(program: str, **settings: str) -> Iterator[Instance]:
    instance = Instance(
        services=("imap", "sieve", "lmtp"),
        programs=dict.fromkeys(("imap", "sieve", "lmtp"), program),
        tls=True,
        imapd_conf={"autocreate_quota": "0", "sasl_mech_list": "PLAIN LOGIN ANONYMOUS", **settings},
    )
    instance.start()
    try:
        yield instance
    finally:
        instance.stop()
        instance.remove()


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    with running("ours") as instance:
        yield instance


@pytest.fixture(scope="module")
def original() -> Iterator[Instance]:
    with running("reference") as instance:
        yield instance


def masked(data: bytes) -> bytes:
    for pattern, replacement in _DIFFERENT:
        data = re.sub(pattern, replacement, data)
    return data


def converse(server: Instance, user: str, lines: list[bytes]) -> list[bytes]:
    """The first reply to each line.

    The original takes what is left of a line that it could not read for another command, and answers
    that too; with us each line has one reply, so that a client knows which is whose.
    """
    client = Client(server)
    said = [masked(client.greeting)]
    for number, line in enumerate(lines):
        if line == b"LOGIN":
            said.append(client.log_in(user))
            continue
        mark = b"mark%d" % number
        client.sock.sendall(line + b'\r\nNOOP "' + mark + b'"\r\n')
        answer = client.until(b"OK (TAG {%d}\r\n%b" % (len(mark), mark))
        said.append(line[:60] + b" -> " + masked(_first_reply(answer)))
    client.sock.close()
    return said


def _first_reply(data: bytes) -> bytes:
    found = re.search(rb"(?:\A|\n)(?:OK|NO|BYE)[^\r]*?(?:\{(\d+)\}\r\n|\r\n)", data)
    if found is None:
        return data
    return data[: found.end() + int(found[1] or 0)]


@pytest.mark.reference
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_it_answers_as_the_original(server: Instance, original: Instance, name: str) -> None:
    user = "u" + name.replace(" ", "")
    for each in (server, original):
        with each.imap(user):
            pass
    lines = CONVERSATIONS[name]
    assert converse(server, user, lines) == converse(original, user, lines)


@pytest.mark.reference
def test_a_script_replaces_itself_where_no_more_are_allowed(server: Instance, original: Instance) -> None:
    """RFC 5804 section 2.5 allows it; the original refuses."""
    answers = []
    for each in (server, original):
        with each.imap("full"):
            pass
        client = Client(each)
        client.log_in("full")
        for number in range(5):
            client.say(b'PUTSCRIPT "s%d" "keep;"' % number)
        answers.append(client.say(b'PUTSCRIPT "s0" "discard;"'))
    assert answers[0] == b"OK\r\n"
    assert answers[1].startswith(b"NO (QUOTA/MAXSCRIPTS)")


def test_the_active_script_sorts_the_mail(server: Instance) -> None:
    with server.imap("sorter") as imap:
        imap.ok("CREATE INBOX/x")
    client = Client(server)
    client.log_in("sorter")
    script = b'require "fileinto"; fileinto "INBOX/x";'
    assert client.say(b'PUTSCRIPT "a" {%d+}\r\n%b' % (len(script), script)) == b"OK\r\n"
    message = b"From: a@b.c\r\nMessage-ID: <%d@x>\r\n\r\nx\r\n"
    with server.lmtp() as lmtp:
        lmtp.deliver(message % 1, "sorter")
        client.say(b'SETACTIVE "a"')
        lmtp.deliver(message % 2, "sorter")
        client.say(b'PUTSCRIPT "a" "discard;"')
        lmtp.deliver(message % 3, "sorter")
        client.say(b'SETACTIVE ""')
        lmtp.deliver(message % 4, "sorter")
    with server.imap("sorter") as imap:
        counts = [imap.ok(f"STATUS {name} (MESSAGES)").untagged[0] for name in ("INBOX", "INBOX/x")]
    assert [count.rsplit(" ", 1)[1] for count in counts] == ["2)", "1)"]


def _folder(server: Instance, user: str) -> Path:
    """Where a user's compiled scripts are."""
    with server.imap(user) as imap:
        found = imap.ok("STATUS INBOX (MAILBOXID)").untagged[0]
    name = found.rpartition("(")[2].rstrip(")")
    return server.directory / f"conf/sieve/uuid/{name[0]}/{name[1]}/{name}"


def test_lost_bytecode_is_made_again(server: Instance) -> None:
    with server.imap("loser"):
        pass
    client = Client(server)
    client.log_in("loser")
    client.say(b'PUTSCRIPT "a" "discard;"')
    client.say(b'SETACTIVE "a"')
    compiled = _folder(server, "loser") / "a.bc"
    compiled.unlink()
    message = b"From: a@b.c\r\nMessage-ID: <lost@x>\r\n\r\nx\r\n"
    with server.lmtp() as lmtp:
        lmtp.deliver(message, "loser")
    assert compiled.exists()
    with server.imap("loser") as imap:
        assert imap.ok("STATUS INBOX (MESSAGES)").untagged == ["STATUS INBOX (MESSAGES 0)"]


def test_a_changed_file_of_an_earlier_version_is_compiled(server: Instance) -> None:
    folder = _folder(server, "older")
    folder.mkdir(parents=True)
    (folder / "old.script").write_text("discard;\r\n")
    (folder / "defaultbc").symlink_to("old.bc")
    for path in (folder, folder.parent, folder.parent.parent):
        give_away(path)
    message = b"From: a@b.c\r\nMessage-ID: <%d@x>\r\n\r\nx\r\n"
    with server.lmtp() as lmtp:
        lmtp.deliver(message % 1, "older")
        assert (folder / "old.bc").exists()
        (folder / "old.script").write_text("keep;\r\n")
        os.utime(folder / "old.script", (2_000_000_000, 2_000_000_000))
        lmtp.deliver(message % 2, "older")
    with server.imap("older") as imap:
        assert imap.ok("STATUS INBOX (MESSAGES)").untagged == ["STATUS INBOX (MESSAGES 1)"]


def test_scripts_go_over_tls(server: Instance) -> None:
    with server.imap("tls"):
        pass
    client = Client(server)
    assert b'"STARTTLS"' in client.greeting
    told = client.start_tls()
    assert b'"STARTTLS"' not in told and b'"SASL" "PLAIN LOGIN' in told
    assert client.say(b"STARTTLS") == b'NO "TLS already active"\r\n'
    assert client.log_in("tls") == b"OK\r\n"
    assert client.say(b'PUTSCRIPT "a" "keep;"') == b"OK\r\n"


def test_what_comes_along_with_starttls_is_forgotten(server: Instance) -> None:
    client = Client(server)
    client.sock.sendall(b"STARTTLS\r\nNOOP\r\n")
    assert client.reply() == b'OK "Begin TLS negotiation now"\r\n'
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    client.sock = context.wrap_socket(client.sock)
    assert client.reply().endswith(b"OK\r\n")
    assert client.say(b'NOOP "real"') == b'OK (TAG {4}\r\nreal) "Done"\r\n'


def test_nobody_may_only_have_scripts_checked() -> None:
    with running("ours", allowanonymouslogin="yes") as server:
        client = Client(server)
        assert client.say(b'AUTHENTICATE "ANONYMOUS" "YQ=="') == b"OK\r\n"
        assert client.say(b'CHECKSCRIPT "keep;"') == b"OK\r\n"
        assert client.say(b'PUTSCRIPT "a" "keep;"') == b"OK\r\n"
        assert client.say(b'PUTSCRIPT "a" "foo;"').startswith(b"NO {")
        assert client.say(b"LISTSCRIPTS") == b'NO "Script verification only"\r\n'
        assert client.say(b"NOOP") == b'NO "Script verification only"\r\n'


def test_tls_may_be_required() -> None:
    with running("ours", tls_required="yes") as server:
        client = Client(server)
        assert b'"SASL"' not in client.greeting
        assert client.log_in("x") == b'NO "AUTHENTICATE only available under a layer"\r\n'
        assert b'"SASL"' in client.start_tls()
