"""The annotations that the server knows: their names, types, and where their values live.

RFC 5464 (METADATA) and the drafts before it define those of mailboxes and the server, RFC 5257 those of
messages; what is below ``/vendor/cmu/cyrus-imapd/`` is Cyrus's own. A site may define more, see
``definitions``. The order of the tables shows in answers to wildcards.
"""

from __future__ import annotations

import enum

from libcyrus import acl
from libcyrus.base.dataclasses import dataclass
from libcyrus.records.annotate import NAMESPACE, SPECIALUSE

DAV_NAMESPACE = "/vendor/cmu/cyrus-httpd/"
FLAGS = "/flags/"


class Scope(enum.Enum):
    SERVER = "server"
    MAILBOX = "mailbox"
    MESSAGE = "message"


class Kind(enum.Enum):
    """What a value must look like."""

    STRING = "string"
    BOOLEAN = "boolean"
    UINT = "uint"
    INT = "int"


class Storage(enum.Enum):
    """Where a value lives; ``COMPUTED`` ones cannot be set."""

    DATABASE = enum.auto()
    COMPUTED = enum.auto()
    OPTION = enum.auto()
    FILE = enum.auto()
    POP3_SHOW_AFTER = enum.auto()
    SPECIAL_USE = enum.auto()
    SEARCH_FUZZY_ALWAYS = enum.auto()


@dataclass(frozen=True, slots=True)
class Entry:
    """One annotation. ``shared`` and ``private`` say which values it may have.

    ``rights`` are needed to set the shared value of a mailbox, beside the usual ones. ``proxy_only``: a
    Murder's frontend alone has it. ``checks_itself``: reading needs no more than to see the mailbox.
    """

    name: str
    kind: Kind = Kind.STRING
    shared: bool = True
    private: bool = True
    rights: int = 0
    storage: Storage = Storage.DATABASE
    proxy_only: bool = False
    checks_itself: bool = False


UNDEFINED = Entry("")
"""Stands for an entry that nobody defined."""


def _shared(
    name: str, kind: Kind = Kind.STRING, storage: Storage = Storage.DATABASE, *, rights: int = 0
) -> Entry:
    return Entry(NAMESPACE + name, kind, private=False, storage=storage, rights=rights)


MESSAGE = (
    Entry("/altsubject"),
    Entry("/comment"),
    Entry(NAMESPACE + "basethrid"),
    Entry(NAMESPACE + "thrid"),
    Entry(NAMESPACE + "savedate"),
    Entry(NAMESPACE + "createdmodseq"),
    _shared("snoozed-until"),
    _shared("snoozed"),
)

MAILBOX = (
    Entry("/check", Kind.BOOLEAN),
    Entry("/checkperiod", Kind.UINT),
    Entry("/comment"),
    Entry("/sort"),
    Entry(SPECIALUSE, shared=False, storage=Storage.SPECIAL_USE),
    Entry("/thread"),
    _shared("annotsize", storage=Storage.COMPUTED),
    _shared("archive", Kind.UINT, rights=acl.ADMIN),
    _shared("delete", Kind.UINT, rights=acl.ADMIN),
    _shared("duplicatedeliver", Kind.BOOLEAN, Storage.OPTION),
    _shared("expire", Kind.UINT, rights=acl.ADMIN),
    _shared("lastpop", storage=Storage.COMPUTED),
    _shared("hasalarms", Kind.BOOLEAN, Storage.COMPUTED),
    _shared("foldermodseq", Kind.UINT, Storage.COMPUTED),
    _shared("lastupdate", storage=Storage.COMPUTED),
    _shared("news2mail", rights=acl.ADMIN),
    Entry(NAMESPACE + "partition", private=False, storage=Storage.COMPUTED, checks_itself=True),
    _shared("pop3newuidl", Kind.BOOLEAN, Storage.OPTION),
    _shared("pop3showafter", storage=Storage.POP3_SHOW_AFTER),
    _shared("search-fuzzy-always", storage=Storage.SEARCH_FUZZY_ALWAYS),
    Entry(
        NAMESPACE + "server", private=False, storage=Storage.COMPUTED, proxy_only=True, checks_itself=True
    ),
    _shared("sharedseen", Kind.BOOLEAN, Storage.OPTION),
    _shared("sieve", rights=acl.ADMIN),
    _shared("size", storage=Storage.COMPUTED),
    Entry(NAMESPACE + "sortorder", Kind.UINT, shared=False),
    _shared("squat", Kind.BOOLEAN, rights=acl.ADMIN),
    _shared("synccrcs", storage=Storage.COMPUTED),
    _shared("uniqueid", storage=Storage.COMPUTED),
)

SERVER = (
    Entry("/admin", private=False, rights=acl.ADMIN),
    Entry("/comment", rights=acl.ADMIN),
    Entry("/motd", private=False, storage=Storage.FILE),
    Entry(NAMESPACE + "usermodseq", Kind.UINT, shared=False, storage=Storage.COMPUTED),
    Entry(NAMESPACE + "usercounters", shared=False, storage=Storage.COMPUTED),
    _shared("expire", Kind.UINT, rights=acl.ADMIN),
    _shared("freespace", storage=Storage.COMPUTED),
    _shared("freespace/total", storage=Storage.COMPUTED),
    _shared("freespace/percent/most", storage=Storage.COMPUTED),
    _shared("shutdown", storage=Storage.FILE),
    _shared("squat", Kind.BOOLEAN, rights=acl.ADMIN),
)
