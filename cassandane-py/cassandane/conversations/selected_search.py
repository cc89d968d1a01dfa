"""SEARCH, SORT and THREAD: every key, option and algorithm, alone and in each other, right and wrong."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from cassandane.conversations.corpus import READER, TEXTS, whole
from cassandane.conversations.family import Difference, Family
from cassandane.conversations.servers import Heard
from cassandane.conversations.stream import AS_IS, BARE, BYTEWISE, CUT, DRESSED, PIPELINED, Stream
from cassandane.conversations.words import KEYWORDS, ODD_FLAGS, ODD_SETS, garbled, number_set, prefix, some

_COUNT = len(whole())
_Key = tuple[str, tuple[bytes, ...]]

_FLAG_KEYS = (
    "ALL", "ANSWERED", "DELETED", "DRAFT", "FLAGGED", "SEEN", "UNANSWERED", "UNDELETED", "UNDRAFT",
    "UNFLAGGED",
    "UNSEEN", "NEW", "OLD", "RECENT", "SAVEDATESUPPORTED", "CONVREAD", "CONVSEEN", "CONVUNREAD", "CONVUNSEEN",
)  # fmt: skip
_TEXT_KEYS = (
    "FROM", "TO", "CC", "BCC", "SUBJECT", "BODY", "TEXT", "HEADER References", "HEADER From",
    "HEADER Content-Type",
    "HEADER X-Two", "HEADER Message-ID", "DELIVEREDTO", "XCONTENTTYPE", "XATTACHMENTBODY",
)  # fmt: skip
_WORDS = (
    "alice", "example.org", "budget", "rger", "bob b", "", "plain", "xyzzy", "a", "Re: plan", "café", "CAFE",
    "one",
    "dev.example.org", "text", "html", "pdf", "report", "p.png", "lorem  ipsum", "hidden", '"', "\\",
    "from: one",
    "Grüße", "Привет", "日本", "中文", "한국", "ελλ", "œ", "%", "*", "a\tb",
)  # fmt: skip
_DATE_KEYS = (
    "BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE", "SAVEDBEFORE", "SAVEDON", "SAVEDSINCE",
)  # fmt: skip
_OPTIONS = ("MIN", "MAX", "ALL", "COUNT", "RELEVANCY")
_CHARSETS = ("utf-8", "us-ascii", "iso-8859-1", "UTF-7", "koi8-r", "shift_jis")

_SORT_KEYS = (
    "ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO", "MODSEQ", "UID",
    "FOLDER",
    "RELEVANCY", "HASFLAG $X", r"HASFLAG \Seen", "SPAMSCORE", "ANNOTATION /comment value.priv",
    "ANNOTATION /comment value.shared",
)  # fmt: skip
# the original's process dies of these; of XLISTID with a value it dies or hangs
_FATAL_SEARCHES = ("CONVMODSEQ 5", "XATTACHMENTNAME pdf", 'XATTACHMENTNAME ""')
_FATAL_SORTS = ("CONVMODSEQ", "CONVEXISTS", "CONVSIZE", "HASCONVFLAG $X", r"HASCONVFLAG \Draft")
_ALGORITHMS = ("ORDEREDSUBJECT", "REFERENCES", "REFS")

_ODD_SEARCHES = (
    "", "FOO", "RETURN", "RETURN (MIN", "RETURN (FOO) ALL", "RETURN () ALL", "RETURN () ", "RETURN ()",
    "RETURN ( MIN) ALL", "RETURN (MIN ) ALL", "RETURN(MIN) ALL", "RETURN (PARTIAL 1:2) ALL",
    "RETURN (SAVE) ALL",
    "RETURN (MIN MIN) ALL", "RETURN MIN ALL", "RETURN (COUNT) RETURN (MIN) ALL", "CHARSET", "CHARSET utf-8",
    "CHARSET nosuch ALL", 'CHARSET "utf-8" ALL', "CHARSET utf-8 RETURN (MIN) ALL",
    "CHARSET {5+}\r\nutf-8 ALL",
    "RETURN (MIN) CHARSET utf-8 ALL", "ALL CHARSET utf-8", "ALL RETURN (MIN)", "(CHARSET utf-8 ALL)",
    "(RETURN (MIN) ALL)", "NOT", "NOT ", "NOT FOO", "NOT NOT ALL", "OR SEEN", "OR SEEN ", "OR (SEEN)", "OR",
    "OR OR 1 2 3", "()", "(SEEN", "(SEEN UNSEEN", "(SEEN)) ", "(SEEN ) ", "SEEN)", "SEEN  UNSEEN", "UID 0",
    "UID",
    "UID x", "UID 9999999999:*", "UID 1,", "KEYWORD", "KEYWORD ", "KEYWORD \\Seen", "KEYWORD a(b",
    'KEYWORD "x"',
    "UNKEYWORD", "UNKEYWORD \\", "LARGER", "LARGER x", "LARGER -1", "LARGER 0", "LARGER 500x",
    "LARGER 4294967296",
    "SMALLER 99999999999", "BEFORE", "BEFORE x", 'BEFORE "1-Jan-2000', "BEFORE 1-Jan-200",
    "BEFORE 1-Jan-1800",
    "SINCE 1-Foo-2000", "SINCE 01-Jan-2026x", "SINCE 31-Feb-2015", "SINCE 99-Jan-2015", "SINCE 0-Mar-2015",
    "BEFORE 1-mAR-99", 'ON " 1-Mar-2015"', 'ON "1-Mar-2015 10:00:00 +0000"', "FROM", "FROM ", "FROM (x",
    "HEADER",
    "HEADER x", "HEADER x ", 'HEADER "" ""', 'HEADER "a b" c', "HEADER a:b c", "BODY", "TEXT", "SUBJECT )",
    "XFOO",
    "CC (", "OLDER", "OLDER -1", "OLDER 0", "OLDER x", "OLDER 99999999999999999999", "YOUNGER 4294967296",
    "MODSEQ",
    "MODSEQ x", 'MODSEQ "/flags/\\\\Seen" all 5', 'MODSEQ "/flags/\\\\Seen" x 5', 'MODSEQ "/flags" 5',
    "MODSEQ 0",
    "MODSEQ 5 MODSEQ 6", "MODSEQ -5", "EMAILID", "EMAILID x", "EMAILID M12", "THREADID", "THREADID NIL",
    "THREADID T",
    "CID", "CID x", "CID 0", "CONVFLAG", "CONVFLAG \\Seen", "CONVFLAG (x", "CONVMODSEQ x", "FOLDER",
    "FOLDER INBOX", "FOLDER nosuch", "SPAMABOVE", "SPAMABOVE x", "SPAMABOVE 5", "SPAMABOVE 5.5",
    "SPAMBELOW -1",
    "SPAMBELOW 5.5x", "FUZZY", "FUZZY FUZZY ALL", "FUZZY (ALL", "ANNOTATION", "ANNOTATION /comment",
    "ANNOTATION /comment value x", "ANNOTATION /comment value.priv", "ANNOTATION /comment value.x y",
    "ANNOTATION /comment size.priv 4", "ANNOTATION /nosuch value x", "ANNOTATION * value NIL", "SAVEDON x",
    "SAVEDBEFORE", "XATTACHMENTNAME", "XCONTENTTYPE (", "XLISTID", "DELIVEREDTO", "SUBJECT {3}\r\nabc x",
    "SUBJECT {4294967296}", "SUBJECT ~{3+}\r\nabc", "SUBJECT {3+}\r\n\0bc", 'SUBJECT "a\\', 'SUBJECT "a"b',
    "SUBJECT \xe9", 'SUBJECT "\xe9"', "SUBJECT a\0b", "SUBJECT NIL",
)  # fmt: skip
_ODD_SORTS = (
    "", "(", "()", "() UTF-8 ALL", "(DATE", "(DATE)", "(DATE) ", "(DATE) UTF-8", "(DATE) UTF-8 ",
    "(DATE) UTF-8 FOO",
    "(DATE) nosuch ALL", '(DATE) "utf-8" ALL', "DATE UTF-8 ALL", "(FOO) UTF-8 ALL", "(REVERSE) UTF-8 ALL",
    "(REVERSE REVERSE DATE) UTF-8 ALL", "(DATE REVERSE) UTF-8 ALL", "( DATE) UTF-8 ALL", "(DATE ) UTF-8 ALL",
    "(DATE  SIZE) UTF-8 ALL", "(ANNOTATION) UTF-8 ALL", "(ANNOTATION /comment) UTF-8 ALL",
    "(HASFLAG) UTF-8 ALL",
    "(ANNOTATION /comment value) UTF-8 ALL", "(ANNOTATION /x value.priv) UTF-8 ALL",
    "(HASFLAG x y) UTF-8 ALL",
    "RETURN (DATE) UTF-8 ALL", "RETURN () (DATE) UTF-8 ALL", "RETURN (FOO) (DATE) UTF-8 ALL",
    "(SCORE) UTF-8 ALL",
    "RETURN (PARTIAL 1:5) (DATE) UTF-8 ALL", "RETURN (COUNT)(DATE) UTF-8 ALL", "(DATE)UTF-8 ALL",
    "(DATE) UTF-8 ALL)",
    "(DATE) UTF-8 RETURN (COUNT) ALL", "(DATE) CHARSET UTF-8 ALL", "(DATE DATE DATE) UTF-8 ALL",
    "(XFOO) UTF-8 1",
    "(DATE) UTF-8 5000", "(DATE) UTF-8 0", "(UID SIZE) us-ascii 1:3 SUBJECT \xe9",
)  # fmt: skip
_ODD_THREADS = (
    "", "REFERENCES", "REFERENCES ", "REFERENCES UTF-8", "REFERENCES UTF-8 ", "REFERENCES UTF-8 FOO",
    "REFERENCES nosuch ALL", "NOSUCH UTF-8 ALL", "references utf-8 all", '"REFS" UTF-8 ALL',
    "REFS UTF-8 ALL x",
    "(REFS) UTF-8 ALL", "REFS UTF-8 5000", "ORDEREDSUBJECT UTF-8 (1 2)", "REFS UTF-8 RETURN () ALL",
    "REFS  UTF-8 ALL",
)  # fmt: skip


def key(source: random.Random, count: int = _COUNT, depth: int = 0) -> _Key:
    """A search key and the values of its holes."""
    roll = source.random()
    if depth < 3 and roll < 0.3:
        inner = [key(source, count, depth + 1) for _ in range(2 if roll < 0.12 else source.randint(1, 3))]
        values = tuple(value for _, some_values in inner for value in some_values)
        if roll < 0.12:
            return f"OR {inner[0][0]} {inner[1][0]}", values
        if roll < 0.2:
            return f"{source.choice(('NOT', 'NOT', 'FUZZY'))} {inner[0][0]}", inner[0][1]
        return f"({' '.join(text for text, _ in inner)})", values
    match source.randrange(9):
        case 0 | 1:
            return source.choice(_FLAG_KEYS), ()
        case 2 | 3 | 4:
            return f"{source.choice(_TEXT_KEYS)} {{}}", (source.choice(_WORDS).encode(),)
        case 5:
            date = f"{source.randint(1, 28)}-{source.choice(('Jan', 'Mar', 'Nov'))}"
            date += f"-{source.choice((1999, 2005, 2012, 2018, 2025))}"
            return f"{source.choice(_DATE_KEYS)} {source.choice((date, f'{chr(34)}{date}{chr(34)}'))}", ()
        case 6:
            numbers = number_set(source, count)
            return source.choice((numbers, f"UID {numbers}")), ()
        case 7:
            name = source.choice(("LARGER", "SMALLER", "MODSEQ", "OLDER", "YOUNGER"))
            most = {"MODSEQ": 140, "OLDER": 10**9, "YOUNGER": 10**9}.get(name, 6000)
            return f"{name} {source.randint(1, most)}", ()
        case _:
            flag = source.choice((*KEYWORDS, "nope"))
            name = source.choice(("KEYWORD", "UNKEYWORD", "CONVFLAG"))
            odd = ("FOLDER INBOX", "SPAMABOVE 5", "SPAMBELOW 5", 'ANNOTATION /comment value.priv "mine"')
            return source.choice((f"{name} {flag}", f"{name} {flag}", source.choice(odd))), ()


def returns(source: random.Random, share: float = 0.4) -> str:
    if source.random() > share:
        return ""
    return f"RETURN ({' '.join(source.sample(_OPTIONS, source.randint(0, 5)))}) "


def search(source: random.Random, count: int = _COUNT) -> _Key:
    keys = [key(source, count) for _ in range(source.randint(1, 3))]
    values = tuple(value for _, some_values in keys for value in some_values)
    charset = (
        "CHARSET utf-8 " if any(not value.isascii() for value in values) or source.random() < 0.2 else ""
    )
    texts = " ".join(text for text, _ in keys)
    return f"{prefix(source)}SEARCH {returns(source)}{charset}{texts}", values


def sort(source: random.Random, count: int = _COUNT) -> _Key:
    keys = [source.choice(("", "", "REVERSE ")) + one for one in some(source, _SORT_KEYS, 3)]
    wanted, values = key(source, count) if source.random() < 0.4 else ("ALL", ())
    return f"{prefix(source)}SORT {returns(source, 0.2)}({' '.join(keys)}) UTF-8 {wanted}", values


def thread(source: random.Random, count: int = _COUNT) -> _Key:
    wanted, values = key(source, count) if source.random() < 0.3 else ("ALL", ())
    return f"{prefix(source)}THREAD {source.choice(_ALGORITHMS)} UTF-8 {wanted}", values


def _searches(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, DRESSED, CUT, PIPELINED, BYTEWISE, BARE)):
        stream = Stream(f"search {number}", source, user=READER, delivery=delivery)
        stream.say("ENABLE CONDSTORE" if number % 2 else "NOOP")
        stream.say(f"EXAMINE {source.choice(('INBOX', 'INBOX', 'Threads'))}")
        for _ in range(45):
            text, values = search(source)
            stream.say(text, *values)
        yield stream
    stream = Stream("search for ids", source, user=READER)
    stream.say("EXAMINE INBOX")
    for attribute in ("value", "value.priv", "value.shared"):
        for value in (b"mine", b"ours", b"", b'OURS, "all'):
            stream.say(f"SEARCH ANNOTATION /comment {attribute} {{!}}", value)
    for verb in ("EMAILID", "THREADID", "CID"):
        stream.say(f"SEARCH {verb} {{}}", b"0123456789abcdef")
    for one in (*_FLAG_KEYS, *(f"{key} 1-Mar-2015" for key in _DATE_KEYS)):
        stream.say(f"SEARCH {one}")
    for name in _TEXT_KEYS:
        for word in (b"e", b"", b"report"):
            stream.say(f"SEARCH RETURN (COUNT) {name} {{}}", word)
    yield stream


def _languages(source: random.Random) -> Iterator[Stream]:
    """A word is found in headers in any charset it was asked in, and in bodies in UTF-8."""
    for number, (language, (text, charsets)) in enumerate(TEXTS.items()):
        stream = Stream(language, source, user=READER, delivery=source.choice((AS_IS, DRESSED, PIPELINED)))
        stream.say("EXAMINE Letters")
        words = [*text.replace(",", "").split(), text.split()[0][1:3], text.upper(), text.lower()]
        for charset in charsets:
            for word in words:
                for name in some(source, ("SUBJECT", "HEADER X-Info", "FROM", "HEADER Subject"), 2):
                    stream.say(f"SEARCH CHARSET {charset} {name} {{}}", word.encode(charset, "replace"))
        before = sum(len(TEXTS[name][1]) * 3 for name in list(TEXTS)[:number])
        for word in (*text.split(), text.upper(), text[2:-2]):
            for name in ("BODY", "TEXT"):
                stream.say(f"SEARCH CHARSET UTF-8 {before + 1}:{before + 3} {name} {{}}", word.encode())
        yield stream


def _odd_searches(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, PIPELINED, DRESSED)):
        stream = Stream("odd searches", source, user=READER, delivery=delivery)
        stream.say("EXAMINE INBOX")
        for one in _ODD_SEARCHES:
            if delivery is AS_IS or source.random() < 0.3:
                stream.raw(f" {prefix(source)}SEARCH {one}".encode("latin-1"))
        for one in (*ODD_SETS, *(f"KEYWORD {flag}" for flag in ODD_FLAGS)):
            if number == 0:
                stream.raw(f" {prefix(source)}SEARCH {one}".encode())
        for charset in _CHARSETS:
            stream.raw(f" SEARCH CHARSET {charset} SUBJECT {{4+}}\r\n\xe9\xe8xx".encode("latin-1"))
        for _ in range(20):
            text = search(source)[0].replace("MODSEQ", "SMALLER")
            stream.raw(b" " + garbled(source, text.replace("{}", "word")).encode())
        yield stream


def _sorts(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, DRESSED, PIPELINED)):
        stream = Stream(f"sort {number}", source, user=READER, delivery=delivery)
        stream.say(f"EXAMINE {('INBOX', 'Letters', 'Threads')[number]}")
        for one in _SORT_KEYS:
            stream.say(f"UID SORT ({one}) UTF-8 ALL")
            stream.say(f"SORT RETURN ({' '.join(some(source, _OPTIONS, 4))}) (REVERSE {one}) us-ascii ALL")
        for _ in range(25):
            text, values = sort(source)
            stream.say(text, *values)
        for one in _ODD_SORTS:
            if number == 0 or source.random() < 0.2:
                stream.raw(f" {prefix(source)}SORT {one}".encode("latin-1"))
        for _ in range(10):
            stream.raw(b" " + garbled(source, sort(source)[0].replace("{}", "word")).encode())
        yield stream


def _threads(source: random.Random) -> Iterator[Stream]:
    for number, delivery in enumerate((AS_IS, DRESSED, PIPELINED)):
        stream = Stream(f"thread {number}", source, user=READER, delivery=delivery)
        stream.say(f"EXAMINE {('Threads', 'INBOX', 'Letters')[number]}")
        for one in _ALGORITHMS:
            stream.say(f"THREAD {one} us-ascii ALL")
            stream.say(f"UID THREAD {one} UTF-8 ALL")
        for _ in range(15):
            text, values = thread(source)
            stream.say(text, *values)
        for one in _ODD_THREADS:
            if number == 0 or source.random() < 0.2:
                stream.raw(f" {prefix(source)}THREAD {one}".encode())
        for _ in range(10):
            stream.raw(b" " + garbled(source, thread(source)[0].replace("{}", "word")).encode())
        yield stream


def _faults(source: random.Random) -> Iterator[Stream]:
    searches = [f"SEARCH {one}" for one in _FATAL_SEARCHES]
    for one in (*searches, 'SEARCH XLISTID ""', *(f"SORT ({one}) UTF-8 ALL" for one in _FATAL_SORTS)):
        stream = Stream(one, source, user=READER)
        stream.say("EXAMINE INBOX")
        stream.say(one)
        yield stream
    stream = Stream("the end of a text", source, user=READER)
    stream.say("EXAMINE Letters")
    stream.say("SEARCH BODY e")
    yield stream


def _unanswered(heard: Heard) -> bool:
    said = [line for line in heard.ours if not re.search(rb" BAD Missing required .* (Sort|Uid)$", line)]
    return re.search(rb"RETURN \([^)]*\)[^ ]", heard.sent) is not None and said == heard.original


NOTHING_MODSEQ = Difference(
    "the original adds a modseq to what a SEARCH or SORT by MODSEQ did not find",
    lambda heard: (
        heard.ours == [re.sub(rb"^(\* S\w+) \(MODSEQ 1\)$", rb"\1", line) for line in heard.original]
    ),
)
SEARCH = Family("search", _searches, differences=(NOTHING_MODSEQ,))
SEARCH_FAULTS = Family(
    "search-faults",
    _faults,
    differences=(
        Difference("the original's process dies", lambda heard: heard.original[-1:] == [b"<closed>"]),
        Difference(
            "the original does not look at the end of parts that are in charsets of other countries",
            lambda heard: b"BODY e" in heard.sent,
        ),
    ),
)
LANGUAGES = Family("languages", _languages)
SEARCH_ODD = Family(
    "search-odd",
    _odd_searches,
    differences=(Difference("for the original a string ends at NUL", lambda heard: b"\0" in heard.sent),),
)
SORT = Family(
    "sort",
    _sorts,
    differences=(
        Difference(
            "the original says nothing at all where the space behind RETURN's list is missing",
            _unanswered,
        ),
    ),
)
THREAD = Family("thread", _threads)
