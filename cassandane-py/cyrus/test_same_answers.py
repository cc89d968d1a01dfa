"""Generated commands on equal mailboxes: ours and the original's imapd must give the same answers.

The commands change what later ones see, so a difference in what is stored shows as well. Where the original
has a known fault, the commands keep clear of it:

* text in charsets other than ASCII and UTF-8 is not found in the last few kilobytes of a part;
* ``*`` in a UID set is the highest UID ever given, not the highest in use;
* STORE tells the new flags even if it is asked to be silent.
"""

from __future__ import annotations

import base64
import quopri
import random
import re
from collections.abc import Callable, Iterator

import pytest

from cassandane.clients import ImapClient, Reply
from cassandane.instance import Instance
from cassandane.messages import CRLF, corpus

pytestmark = pytest.mark.reference

_MASKS = (
    (r"\(\d+\.\d+ sec\)", "(T sec)"),
    (r"in \d+\.\d+ secs", "in T secs"),
    (r"(UIDVALIDITY|APPENDUID|COPYUID) \d+", r"\1 N"),
    (r"MAILBOXID \([^)]*\)", "MAILBOXID (ID)"),
    (r'TAG "[^"]*"', "TAG"),
)
_TEXTS = {
    "german": ("Grüße aus Köln, straße  doppelt\tTab", ("utf-8", "iso-8859-1", "windows-1252")),
    "russian": ("Привет мир, как дела", ("utf-8", "koi8-r", "windows-1251")),
    "japanese": ("日本語のテスト メール です", ("utf-8", "iso-2022-jp", "shift_jis", "euc-jp")),
    "chinese": ("中文 测试 邮件", ("utf-8", "gb2312", "gbk")),
    "korean": ("한국어 시험 편지", ("utf-8", "euc-kr")),
    "greek": ("ελληνικά δοκιμή Ώρα", ("utf-8", "iso-8859-7")),
    "french": ("éàçœ ŒUVRE ﬁn ①②", ("utf-8", "iso-8859-15")),
}
_ODD = (
    b"Subject: no body, no date\r\n\r\n",
    b"From: a@b\r\nContent-Type: message/delivery-status\r\nSubject: dsn\r\n\r\n"
    b"Reporting-MTA: dns; hidden\r\n\r\n",
    b"From: a@b\r\nContent-Type: multipart/report; boundary=q\r\nSubject: report\r\nMIME-Version: 1.0\r\n\r\n"
    b"--q\r\n\r\nplainpart\r\n--q\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; hidden"
    b"\r\n\r\n--q--\r\n",
    b"From: a@b\r\nContent-Type: text/html\r\nSubject: html\r\n\r\n<p>para<b>gra</b>ph</p>\r\n",
    b"From: a@b\r\nContent-Type: text/plain; charset=nosuch\r\nSubject: nosuch\r\nX-Empty:\r\nX-Blank: \r\n"
    b"Bcc: hidden@x.org\r\nReferences: <a@b> <c@d>\r\nX-Two: one\r\nX-Two: two\r\n\r\n"
    b"unknowncharset \xe9\r\n",
    b"From: a@b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: x-odd\r\n"
    b'Subject: Re: [list]  two   spaces\r\n \tfolded\r\nMessage-ID: <we"ird%@x>\r\n\r\nodd encoding\r\n',
)


def letter(text: str, charset: str, encoding: str) -> bytes:
    """A message whose subject and body are this text."""
    raw = text.encode(charset, "replace")
    word = f"=?{charset}?B?{base64.b64encode(raw).decode()}?="
    if encoding == "base64":
        body = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        body = quopri.encodestring(raw).replace(b"\n", b"\r\n") + b"\r\n"
    else:
        body = raw + b"\r\n"
    head = [
        "From: =?utf-8?Q?J=C3=BCrgen?= <j@x.org>",
        f"Subject: {word}",
        f"X-Info: {word}{CRLF} {word}",
        "Date: Tue, 03 Feb 2015 10:00:00 +0000",
        "MIME-Version: 1.0",
        f"Content-Type: text/plain; charset={charset}",
        f"Content-Transfer-Encoding: {encoding}",
    ]
    return (CRLF.join(head) + CRLF + CRLF).encode("ascii") + body


