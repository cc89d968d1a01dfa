"""Connections that break off anywhere, and lines in which nothing is right."""

from __future__ import annotations

import random
from collections.abc import Iterator

from cassandane.conversations.corpus import READER
from cassandane.conversations.family import Difference, Family
from cassandane.conversations.selected_changes import anything, begun
from cassandane.conversations.servers import Heard
from cassandane.conversations.stream import AS_IS, BYTEWISE, CUT, Stream
from cassandane.conversations.words import garbled

_NAMES = (
    "NOOP", "SELECT", "EXAMINE", "STATUS", "CHECK", "FETCH", "STORE", "COPY", "MOVE", "XMOVE", "SEARCH",
    "SORT", "THREAD",
    "EXPUNGE", "UID FETCH", "UID STORE", "UID COPY", "UID MOVE", "UID XMOVE", "UID SEARCH", "UID SORT",
    "UID THREAD",
    "UID EXPUNGE", "UNSELECT", "CLOSE", "SELECT INBOX", "SELECT INBOX", "FETCH 1:*", "STORE 1", "SEARCH",
    "NONSENSE",
    "UID", "UID NONSENSE", "SEARCH RETURN (COUNT)", "UID SEARCH RETURN (MIN MAX)", "SEARCH RETURN ()",
    "SEARCH RETURN",
    "SORT (DATE) UTF-8", "THREAD REFS UTF-8", "ENABLE", "IDLE x", "APPEND INBOX", "ID",
    "UNAUTHENTICATE",
)  # fmt: skip
_OTHER_NAMES = (
    "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "LSUB", 'LIST ""', "GETACL", "SETACL",
    "DELETEACL",
    "MYRIGHTS", "LISTRIGHTS", "GETQUOTA", "GETQUOTAROOT", "NAMESPACE", "SETMETADATA",
    "SETANNOTATION", "GETANNOTATION", "SELECT INBOX", "STATUS INBOX", "APPEND", "SETQUOTA", "XLIST", "SCAN",
)  # fmt: skip
_OTHER_WORDS = (
    "lrs", "+w", "anyone", "hal", "INBOX/a", "a/b", "(/private/comment \"x\")", "(/shared/comment NIL)",
    '"/comment"',
    '("value.priv" "y")', '(/shared/vendor/cmu/cyrus-imapd/expire "3")', "/shared/comment", "(STORAGE 5)",
)  # fmt: skip
_WORDS = (
    "INBOX", "Box", "a", '"a b"', '""', "*", "%", ")", "(", "NIL", "1", "1:*", "2,4", "FLAGS", "+FLAGS",
    "-FLAGS.SILENT",
    "\\Flagged", "kw", "ALL", "UNSEEN", "SUBJECT", "x", "NOT", "OR", "SEEN", "SINCE", "1-Jan-2020",
    '"1-Jan-2020"',
    "ENVELOPE", "BODY", "BODY.PEEK[]", "BODY.PEEK[TEXT]", "BODY.PEEK[1]<0.5>", "RFC822.SIZE",
    "BODYSTRUCTURE", "UID",
    "KEYWORD", "LARGER", "10", "HEADER", "FROM", "CHARSET", "UTF-8", "{3+}\r\nabc", "{9+}\r\nhello you", '"x',
    "FAST", "FULL", "TEXT", "BODY.PEEK[1.MIME]", "BODY.PEEK[HEADER]", "BODY.PEEK[0]", "OLD", "NEW", "RECENT",
    "ON", "BCC",
    "BEFORE", "SMALLER", '"a\\"b"', "(FLAGS)", "(FLAGS UID)", "(\\Seen)", "(\\Deleted)", "(kw kw2)",
    "(MESSAGES)",
    "(COUNT)", "BODY.PEEK[HEADER.FIELDS (Subject)]", "(UID BODY.PEEK[HEADER])", "()", "(CONDSTORE)",
    "QRESYNC", "ANNOTATION",
    '(/comment (value.priv "z"))', "(/comment value)", "MODSEQ", "(CHANGEDSINCE 5)", "(UNCHANGEDSINCE 5)",
    "{3}\r\nabc",
    "\\", "\t", "\xe9", "REVERSE", "EMAILID", "THREADID", "PREVIEW", "FUZZY", "UNDELETED",
    "SAVEDATE",
)  # fmt: skip


