"""FETCH of everything: items, sections, partials, macros, modifiers, and how not to ask for them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import replace

from cassandane.conversations.corpus import READER, whole
from cassandane.conversations.family import Difference, Family
from cassandane.conversations.stream import AS_IS, BARE, BYTEWISE, CUT, DRESSED, PIPELINED, Stream
from cassandane.conversations.words import ODD_SETS, garbled, number_set, prefix

_COUNT = len(whole())

ITEMS = (
    "FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODYSTRUCTURE", "BODY", "MODSEQ", "RFC822",
    "RFC822.HEADER", "RFC822.TEXT", "RFC822.PEEK", "RFC822.TEXT.PEEK", "RFC822.HEADER.LINES (From Subject)",
    "RFC822.HEADER.LINES.NOT (Received To)", "EMAILID", "THREADID", "PREVIEW", "PREVIEW (LAZY)", "SAVEDATE",
    "DIGEST.SHA1", "RFC822.SHA1", "RFC822.FILESIZE", "CID", "BASECID", "CREATEDMODSEQ", "LASTUPDATED",
    "FOLDER",
    "MAILBOXES", "MAILBOXIDS", "UIDVALIDITY",
)  # fmt: skip
_ANNOTATIONS = (
    "ANNOTATION (/comment value.priv)", "ANNOTATION (/comment (value.priv value.shared))",
    'ANNOTATION ((/comment /altsubject) ("value.priv" size.shared))', "ANNOTATION (/* value)",
    "ANNOTATION (% (value size))", "ANNOTATION (/1.2/comment value.shared)", "ANNOTATION (/1/* value)",
)  # fmt: skip
_FIELDS = (
    "(From To Subject)", "(References)", "(Date)", "(From)", "(received)", "(X-NONE)", "(FROM FROM)",
    '("Subject" "X-Info")', "(Content-Type)", "(X-Two Bcc)",
    "(subject date message-id references in-reply-to)",
)  # fmt: skip
_PATHS = (
    "",
    "1",
    "2",
    "3",
    "1.1",
    "1.2",
    "2.1",
    "2.2",
    "1.1.2",
    "2.1.1",
    "9",
    "1.9",
    "0",
    "1.0",
    "2.1.2.1.2",
)
_PARTIALS = (
    "",
    "",
    "",
    "<0.10>",
    "<5.40>",
    "<100000.5>",
    "<0.4294967295>",
    "<4294967295.1>",
    "<1.1>",
    "<300.700>",
)
_ODD_ITEMS = (
    "BODY[", "BODY[]x", "BODY[]<", "BODY[]<0>", "BODY[]<0.0>", "BODY[]<a.b>", "BODY[]<1.2", "BODY[]<1.2>x",
    "BODY[]<1.2.3>", "BODY[]<-1.2>", "BODY[]<4294967296.1>", "BODY[]<99999999999999999999.1>", "BODY[1.]",
    "BODY[.1]", "BODY[1..2]", "BODY[TEXT.1]", "BODY[1.TEXT.MIME]", "BODY[MIME]", "BODY[HEADER.FIELDS]",
    "BODY[HEADER.FIELDS ()]", "BODY[HEADER.FIELDS (From]", "BODY[HEADER.FIELDS From]",
    "BODY[HEADER.FIELDS(From)]",
    "BODY[HEADER.FIELDS (a:b)]", "BODY[HEADER.FIELDS (\"\")]", "BODY[HEADER.FIELDS (From)",
    "BODY[HEADER.FIELDSX (a)]",
    "BODY[HEADER.FIELDS.NOT ()]", "BODY[1.HEADER.FIELDS (From) ]", "BODY[01]", "BODY[99999999999]",
    "BODY[1 ]",
    "BODY[ 1]", "BODY[text]", "BODY.PEEK", "BODY.PEEK []", "BODY.PEEK[]]", "BODYX", "BODY.STRUCTURE",
    "RFC822.",
    "RFC822.SIZE.X", "RFC822.HEADER.LINES", "RFC822.HEADER.LINES ()", "RFC822.HEADER.LINES (a",
    "RFC822.HEADER.LINES x",
    "ANNOTATION", "ANNOTATION ()", "ANNOTATION (/comment)", "ANNOTATION (/comment value.x)",
    "ANNOTATION (/x value)",
    "ANNOTATION (/comment value", "ANNOTATION (comment value)", "PREVIEW (EAGER)", "PREVIEW (", "PREVIEW ()",
    "PREVIEW (LAZY LAZY)", "PREVIEW(LAZY)", "(ALL)", "(FULL UID)", "(FAST)", "ALL FAST", "()", "( FLAGS)",
    "(FLAGS )",
    "(FLAGS", "FLAGS)", "(FLAGS  UID)", "((FLAGS))", "FLAGS UID", "NOTHING", "BINARY", "BINARY[TEXT]",
    "BINARY.SIZE[1]<0.1>",
    "BINARY[0]", "BINARY[1..2]", "BINARY[1.]", "BINARY[", "BINARY.PEEK[1]<1>", "BINARY.SIZE[99999999999]",
    "XCONV", "",
    "FLAGS ()", "FLAGS (CHANGEDSINCE)", "FLAGS (CHANGEDSINCE x)", "FLAGS (CHANGEDSINCE 0)",
    "FLAGS (CHANGEDSINCE -1)",
    "FLAGS (CHANGEDSINCE 1", "FLAGS (CHANGEDSINCE 1 )", "FLAGS (CHANGEDSINCE 99999999999999999999999)",
    "FLAGS (VANISHED)",
    "FLAGS (CHANGEDSINCE 1 VANISHED)", "FLAGS (FOO)", "FLAGS (CHANGEDSINCE 1)x",
    "FLAGS (CHANGEDSINCE 1) (VANISHED)",
    "FLAGS (CHANGEDSINCE 1 CHANGEDSINCE 5)", "FLAGS(CHANGEDSINCE 1)", "FLAGS (changedsince 1)",
)  # fmt: skip


def section(source: random.Random) -> str:
    """What stands in BODY's brackets and behind them."""
    path = source.choice(_PATHS)
    texts = [
        "HEADER",
        "TEXT",
        f"HEADER.FIELDS {source.choice(_FIELDS)}",
        f"HEADER.FIELDS.NOT {source.choice(_FIELDS)}",
    ]
    text = source.choice([*texts, "MIME"] if path else texts) if source.random() < 0.5 else ""
    return f"[{'.'.join(filter(None, (path, text)))}]{source.choice(_PARTIALS)}"


