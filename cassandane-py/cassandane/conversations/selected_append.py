"""APPEND in every form: flags, dates, annotations, literals of all kinds, several messages, CATENATE."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace

from cassandane.conversations.corpus import REFUSED, whole
from cassandane.conversations.family import Difference, Family
from cassandane.conversations.stream import AS_IS, BYTEWISE, CUT, DRESSED, PIPELINED, Delivery, Stream
from cassandane.conversations.words import ODD_FLAGS, flags, garbled

_SMALL = b"From: a@example.org\r\nSubject: small\r\n\r\nbody\r\n"
_BINARY = (
    b"Subject: raw\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n"
    b"--o\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    + bytes(range(256)) * 2
    + b"\r\n--o\r\nContent-Transfer-Encoding: binary\r\nContent-Type: text/plain\r\n\r\n\xe9\0\r\n--o--\r\n",
    b"Subject: one part\r\nContent-Transfer-Encoding: binary\r\n\r\na\0b\nc\r\n",
    b"Subject: not said to be binary\r\n\r\na\0b\r\n",
    b"Subject: text only\r\nContent-Transfer-Encoding: binary\r\n\r\nplain\r\n",
    b"Subject: bare\nContent-Transfer-Encoding: binary\n\nx\n",
    _SMALL,
)
_DATES = (
    '" 1-Feb-2020 10:20:30 +0100"', '"01-Feb-2020 10:20:30 +0100"', '"29-Feb-2024 23:59:59 -1200"',
    '"31-Dec-1969 23:59:59 +0000"', '"1-Jan-70 00:00:00 EST"', '"17-Jul-1996 02:44:25 -0700"',
    '" 1-Jan-2038 03:14:08 +0000"', '" 1-Jan-2100 00:00:00 +0000"',
)  # fmt: skip
_ODD_DATES = (
    '""', '"x"', '"1-Feb-2020 10:20:30 +0100"', '"31-Feb-2020 10:20:30 +0100"',
    '"00-Feb-2020 10:20:30 +0100"',
    '"01-Foo-2020 10:20:30 +0100"', '"01-Feb-2020 24:20:30 +0100"', '"01-Feb-2020 10:60:30 +0100"',
    '"01-Feb-2020 10:20:60 +0100"', '"01-Feb-2020 10:20:30 +9900"', '"01-Feb-2020 10:20:30"',
    '"01-Feb-2020 10:20:30 0100"', '"01-Feb-2020 10:20:30 +0100', '01-Feb-2020',
    '"01-Feb-0020 10:20:30 +0100"',
    '"01-Feb-1900 10:20:30 +0000"', '"99-Feb-2020 10:20:30 +0100"', '" 1-feb-2020 10:20:30 +0100"',
)  # fmt: skip
_ODD_APPENDS = (
    "", "{box}", "{box} ", "{box} x", "{box} ()", "{box} (", "{box} (x", "{box} {{}}", "{box} {{x}}",
    "{box} {{-1}}",
    "{box} {{0}}", "{box} {{0+}}\r\n", "{box} () {{3+}}\r\nabc", "{box}  {{3+}}\r\nabc",
    "{box} {{3+}}\r\nabc x",
    "{box} {{3+}}\r\nabc (", "{box} {{3+}}\r\nabc ", "{box}{{3+}}\r\nabc", '{box} "x" {{3+}}\r\nabc',
    "{box} ~{{}}",
    "{box} ~x", "{box} ~{{0+}}\r\n", "nosuch {{3+}}\r\nabc", 'nosuch () "x" {{3+}}\r\nabc', "nosuch/x {{3}}",
    '"" {{3+}}\r\nabc', "user/none {{3+}}\r\nabc", '"Other Users/ann" {{3+}}\r\nabc',
    '"Other Users/nobody" {{1+}}\r\na',
    "{box} ANNOTATION {{3+}}\r\nabc", "{box} ANNOTATION () {{3+}}\r\nabc",
    "{box} ANNOTATION (/comment) {{3+}}\r\nabc",
    '{box} ANNOTATION (/nosuch (value.priv "x")) {{3+}}\r\nabc',
    '{box} ANNOTATION (/comment (value "x")) {{3+}}\r\nabc',
    "{box} CATENATE", "{box} CATENATE (", "{box} CATENATE ()", "{box} CATENATE (TEXT)",
    "{box} CATENATE (TEXT x)",
    "{box} CATENATE (FOO {{3+}}\r\nabc)", "{box} CATENATE (TEXT {{3+}}\r\nabc", "{box} CATENATE (URL)",
    '{box} CATENATE (URL "")', '{box} CATENATE (URL "/nosuch/;UID=1")',
    '{box} CATENATE (URL "/INBOX/;UID=99")',
    '{box} CATENATE (URL "imap://other.example.org/INBOX/;UID=1")',
    "{box} CATENATE (URL x TEXT {{3+}}\r\nabc)",
    "{box} CATENATE (TEXT {{3+}}\r\nabcTEXT {{3+}}\r\nabc)", "{box} catenate (text {{3+}}\r\nabc)",
    "(x) {{3+}}\r\nabc",
    "{box} CATENATE (TEXT {{3+}}\r\nabc) CATENATE (TEXT {{3+}}\r\nabc)", "{box} CATENATE TEXT {{3+}}\r\nabc",
)  # fmt: skip
_SECTIONS = (
    "", "/;SECTION=HEADER", "/;SECTION=TEXT", "/;SECTION=1", "/;SECTION=1.MIME", "/;SECTION=2", "/;SECTION=9",
    "/;SECTION=0", "/;SECTION=TEXT/;PARTIAL=2.5", "/;PARTIAL=0.20", "/;SECTION=HEADER.FIELDS%20(From)",
    "/;SECTION=",
)  # fmt: skip


def _box(name: str, source: random.Random, delivery: Delivery = AS_IS) -> Stream:
    stream = Stream(name, source, user="fay", delivery=delivery)
    stream.box = f"{name} {delivery.name}".replace(" ", "-")
    stream.say("CREATE {}", stream.box.encode())
    return stream


def _arguments(source: random.Random) -> str:
    """Flags, date and annotations before a message, each or none."""
    words = []
    if source.random() < 0.6:
        words.append(f"({flags(source)})")
    if source.random() < 0.6:
        words.append(source.choice(_DATES))
    if source.random() < 0.3:
        words.append('ANNOTATION (/comment (value.priv "p" value.shared NIL) /altsubject (value.shared "s"))')
    return "".join(f" {word}" for word in words)


def _end(stream: Stream) -> None:
    stream.say("EXAMINE {}", stream.box.encode())
    stream.say("FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE ENVELOPE MODSEQ EMAILID)")
    stream.say("FETCH 1:* (BODY.PEEK[] ANNOTATION (/* (value size)))")


def _appends(source: random.Random) -> Iterator[Stream]:
    messages = [text for text in whole() if len(text) < 3000]
    for number, delivery in enumerate((AS_IS, DRESSED, CUT, PIPELINED, BYTEWISE)):
        stream = _box(f"append {number}", source, delivery)
        if number % 2:
            stream.say("SELECT {}", stream.box.encode())
        for _ in range(10):
            many = source.choice((1, 1, 1, 2, 3))
            texts = source.sample(messages, many)
            parts = "".join(f"{_arguments(source)} {{!}}" for _ in texts)
            stream.say(f"APPEND {{}}{parts}", stream.box.encode(), *texts)
        for _ in range(3):
            text = source.choice(_BINARY)
            stream.say(f"APPEND {{}}{_arguments(source)} {{~}}", stream.box.encode(), text)
        stream.say("APPEND {} {~} {!} {~}", stream.box.encode(), _BINARY[0], _SMALL, _BINARY[1])
        _end(stream)
        yield stream


def _refused(source: random.Random) -> Iterator[Stream]:
    stream = _box("append refused", source)
    box = stream.box.encode()
    for text in REFUSED:
        stream.say("APPEND {} {!}", box, text)
        stream.say("APPEND {} {!} {!}", box, _SMALL, text)
        stream.say("APPEND {} {!} {!}", box, text, _SMALL)
        stream.say("APPEND {} {~}", box, text)
    for text in _BINARY:
        stream.say("APPEND {} {~}", box, text)
        stream.say("APPEND {} {!}", box, text)
    _end(stream)
    yield stream


def _odd(source: random.Random) -> Iterator[Stream]:
    stream = _box("append odd", source)
    for one in _ODD_APPENDS:
        stream.raw(f" APPEND {one.format(box=stream.box)}".encode("latin-1"))
    heads = [f"APPEND {stream.box} {date}" for date in _ODD_DATES]
    heads += [f"APPEND {stream.box} ({flag})" for flag in ODD_FLAGS]
    heads += [garbled(source, f"APPEND {stream.box}{_arguments(source)}") for _ in range(40)]
    for number, head in enumerate(heads):
        # of equal messages there may not be too many
        text = _SMALL + str(number).encode()
        stream.raw(f" {head} ".encode() + b"{%d+}\r\n" % len(text) + text)
    _end(stream)
    yield stream


def _catenates(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, DRESSED, CUT)):
        stream = _box(f"catenate {number}", source, delivery)
        box = stream.box.encode()
        for text in (_SMALL, whole()[3], whole()[-1], b"Subject: ends in its header\r\n"):
            stream.say("APPEND {} {!}", box, text)
        for _ in range(14):
            pieces = []
            values: list[bytes] = []
            for _ in range(source.randint(1, 4)):
                if source.random() < 0.5:
                    pieces.append("TEXT {!}")
                    values.append(source.choice((_SMALL, b"Subject: put together\r\n", b"\r\n", b"more\r\n")))
                else:
                    uid = source.randint(1, 4)
                    pieces.append("URL {}")
                    values.append(f"/{stream.box}/;UID={uid}{source.choice(_SECTIONS)}".encode())
            head = "TEXT {!} " if source.random() < 0.7 else ""
            values[:0] = [b"Subject: head\r\n"] if head else []
            stream.say(f"APPEND {{}}{_arguments(source)} CATENATE ({head}{' '.join(pieces)})", box, *values)
        stream.say(
            "APPEND {} CATENATE (TEXT {!} URL {}) {!}", box, _SMALL, f"/{stream.box}/;UID=1".encode(), _SMALL
        )
        for rest in ("4/;SECTION=TEXT", "4/;SECTION=TEXT/;PARTIAL=2.5", "99"):
            url = f"/{stream.box}/;UID={rest}".encode()
            stream.say("APPEND {} CATENATE (URL {})", box, url)
            stream.say("APPEND {} CATENATE (TEXT {!} URL {})", box, _SMALL, url)
        stream.say("SELECT {}", box)
        stream.say("APPEND {} CATENATE (TEXT {~})", box, _BINARY[1])
        stream.say("APPEND {} CATENATE (URL {})", box, f"/{stream.box}/;UID=2/;SECTION=1".encode())
        _end(stream)
        yield stream


EMPTY = Difference(
    "the original asks for literals of no octets, and takes the end of the line behind one for a command",
    lambda heard: (
        re.search(rb"\{0\+?\}\r\n", heard.sent) is not None
        and any(line.endswith(b"NO Zero-length message literal") for line in heard.ours)
    ),
)

UNKNOWN = Difference(
    "the original's process dies of annotations that it does not know",
    lambda heard: heard.original[-1:] == [b"<closed>"] and b"ANNOTATION" in heard.sent,
)
DATE = Difference(
    "the original looks for the end of a date in the next lines",
    lambda heard: (
        heard.ours[:1] == heard.original[:1]
        and heard.ours[0].endswith(b" BAD Invalid date-time in Append command")
    ),
)

APPEND = Family("append", _appends, differences=(replace(UNKNOWN, elsewhere=True),))
APPEND_REFUSED = Family("append-refused", _refused, differences=(EMPTY,))
APPEND_ODD = Family("append-odd", _odd, differences=(EMPTY, DATE, UNKNOWN))
CATENATE = Family(
    "catenate",
    _catenates,
    differences=(
        Difference(
            "of sections that begin behind the message's end later versions of the original speak as we do",
            lambda heard: (
                heard.ours[-1].endswith(b" NO Internal Error")
                and heard.original[-1].endswith(b" NO System I/O error")
            ),
        ),
    ),
)