def letters() -> list[bytes]:
    return [
        letter(text, charset, encoding)
        for text, charsets in _TEXTS.values()
        for charset in charsets
        for encoding in ("8bit", "base64", "quoted-printable")
    ]


class Pair:
    """The same session on both servers."""

    def __init__(self, ours: ImapClient, original: ImapClient) -> None:
        self._clients = ours, original

    def command(self, text: str | bytes, *literals: bytes) -> list[str]:
        """The masked answer; fails if the two are not equal."""
        ours, original = (masked(client.command(text, *literals)) for client in self._clients)
        assert ours == original, text
        return ours


def masked(reply: Reply) -> list[str]:
    lines = [*reply.untagged, f"{reply.status} {reply.text}"]
    for pattern, replacement in _MASKS:
        lines = [re.sub(pattern, replacement, line) for line in lines]
    return lines


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Instance, Instance]]:
    ours = Instance(services=("imap",))
    original = Instance(services=("imap",), programs={"imap": "reference"}, master="reference")
    started = []
    try:
        for server in (ours, original):
            server.start()
            started.append(server)
            for user in ("many", "letters", "other"):
                server.create_user(user, "Folder")
        fill(ours, original)
        yield ours, original
    finally:
        for server in started:
            server.stop(check=server is ours)
    ours.remove()
    original.remove()


def fill(*servers: Instance) -> None:
    source = random.Random(7)
    for server in servers:
        source.seed(7)
        with server.imap("many") as client:
            for message in corpus(80, largest=4000):
                flags = source.choice(["", r"\Seen", r"\Flagged $X", r"\Answered \Draft", "Work"])
                date = f'"{source.randint(1, 28):02d}-Mar-20{source.randint(10, 26)} 10:00:00 +0100"'
                client.ok(f"APPEND INBOX ({flags}) {date} {{}}", message)
            client.ok("SETACL INBOX other lrswite")
        with server.imap("letters") as client:
            for message in (*letters(), *_ODD):
                client.ok('APPEND INBOX "01-Mar-2015 10:00:00 +0100" {}', message)


def session(servers: tuple[Instance, Instance], user: str) -> Iterator[Pair]:
    with servers[0].imap(user) as ours, servers[1].imap(user) as original:
        yield Pair(ours, original)


@pytest.fixture
def many(servers: tuple[Instance, Instance]) -> Iterator[Pair]:
    """The owner of a mailbox with all kinds of messages."""
    yield from session(servers, "many")


@pytest.fixture
def other(servers: tuple[Instance, Instance]) -> Iterator[Pair]:
    """Another user of that mailbox, with a seen state of its own."""
    yield from session(servers, "other")


@pytest.fixture
def letterbox(servers: tuple[Instance, Instance]) -> Iterator[Pair]:
    """The owner of a mailbox with letters in many languages."""
    yield from session(servers, "letters")


# SEARCH


@pytest.mark.parametrize("language", _TEXTS)
def test_a_word_is_found_in_any_charset_it_was_written_in(letterbox: Pair, language: str) -> None:
    """Only headers: see the module for bodies."""
    text, charsets = _TEXTS[language]
    letterbox.command("EXAMINE INBOX")
    words = [*text.replace(",", "").split(), text.split()[0][1:3], text.upper(), text.lower()]
    for charset in charsets:
        for word in words:
            pattern = word.encode(charset, "replace")
            for key in ("SUBJECT", "HEADER X-Info", "FROM", "HEADER Subject", "HEADER X-Missing"):
                letterbox.command(f"SEARCH CHARSET {charset} {key} {{}}", pattern)