def _nonsense(source: random.Random) -> Iterator[Stream]:
    """Commands put together of words at random."""
    for number, delivery in enumerate((AS_IS, CUT, BYTEWISE)):
        stream = Stream(f"nonsense {number}", source, user="hal", delivery=delivery)
        stream.say("CREATE Box")
        stream.say("APPEND INBOX {!}", f"From: a@b\r\nSubject: y{number}\r\n\r\nbody text\r\n".encode())
        stream.say("SELECT INBOX")
        for _ in range(250):
            other = source.random() < 0.4
            names, known = (_OTHER_NAMES, _OTHER_WORDS + _WORDS[:40]) if other else (_NAMES, _WORDS)
            words = source.choices(known, k=source.choice((0, 1, 1, 2, 2, 2, 3, 3, 4)))
            stream.raw(" ".join(["", source.choice(names), *words]).encode("latin-1"))
        yield stream


def _lines(source: random.Random) -> Iterator[Stream]:
    """Lines that are no commands, and good commands gone bad."""
    stream = Stream("lines", source, user=READER)
    for line in (
        b"x", b"", b" ", b"x ", b"x  NOOP", b"* NOOP", b"+ NOOP", b"% NOOP", b"(a) NOOP", b"a(b NOOP",
        b"{1} NOOP", b"\" NOOP",
        b"a\\b NOOP", b"\x01 NOOP", b"\xe9 NOOP", b"a\xe9 NOOP", b"a]b NOOP", b"a NOOP ", b"a NOOP\t",
        b"a\tNOOP", b"a \tNOOP",
        b"a NO OP", b"a noop", b"a nOOp", b"a NOOP\0", b"\0", b"a \"NOOP\"", b"a {4+}\r\nNOOP",
        b"a " + b"X" * 5000,
        b"t" * 2000 + b" NOOP", b"a " + b"\xff" * 50, b"a CHECK", b"a FETCH 1 UID", b"a UID", b"a UID ",
        b"a UID FETCH",
        b"a LOGIN x y", b"a AUTHENTICATE PLAIN", b"a STARTTLS", b"a NETSCAPE", b"a XCONVFETCH",
        b"a XSNIPPETS", b"a 1", b"a \r",
    ):  # fmt: skip
        stream.raw(line)
    yield stream
    for number in range(4):
        stream = begun(f"garbled {number}", source, "hal")
        for _ in range(40):
            text, _ = anything(source, stream.box)
            stream.raw(b" " + garbled(source, text.replace("{}", "word")).encode())
        yield stream


def _torrents(source: random.Random) -> Iterator[Stream]:
    """Many commands at once, and the end of the connection somewhere in them."""
    for number in range(30):
        stream = begun(f"torrent {number}", source, "hal", delivery=source.choice((AS_IS, CUT)), count=8)
        select = b"a SELECT %b\r\n" % stream.box.encode()
        said = []
        for at in range(6):
            text, values = anything(source, stream.box)
            data = text.encode()
            for value in values:
                data = data.replace(b"{}", b"{%d+}\r\n%b" % (len(value), value), 1)
            said.append(b"x%d %b\r\n" % (at, data))
        whole = select + b"".join(said)
        stream.cut_off(whole[: source.randint(len(select), len(whole))], commands=6)
        stream.say("SELECT {}", stream.box.encode())
        stream.say("UID FETCH 1:* (FLAGS MODSEQ)")
        yield stream


def _half_command(heard: Heard) -> bool:
    """The original answers a command that has no end, too, and refuses it."""
    ours = [line for line in heard.ours if line != b"<closed>"]
    original = [line for line in heard.original if line != b"<closed>"]
    return heard.exchange.end == "close" and original[: len(ours)] == ours and len(original) == len(ours) + 1


LINES = Family(
    "lines",
    _lines,
    differences=(Difference("for the original a word ends at NUL", lambda heard: b"\0" in heard.sent),),
)
NONSENSE = Family(
    "nonsense",
    _nonsense,
    differences=(
        Difference(
            "the original takes what is left of a refused SETQUOTA for a command",
            lambda heard: b" SETQUOTA " in heard.sent and heard.ours == heard.original[:1],
        ),
        Difference(
            "the original ends a line of ENABLED that it has not begun",
            lambda heard: b" ENABLE " in heard.sent and heard.original[:1] == [b""],
        ),
    ),
)
TORRENTS = Family(
    "torrents",
    _torrents,
    differences=(Difference("the original answers a command whose end never comes", _half_command),),
)