def item(source: random.Random) -> str:
    roll = source.random()
    if roll < 0.45:
        return source.choice(ITEMS)
    if roll < 0.5:
        return source.choice(_ANNOTATIONS)
    if roll < 0.65:
        verb = source.choice(("BINARY", "BINARY.PEEK", "BINARY.SIZE"))
        path = source.choice([path for path in _PATHS if "0" not in path])
        return f"{verb}[{path}]{source.choice(_PARTIALS) if verb != 'BINARY.SIZE' else ''}"
    return source.choice(("BODY", "BODY.PEEK", "BODY.PEEK", "BODY.PEEK")) + section(source)


def fetch(source: random.Random, count: int = _COUNT) -> str:
    wanted = [item(source) for _ in range(source.randint(1, 4))]
    items = wanted[0] if len(wanted) == 1 and source.random() < 0.5 else f"({' '.join(wanted)})"
    if source.random() < 0.06:
        items = source.choice(("ALL", "FAST", "FULL"))
    if source.random() < 0.1:
        items = peeking(items) + f" (CHANGEDSINCE {source.randint(1, 130)})"
    return f"{prefix(source)}FETCH {number_set(source, count)} {items}"


def peeking(items: str) -> str:
    """The items in forms that do not mark messages as seen."""
    items = re.sub(r"\b(BODY|BINARY)\[", r"\1.PEEK[", items)
    return re.sub(r"\bRFC822(\.TEXT)?(?=[ )]|$)", r"RFC822\1.PEEK", items)