@pytest.mark.parametrize("language", _TEXTS)
def test_a_word_is_found_in_bodies_in_utf_8(letterbox: Pair, language: str) -> None:
    text, charsets = _TEXTS[language]
    letterbox.command("EXAMINE INBOX")
    count = len(charsets) * 3
    first = [list(_TEXTS).index(language)]
    before = sum(len(_TEXTS[name][1]) * 3 for name in list(_TEXTS)[: first[0]])
    utf8 = f"{before + 1}:{before + 3}"
    assert charsets[0] == "utf-8" and count >= 3
    for word in [*text.split(), text.upper(), text[2:-2]]:
        for key in ("BODY", "TEXT"):
            letterbox.command(f"SEARCH CHARSET UTF-8 {utf8} {key} {{}}", word.encode())


@pytest.mark.parametrize(
    "keys",
    [
        'FROM ""', 'BCC ""', 'CC ""', 'SUBJECT ""', 'BODY ""', 'TEXT ""', 'HEADER X-Empty ""',
        'HEADER X-Blank ""', 'HEADER X-Info ""', 'HEADER "" ""', "HEADER X-Two one", "HEADER X-Two two",
        'HEADER X-Two "one x-two: two"', "HEADER Message-ID ird", 'HEADER Message-ID ""',
        "HEADER References c@d", 'HEADER Subject "two spaces"', 'SUBJECT "re: [list] two spaces folded"',
        "BCC hidden", "TEXT hidden", "BODY hidden", "BODY reporting-mta", "BODY paragraph", "BODY para<b>",
        "BODY unknowncharset", 'BODY "odd encoding"', 'TEXT "content-type: text/plain"',
        'BODY "content-type"', 'FROM "\\"', 'FROM "a\\"b"', "SENTON 03-Feb-2015", "SENTSINCE 1-Jan-1960",
        "ON 1-Mar-2015", 'BEFORE "1-Mar-2015"', "SINCE 31-Feb-2015", "SINCE 99-Jan-2015", "SINCE 0-Mar-2015",
        "SINCE 1-Jan-9999", "BEFORE 1-mAR-99", "LARGER 300", "SMALLER 300", "1:5,7 UID 3:*",
        "OLDER 100000000", "YOUNGER 100000000", "YOUNGER 9999999999", "OLDER -1", "OLDER",
        "NOT (1:5 NOT 3)", "OR 1 OR 2 OR 3 4", "(((1:5)) ((2:3)))", "KEYWORD $nope", "UNKEYWORD $nope",
    ],
)  # fmt: skip
def test_odd_messages_match_alike(letterbox: Pair, keys: str) -> None:
    letterbox.command("EXAMINE INBOX")
    letterbox.command(f"SEARCH {keys}")
    letterbox.command(f"UID SEARCH RETURN (MIN MAX COUNT ALL) {keys}")


@pytest.mark.parametrize(
    "arguments",
    [
        "", "FOO", "RETURN", "RETURN (MIN", "RETURN (FOO) ALL", "RETURN () ALL", "RETURN () ", "RETURN ()",
        "RETURN ( MIN) ALL", "RETURN (MIN ) ALL", "RETURN(MIN) ALL", "CHARSET", "CHARSET utf-8",
        "CHARSET nosuch ALL", 'CHARSET "utf-8" ALL', "CHARSET utf-8 RETURN (MIN) ALL",
        "RETURN (MIN) CHARSET utf-8 ALL", "ALL CHARSET utf-8", "ALL RETURN (MIN)", "(CHARSET utf-8 ALL)",
        "(RETURN (MIN) ALL)", "NOT", "NOT ", "NOT FOO", "OR SEEN", "OR SEEN ", "OR (SEEN)", "OR", "()",
        "(SEEN", "(SEEN UNSEEN", "(SEEN)) ", "(SEEN ) ", "SEEN)", "SEEN  UNSEEN", "0", "0:3", "3:0", "1,",
        "1:2:3", "1;2", "*", "*:5", "5000", "9999999999", "UID 0", "UID", "UID x", "UID 9999999999:*",
        "KEYWORD", "KEYWORD ", "KEYWORD \\Seen", "KEYWORD a(b", 'KEYWORD "x"', "UNKEYWORD", "LARGER",
        "LARGER x", "LARGER -1", "LARGER 0", "LARGER 500x", "BEFORE", "BEFORE x", 'BEFORE "1-Jan-2000',
        "BEFORE 1-Jan-200", "BEFORE 1-Jan-1800", "SINCE 1-Foo-2000", "SINCE 01-Jan-2026x", "FROM", "FROM ",
        "FROM (x", "HEADER", "HEADER x", "HEADER x ", "BODY", "TEXT", "SUBJECT )", "XFOO", "CC (",
    ],
)  # fmt: skip
def test_a_malformed_search_is_refused_in_the_same_words(letterbox: Pair, arguments: str) -> None:
    letterbox.command("EXAMINE INBOX")
    letterbox.command(f"SEARCH {arguments}")


