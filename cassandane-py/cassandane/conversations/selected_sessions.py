"""What one session is told of the others' work: at once, at the next command, and while it idles."""

from __future__ import annotations

import random
from collections.abc import Iterator

from cassandane.conversations.family import Difference, Family
from cassandane.conversations.selected_changes import anything, begun, expunge, store
from cassandane.conversations.selected_fetch import UNDECODED_TOO, fetch, peeking
from cassandane.conversations.selected_search import search, sort, thread
from cassandane.conversations.stream import AS_IS, CUT, DRESSED, Stream
from cassandane.conversations.words import number_set

_COUNT = 14
_MAIL = b"Subject: new\r\n\r\nnews\r\n"
# what each tells of the others' work, and where
_TELLING = (
    "NOOP", "CHECK", "CAPABILITY", "NAMESPACE", 'LIST "" %', 'LSUB "" *', "GETQUOTAROOT INBOX",
    "MYRIGHTS INBOX",
    "GETACL INBOX", "STATUS INBOX (MESSAGES)", "SEARCH ALL", "UID SEARCH ALL", "SEARCH RETURN (COUNT) ALL",
    "FETCH 1 UID",
    "UID FETCH 1:* FLAGS", "FETCH 1:* FLAGS", "SORT (UID) UTF-8 ALL", "UID SORT (UID) UTF-8 ALL",
    "THREAD REFS UTF-8 ALL",
    r"STORE 1 +FLAGS (\Flagged)", r"UID STORE 1:3 -FLAGS (\Flagged)", "EXPUNGE", "UID EXPUNGE 1:2",
    "SUBSCRIBE INBOX",
    "UNSUBSCRIBE INBOX", "ENABLE CONDSTORE", "ID NIL", "NONSENSE", "NOOP x", "FETCH 1 (",
    "LISTRIGHTS INBOX anyone",
    'GETMETADATA INBOX "/shared/comment"', 'SETMETADATA INBOX (/shared/comment "x")', "COPY * INBOX",
    "UID COPY 1:* INBOX",
    "SETACL INBOX anyone lrs", "CREATE {box}.x", "DELETE {box}.x",

    "UID MOVE 1 {box}/to", "UID FETCH 1:* BODY.PEEK[TEXT]", "FETCH 2:3 BODY[TEXT]", "UID FETCH 5000 FLAGS",
    "IDLE x",
)  # fmt: skip


def _do(source: random.Random, stream: Stream, by: str) -> None:
    text, values = anything(source, stream.box)
    if text.startswith("STATUS"):
        # see EXPUNGES
        text = "NOOP"
    if "COPY" in text or "MOVE" in text:
        # what is expunged and still has a number is copied in vain by the original
        text = f"UID {text.removeprefix('UID ')}"
    if "FETCH" in text:
        # the original also marks what another session expunged as seen
        text = peeking(text)
    if source.random() < 0.15:
        text, values = "APPEND {} {!}", (stream.box.encode(), _MAIL)
    stream.say(text, *values, by=by)


def _two(source: random.Random) -> Iterator[Stream]:
    """Two or three sessions of one user, any of them at any time."""
    for number, delivery in enumerate((AS_IS, DRESSED, CUT, AS_IS)):
        stream = begun(f"together {number}", source, "gus", delivery=delivery)
        names = "ABC"[: 2 + number % 2]
        for name in names:
            if number % 2:
                stream.say(source.choice(("ENABLE CONDSTORE", "ENABLE QRESYNC", "NOOP")), by=name)
            stream.say("SELECT {}", stream.box.encode(), by=name)
        for _ in range(50):
            _do(source, stream, source.choice(names))
        for name in names:
            stream.say("NOOP", by=name)
            stream.say("UID FETCH 1:* FLAGS", by=name)
        yield stream


def _told_by_each(source: random.Random) -> Iterator[Stream]:
    """What each command tells of flags, new messages and expunges by another session."""
    for number, kind in enumerate(("flags", "new", "gone", "all")):
        stream = begun(f"told of {kind}", source, "gus", count=_COUNT if kind == "new" else 30)
        if number % 2:
            stream.say(source.choice(("ENABLE CONDSTORE", "ENABLE QRESYNC")), by="B")
        stream.say("SELECT {}", stream.box.encode(), by="B")
        for at, one in enumerate(_TELLING):
            if kind in ("flags", "all"):
                stream.say(f"UID STORE {20 + at % 10} {source.choice('+-')}FLAGS (k{at % 5})")
            if kind in ("new", "all"):
                stream.say("APPEND {} {!}", stream.box.encode(), _MAIL + str(at).encode())
            if kind in ("gone", "all") and at % 3 == 0:
                stream.say(rf"UID STORE {at // 3 + 2} +FLAGS (\Deleted)")
                stream.say("EXPUNGE")
            stream.raw(b" " + one.format(box=stream.box).encode(), by="B")
        stream.say("NOOP", by="B")
        yield stream
    stream = begun("told by status", source, "gus")
    box = stream.box.encode()
    stream.say("SELECT {}", box, by="B")
    stream.say(r"STORE 1 +FLAGS (\Deleted)")
    stream.say("EXPUNGE")
    stream.say("STATUS {} (MESSAGES UNSEEN RECENT)", box, by="B")
    yield stream


