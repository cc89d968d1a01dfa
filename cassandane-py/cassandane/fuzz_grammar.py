"""Commands as hypothesis makes them up: all that imapd knows, arguments right, nearly right or hostile."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Bytes = SearchStrategy[bytes]


def words(text: str) -> Bytes:
    """One of some words."""
    return st.sampled_from([word.encode("latin-1") for word in text.split()])


def joined(*parts: Bytes | bytes) -> Bytes:
    """Parts behind one another."""
    made = [st.just(part) if isinstance(part, bytes) else part for part in parts]
    return st.tuples(*made).map(b"".join)


def spaced(parts: Bytes, *, least: int = 0, most: int = 5, separator: bytes = b" ") -> Bytes:
    return st.lists(parts, min_size=least, max_size=most).map(separator.join)


def listed(parts: Bytes, *, least: int = 0, most: int = 5) -> Bytes:
    return joined(b"(", spaced(parts, least=least, most=most), b")")


def maybe(part: Bytes) -> Bytes:
    return st.one_of(st.just(b""), part)


def mostly(good: Bytes, odd: Bytes) -> Bytes:
    """What a server takes, and now and then what it should not."""
    return st.integers(0, 7).flatmap(lambda number: good if number else odd)


def quoted(data: bytes) -> bytes:
    return b'"%b"' % data.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\r", b"").replace(
        b"\n", b""
    )


def literal(data: bytes) -> bytes:
    return b"{%d+}\r\n%b" % (len(data), data)


NUMBERS = st.one_of(
    st.integers(0, 12),
    st.integers(0, 200),
    st.sampled_from([2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**40]),
).map(b"%d".__mod__)
"""Small ones, and those at the ends of what fits somewhere."""

TEXTS = st.one_of(
    words("a zz INBOX Subject utf-8 caf\xc3\xa9 \xff\xfe x\0y % * a*b%c & &- &AGE- \\ NIL $X \\Seen"),
    st.binary(max_size=12),
    st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"", b" ", b"a" * 300, b"(" * 50, b"=?utf-8?q?=C3=A9?=", b"\r\n", b"x\r\ny OK z"]),
)
ASTRINGS = mostly(words("a zz INBOX 5 NIL $a"), st.one_of(TEXTS.map(quoted), TEXTS.map(literal)))
MAILBOXES = mostly(
    words("INBOX INBOX two two two new"),
    st.one_of(
        words(
            "two/three inbox INBOX/two user/ann user/ann/two user.ann #news DELETED/x /a a/ a//b .. ./a "
            "a.b &AOk- "
            "&AOk * % &-x &Jjo- " + "n" * 600
        ),
        st.sampled_from([b'"Other Users/ann"', b'"Other Users/ann/two"', b'"Shared Folders/x"', b'""']),
        joined(words("INBOX/ two/ user/ user/ann/"), TEXTS).map(quoted),
        joined(b"Other Users/", TEXTS).map(quoted),
        ASTRINGS,
    ),
)
PATTERNS = mostly(words("* % INBOX* *two %/% *%*%*%*%x a*b*c*d *"), ASTRINGS)
USERS = mostly(words("ann bob admin anyone anonymous -ann group:x"), ASTRINGS)
SETS = mostly(
    words("1 1 2 1:2 1:* * 2,1 1:3 3:1 *:1 1:2,2:3 4294967295"),
    spaced(st.one_of(NUMBERS, st.just(b"*"), joined(NUMBERS, b":", NUMBERS)), least=1, separator=b","),
)
FLAGS = mostly(
    words("\\Seen \\Deleted \\Flagged \\Answered \\Draft $a work"),
    st.one_of(words("\\Recent \\X NIL \\ a{b ( % \xe9 " + "f" * 300), TEXTS),
)
DATES = mostly(
    words('1-Jan-2020 01-Feb-2021 "1-Jan-2020"'),
    words('31-Feb-2020 0-Jan-1 99-Dec-9999 1-Jan-0000 1-Foo-2020 x ""'),
)
DATE_TIMES = st.sampled_from(
    [
        b'"01-Jan-2020 10:00:00 +0000"', b'" 1-Jan-2020 10:00:00 +1400"', b'"31-Dec-9999 23:59:60 -9999"',
        b'"01-Jan-0000 00:00:00 +0000"', b'"1-Jan-1969 00:00:00 +0000"', b'"99-Jan-2020 99:99:99 +9999"',
        b'"x"', b'""',
    ]
)  # fmt: skip
PATHS = mostly(words("1 1.1 2 1.2.3 99"), words("0 1.0 01 4294967296 1. .1 " + "1." * 300 + "1"))
FIELDS = mostly(words("From Subject To Date X-A"), ASTRINGS)
SECTIONS = st.one_of(
    st.just(b""),
    PATHS,
    words("HEADER TEXT 1.HEADER 1.TEXT 1.MIME 2.MIME MIME X"),
    joined(words("HEADER.FIELDS HEADER.FIELDS.NOT 1.HEADER.FIELDS"), b" ", listed(FIELDS, least=1)),
)
PARTIALS = maybe(joined(b"<", NUMBERS, b".", NUMBERS, b">"))
ENTRIES = mostly(
    words("/comment /private/comment /shared/comment"),
    words(
        "/comment /private/comment /shared/comment /altsubject /flags/\\Seen * % "
        "/shared/vendor/cmu/cyrus-imapd/* /x "
        "/shared/vendor/cmu/cyrus-imapd/expire /shared/vendor/cmu/cyrus-imapd/sharedseen "
        "/private/specialuse // / " + "/e" * 300
    ),
)
ATTRIBUTES = mostly(words("value.priv value.shared"), words("value size size.shared * % x"))
FETCH_ITEMS = st.one_of(
    words(
        "FLAGS UID INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY RFC822 RFC822.HEADER RFC822.TEXT "
        "MODSEQ ALL FAST "
        "FULL EMAILID THREADID PREVIEW SAVEDATE DIGEST.SHA1 RFC822.SHA1 RFC822.FILESIZE CID BASECID "
        "CREATEDMODSEQ FOLDER "
        "LASTUPDATED MAILBOXES MAILBOXIDS UIDVALIDITY RFC822.PEEK"
    ),
    joined(words("BODY BODY.PEEK"), b"[", SECTIONS, b"]", PARTIALS),
    joined(words("BINARY BINARY.PEEK BINARY.SIZE"), b"[", maybe(PATHS), b"]", PARTIALS),
    joined(words("RFC822.HEADER.LINES RFC822.HEADER.LINES.NOT"), b" ", listed(FIELDS, least=1)),
    joined(b"ANNOTATION (", listed(ENTRIES, least=1), b" ", listed(ATTRIBUTES, least=1), b")"),
    st.just(b"PREVIEW (LAZY)"),
)
SEARCH_KEYS = st.recursive(
    st.one_of(
        words(
            "ALL ANSWERED DELETED DRAFT FLAGGED NEW OLD RECENT SEEN UNANSWERED UNSEEN UNDRAFT SAVED NOSUCH"
        ),
        SETS,
        joined(words("BCC BODY CC FROM SUBJECT TEXT TO KEYWORD UNKEYWORD"), b" ", ASTRINGS),
        joined(words("BEFORE ON SINCE SENTBEFORE SENTON SENTSINCE SAVEDBEFORE"), b" ", DATES),
        joined(words("LARGER SMALLER OLDER YOUNGER MODSEQ CONVMODSEQ SPAMABOVE"), b" ", NUMBERS),
        joined(words("UID"), b" ", SETS),
        joined(b"HEADER ", FIELDS, b" ", ASTRINGS),
        joined(
            words("EMAILID THREADID CID FOLDER CONVFLAG ATTACHMENTNAME LISTID ALLCONVFLAG"), b" ", ASTRINGS
        ),
        joined(b"ANNOTATION ", ENTRIES, b" ", ATTRIBUTES, b" ", ASTRINGS),
        joined(b'MODSEQ "/flags/\\\\Seen" all ', NUMBERS),
    ),
    lambda keys: st.one_of(
        joined(b"NOT ", keys),
        joined(b"OR ", keys, b" ", keys),
        joined(b"FUZZY ", keys),
        listed(keys, least=1),
    ),
    max_leaves=8,
)
RETURNS = maybe(joined(b"RETURN ", listed(words("ALL COUNT MIN MAX")), b" "))
CHARSETS = maybe(joined(b"CHARSET ", mostly(words("utf-8 us-ascii"), words("iso-2022-jp utf-7 x")), b" "))
SORT_KEYS = st.one_of(
    words("ARRIVAL CC DATE FROM SIZE SUBJECT TO UID MODSEQ DISPLAYFROM DISPLAYTO CREATED"),
    joined(b"REVERSE ", words("ARRIVAL SUBJECT X")),
    st.just(b"HASFLAG \\Seen"),
    joined(b"ANNOTATION ", ENTRIES, b" ", ATTRIBUTES),
)
LIST_OPTIONS = words("SUBSCRIBED REMOTE RECURSIVEMATCH SPECIAL-USE CHILDREN MYRIGHTS")
STATUS_ITEMS = mostly(
    words("MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ SIZE MAILBOXID"),
    words("DELETED CREATEDMODSEQ XCONVEXISTS X"),
)
HEADERS = st.one_of(
    words("From: Subject: Content-Type: References: Date:"),
    st.sampled_from(
        [
            b"Subject: a", b"From: a@b", b"Content-Type: multipart/mixed; boundary=b", b"\r\n--b",
            b"\r\n--b--", b"Content-Type: message/rfc822", b"Content-Transfer-Encoding: base64", b"a\0b",
            b"MIME-Version: 1.0", b"Content-Type: text/html; charset=utf-7", b"Message-ID: <a@b>",
            b"Date: 1 Jan 2020 00:00:00 +0000",
        ]
    ),
    st.binary(max_size=20),
)  # fmt: skip
_GOOD_MESSAGE = (
    b"From: a@b\r\nSubject: c\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nd\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: e\r\n\r\nf\r\n--b--\r\n"
)
MESSAGES = joined(
    spaced(HEADERS, separator=b"\r\n"), maybe(st.just(b"\r\n\r\n")), spaced(HEADERS, separator=b"\r\n")
)
LITERALS = mostly(
    st.one_of(
        MESSAGES.map(literal),
        MESSAGES.map(lambda data: b"~" + literal(data)),
        st.sampled_from([literal(_GOOD_MESSAGE), literal(_GOOD_MESSAGE[:37])]),
    ),
    st.sampled_from(
        [b"{0}\r\n", b"{0+}\r\n", b"{3}\r\nabc", b"{99999999999+}\r\n", b"{x}\r\n", b"{5+}\r\nab"]
    ),
)
URLS = st.one_of(
    st.sampled_from(
        [
            b'"/INBOX/;UID=1"', b'"/INBOX/;UID=1/;SECTION=1"', b'"imap://ann@localhost/INBOX/;UID=1"', b'""',
            b'"/INBOX;UIDVALIDITY=1/;UID=1/;PARTIAL=0.5"', b'"imap://ann@localhost/INBOX/;UID=1;URLAUTH=anonymous"',
            b'"imap://ann@localhost/INBOX/;UID=1;URLAUTH=user+ann:INTERNAL:00"', b'"%ff%00"',
        ]
    ),
    ASTRINGS,
)  # fmt: skip
APPENDED = joined(
    maybe(joined(listed(FLAGS), b" ")),
    maybe(joined(DATE_TIMES, b" ")),
    st.one_of(
        LITERALS,
        joined(b"CATENATE ", listed(st.one_of(joined(b"TEXT ", LITERALS), joined(b"URL ", URLS)))),
        joined(b"ANNOTATION ", listed(ENTRIES), b" ", LITERALS),
    ),
)
STORED = st.one_of(
    joined(words("FLAGS +FLAGS -FLAGS FLAGS.SILENT +FLAGS.SILENT"), b" ", st.one_of(listed(FLAGS), FLAGS)),
    joined(b"ANNOTATION (", words("/comment /altsubject x"), b" (", ATTRIBUTES, b" ", ASTRINGS, b"))"),
)
VALUES = st.one_of(ASTRINGS, st.just(b"NIL"))

_SELECTED = [
    joined(maybe(st.just(b"UID ")), command)
    for command in (
        joined(
            b"FETCH ", SETS, b" ", st.one_of(FETCH_ITEMS, listed(FETCH_ITEMS, least=1)),
            maybe(joined(b" (CHANGEDSINCE ", NUMBERS, maybe(st.just(b" VANISHED")), b")")),
        ),
        joined(b"STORE ", SETS, b" ", maybe(joined(b"(UNCHANGEDSINCE ", NUMBERS, b") ")), STORED),
        joined(b"SEARCH ", RETURNS, CHARSETS, spaced(SEARCH_KEYS, least=1)),
        joined(b"SORT ", RETURNS, listed(SORT_KEYS, least=1), b" utf-8 ", spaced(SEARCH_KEYS, least=1)),
        joined(b"THREAD ", words("REFERENCES REFS ORDEREDSUBJECT"), b" utf-8 ", spaced(SEARCH_KEYS, least=1)),
        joined(words("COPY MOVE XMOVE"), b" ", SETS, b" ", MAILBOXES),
        joined(b"EXPUNGE ", SETS),
        joined(b"XRUNANNOTATOR ", SETS),
    )
]  # fmt: skip
_OTHER = [
    words("NOOP CHECK EXPUNGE CLOSE UNSELECT CAPABILITY NAMESPACE LOGOUT UNAUTHENTICATE IDLE STARTTLS UID"),
    joined(
        words("SELECT EXAMINE"), b" ", MAILBOXES,
        maybe(joined(b" (QRESYNC (", NUMBERS, b" ", NUMBERS, b" ", SETS, b" (", SETS, b" ", SETS, b")))")),
        maybe(st.just(b" (CONDSTORE)")),
    ),
    joined(words("CREATE DELETE SUBSCRIBE UNSUBSCRIBE GETACL MYRIGHTS"), b" ", MAILBOXES),
    joined(words("GETQUOTAROOT GETQUOTA RLIST SCAN"), b" ", MAILBOXES),
    joined(b"CREATE ", MAILBOXES, b" (USE (", words("\\Sent \\Trash \\All \\X Sent"), b"))"),
    joined(b"RENAME ", MAILBOXES, b" ", MAILBOXES),
    joined(words("LIST LSUB XLIST"), b" ", MAILBOXES, b" ", PATTERNS),
    joined(
        b"LIST ", maybe(joined(listed(LIST_OPTIONS), b" ")), MAILBOXES, b" ", listed(PATTERNS, least=1),
        st.one_of(
            joined(b" RETURN ", listed(LIST_OPTIONS)),
            joined(b" RETURN (STATUS ", listed(STATUS_ITEMS, least=1), b")"),
            joined(b" RETURN (METADATA ", listed(ENTRIES, least=1), b")"),
        ),
    ),
    joined(b"STATUS ", MAILBOXES, b" ", listed(STATUS_ITEMS, least=1)),
    joined(b"APPEND ", MAILBOXES, b" ", spaced(APPENDED, least=1, most=3)),
    joined(b"SETACL ", MAILBOXES, b" ", USERS, b" ", mostly(words("lr +x lrswipkxtea 9 -a"), ASTRINGS)),
    joined(words("DELETEACL LISTRIGHTS"), b" ", MAILBOXES, b" ", USERS),
    joined(b"SETQUOTA ", MAILBOXES, b" (", words("STORAGE MESSAGE X X-NUM-FOLDERS"), b" ", NUMBERS, b")"),
    joined(
        b"GETMETADATA ", maybe(st.just(b"(DEPTH infinity MAXSIZE 5) ")), MAILBOXES, b" ",
        listed(ENTRIES, least=1),
    ),
    joined(b"SETMETADATA ", MAILBOXES, b" (", ENTRIES, b" ", VALUES, b")"),
    joined(
        b"GETANNOTATION ", PATTERNS, b" ", listed(ENTRIES.map(quoted), least=1), b" ",
        listed(ATTRIBUTES.map(quoted), least=1),
    ),
    joined(
        b"SETANNOTATION ", PATTERNS, b" ", ENTRIES.map(quoted), b" (", ATTRIBUTES.map(quoted), b" ",
        VALUES, b")"
    ),
    joined(b"ID ", st.one_of(st.just(b"NIL"), listed(VALUES, most=40))),
    joined(b"ENABLE ", spaced(words("CONDSTORE QRESYNC X UTF8=ACCEPT"), least=1)),
    joined(b"LOGIN ", USERS, b" ", ASTRINGS),
    joined(
        b"AUTHENTICATE ", words("PLAIN LOGIN SCRAM-SHA-1 X EXTERNAL"), maybe(words(" AGFubgB4 =")), b"\r\n",
        TEXTS,
    ),
    joined(b"GENURLAUTH ", URLS, b" INTERNAL"),
    joined(words("URLFETCH RESETKEY"), b" ", spaced(URLS)),
    joined(b"IDLE\r\n", words("DONE done x"), maybe(TEXTS)),
    joined(b"SCAN ", MAILBOXES, b" ", PATTERNS, b" ", ASTRINGS),
    joined(st.text("ABCXYZ", min_size=1, max_size=9).map(str.encode), b" ", spaced(ASTRINGS)),
    joined(words("XSTATS XBACKUP XFER MUPDATEPUSH SYNCAPPLY DUMP UNDUMP XCONVSORT"), b" ", spaced(ASTRINGS)),
]  # fmt: skip

COMMANDS = st.one_of(*_SELECTED, *_OTHER)
"""One command without its tag and the end of its line."""