# everything else


class Generator:
    """Commands that make sense on a mailbox of about this many messages."""

    def __init__(self, seed: int, count: int) -> None:
        self.random = random.Random(seed)
        self.count = count

    def command(self) -> str:
        make: Callable[[], str] = self.random.choice(
            [self.fetch] * 6 + [self.search] * 6 + [self.store] * 5 + [self.copy, self.expunge, self.noop]
        )
        return make()

    def fetch(self) -> str:
        items = self.random.sample(
            [
                "FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE", "BODY",
                "BODY.PEEK[]", "BODY.PEEK[HEADER]", "BODY.PEEK[TEXT]", "BODY.PEEK[1]", "BODY.PEEK[1.MIME]",
                "BODY.PEEK[2.1]", "BODY.PEEK[1.HEADER]", "BODY.PEEK[2.TEXT]", "BODY[1]", "RFC822.HEADER",
                "BODY.PEEK[HEADER.FIELDS (From To Subject)]", "BODY.PEEK[HEADER.FIELDS (References)]",
                "BODY.PEEK[HEADER.FIELDS.NOT (Received To)]", "BODY.PEEK[1.HEADER.FIELDS (Content-Type)]",
                "BODY.PEEK[]<10.100>", "BODY.PEEK[TEXT]<0.50>", "BODY.PEEK[HEADER.FIELDS (Date)]<3.9>",
                "RFC822.TEXT", "RFC822.PEEK",
            ],
            self.random.randint(1, 4),
        )  # fmt: skip
        macro = self.random.choice(["ALL", "FAST", "FULL"])
        wanted = macro if self.random.random() < 0.1 else f"({' '.join(items)})"
        return f"{self.prefix()}FETCH {self.sequence()} {wanted}"

    def search(self) -> str:
        keys = " ".join(self.key() for _ in range(self.random.randint(1, 3)))
        options = self.random.sample(["MIN", "MAX", "ALL", "COUNT"], self.random.randint(0, 4))
        returns = f"RETURN ({' '.join(options)}) " if self.random.random() < 0.3 else ""
        return f"{self.prefix()}SEARCH {returns}{keys}"

    def key(self, depth: int = 0) -> str:
        roll = self.random.random()
        if depth < 3 and roll < 0.12:
            return f"OR {self.key(depth + 1)} {self.key(depth + 1)}"
        if depth < 3 and roll < 0.2:
            return f"NOT {self.key(depth + 1)}"
        if depth < 3 and roll < 0.3:
            keys = [self.key(depth + 1) for _ in range(self.random.randint(1, 3))]
            return f"({' '.join(keys)})"
        return self.random.choice([self.flag_key, self.text_key, self.number_key, self.set_key])()

    def flag_key(self) -> str:
        flags = "ANSWERED DELETED DRAFT FLAGGED SEEN UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN".split()
        more = ["ALL", "NEW", "OLD", "RECENT", "KEYWORD $X", "UNKEYWORD Work", "KEYWORD nope"]
        return self.random.choice(flags + more)

    def text_key(self) -> str:
        key = self.random.choice(
            ["FROM", "TO", "CC", "SUBJECT", "HEADER References", "HEADER From", "HEADER Content-Type"]
        )
        words = ["alice", "example.org", "budget", "rger", '"bob b"', '""', "plain", "xyzzy", "a", "Re: plan"]
        word = self.random.choice(words)
        return f'{key} "{word}"' if " " in word and not word.startswith('"') else f"{key} {word}"

    def number_key(self) -> str:
        day = f"{self.random.randint(1, 28)}-{self.random.choice(['Jan', 'Mar', 'Nov'])}"
        date = f"{day}-{self.random.choice([1999, 2005, 2012, 2018, 2025])}"
        keys = ["BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"]
        if self.random.random() < 0.3:
            return f"{self.random.choice(['LARGER', 'SMALLER'])} {self.random.randint(0, 6000)}"
        return f"{self.random.choice(keys)} {date}"

    def set_key(self) -> str:
        low, high = (self.random.randint(1, self.count) for _ in range(2))
        return self.random.choice([f"{low}:{high}", f"UID {low}:{high},{high}", f"{low}:*"])

    def store(self) -> str:
        flags = self.random.sample([r"\Seen", r"\Flagged", r"\Answered", r"\Draft", "$X", "Work", "New"], 2)
        if self.random.random() < 0.2:
            flags.append(r"\Deleted")
        operation = self.random.choice(["+FLAGS", "-FLAGS", "FLAGS"])
        return f"{self.prefix()}STORE {self.sequence()} {operation} ({' '.join(flags)})"

    def copy(self) -> str:
        verb = self.random.choice(["COPY", "COPY", "MOVE"])
        low = self.random.randint(1, self.count)
        target = self.random.choice(["INBOX/Folder", "INBOX", "INBOX/Folder", "INBOX/None"])
        return f"{self.prefix()}{verb} {low}:{low + self.random.randint(0, 3)} {target}"

    def expunge(self) -> str:
        low = self.random.randint(1, self.count)
        return self.random.choice(["EXPUNGE", f"UID EXPUNGE {low}:{low + 30}"])

    def noop(self) -> str:
        return self.random.choice(["NOOP", "CHECK", "STATUS INBOX (MESSAGES UNSEEN RECENT UIDNEXT)"])

    def prefix(self) -> str:
        return self.random.choice(["", "UID "])

    def sequence(self) -> str:
        low, high = sorted(self.random.randint(1, self.count) for _ in range(2))
        low = max(low, high - 12)
        return self.random.choice(
            [f"{low}:{high}", f"{low}", f"{low},{high},{low}:{low + 3}", f"{high}:{low}"]
        )


