"""What changes messages or their places: STORE, COPY, MOVE, XMOVE, EXPUNGE, SELECT and CLOSE between them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from cassandane.conversations.corpus import whole
from cassandane.conversations.family import Difference, Family
from cassandane.conversations.selected_fetch import UNDECODED_TOO, fetch
from cassandane.conversations.selected_search import NOTHING_MODSEQ, search
from cassandane.conversations.servers import Heard
from cassandane.conversations.stream import AS_IS, BARE, BYTEWISE, CUT, DRESSED, PIPELINED, Delivery, Stream
from cassandane.conversations.words import (
    KEYWORDS,
    ODD_FLAGS,
    ODD_SETS,
    SYSTEM_FLAGS,
    flags,
    garbled,
    number_set,
    prefix,
    some,
)

_COUNT = 14
# the first have private annotations, which only the original lets others copy; of some a part has no encoding
_PLAIN = [
    number
    for number, text in enumerate(whole(), 1)
    if number > 4 and b"Encoding: x-odd" not in text and b"Subject: no " not in text
]
_ODD_STORES = (
    "1", "1 ", "1 FLAGS", "1 FLAGS ", "1 FLAGS ()", "1 FLAGS (", r"1 FLAGS \Seen", r"1 FLAGS \Seen \Flagged",
    r"1 FLAGS (\Seen", r"1 FLAGS ( \Seen)", r"1 FLAGS (\Seen )", r"1 FLAGS (\Seen  \Flagged)",
    r"1 FLAGS \Seen x (y)",
    r"1 FLAGS (\Seen)x", r"1 FLAGS (\Seen) x", r"1 FLAGS \Seen)", r"1 +FLAGS \Seen", r"1 -FLAGS (\Seen)",
    "1 *FLAGS (x)",
    "1 +FLAG (x)", "1 FLAGS.QUIET (x)", "1 FLAGS.SILENT", r"1 flags.silent (\seen)", "1 ++FLAGS (x)",
    r'1 FLAGS ("\Seen")',
    r"1 FLAGS ((\Seen))", r"1 FLAGS {5+}" "\r\n" r"\Seen", "1 ANNOTATION", "1 ANNOTATION ()",
    "1 ANNOTATION (/comment)",
    "1 ANNOTATION (/comment ())", '1 ANNOTATION (/comment (value "x"))',
    '1 ANNOTATION (/comment (value.priv "x")',
    '1 ANNOTATION (/comment (value.priv "x" value.shared NIL))', "1 ANNOTATION (/comment (value.priv x))",
    '1 ANNOTATION (/comment (value.priv "x") /altsubject (value.shared "y"))',
    '1 ANNOTATION (/nosuch (value.priv "x"))',
    '1 ANNOTATION (comment (value.priv "x"))', '1 ANNOTATION (/comment (size.priv "1"))',
    '1 ANNOTATION /comment',
    '1 ANNOTATION (/comment (value.priv {3+}\r\na\0b))', '1 ANNOTATION (/* (value.priv "x"))',
    '1 FLAGS.ANNOTATION (x)',
    r"1 (UNCHANGEDSINCE) FLAGS (\Seen)", r"1 (UNCHANGEDSINCE x) FLAGS (\Seen)",
    r"1 (UNCHANGEDSINCE 0) +FLAGS (\Seen)",
    r"1 (UNCHANGEDSINCE 1 +FLAGS (\Seen)", r"1 (UNCHANGEDSINCE -1) +FLAGS (\Seen)", r"1 () +FLAGS (\Seen)",
    r"1 (FOO) +FLAGS (\Seen)", r"1 (UNCHANGEDSINCE 1 FOO) +FLAGS (\Seen)",
    r"1 (UNCHANGEDSINCE 1)+FLAGS (\Seen)",
    r"1 (UNCHANGEDSINCE 1) (UNCHANGEDSINCE 2) +FLAGS (\Seen)",
    r"1:* (UNCHANGEDSINCE 18446744073709551615) +FLAGS (y)",
    r"1 (UNCHANGEDSINCE 18446744073709551616) +FLAGS (z)", r"1 +FLAGS (\Seen) (UNCHANGEDSINCE 1)",
    "1 FLAGS NIL",
)  # fmt: skip
_ODD_COPIES = (
    "", "1", "1 ", "1 INBOX x", "1 nosuch", "1 INBOX/nosuch", '1 ""', "1 {0+}\r\n", "1 {6}\r\nnosuch",
    "1 user/none",
    '1 "nos*uch"', "1 %", "1 a//b", "1 &", "1 &bad-", "1 \xe9", '1 "Other Users/ann"', "1:* nosuch",
    "5000 INBOX",
    "5000 nosuch", "x INBOX", "0 INBOX", "1,5000 INBOX", "(1) INBOX", "1 (INBOX)", "1 INBOX)", "1  INBOX",
    '1 "Other Users/ann/nosuch"', '1 "Other Users/nobody"', '1 "Shared Folders/x"', "1 .", "1 ..", "1 /",
    "1 ~/x",
)  # fmt: skip
_SELECTIONS = (
    "", "nosuch", '""', "INBOX x", "INBOX (", "INBOX ()", "INBOX (CONDSTORE", "INBOX (CONDSTORE)",
    "INBOX (condstore)x",
    "INBOX (CONDSTORE CONDSTORE)", "INBOX (ANNOTATE)", "INBOX (ANNOTATE CONDSTORE)", "INBOX (FOO)",
    "INBOX ( CONDSTORE)",
    "INBOX (CONDSTORE )", "INBOX (QRESYNC)", "INBOX (QRESYNC (1 1))", "INBOX CONDSTORE", "INBOX(CONDSTORE)",
    "INBOX (VENDOR.CMU-INCLUDE-EXPUNGED)", "INBOX  (CONDSTORE)", "INBOX (CONDSTORE) ",
    "INBOX (CONDSTORE) (ANNOTATE)",
    "{5+}\r\nINBOX", "{5}\r\nINBOX", "inbox", "Inbox", '"INBOX"', "INBOX/", "/INBOX", "INBOX/x", "user/bob",
    "*", "%", "&",
    "&-", "&AOk-", "\xe9", "a\\", '"a\\"', '"Other Users/ann"', '"Other Users/ann/Letters"', '"Other Users"',
    "NIL",
    "Other", "DELETED/user/x", '"Shared Folders"', "INBOX@example.org",
)  # fmt: skip
_RESYNC_ODD = (
    "(QRESYNC)", "(QRESYNC ())", "(QRESYNC 1 1)", "(QRESYNC (1))", "(QRESYNC (1 ))", "(QRESYNC (0 1))",
    "(QRESYNC (x 1))",
    "(QRESYNC (1 x))", "(QRESYNC (1 1 x))", "(QRESYNC (1 1 1:*))", "(QRESYNC (1 1 *))",
    "(QRESYNC (1 1 (1 1)))",
    "(QRESYNC (1 1 1:5 (1:2 1:2)))", "(QRESYNC (1 1 1:5 (1:2)))", "(QRESYNC (1 1 1:5 (1:2 x)))",
    "(QRESYNC (1 1) CONDSTORE)",
    "(QRESYNC (1 1)", "(QRESYNC (1 1 ))", "(CONDSTORE QRESYNC (1 1))", "(QRESYNC (4294967296 1))",
    "(QRESYNC (1 0))",
    "(QRESYNC (1 1 1,2,3,2:1))", "(QRESYNC (1 1 1:5 (1:2 1:2) 3))", "(QRESYNC(1 1))", "(QRESYNC (1  1))",
    "(qresync (1 1))",
)  # fmt: skip


def begun(
    name: str, source: random.Random, user: str, *, delivery: Delivery = AS_IS, count: int = _COUNT
) -> Stream:
    """A stream that has a mailbox of its own selected, with copies of some of READER's mail."""
    stream = Stream(name, source, user=user, delivery=delivery)
    box = name.replace(" ", "-").encode() + b"." + delivery.name.replace(" ", "-").encode()
    stream.box = box.decode()
    stream.say("CREATE {}", box)
    stream.say("CREATE {}", box + b"/to")
    stream.say('EXAMINE "Other Users/ann"')
    uids = sorted(source.sample(_PLAIN, count))
    stream.say(f"UID COPY {','.join(map(str, uids))} {{}}", box)
    stream.say("SELECT {}", box)
    return stream


