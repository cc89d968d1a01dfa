"""FETCH items that are one fact of the index record or the file (RFC 8474, 8514, 8970, Cyrus's own).

Which there are, in the order in which they are told, and after which of the older items.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from imap.imapd.response import astring, nstring
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus import options as opt
from libcyrus.base import times, xlog
from libcyrus.base.dataclasses import dataclass
from libcyrus.index import whereabouts
from libcyrus.index.contents import MessageFile
from libcyrus.index.view import IndexView
from libcyrus.mailbox import index_record
from libcyrus.mailbox.index_record import IndexRecord
from libcyrus.records.mbentry import MboxEntry

log = logging.getLogger(__name__)

_MAX_PREVIEW = 256
_IS_CID = re.compile(rb"[0-9a-f]{16}\Z").match
_BASE_THREAD = "/vendor/cmu/cyrus-imapd/basethrid"


Places = Mapping[bytes, Sequence[MboxEntry]]
"""Where messages are, by GUID."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a fact may be taken from."""

    session: Session
    view: IndexView
    number: int
    record: IndexRecord
    file: MessageFile
    places: Sequence[MboxEntry]


def find_places(session: Session, view: IndexView, numbers: Iterable[int]) -> Places:
    """The mailboxes where each of these messages is, as far as the user may know of them."""
    needed = acl.LOOKUP | acl.READ
    return whereabouts.find(
        view, session.user(), numbers, lambda entry: session.rights(entry.acl) & needed == needed
    )


def read(session: Session, view: IndexView, number: int, file: MessageFile, places: Places) -> Message:
    """Raises IoError for a message whose record is there no more."""
    recno = view.picture.recnos[number - 1]
    version = view.mailbox.i.minor_version
    record = index_record.unpack(bytes(view.record_data(number)), version=version, recno=recno, check=False)
    return Message(session, view, number, record, file, places.get(record.guid, ()))


def _date(when: int) -> bytes:
    return b'"%b"' % times.to_rfc3501(when).encode("ascii")


def _preview(message: Message) -> bytes:
    """What somebody stored as the preview; none is made here."""
    entry = message.session.process.config[opt.jmap_preview_annot] or ""
    if not entry.startswith("/shared/"):
        return b"NIL"
    return nstring(_annotation(message, entry.removeprefix("/shared"))[:_MAX_PREVIEW])


def _annotation(message: Message, entry: str) -> bytes:
    """A shared annotation of the message; empty if there is none."""
    found = message.view.mailbox.annotations.of(message.record.uid, entry)
    return next((one.value for one in found if one.entry == entry and not one.userid), b"")


def _file_size(message: Message) -> bytes:
    path = message.view.mailbox.message_path(message.record)
    try:
        return b"%d" % os.stat(path).st_size
    except OSError as error:
        xlog.ioerror(log, "stat failed", error, filename=path)
        return b"0"


def _sha1(message: Message) -> bytes:
    data = message.file.read(0, message.record.size)
    return hashlib.sha1(data, usedforsecurity=False).hexdigest().encode("ascii")


def _cid(cid: int) -> bytes:
    return b"%016x" % cid if cid else b"NIL"


def _mailboxes(message: Message) -> bytes:
    """Names without quotes, whatever they hold, as in the original."""
    names = (message.session.external_name(entry.name) for entry in message.places)
    return b"(%b)" % os.fsencode(" ".join(names))


def _mailbox_ids(message: Message) -> bytes:
    return b"(%b)" % os.fsencode(" ".join(entry.uniqueid or "" for entry in message.places))


def _base_cid(message: Message) -> bytes:
    value = _annotation(message, _BASE_THREAD)
    return _cid(int(value, 16)) if _IS_CID(value) else b"NIL"


AFTER_UID: Mapping[str, Callable[[Message], bytes]] = {
    "DIGEST.SHA1": lambda message: message.record.guid.hex().encode("ascii"),
}
AFTER_INTERNALDATE: Mapping[str, Callable[[Message], bytes]] = {
    "LASTUPDATED": lambda message: _date(message.record.last_updated),
}
AFTER_ANNOTATION: Mapping[str, Callable[[Message], bytes]] = {
    "PREVIEW": _preview,
    "RFC822.FILESIZE": _file_size,
    "RFC822.SHA1": _sha1,
    "EMAILID": lambda message: b"(M%b)" % message.record.guid.hex()[:24].encode("ascii"),
    "CID": lambda message: _cid(message.record.cid),
    "THREADID": lambda message: b"(T%016x)" % message.record.cid if message.record.cid else b"(NIL)",
    "SAVEDATE": lambda message: _date(message.record.savedate or message.record.internaldate),
    "CREATEDMODSEQ": lambda message: b"(%d)" % message.record.createdmodseq,
    "BASECID": _base_cid,
    "FOLDER": lambda message: astring(message.session.external_name(message.view.mboxname)),
    "UIDVALIDITY": lambda message: b"%d" % message.view.uidvalidity,
    "MAILBOXES": _mailboxes,
    "MAILBOXIDS": _mailbox_ids,
}
NAMES = frozenset((*AFTER_UID, *AFTER_INTERNALDATE, *AFTER_ANNOTATION))
OF_CONVERSATIONS = frozenset(("CID", "BASECID", "MAILBOXES", "MAILBOXIDS"))
"""Known only where conversations are kept."""
OF_PLACES = frozenset(("MAILBOXES", "MAILBOXIDS"))
OF_FILE = frozenset(("RFC822.SHA1",))