def _each_item(source: random.Random) -> Iterator[Stream]:
    """Every item by itself on every message, and every part of what is nested."""
    for delivery in (AS_IS, DRESSED):
        stream = Stream("each item", source, user=READER, delivery=delivery)
        stream.say("EXAMINE INBOX")
        for one in (*ITEMS, "ALL", "FAST", "FULL", *_ANNOTATIONS):
            stream.say(f"FETCH 1:* {one}")
        for path in _PATHS[1:]:
            stream.say(f"FETCH 1:* (BODY.PEEK[{path}] BODY.PEEK[{path}.MIME] BODY.PEEK[{path}.HEADER])")
            stream.say(f"FETCH 1:* (BODY.PEEK[{path}.TEXT] BODY[{path}.HEADER.FIELDS (Subject)])")
        for path in ("", "1", "2", "1.1", "2.1", "3", "2.2"):
            for verb in ("BINARY", "BINARY.PEEK", "BINARY.SIZE"):
                for number in range(1, _COUNT + 1, 3 if delivery is AS_IS else 20):
                    stream.say(f"FETCH {number} {verb}[{path}]")
        yield stream


def _any_items(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, DRESSED, CUT, PIPELINED, BYTEWISE, BARE)):
        stream = Stream(f"items {number}", source, user=READER, delivery=delivery)
        stream.say(source.choice(("ENABLE QRESYNC", "ENABLE CONDSTORE", "NOOP")))
        stream.say("EXAMINE INBOX")
        for _ in range(20):
            stream.say(fetch(source))
        yield stream


def _letters(source: random.Random) -> Iterator[Stream]:
    stream = Stream("letters", source, user=READER)
    stream.say("EXAMINE Letters")
    for one in ("BODYSTRUCTURE", "ENVELOPE", "PREVIEW", "BINARY.PEEK[1]", "BINARY.SIZE[1]", "RFC822.PEEK"):
        stream.say(f"FETCH 1:* {one}")
    yield stream


def _odd_items(source: random.Random) -> Iterator[Stream]:
    for delivery in (AS_IS, PIPELINED):
        stream = Stream("odd items", source, user=READER, delivery=delivery)
        stream.say("SELECT INBOX")
        for one in _ODD_ITEMS:
            if source.random() < 0.7 or delivery is AS_IS:
                stream.say(f"{prefix(source)}FETCH {source.randint(1, 9)} {one}")
        yield stream
    stream = Stream("odd sets", source, user=READER)
    stream.say("EXAMINE INBOX")
    for numbers in ODD_SETS:
        stream.raw(f" FETCH {numbers} UID".encode())
        stream.raw(f" UID FETCH {numbers} FLAGS".encode())
    yield stream
    for number in range(3):
        stream = Stream(f"garbled {number}", source, user=READER)
        stream.say("EXAMINE INBOX")
        for _ in range(20):
            stream.raw(b" " + garbled(source, fetch(source)).encode())
        yield stream


UNDECODED = Difference(
    "of what cannot be decoded the original speaks of no code, and goes on if the next part can be",
    lambda heard: (
        b"BINARY" in heard.sent.upper() and any(b" NO [UNKNOWN-CTE] " in line for line in heard.ours)
    ),
)
UNDECODED_TOO = replace(UNDECODED, elsewhere=True)

FETCH = Family(
    "fetch",
    lambda source: (one for make in (_any_items, _letters) for one in make(source)),
    differences=(UNDECODED_TOO,),
)
FETCH_ITEMS = Family("fetch-items", _each_item, differences=(UNDECODED,))
FETCH_ODD = Family(
    "fetch-odd",
    _odd_items,
    differences=(
        UNDECODED_TOO,
        Difference(
            "the original takes the start of a partial modulo 4294967296, for us that is behind any end",
            lambda heard: re.search(rb"<(4294967296|9{20})\.", heard.sent) is not None,
        ),
    ),
)