def store(source: random.Random, count: int = _COUNT, *, annotate: bool = True, silent: bool = False) -> str:
    operation = source.choice(("+FLAGS", "-FLAGS", "FLAGS", "+FLAGS", "-FLAGS")) + source.choice(
        ("", "", ".SILENT" if silent else "")
    )
    text = flags(source)
    wanted = f"({text})" if source.random() < 0.8 or not text else text
    if annotate and source.random() < 0.15:
        operation, wanted = "ANNOTATION", f'(/comment (value.priv "{source.randint(1, 9)}" value.shared NIL))'
    modifier = f" (UNCHANGEDSINCE {source.randint(1, 60)})" if source.random() < 0.15 else ""
    return f"{prefix(source)}STORE {number_set(source, count)}{modifier} {operation} {wanted}"


def copy(source: random.Random, box: str, count: int = _COUNT) -> str:
    verb = source.choice(("COPY", "COPY", "MOVE", "XMOVE"))
    low = source.randint(1, count)
    target = source.choice((f"{box}/to", f"{box}/to", box, f"{box}/none", "INBOX"))
    return f"{prefix(source)}{verb} {low}:{low + source.randint(0, 3)} {target}"


def expunge(source: random.Random, count: int = _COUNT) -> str:
    low = source.randint(1, count)
    return source.choice(("EXPUNGE", f"UID EXPUNGE {low}:{low + 9}", f"UID EXPUNGE {low},1"))


