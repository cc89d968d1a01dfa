"""Which mailbox an address names, and whether it takes mail now (the decision behind RCPT)."""

from __future__ import annotations

from collections.abc import Sequence

from imap.lmtpd.app import Lmtpd
from imap.lmtpd.session import Recipient
from libcyrus import acl
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import replace
from libcyrus.errors import (
    CyrusError,
    MailboxDisabled,
    MailboxMoved,
    MailboxNonexistent,
    MailboxRemote,
    PermissionDenied,
)
from libcyrus.mboxname import MboxName
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.mbentry import MboxEntry
from libcyrus.text import mutf7

# one character of these may stand for another of them in a fuzzy match
_BLANKS = "- _"


def resolve(
    app: Lmtpd, address: str, *, ignorequota: bool, size: int, authstate: AuthState | None
) -> Recipient:
    """The recipient an accepted RCPT stands for.

    The address must lead to an INBOX, whatever its +detail, or to a shared folder that ``authstate``
    may post to. An address that leads nowhere goes to ``lmtp_catchall_mailbox`` if there is one.
    Raises the CyrusError that the client is told.
    """
    failure: CyrusError = MailboxNonexistent()
    if address:
        name = _named_by(app, address)
        try:
            name, entry = verify(app, name, ignorequota=ignorequota, size=size, authstate=authstate)
            return Recipient(name, entry.partition, ignorequota)
        except CyrusError as error:
            failure = error
    if app.settings.catchall:
        name = app.namespace.rules.from_userid(app.settings.catchall)
        name, entry = verify(app, name, ignorequota=ignorequota, size=size, authstate=authstate)
        return Recipient(name, entry.partition, ignorequota)
    raise failure


def verify(
    app: Lmtpd, name: MboxName, *, ignorequota: bool, size: int, authstate: AuthState | None
) -> tuple[MboxName, MboxEntry]:
    """Raise unless mail for ``name`` can be taken; its INBOX counts for a user, rights only elsewhere.

    Returns the name to deliver to (another than ``name`` only for a shared folder that was found by
    ``lmtp_fuzzy_mailbox_match``), and the entry of the mailbox that was looked at.
    """
    inbox = name.with_boxes() if name.userid is not None else name
    store = app.store
    try:
        entry = lookup(app, inbox)
    except MailboxNonexistent:
        found = _second_chance(app, inbox)
        if found is None:
            raise
        entry = lookup(app, found)
        if name.userid is None:
            name = inbox = found
    if name.userid is None:
        rights = store.mboxlist.acl.myrights(authstate, entry.acl)
        if not rights & acl.POST:
            raise PermissionDenied if rights & acl.LOOKUP else MailboxNonexistent
    if not ignorequota:
        root = store.quota.find_root(entry.name)
        if root is not None:
            strict = app.settings.strict_quota
            store.quota.check(root, (size, 1, 0, 0) if strict else (0, 0, 0, 0))
    userid = name.userid
    if userid is not None and app.denied(userid, app.config.ident) is not None:
        raise MailboxDisabled
    return name, entry


def lookup(app: Lmtpd, name: MboxName) -> MboxEntry:
    """The mailbox, if its mail is kept here.

    Raises MailboxNonexistent, MailboxReserved, MailboxMoved, MailboxRemote.
    """
    entry = app.store.mboxlist.lookup(name.internal)
    if entry.mbtype & mbtypes.MOVING:
        raise MailboxMoved(entry.name)
    if entry.server is not None or entry.mbtype & mbtypes.REMOTE:
        raise MailboxRemote(entry.name)
    return entry


def fuzzy_match(app: Lmtpd, name: MboxName) -> MboxName | None:
    """The deepest existing mailbox along the path of ``name``; case, ``-``, ``_`` and blanks do not matter.

    None if not even its first step is there.
    """
    rules = app.namespace.rules
    if name.userid is not None:
        prefix = name.with_boxes().internal + "."
    elif name.domain is not None:
        prefix = name.domain + "!"
    else:
        prefix = ""
    best: MboxName | None = None
    depth = 0
    for entry in app.store.mboxlist.all(prefix):
        candidate = rules.from_internal(entry.name)
        if candidate.localpart != name.localpart or candidate.deleted:
            continue
        agree = _agreement(name.boxes, candidate.boxes)
        # a deeper mailbox agrees no further than the one above it, which comes first
        if agree > depth and agree == len(candidate.boxes):
            best, depth = candidate, agree
            if depth == len(name.boxes):
                break
    return best


def _named_by(app: Lmtpd, address: str) -> MboxName:
    """The mailbox of an address, after ``lmtp_downcase_rcpt`` and ``postuser``."""
    local, at, domain = address.rpartition("@")
    if not at:
        local = address
    user, plus, detail = local.partition("+")
    if plus:
        # folders are named in modified UTF-7
        readable = detail.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        detail = mutf7.encode(readable).decode("ascii")
    rebuilt = f"{user}{plus}{detail}{at}{domain if at else ''}"
    name = app.namespace.from_recipient(rebuilt)
    if app.settings.downcase:
        name = name.downcase()
    if (name.localpart or "") == app.settings.postuser:
        name = replace(name, localpart=None)
    return name


def _second_chance(app: Lmtpd, name: MboxName) -> MboxName | None:
    """Where a mailbox that is not there may be had after all: made now, or found under a similar name."""
    if name.userid is not None:
        return name if app.autocreate(name.userid) else None
    return fuzzy_match(app, name) if app.settings.fuzzy else None


def _agreement(wanted: Sequence[str], found: Sequence[str]) -> int:
    """How many parts agree from the start."""
    count = 0
    for one, other in zip(wanted, found, strict=False):
        if _fold(one) != _fold(other):
            break
        count += 1
    return count


def _fold(part: str) -> str:
    folded = "".join(" " if character in _BLANKS else character for character in part)
    return folded.lower()

