"""The lines of the audit log (option ``auditlog``) about messages."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from libcyrus.base import xlog
from libcyrus.errors import CyrusError
from libcyrus.mailbox.index_record import EXPUNGED, UNLINKED, IndexRecord, flag_codes

if TYPE_CHECKING:
    from libcyrus.mailbox.mailbox import Mailbox

log = logging.getLogger(__name__)


def changes(mailbox: Mailbox, changed: dict[int, IndexRecord], before: dict[int, int]) -> None:
    """Log a commit: ``before`` gives the flags each record had, -1 for a new one."""
    for recno in sorted(changed):
        record, old = changed[recno], before[recno]
        new = record.system_flags | record.internal_flags
        if old < 0:
            old = 0
            line = f"append {_record(mailbox, record)} guid=<{record.guid.hex()}>"
            line += f" messageid={_message_id(mailbox, record)} size=<{record.size}>"
            log.log(xlog.NOTICE, "auditlog: %s", line)
        else:
            log.log(
                xlog.NOTICE,
                "auditlog: touched %s uid=<%d> guid=<%s> cid=<%s> modseq=<%d> oldflags=<%s> sysflags=<%s>",
                _mailbox(mailbox), record.uid, record.guid.hex(),
                f"{record.cid:016x}" if record.cid else "NIL",
                record.modseq, flag_codes(old), flag_codes(new),
            )  # fmt: skip
        if new & EXPUNGED and not old & EXPUNGED:
            line = f"expunge {_record(mailbox, record)} guid=<{record.guid.hex()}> size=<{record.size}>"
            log.log(xlog.NOTICE, "auditlog: %s", line)
        if new & UNLINKED and not old & UNLINKED:
            line = f"unlink {_record(mailbox, record)} guid=<{record.guid.hex()}>"
            log.log(xlog.NOTICE, "auditlog: %s", line)


def modseq(mailbox: Mailbox) -> None:
    log.log(
        xlog.NOTICE,
        "auditlog: modseq %s highestmodseq=<%d> deletedmodseq=<%d>",
        _mailbox(mailbox), mailbox.i.highestmodseq, mailbox.i.deletedmodseq,
    )  # fmt: skip


def unlinked(mailbox: Mailbox, action: str, uid: int, flags: str) -> None:
    """Log that a message file was removed."""
    log.log(
        xlog.NOTICE, "auditlog: %s %s uid=<%d> sysflags=<%s>", action, _mailbox(mailbox), uid, flags
    )


def archived(mailbox: Mailbox, record: IndexRecord) -> None:
    """Log that a message goes to the archive partition."""
    log.log(
        xlog.NOTICE,
        "auditlog: archive %s uid=<%d> guid=<%s> cid=<%s> sysflags=<%s>",
        _mailbox(mailbox), record.uid, record.guid.hex(), f"{record.cid:016x}" if record.cid else "NIL",
        flag_codes(record.system_flags | record.internal_flags),
    )  # fmt: skip


def mailbox_event(mailbox: Mailbox, action: str, more: str = "") -> None:
    """Log ``create``, ``delete`` and the like of a whole mailbox."""
    log.log(xlog.NOTICE, "auditlog: %s %s%s", action, _mailbox(mailbox), more)


def _mailbox(mailbox: Mailbox) -> str:
    return f"sessionid=<{mailbox.store.session_id}> mailbox=<{mailbox.name}> uniqueid=<{mailbox.uniqueid}>"


def _record(mailbox: Mailbox, record: IndexRecord) -> str:
    flags = flag_codes(record.system_flags | record.internal_flags)
    return f"{_mailbox(mailbox)} uid=<{record.uid}> modseq=<{record.modseq}> sysflags=<{flags}>"


def _message_id(mailbox: Mailbox, record: IndexRecord) -> str:
    """The Message-ID of the cached envelope, whose last word it is."""
    try:
        cache = mailbox.cache(record)
    except CyrusError:
        return "unknown"
    size = int.from_bytes(cache[:4], "big")
    envelope = bytes(cache[4 : 4 + size]).rstrip(b")")
    start = envelope.rfind(b' "')
    if not envelope.endswith(b'"') or start < 0:
        return "unknown"
    return envelope[start + 2 : -1].decode("utf-8", "surrogateescape")