@pytest.mark.parametrize("seed", range(6))
def test_generated_commands_are_answered_alike(many: Pair, seed: int) -> None:
    generator = Generator(seed, 80)
    many.command("SELECT INBOX")
    for _ in range(80):
        many.command(generator.command())
    many.command("UID FETCH 1:100000 (FLAGS RFC822.SIZE INTERNALDATE)")
    many.command("CLOSE")
    many.command("SELECT INBOX/Folder")
    many.command("FETCH 1:100000 (FLAGS ENVELOPE INTERNALDATE)")


@pytest.mark.parametrize("seed", range(100, 103))
def test_a_second_users_commands_are_answered_alike(other: Pair, seed: int) -> None:
    """Someone else's mailbox: \\Seen is the user's own, and some rights are missing."""
    generator = Generator(seed, 80)
    other.command("SELECT user/many")
    for _ in range(60):
        other.command(generator.command().replace("INBOX/", "user/many/"))
    other.command("FETCH 1:100000 (FLAGS)")


def test_two_sessions_tell_each_other_alike(servers: tuple[Instance, Instance]) -> None:
    generator = Generator(1000, 80)
    with (
        servers[0].imap("many") as a, servers[1].imap("many") as b,
        servers[0].imap("many") as c, servers[1].imap("many") as d,
    ):  # fmt: skip
        pairs = Pair(a, b), Pair(c, d)
        for pair in pairs:
            pair.command("SELECT INBOX")
        for _ in range(120):
            generator.random.choice(pairs).command(generator.command())
        for pair in pairs:
            pair.command("NOOP")
            pair.command("UID FETCH 1:100000 FLAGS")
