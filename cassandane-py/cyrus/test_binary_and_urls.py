"""BINARY, CATENATE and URLAUTH: both servers are told the same and must say and store the same.

Where something is stored, each server has an account of its own on one spool; what opens URLs is one account.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance

pytestmark = pytest.mark.reference

SERVICES = {"ann": "imap", "bob": "imap2"}
ENCODED = (
    b"From: a@example.org\r\nSubject: parts\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=o\r\n\r\npreamble\r\n"
    b"--o\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"caf=C3=A9 =\r\nau lait\r\n"
    b"--o\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"AAECAwQFBgcICQ==\r\n"
    b"--o\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: x-odd\r\n\r\nodd\r\n"
    b"--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
    b"--o\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n\r\n"
    b"--o--\r\n"
)
BINARY = (
    b"Subject: raw\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding:  Binary\r\n"
    b"Content-Type: multipart/mixed; boundary=o\r\n\r\n"
    b"--o\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    + bytes(range(256)) * 3
    + b"\r\n--o\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: text/plain\r\n\r\nkeep\r\n"
    + b"--o\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    + b"Subject: in\r\ncontent-transfer-encoding: BINARY\r\n\r\na\0b\nc\r\n--o--\r\n"
)
ONE_PART = b"Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\n" + b"\0\n" * 40
PARTS = ("", "1", "2", "3", "4", "4.1", "5", "6", "1.1", "99999999999", "1.")
READING = (
    *(f"{what}[{part}]" for what in ("BINARY.PEEK", "BINARY.SIZE") for part in PARTS),
    "BINARY[1]",
    "BINARY.PEEK[1]<2.4>",
    "BINARY.PEEK[2]<0.1>",
    "BINARY.PEEK[2]<90.1>",
    "BINARY.PEEK[]<5.9>",
    "BINARY.PEEK[1]<2>",
    "BINARY.PEEK[1]<2.4>x",
    "BINARY.PEEK[1]x",
    "BINARY.SIZE[1]<0.2>",
    "BINARY.PEEK[0]",
    "BINARY.PEEK[1.0]",
    "BINARY.PEEK[TEXT]",
    "BINARY.PEEK[1..2]",
    "BINARY.PEEK[",
    "BINARY",
    "(BINARY.SIZE[2] UID BODY.PEEK[1] BINARY.PEEK[3] BINARY.PEEK[2] FLAGS)",
)
URLS = (
    b"/INBOX.source/;UID=1",
    b"/INBOX.source;UIDVALIDITY=1/;UID=1",
    b"INBOX.source/;uid=1/;section=1",
    b"/INBOX.source/;UID=1/;SECTION=HEADER",
    b"/INBOX.source/;UID=1/;SECTION=TEXT",
    b"/INBOX.source/;UID=1/;SECTION=TEXT.MIME",
    b"/INBOX.source/;UID=1/;SECTION=MIME",
    b"/INBOX.source/;UID=1/;SECTION=2.MIME",
    b"/INBOX.source/;UID=1/;SECTION=4.header",
    b"/INBOX.source/;UID=1/;SECTION=4.1",
    b"/INBOX.source/;UID=1/;SECTION=1.HEADER",
    b"/INBOX.source/;UID=1/;SECTION=0",
    b"/INBOX.source/;UID=1/;SECTION=9",
    b"/INBOX.source/;UID=1/;SECTION=",
    b"/INBOX.source/;UID=1/;SECTION=1/",
    b"/INBOX.source/;UID=1/;SECTION=1/;PARTIAL=2.5",
    b"/INBOX.source/;UID=1/;PARTIAL=20",
    b"/INBOX.source/;UID=1/;PARTIAL=5.",
    b"/INBOX.source/;UID=1/;PARTIAL=90000.5",
    b"/INBOX.source/;PARTIAL=1/;UID=1",
    b"/INBOX.source/;UID=2",
    b"/INBOX.source/;UID=0",
    b"/INBOX.source/;UID=-1",
    b"/INBOX.source/;UID=99999999999999999999999",
    b"/INBOX.source/;UID=x",
    b"/INBOX.source/;UID=1/;FOO=1",
    b"/INBOX.source/;UID=1;EXPIRE=2020-01-01T00:00:00Z",
    b"/INBOX.source/;UID=1;EXPIRE=2020",
    b"/INBOX.source/;UID=1;URLAUTH=anonymous:internal:00",
    b"/INBOX.source",
    b"/INBOX%2Esource/;UID=1/;SECTION=1",
    b"/INBOX.h%C3%A9%20x/;UID=1",
    b"/INBOX.h%zz/;UID=1",
    b"/INBOX.nowhere/;UID=1",
    b"/user.nobody/;UID=1",
    b";UID=1",
    b"",
    b"imap://ann@localhost/INBOX.source/;UID=1",
    b"imap://localhost",
    b"{localhost}INBOX.source",
    b"{localhost",
    b"http://example.org/",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    instance = Instance(
        imapd_conf={"servername": "mail.example.org", "submitservers": "carl"},
        programs={"imap": "reference", "imap2": "ours"}, master="reference",
        services=("imap", "imap2"),
    ).start()
    for user in (*SERVICES, "carl"):
        instance.create_user(user)
    yield instance
    instance.stop()
    instance.remove()


class Pair:
    """Two sessions that do the same: one's own user or ann at the original, bob at ours."""

    def __init__(self, server: Instance, user: str | None = None) -> None:
        self.clients = [server.imap(user or own, service=service) for own, service in SERVICES.items()]
        self.differences: list[tuple[bytes, str, str]] = []

    def __enter__(self) -> Pair:
        return self

    def __exit__(self, *_args: object) -> None:
        for client in self.clients:
            client.close()

    def say(self, command: str | bytes) -> str:
        """What ours says; a difference is noted."""
        data = command.encode("latin-1") if isinstance(command, str) else command
        said = [self._one(client, data) for client in self.clients]
        # later versions of the original end such a FETCH as we do
        later = b"FETCH" in data and "NO [UNKNOWN-CTE]" in said[1]
        if said[0] != said[1] and not later:
            self.differences.append((data, said[0], said[1]))
        return said[1]

    def check(self) -> None:
        shown = "\n".join(f"{command!r}\n  {one!r}\n  {two!r}" for command, one, two in self.differences)
        assert not self.differences, shown

    @staticmethod
    def _one(client: ImapClient, data: bytes) -> str:
        client.send(b"t " + data + b"\r\n")
        lines = []
        while True:
            lines.append(client.response().decode("latin-1"))
            if lines[-1].startswith("t "):
                break
        text = re.sub(r"\d+\.\d+ sec", "T sec", "\n".join(lines))
        text = re.sub(r"(UIDVALIDITY|APPENDUID) \d+", r"\1 V", text)
        return re.sub(r"MAILBOXID \([^)]*\)", "MAILBOXID", text)