def _shared(source: random.Random) -> Iterator[Stream]:
    """The owner and somebody with some of the rights, who has a seen state of their own."""
    for number, rights in enumerate(("lrs", "lrswite", "lr", "lrsw", "lrsit", "lrste", "l", "rs")):
        stream = begun(f"shared {rights}", source, "gus")
        stream.say(f"SETACL {stream.box} bob {rights}")
        stream.session("B", "bob")
        box = f"Other Users/gus/{stream.box}"
        if number % 2:
            stream.say("ENABLE CONDSTORE", by="B")
        stream.say("SELECT {}", box.encode(), by="B")
        for _ in range(22):
            _do(source, stream, "A")
            roll = source.random()
            if roll < 0.4:
                # replacing takes the owner's \\Seen away in the original
                stream.say(store(source, annotate=False).replace(" FLAGS", " +FLAGS"), by="B")
            elif roll < 0.6:
                stream.say(peeking(fetch(source, _COUNT)), by="B")
            elif roll < 0.7:
                stream.say(expunge(source), by="B")
            elif roll < 0.8:
                text, values = source.choice((search, sort, thread))(source, _COUNT)
                if "MODSEQ" not in text:
                    # numbers of the original's SORT may be UIDs
                    text = f"UID {text.removeprefix('UID ')}"
                    stream.say(text, *values, by="B")
            elif roll < 0.9:
                verb = source.choice(("UID COPY", "UID MOVE"))
                target = source.choice((box, "INBOX", f"{box}/to"))
                stream.say(f"{verb} {number_set(source, _COUNT)} {{}}", target.encode(), by="B")
            else:
                stream.say("APPEND {} {!}", box.encode(), _MAIL, by="B")
        yield stream


def _removed(source: random.Random) -> Iterator[Stream]:
    """A mailbox that goes away, is renamed or made anew while it is selected."""
    for number, deed in enumerate(("DELETE {box}", "RENAME {box} {box}-moved", "SETACL {box} gus lr")):
        stream = begun(f"removed {number}", source, "gus")
        box = stream.box
        stream.say("DELETE {}", f"{box}/to".encode())
        stream.say("SELECT {}", box.encode(), by="B")
        stream.say(deed.format(box=box), by="B" if number == 2 else "A")
        for one in (
            "NOOP",
            "FETCH 1 FLAGS",
            "UID FETCH 1:* UID",
            r"STORE 1 +FLAGS (\Seen)",
            "SEARCH ALL",
            "EXPUNGE",
        ):
            stream.say(one, by="B")
        for one in ("CLOSE", f"SELECT {box}", "NOOP", "FETCH 1 UID"):
            stream.say(one, by="B")
            stream.say("NOOP")
        yield stream


def _idles(source: random.Random) -> Iterator[Stream]:
    """Nobody tells the servers of changes, so each of them is heard of at the next look."""
    for number, events in enumerate((("flags", "new", "gone"), ("flags",), ("gone",))):
        stream = begun(f"idle {number}", source, "gus", count=6)
        box = stream.box.encode()
        stream.say(("NOOP", "ENABLE CONDSTORE", "ENABLE QRESYNC")[number], by="B")
        stream.say("SELECT {}", box, by="B")
        stream.idle(by="B")
        if "flags" in events:
            stream.say("STORE 2 +FLAGS (idle)")
            stream.hear(rb"^\* 2 FETCH", by="B")
        if "new" in events:
            stream.say("APPEND {} {!}", box, _MAIL, by="C")
            stream.hear(rb"^\* \d+ RECENT", by="B")
        if "gone" in events:
            stream.say("SELECT {}", box, by="C")
            stream.say("MOVE 1 INBOX", by="C")
            stream.hear(rb"^\* (1 EXPUNGE|VANISHED 1)", by="B")
        stream.done(by="B")
        stream.say("NOOP", by="B")
        yield stream
    stream = Stream("idle oddly", source, user="gus")
    stream.raw(b" IDLE x")
    stream.raw(b" IDLE ")
    for end in (b"DONE", b"done", b"NOOP", b"DONE x", b"", b"t99 NOOP"):
        stream.idle()
        stream.raw(end)
    stream.say("SELECT INBOX")
    stream.idle()
    stream.cut_off(b"")
    yield stream


LATER = Difference(
    "replication and scripts stored as mailboxes are not offered yet",
    lambda heard: (
        b"CAPABILITY" in heard.sent.upper()
        and [line.replace(b" X-REPLICATION X-SIEVE-MAILBOX", b"") for line in heard.original] == heard.ours
    ),
)

BEHIND = Difference(
    "the original tells news behind its answer to CREATE, we before",
    lambda heard: b" CREATE " in heard.sent and sorted(heard.ours) == sorted(heard.original),
)

EXPUNGES = Difference(
    "later versions of the original tell of expunges at STATUS of the selected mailbox, as we do",
    lambda heard: b" STATUS " in heard.sent and heard.ours[0] == b"* 1 EXPUNGE",
)


def without_expunges(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if not line.endswith(b" EXPUNGE")]


SESSIONS = Family("together", _two, differences=(UNDECODED_TOO,))
TOLD = Family("told", _told_by_each, differences=(LATER, BEHIND, EXPUNGES))
SHARED = Family("shared", _shared, differences=(UNDECODED_TOO,))
REMOVED = Family(
    "removed",
    _removed,
    differences=(
        Difference(
            "the original takes all messages out of a mailbox that is gone where no EXPUNGE may be sent",
            lambda heard: without_expunges(heard.ours) == without_expunges(heard.original),
        ),
    ),
)
IDLE = Family("idle", _idles)
