"""The bytecode format of Cyrus Sieve: file layout, numbers of operations, shapes of their arguments.

A file is a sequence of big-endian 32-bit words; all positions below are counted in words
from the start of the file unless stated in bytes::

    12 bytes  "CyrSBytecode"
    word      version, here 0x1F; files from 0x03 on are still run
    word      bits of required extensions (from version 0x11 on): 1 = variables
    actions   until the end of the file

An action is its number (``Op``) and the arguments that ``ACTION_ARGUMENTS`` names; a test the same with
``TestOp`` and ``TEST_ARGUMENTS``. Kinds of arguments:

===  ====================================================================================
i    one word, signed
s    a string: its length in bytes, the bytes, one to four NULs up to a word boundary;
     length -1 alone is "no string"
S    strings: how many, where they end (in bytes from the start of the file), the strings
U    numbers: how many, where they end (in bytes), one word each
C    a comparator: match type, relation, collation
Z    a zone: its tag, and for ``TIMEZONE`` a string such as "+0100"
z    the same before version 0x1E: for ``TIMEZONE`` a word, minutes east of UTC
F    a copy of what is sent: folder; if there is one also :create, flags
G    the same with special use behind the flags
H    the same with special use and mailbox id
=    a word that means nothing now
===  ====================================================================================

``NOT`` is followed by a test; ``ANYOF`` and ``ALLOF`` by the number of tests, where they end (in bytes) and
the tests. ``IF`` is followed by the position where its test ends and the test; there stands a ``JUMP``
to the other branch, which is passed over if the test is true. ``JUMP`` has an absolute position and
leads forward only.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

MAGIC = b"CyrSBytecode"
VERSION = 0x1F
MIN_VERSION = 0x03
REQUIRES_SINCE = 0x11
"""The first version with the word of required extensions."""

WORD = 4


class Op(IntEnum):
    """Actions. Names with a suffix are forms that are read and no longer written."""

    STOP = 0
    KEEP_ORIG = 1
    DISCARD = 2
    REJECT = 3
    FILEINTO_ORIG = 4
    REDIRECT_ORIG = 5
    IF = 6
    MARK = 7
    UNMARK = 8
    ADDFLAG_ORIG = 9
    SETFLAG_ORIG = 10
    REMOVEFLAG_ORIG = 11
    NOTIFY = 12
    DENOTIFY = 13
    VACATION_ORIG = 14
    NULL = 15
    JUMP = 16
    INCLUDE = 17
    RETURN = 18
    FILEINTO_COPY = 19
    REDIRECT_COPY = 20
    VACATION_SEC = 21
    KEEP_COPY = 22
    FILEINTO_FLAGS = 23
    FILEINTO_CREATE = 24
    SET = 25
    ADDFLAG = 26
    SETFLAG = 27
    REMOVEFLAG = 28
    ADDHEADER = 29
    DELETEHEADER = 30
    EREJECT = 31
    REDIRECT_LIST = 32
    ENOTIFY = 33
    ERROR = 34
    KEEP = 35
    VACATION_FCC_ORIG = 36
    VACATION_FCC_SPLUSE = 37
    FILEINTO_SPECIALUSE = 38
    REDIRECT = 39
    FILEINTO = 40
    LOG = 41
    SNOOZE_ORIG = 42
    SNOOZE_TZID = 43
    SNOOZE = 44
    VACATION = 45
    PROCESSIMIP = 46


class TestOp(IntEnum):
    """Tests. Names with a suffix are forms that are read and no longer written."""

    __test__ = False

    FALSE = 0
    TRUE = 1
    NOT = 2
    EXISTS = 3
    SIZE = 4
    ANYOF = 5
    ALLOF = 6
    ADDRESS_PRE_INDEX = 7
    ENVELOPE = 8
    HEADER_PRE_INDEX = 9
    BODY = 10
    DATE_ORIG = 11
    CURRENTDATE_ORIG = 12
    ADDRESS = 13
    HEADER = 14
    HASFLAG = 15
    MAILBOXEXISTS = 16
    METADATA = 17
    METADATAEXISTS = 18
    SERVERMETADATA = 19
    SERVERMETADATAEXISTS = 20
    STRING = 21
    VALIDEXTLIST = 22
    DUPLICATE = 23
    IHAVE = 24
    SPECIALUSEEXISTS = 25
    ENVIRONMENT = 26
    VALIDNOTIFYMETHOD = 27
    NOTIFYMETHODCAPABILITY = 28
    MAILBOXIDEXISTS = 29
    JMAPQUERY = 30
    DATE = 31
    CURRENTDATE = 32


class Tag(IntEnum):
    """Values of arguments that are one of a few words."""

    OVER = 0
    UNDER = 1
    GT = 4
    GE = 5
    LT = 6
    LE = 7
    EQ = 8
    NE = 9
    LOW = 12
    NORMAL = 13
    HIGH = 14
    ANY = 15
    ALL = 20
    LOCALPART = 21
    DOMAIN = 22
    USER = 23
    DETAIL = 24
    ASCIICASEMAP = 29
    OCTET = 30
    ASCIINUMERIC = 31
    IS = 36
    CONTAINS = 37
    MATCHES = 38
    REGEX = 39
    COUNT = 40
    VALUE = 41
    LIST = 42
    RAW = 46
    TEXT = 47
    CONTENT = 48
    PERSONAL = 54
    GLOBAL = 55
    TIMEZONE = 60
    ORIGINALZONE = 61
    YEAR = 64
    MONTH = 65
    DAY = 66
    DATE = 67
    JULIAN = 68
    HOUR = 69
    MINUTE = 70
    SECOND = 71
    TIME = 72
    ISO8601 = 73
    STD11 = 74
    ZONE = 75
    WEEKDAY = 76
    HEADER = 81
    UNIQUEID = 82


DATE_PARTS = {
    name.encode(): Tag[name.upper()]
    for name in "year month day date julian hour minute second time iso8601 std11 zone weekday".split()
}


class Requires(IntFlag):
    VARIABLES = 1


class Include(IntFlag):
    """The first argument of INCLUDE: a location (``Tag.PERSONAL``, ``Tag.GLOBAL``) and two switches."""

    LOCATION = 0x3F
    ONCE = 0x40
    OPTIONAL = 0x80


class Weekdays(IntFlag):
    """Days of SNOOZE, Sunday the lowest bit; before version 0x1D also whether the mailbox is an id."""

    ALL = 0x7F
    IS_ID = 0x80


class Imip(IntFlag):
    UPDATES_ONLY = 1
    DELETE_CANCELED = 2
    INVITES_ONLY = 4


class Modifier(IntFlag):
    """Modifiers of SET (RFC 5229 section 4.1)."""

    LOWER = 1
    UPPER = 2
    LOWERFIRST = 4
    UPPERFIRST = 8
    QUOTEWILDCARD = 16
    ENCODEURL = 32
    LENGTH = 64
    QUOTEREGEX = 128


Shape = tuple[tuple[str, str], ...]
"""(name, kind) of each argument, in the order of the file."""


def _shape(text: str) -> Shape:
    return tuple((name, kind) for name, _, kind in (word.partition(":") for word in text.split()))


_VACATION = "addresses:S subject:s message:s seconds:i mime:i"
_VACATION_FROM = _VACATION + " sender:s handle:s"
_FLAGS = "variable:s flags:S"

ACTION_ARGUMENTS: dict[Op, Shape] = {
    Op.STOP: (),
    Op.KEEP_ORIG: (),
    Op.DISCARD: (),
    Op.REJECT: _shape("reason:s"),
    Op.FILEINTO_ORIG: _shape("folder:s"),
    Op.REDIRECT_ORIG: _shape("address:s"),
    Op.IF: _shape("testend:i"),
    Op.MARK: (),
    Op.UNMARK: (),
    Op.ADDFLAG_ORIG: _shape("flags:S"),
    Op.SETFLAG_ORIG: _shape("flags:S"),
    Op.REMOVEFLAG_ORIG: _shape("flags:S"),
    Op.NOTIFY: _shape("method:s id:s options:S priority:i message:s"),
    Op.DENOTIFY: _shape("priority:i match:i relation:i pattern:s"),
    Op.VACATION_ORIG: _shape(_VACATION),
    Op.NULL: (),
    Op.JUMP: _shape("target:i"),
    Op.INCLUDE: _shape("flags:i script:s"),
    Op.RETURN: (),
    Op.FILEINTO_COPY: _shape("copy:i folder:s"),
    Op.REDIRECT_COPY: _shape("copy:i address:s"),
    Op.VACATION_SEC: _shape(_VACATION_FROM),
    Op.KEEP_COPY: _shape("flags:S unused:="),
    Op.FILEINTO_FLAGS: _shape("flags:S copy:i folder:s"),
    Op.FILEINTO_CREATE: _shape("create:i flags:S copy:i folder:s"),
    Op.SET: _shape("modifiers:i variable:s value:s"),
    Op.ADDFLAG: _shape(_FLAGS),
    Op.SETFLAG: _shape(_FLAGS),
    Op.REMOVEFLAG: _shape(_FLAGS),
    Op.ADDHEADER: _shape("index:i name:s value:s"),
    Op.DELETEHEADER: _shape("index:i comparator:C name:s values:S"),
    Op.EREJECT: _shape("reason:s"),
    Op.REDIRECT_LIST: _shape("list:i copy:i address:s"),
    Op.ENOTIFY: _shape("method:s sender:s options:S priority:i message:s"),
    Op.ERROR: _shape("message:s"),
    Op.KEEP: _shape("flags:S"),
    Op.VACATION_FCC_ORIG: _shape(_VACATION_FROM + " fcc:F"),
    Op.VACATION_FCC_SPLUSE: _shape(_VACATION_FROM + " fcc:G"),
    Op.FILEINTO_SPECIALUSE: _shape("specialuse:s create:i flags:S copy:i folder:s"),
    Op.REDIRECT: _shape("bytime:s bymode:s bytrace:i notify:s ret:s list:i copy:i address:s"),
    Op.FILEINTO: _shape("mailboxid:s specialuse:s create:i flags:S copy:i folder:s"),
    Op.LOG: _shape("text:s"),
    Op.SNOOZE_ORIG: _shape("folder:s addflags:S removeflags:S days:i times:U"),
    Op.SNOOZE_TZID: _shape("tzid:s folder:s addflags:S removeflags:S days:i times:U"),
    Op.SNOOZE: _shape(
        "folder:s mailboxid:s specialuse:s create:i addflags:S removeflags:S days:i tzid:s times:U"
    ),
    Op.VACATION: _shape(_VACATION_FROM + " fcc:H"),
    Op.PROCESSIMIP: _shape("flags:i calendarid:s outcome:s errstr:s"),
}

TEST_ARGUMENTS: dict[TestOp, Shape] = {
    TestOp.FALSE: (),
    TestOp.TRUE: (),
    TestOp.EXISTS: _shape("headers:S"),
    TestOp.SIZE: _shape("relation:i size:i"),
    TestOp.ADDRESS_PRE_INDEX: _shape("comparator:C part:i headers:S patterns:S"),
    TestOp.ENVELOPE: _shape("comparator:C part:i headers:S patterns:S"),
    TestOp.HEADER_PRE_INDEX: _shape("comparator:C headers:S patterns:S"),
    TestOp.BODY: _shape("comparator:C transform:i offset:i types:S patterns:S"),
    TestOp.DATE_ORIG: _shape("index:i zone:z comparator:C part:i header:s patterns:S"),
    TestOp.CURRENTDATE_ORIG: _shape("zone:z comparator:C part:i patterns:S"),
    TestOp.ADDRESS: _shape("index:i comparator:C part:i headers:S patterns:S"),
    TestOp.HEADER: _shape("index:i comparator:C headers:S patterns:S"),
    TestOp.HASFLAG: _shape("comparator:C variables:S patterns:S"),
    TestOp.MAILBOXEXISTS: _shape("names:S"),
    TestOp.METADATA: _shape("comparator:C mailbox:s annotation:s patterns:S"),
    TestOp.METADATAEXISTS: _shape("mailbox:s annotations:S"),
    TestOp.SERVERMETADATA: _shape("comparator:C annotation:s patterns:S"),
    TestOp.SERVERMETADATAEXISTS: _shape("annotations:S"),
    TestOp.STRING: _shape("comparator:C strings:S patterns:S"),
    TestOp.VALIDEXTLIST: _shape("names:S"),
    TestOp.DUPLICATE: _shape("idtype:i idval:s handle:s seconds:i last:i"),
    TestOp.IHAVE: _shape("names:S"),
    TestOp.SPECIALUSEEXISTS: _shape("mailbox:s uses:S"),
    TestOp.ENVIRONMENT: _shape("comparator:C item:s patterns:S"),
    TestOp.VALIDNOTIFYMETHOD: _shape("uris:S"),
    TestOp.NOTIFYMETHODCAPABILITY: _shape("comparator:C uri:s capability:s patterns:S"),
    TestOp.MAILBOXIDEXISTS: _shape("ids:S"),
    TestOp.JMAPQUERY: _shape("query:s"),
    TestOp.DATE: _shape("index:i zone:Z comparator:C part:i header:s patterns:S"),
    TestOp.CURRENTDATE: _shape("zone:Z comparator:C part:i patterns:S"),
}
"""All tests but ``NOT``, ``ANYOF`` and ``ALLOF``, which hold tests."""