def literal(data: bytes, *, binary: bool = False) -> bytes:
    return b"%b{%d+}\r\n%b" % (b"~" if binary else b"", len(data), data)


def test_parts_are_read_decoded(server: Instance) -> None:
    """RFC 3516 section 4.2, 4.3."""
    with Pair(server) as pair:
        pair.say("CREATE INBOX.read")
        pair.say(b"APPEND INBOX.read " + literal(ENCODED))
        odd = b"Subject: one\r\nContent-Transfer-Encoding: odd\r\n\r\nx\r\n"
        pair.say(b"APPEND INBOX.read " + literal(odd))
        pair.say("SELECT INBOX.read")
        for item in READING:
            pair.say(f"FETCH 1:* {item}")
        pair.say("FETCH 1 FLAGS")
        pair.say("UID FETCH 1 (BINARY[2])")
        pair.check()


def test_binary_messages_are_stored_encoded(server: Instance) -> None:
    """RFC 3516 section 4.4."""
    with Pair(server) as pair:
        pair.say("CREATE INBOX.write")
        for data in (
            BINARY,
            ONE_PART,
            ENCODED,
            b"Subject: \0x\r\n\r\nbody\r\n",
            b"Subject: x\n\r\nbody\r\n",
            b"Subject x\r\n\r\nbody\r\n",
            b"Subject: \xe9\r\n\r\nbody\n\r\n",
        ):
            pair.say(b"APPEND INBOX.write " + literal(data, binary=True))
        pair.say(b"APPEND INBOX.write " + literal(ONE_PART, binary=True) + b" (\\Seen) " + literal(ENCODED))
        pair.say(b"APPEND INBOX.write " + literal(ONE_PART))
        pair.say(b"APPEND INBOX.write ~{x}")
        pair.say(b"APPEND INBOX.write ~x")
        pair.say("EXAMINE INBOX.write")
        pair.say("FETCH 1:* (FLAGS BODYSTRUCTURE BODY[])")
        pair.say("FETCH 1:2 (BINARY[1])")
        pair.check()