def anything(source: random.Random, box: str) -> tuple[str, tuple[bytes, ...]]:
    """A command that makes sense on a stream's own mailbox."""
    match source.choices(range(7), (6, 4, 8, 3, 3, 2, 1))[0]:
        case 0:
            return fetch(source, _COUNT), ()
        case 1:
            while True:
                text, values = search(source, _COUNT)
                # see NOTHING_MODSEQ
                if "MODSEQ" not in text:
                    return text, values
        case 2:
            return store(source, annotate=False), ()
        case 3:
            return copy(source, box), ()
        case 4:
            return expunge(source), ()
        case 5:
            items = "MESSAGES RECENT UNSEEN UIDNEXT SIZE HIGHESTMODSEQ CREATEDMODSEQ".split()
            return source.choice(("NOOP", "CHECK", f"STATUS {box} ({' '.join(some(source, items, 5))})")), ()
        case _:
            return source.choice(
                (f"SELECT {box}", f"EXAMINE {box}/to", f"SELECT {box}", "UNSELECT", "CLOSE")
            ), ()


def _stores(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, DRESSED, CUT, PIPELINED, BYTEWISE, BARE)):
        stream = begun(f"store {number}", source, "bob", delivery=delivery)
        if number % 3 == 2:
            stream.say("ENABLE CONDSTORE")
        for _ in range(25):
            stream.say(store(source, silent=True))
        stream.say("UID FETCH 1:* (FLAGS MODSEQ)")
        yield stream
    stream = begun("store each", source, "bob")
    for flag in (*SYSTEM_FLAGS, *KEYWORDS):
        for operation in ("FLAGS", "FLAGS.SILENT", "+FLAGS", "+FLAGS.SILENT", "-FLAGS", "-FLAGS.SILENT"):
            stream.say(f"{prefix(source)}STORE {number_set(source, _COUNT)} {operation} ({flag})")
    yield stream
    stream = begun("store odd", source, "bob")
    for one in _ODD_STORES:
        stream.raw(f" {prefix(source)}STORE {one}".encode("latin-1"))
    for flag in ODD_FLAGS:
        stream.raw(f" STORE 1 +FLAGS ({flag})".encode("latin-1"))
        stream.raw(f" STORE 2 FLAGS {flag}".encode("latin-1"))
    for numbers in ODD_SETS:
        stream.raw(f" {prefix(source)}STORE {numbers} +FLAGS (odd)".encode())
    for _ in range(30):
        stream.raw(b" " + garbled(source, store(source)).encode())
    stream.say("UID FETCH 1:* (FLAGS MODSEQ)")
    yield stream
    stream = begun("store readonly", source, "bob")
    stream.say(r"STORE 1:2 +FLAGS (\Deleted)")
    stream.say("EXAMINE {}", stream.box.encode())
    stream.say("STORE 1:2 FLAGS ()")
    for _ in range(6):
        stream.say(store(source, annotate=False))
    for verb in ("EXPUNGE", "UID EXPUNGE 1:5", f"MOVE 1 {stream.box}/to", f"COPY 1 {stream.box}/to", "CLOSE"):
        stream.say(verb)
    yield stream
    stream = begun("annotate readonly", source, "bob")
    stream.say("EXAMINE {}", stream.box.encode())
    stream.say('STORE 1 ANNOTATION (/comment (value.priv "x"))')
    yield stream


