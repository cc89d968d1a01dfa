"""Unlinking message files."""

from __future__ import annotations

import logging

from libcyrus.base import files, xlog
from libcyrus.mailbox import audit
from libcyrus.mailbox.index_record import IndexRecord, flag_codes
from libcyrus.mailbox.mailbox import Mailbox

log = logging.getLogger(__name__)


def record_files(mailbox: Mailbox, record: IndexRecord) -> None:
    """Remove both files of an unlinked record with its annotations, or the copy of the other partition.

    The annotations go with the next commit. A file that cannot be removed is logged.
    """
    spool = mailbox.paths.message(record.uid)
    archive = mailbox.paths.message(record.uid, archived=True)
    if record.unlinked:
        flags = flag_codes(record.system_flags | record.internal_flags)
        _unlink(mailbox, spool, "unlink", record.uid, flags)
        if archive != spool:
            _unlink(mailbox, archive, "unlinkarchive", record.uid, flags)
        mailbox.annotations.remove(record.uid)
    elif archive != spool:
        # the message is in one of the two, and must stay there
        _unlink(mailbox, spool if record.archived else archive, None, record.uid, "")


def _unlink(mailbox: Mailbox, path: str, action: str | None, uid: int, flags: str) -> None:
    try:
        removed = files.remove(path)
    except OSError as error:
        xlog.ioerror(log, "error unlinking file", error, filename=path)
        return
    if removed and action is not None and mailbox.store.auditlog:
        audit.unlinked(mailbox, action, uid, flags)