def test_messages_are_put_together(server: Instance) -> None:
    """RFC 4469, its errors and what the original lets pass."""
    with Pair(server) as pair:
        for name in ("INBOX.source", "INBOX.h&AOk- x", "INBOX.made"):
            pair.say(f'CREATE "{name}"')
        pair.say(b"APPEND INBOX.source " + literal(ENCODED))
        pair.say(b'APPEND "INBOX.h&AOk- x" ' + literal(b"Subject: odd name\r\n\r\ntext\r\n"))
        made = b"APPEND INBOX.made CATENATE ("
        header = b"TEXT " + literal(b"Subject: made\r\n\r\n")
        pair.say(made + b'URL "/INBOX.source/;UID=1/;SECTION=4")')
        for url in URLS:
            pair.say(made + header + b' URL "' + url + b'")')
        pair.say("SELECT INBOX.source")
        pair.say(made + header + b' URL ";UID=1/;SECTION=1")')
        pair.say(made + header + b" URL /;uid=1/;section=2 TEXT " + literal(b"\r\nend\n") + b")")
        pair.say(made + header + b" URL " + literal(b"/INBOX.source;UID=1") + b" " + header + b")")
        pair.say(made + header + b" TEXT " + literal(b"a\0b") + b")")
        pair.say(made + b"TEXT " + literal(b"X: \xe9\n\r\n") + b")")
        pair.say(made + b"TEXT " + literal(ONE_PART, binary=True) + b" URL /;UID=1/;SECTION=1)")
        pair.say(made + b"TEXT " + literal(b"no header") + b")")
        pair.say(made + header + b') (\\Seen) " 1-Jan-2020 00:00:00 +0000" CATENATE (' + header + b")")
        pair.say(made + header + b") (\\Seen) " + literal(ENCODED))
        pair.say(b'APPEND INBOX.source CATENATE (URL "/INBOX.source/;UID=1" URL "/;UID=1/;SECTION=HEADER")')
        pair.say("NOOP")
        pair.say("FETCH 1:* (RFC822.SIZE FLAGS)")
        for rest in (b"", b")", b"FOO x)", b"URL)", b"TEXT)", b"TEXT x)", b"TEXT {x})", b"URL /;UID=1"):
            pair.say(made + rest)
        pair.say(made + header)
        pair.say(b"APPEND INBOX.made CATENATE")
        pair.say(b"APPEND INBOX.made CATENATE " + header)
        pair.say(b"APPEND INBOX.made catenate (" + header + b") x")
        pair.say(b"APPEND INBOX.nowhere CATENATE (" + header + b")")
        pair.say("EXAMINE INBOX.made")
        pair.say("FETCH 1:* (FLAGS BODYSTRUCTURE BODY[])")
        pair.check()


FUTURE = b";EXPIRE=2099-01-01T00:00:00Z"
PAST = b";EXPIRE=2001-01-01T00:00:00+01:00"
ANYBODY = b";URLAUTH=anonymous"
SERVER = b"imap://ann@mail.example.org/INBOX.open"
UNSIGNED = (
    b"",
    b"INBOX.open/;UID=1;URLAUTH=anonymous",
    b"imap://bob@mail.example.org/INBOX/;UID=1;URLAUTH=anonymous",
    b"imap://ann@other.example.org/INBOX.open/;UID=1;URLAUTH=anonymous",
    b"imap://mail.example.org/INBOX.open/;UID=1;URLAUTH=anonymous",
    b"imap://ann@mail.example.org/;UID=1;URLAUTH=anonymous",
    SERVER + b"/;UID=1",
    SERVER + b";URLAUTH=anonymous",
    SERVER + b"/;UID=1/;SECTION=;URLAUTH=anonymous",
    SERVER + b"/;UID=1" + PAST + b";URLAUTH=anonymous",
    b"imap://ann@mail.example.org/INBOX.nowhere/;UID=1;URLAUTH=anonymous",
)
RUMPS = (
    *(b"/;UID=1" + tail for tail in (b"", FUTURE)),
    *(b"/;UID=1/;SECTION=" + tail for tail in (b"1", b"2", b"3", b"4", b"5", b"4.1", b"HEADER", b"4.TEXT")),
    *(b"/;UID=1/;SECTION=" + tail for tail in (b"1.MIME", b"9", b"2/;PARTIAL=1.3", b"2/;PARTIAL=90")),
    b"/;UID=1/;PARTIAL=10.20",
    b"/;UID=2",
    b";UIDVALIDITY=1/;UID=1",
)
ASKED = (
    b"BODY",
    b"BINARY",
    b"BODYPARTSTRUCTURE",
    b"bodypartstructure binary",
    b"BODY BODYPARTSTRUCTURE",
    b"BODY BINARY",
    b"FOO",
)