def _too_many_flags(source: random.Random) -> Iterator[Stream]:
    stream = begun("flags", source, "bob", delivery=AS_IS)
    for start in range(0, 80, 20):
        stream.say(f"STORE 1 +FLAGS ({' '.join(f'k{number}' for number in range(start, start + 20))})")
    for number in range(80, 100):
        stream.say(f"STORE {number % 7 + 1} +FLAGS (k{number})")
    stream.say("STORE 2 FLAGS (k1 k12)")
    stream.say("APPEND {} (k1 k2 yet.another) {!}", stream.box.encode(), b"Subject: x\r\n\r\nx\r\n")
    stream.say("SEARCH KEYWORD k75")
    stream.say("STORE 1:2 FLAGS (yet.another)")
    yield stream


def _copies(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, DRESSED, CUT, PIPELINED, BARE)):
        stream = begun(f"copy {number}", source, "cid", delivery=delivery)
        for _ in range(15):
            stream.say(copy(source, stream.box))
            if source.random() < 0.3:
                stream.say(store(source))
            if source.random() < 0.3:
                stream.say(expunge(source))
        stream.say("UID FETCH 1:* (FLAGS MODSEQ)")
        for box in (stream.box, f"{stream.box}/to"):
            stream.say("STATUS {} (XCONVEXISTS XCONVUNSEEN XCONVMODSEQ MESSAGES RECENT)", box.encode())
            stream.say("STATUS {} (UIDNEXT UIDVALIDITY UNSEEN SIZE)", box.encode())
            # beside others the original's may be garbage
            stream.say("STATUS {} (MAILBOXID)", box.encode())
            stream.say("STATUS {} (HIGHESTMODSEQ CREATEDMODSEQ)", box.encode())
        stream.say(f"SELECT {stream.box}/to")
        stream.say("UID FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE EMAILID ANNOTATION (/comment value))")
        yield stream
    stream = begun("copy odd", source, "cid")
    for one in _ODD_COPIES:
        stream.raw(f" {prefix(source)}{source.choice(('COPY', 'MOVE', 'XMOVE'))} {one}".encode("latin-1"))
    for numbers in ODD_SETS:
        stream.raw(f" {prefix(source)}COPY {numbers} {stream.box}/to".encode())
    for _ in range(20):
        stream.raw(b" " + garbled(source, copy(source, stream.box)).encode())
    yield stream


