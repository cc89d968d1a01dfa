"""Bringing back messages that were expunged and whose files are still there.

A message comes back as a new one with the next uid, for to clients the old uid is gone for ever. The new
record keeps what the old one says: dates, flags, conversation, createdmodseq, savedate; annotations are
copied and the file is linked. The old record becomes due for removal.

That takes two commits (see ``changes``), for one is not atomic where it adds records and changes others:
first the new messages, then the end of the old ones. After a crash in between, both are there, and the next
run brings back a second copy; after one before, all is as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from libcyrus.base import files, xlog
from libcyrus.base.xlog import NOTICE
from libcyrus.mailbox import index_header
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.index_record import DELETED, EXPUNGED, NEEDS_CLEANUP, UNLINKED, IndexRecord
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.synccrc import ANNOTATION_PREFIX

log = logging.getLogger(__name__)

# a message is snoozed in one mailbox at a time
_NOT_COPIED = (ANNOTATION_PREFIX + "snoozed", ANNOTATION_PREFIX + "displayname")

Choice = Callable[[IndexRecord], bool]


def expunged(mailbox: Mailbox, wanted: Choice) -> list[IndexRecord]:
    """The expunged messages that can be brought back and that ``wanted`` picks, in order of uid."""
    return [record for record in mailbox.records(unlinked=False) if record.expunged and wanted(record)]


def restore(
    mailbox: Mailbox, wanted: Choice, *, undelete: bool = False, flag: str | None = None
) -> list[tuple[int, int]]:
    """Bring messages back and commit; returns their old and new uids.

    ``undelete`` takes \\Deleted off, ``flag`` is a user flag they get. Quotas count them, but never refuse.
    Needs the exclusive index lock. Raises InvalidIdentifier, UserFlagsExhausted, NoSpace, IoError; everything
    is then as it was, or the messages are there twice.
    """
    found = expunged(mailbox, wanted)
    if not found:
        return []
    mask = 1 << mailbox.create_flag(flag) if flag is not None else 0
    links: list[str] = []
    uids = []
    ended = []
    try:
        for old in found:
            new = _revived(mailbox, old, undelete=undelete, user_flags=mask)
            path = mailbox.message_path(new)
            files.link_or_copy(mailbox.message_path(old), path, keep_times=True)
            links.append(path)
            mailbox.names_changed(archived=new.archived)
            mailbox.append(new, None)
            for annotation in mailbox.annotations.of(old.uid):
                if annotation.entry not in _NOT_COPIED:
                    mailbox.bump_modseq()
                    mailbox.changes.annotate(new.uid, annotation, annotation.userid)
            # the old record's change counts from here, whenever it is made
            old.modseq = mailbox.bump_modseq()
            old.last_updated = mailbox.changes.last_updated
            old.internal_flags |= UNLINKED | NEEDS_CLEANUP
            ended.append(old)
            uids.append((old.uid, new.uid))
        mailbox.commit()
    except BaseException as error:
        mailbox.abort()
        for path in links:
            files.remove(path)
        if isinstance(error, OSError):
            xlog.ioerror(log, "restoring message failed", error, mailbox=mailbox.name)
            raise storage_error(error) from error
        raise
    for old in ended:
        mailbox.rewrite(old, silent=True)
    mailbox.i.options |= index_header.NEEDS_UNLINK
    mailbox.commit()
    log.log(NOTICE, "restored %d expunged messages in mailbox '%s'", len(uids), mailbox.name)
    return uids


def _revived(mailbox: Mailbox, old: IndexRecord, *, undelete: bool, user_flags: int) -> IndexRecord:
    new = old.copy()
    new.recno = 0
    new.uid = mailbox.i.last_uid + 1
    new.internal_flags &= ~EXPUNGED
    new.user_flags |= user_flags
    if undelete:
        new.system_flags &= ~DELETED
    return new