def test_a_url_opens_only_what_its_owner_may_read(server: Instance) -> None:
    url = b"imap://carl@mail.example.org/Other%20Users/ann/shut/;UID=1;URLAUTH=anonymous"
    generate = b'GENURLAUTH "' + url + b'" INTERNAL'
    with Pair(server, "carl") as carl, server.imap("ann") as ann:
        ann.ok("CREATE shut")
        ann.append("shut", b"Subject: secret\r\n\r\n")
        assert " NO " in carl.say(generate)
        ann.ok("SETACL shut carl lr")
        # a percent sign makes it a literal
        fetch = b'URLFETCH "%b"' % carl.say(generate).split("\n")[1].rstrip().encode()
        assert "secret" in carl.say(fetch)
        ann.ok("SETACL shut carl l")
        assert " NIL" in carl.say(fetch)
        carl.check()


def signed(answer: str) -> list[bytes]:
    assert answer.startswith("* GENURLAUTH "), answer
    return [url.encode() for url in re.findall(r'"([^"]*)"', answer)]


def test_urls_of_either_server_open_the_same_at_both(server: Instance) -> None:
    """RFC 4467 and RFC 5524. Both servers sign with the same secret, and so alike."""
    with Pair(server) as pair:
        with server.imap("ann") as ann:
            ann.ok("CREATE INBOX.open")
            ann.append("INBOX.open", ENCODED)
        ann_at_both = Pair(server, "ann")
        for url in UNSIGNED:
            ann_at_both.say(b'GENURLAUTH "%b" INTERNAL' % url)
        urls = [
            url
            for rump in RUMPS
            for url in signed(ann_at_both.say(b'GENURLAUTH "%b%b%b" INTERNAL' % (SERVER, rump, ANYBODY)))
        ]
        for url in urls:
            pair.say(b'URLFETCH "%b"' % url)
            for asked in ASKED:
                pair.say(b'URLFETCH ("%b" %b)' % (url, asked))
        pair.say(b'URLFETCH "%b" "%b" ("%b" BODY) "x"' % (urls[2], urls[3], urls[4]))
        pair.say(b'URLFETCH ("%b")' % urls[2])
        first = urls[0]
        other = first.replace(b"UID=1", b"UID=01")
        for broken in (first[:-4] + b"0000", other, first[:-43], other.replace(b"internal", b"x")):
            pair.say(b'URLFETCH ("%b" BODY) x' % broken)
        for rest in (b'URLFETCH ("%b"' % first, b'URLFETCH "%b")' % first, b"URLFETCH"):
            pair.say(rest)
        for rest in (b" x", b" x FOO", b"", b" x INTERNAL)"):
            ann_at_both.say(b"GENURLAUTH" + rest)
        for access in (b"user+bob", b"user+ann", b"authuser", b"submit+bob", b"other"):
            (url,) = signed(ann_at_both.say(b'GENURLAUTH "%b/;UID=1;URLAUTH=%b" INTERNAL' % (SERVER, access)))
            for asker in ("ann", "carl"):
                with Pair(server, asker) as asking:
                    asking.say(b'URLFETCH "%b"' % url)
                    asking.check()
        ann_at_both.say(b'URLFETCH "%b/;UID=1"' % SERVER)
        ann_at_both.say("EXAMINE INBOX.open")
        ann_at_both.say(b'URLFETCH "%b/;UID=1"' % SERVER)
        for mailbox in (" INBOX.nowhere", " INBOX.open INTERNAL", " INBOX.open x y", " INBOX.open"):
            ann_at_both.say("RESETKEY" + mailbox)
        pair.say(b'URLFETCH "%b"' % first)
        ann_at_both.say(b'GENURLAUTH "%b/;UID=1;URLAUTH=anonymous" INTERNAL' % SERVER)
        ann_at_both.say("RESETKEY")
        pair.say(b'URLFETCH "%b"' % first)
        with server.imap("ann", service="imap2") as ours:
            (line,) = ours.ok(b'GENURLAUTH "%b/;UID=1;URLAUTH=anonymous" INTERNAL' % SERVER).untagged
            (fresh,) = signed("* " + line)
        assert "boundary=o" in pair.say(b'URLFETCH "%b"' % fresh)
        ann_at_both.check()
        pair.check()