def _expunges(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, DRESSED, PIPELINED)):
        stream = begun(f"expunge {number}", source, "cid", delivery=delivery)
        stream.say(("NOOP", "ENABLE QRESYNC", "ENABLE CONDSTORE")[number])
        for _ in range(10):
            stream.say(rf"STORE {number_set(source, _COUNT)} +FLAGS (\Deleted)")
            stream.say(expunge(source))
        stream.say("SEARCH ALL")
        yield stream
    stream = begun("expunge before sort", source, "cid")
    stream.say(r"STORE 1:3 +FLAGS (\Deleted)")
    stream.say("UID EXPUNGE 1:3")
    for options in ("MIN", "MAX", "ALL", "COUNT", "MIN MAX COUNT"):
        stream.say(f"SORT RETURN ({options}) (REVERSE UID) UTF-8 ALL")
        stream.say(f"UID SORT RETURN ({options}) (REVERSE UID) UTF-8 ALL")
    yield stream
    stream = begun("expunge odd", source, "cid")
    stream.say(r"STORE 1:3 +FLAGS (\Deleted)")
    for one in (
        "EXPUNGE x",
        "EXPUNGE 1",
        "EXPUNGE ",
        "UID EXPUNGE",
        "UID EXPUNGE ",
        "UID EXPUNGE x",
        "UID EXPUNGE 1 2",
    ):
        stream.raw(f" {one}".encode())
    for numbers in ODD_SETS:
        stream.raw(f" UID EXPUNGE {numbers}".encode())
    yield stream
    for verb in ("CLOSE", "UNSELECT", "SELECT INBOX", "EXAMINE INBOX", "SELECT nosuch", "LOGOUT"):
        stream = begun(f"leave {verb.split()[0]}{len(verb)}", source, "cid")
        stream.say(r"STORE 2:4 +FLAGS (\Deleted)")
        stream.say(verb)
        if verb != "LOGOUT":
            for again in ("CLOSE", "UNSELECT", "CHECK", "FETCH 1 UID", "CLOSE x", "UNSELECT x"):
                stream.say(again)
            stream.say(f"SELECT {stream.box}")
            stream.say("UID SEARCH ALL")
        yield stream


def _selects(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, PIPELINED)):
        stream = Stream(f"select {number}", source, user="dan", delivery=delivery)
        if number:
            stream.say("ENABLE QRESYNC")
        for one in _SELECTIONS:
            verb = source.choice(("SELECT", "EXAMINE"))
            stream.raw(f" {verb} {one}".encode("latin-1"))
            if source.random() < 0.2:
                stream.say(source.choice(("CHECK", "NOOP", "CLOSE", "UNSELECT", "FETCH 1 UID", "EXPUNGE")))
        yield stream
    stream = Stream("select up to NUL", source, user="dan")
    stream.raw(b" SELECT INBOX\0")
    yield stream
    stream = Stream("select another's", source, user="dan")
    for box in ("Other Users/ann", "Other Users/ann/Letters", "Other Users/ann/Threads", "INBOX"):
        stream.say(f'SELECT "{box}"')
        for one in (
            "FETCH 1 BODY[]",
            r"STORE 1 +FLAGS (\Seen)",
            r"STORE 1 +FLAGS (\Flagged)",
            "EXPUNGE",
            "SEARCH SEEN",
        ):
            stream.say(one)
    yield stream


def _expunged(source: random.Random) -> Iterator[Stream]:
    """Reading what is expunged and not yet removed."""
    stream = begun("select expunged", source, "dan")
    stream.say("STORE 1:* -FLAGS (\\Deleted)")
    stream.say("STORE 2:4,9 +FLAGS (\\Deleted)")
    stream.say("EXPUNGE")
    stream.say("EXAMINE {} (VENDOR.CMU-INCLUDE-EXPUNGED)", stream.box.encode())
    for one in (
        "FETCH 1:* (UID FLAGS RFC822.SIZE)",
        "SEARCH ALL",
        "UID SEARCH DELETED",
        "FETCH 2 BODY.PEEK[]",
        "NOOP",
    ):
        stream.say(one)
    stream.say(f"UID COPY 3 {stream.box}/to")
    stream.say(f"STATUS {stream.box}/to (MESSAGES)")
    yield stream


def _resyncs(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, DRESSED, PIPELINED)):
        stream = begun(f"resync {number}", source, "dan", delivery=delivery)
        stream.say("STATUS {} (UIDVALIDITY HIGHESTMODSEQ)", stream.box.encode())
        stream.say(
            source.choice(("ENABLE QRESYNC", "ENABLE CONDSTORE QRESYNC", "ENABLE QRESYNC CONDSTORE FOO"))
        )
        for _ in range(5):
            stream.say(store(source))
            stream.say(rf"STORE {number_set(source, _COUNT)} +FLAGS (\Deleted)")
            stream.say(expunge(source))
            since = source.randint(1, 60)
            stream.say(f"UID FETCH {number_set(source, _COUNT)} (FLAGS) (CHANGEDSINCE {since} VANISHED)")
            stream.say(f"UID FETCH 1:* FLAGS (VANISHED CHANGEDSINCE {source.randint(1, 60)})")
            stream.say(f"SEARCH MODSEQ {source.randint(1, 60)}")
            stream.say(f"SEARCH RETURN (MIN MAX ALL COUNT) MODSEQ {source.randint(1, 60)}")
            stream.say(f"SORT (MODSEQ) UTF-8 MODSEQ {source.randint(1, 60)}")
        for one in _RESYNC_ODD:
            stream.raw(f" {source.choice(('SELECT', 'EXAMINE'))} {stream.box} {one}".encode())
        yield stream


def _mixtures(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, DRESSED, CUT, PIPELINED, BYTEWISE, BARE)):
        stream = begun(f"mixture {number}", source, "eve", delivery=delivery)
        if number % 2:
            stream.say(source.choice(("ENABLE CONDSTORE", "ENABLE QRESYNC")))
        for _ in range(40):
            text, values = anything(source, stream.box)
            stream.say(text, *values)
        stream.say(f"SELECT {stream.box}")
        stream.say("UID FETCH 1:* (FLAGS MODSEQ RFC822.SIZE)")
        yield stream


def _told_for_nothing(heard: Heard) -> bool:
    silent = re.search(rb"\.SILENT\b", heard.sent, re.IGNORECASE) is not None
    return silent and without_fetches(heard.ours) == without_fetches(heard.original)


def without_vanished(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if not line.startswith(b"* VANISHED (EARLIER) ")]


def without_fetches(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if not re.match(rb"\* \d+ FETCH \(FLAGS ", line)]


NOT_SILENT = Difference("the original tells new flags even if it is asked to be silent", _told_for_nothing)
NOT_BEHIND = Difference(
    "for the original * is the last UID in use even of what vanished, so a client never hears of the end",
    lambda heard: (
        re.search(rb"\*.*VANISHED", heard.sent, re.IGNORECASE) is not None
        and without_vanished(heard.ours) == without_vanished(heard.original)
    ),
)

STORE = Family(
    "store",
    _stores,
    differences=(
        NOT_SILENT,
        Difference(
            "in a mailbox open for reading the original fails to take \\Deleted away where we refuse it",
            lambda heard: heard.original[-1].endswith(b" NO Internal Error") and b"FLAGS" in heard.sent,
        ),
        Difference(
            "the original's process dies of annotations in a mailbox open for reading",
            lambda heard: heard.original[-1] == b"<closed>" and b"ANNOTATION" in heard.sent,
        ),
    ),
)
FLAGS = Family("many-flags", _too_many_flags)
COPY = Family("copy", _copies)
EXPUNGE = Family(
    "expunge",
    _expunges,
    differences=(
        Difference(
            "the original tells the lowest and highest UIDs of a SORT where message numbers were asked for",
            lambda heard: re.search(rb"\d SORT RETURN \(M", heard.sent) is not None,
        ),
    ),
)
SELECT = Family("select", _selects)
EXPUNGED = Family("select-expunged", _expunged)
RESYNC = Family("resync", _resyncs, differences=(NOTHING_MODSEQ, NOT_BEHIND))
MIXTURE = Family("mixture", _mixtures, differences=(UNDECODED_TOO,))
