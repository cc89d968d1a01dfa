"""What the database should say of scripts, made from their messages."""

from __future__ import annotations

from libcyrus.mailbox.index_record import FLAGGED
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.records.sieve_db import ScriptRecord
from sieve.scripts.mailfile import ScriptMessage


def records_of(mailbox: Mailbox) -> list[ScriptRecord]:
    """A record for each script in a locked ``#sieve``; of several with one name or id the newest."""
    by_name: dict[str, ScriptRecord] = {}
    for message in mailbox.records(expunged=False):
        script = ScriptMessage.parse(bytes(mailbox.map_message(message)), message.header_size)
        if script is None:
            continue
        by_name[script.name] = ScriptRecord(
            rowid=None,
            creationdate=message.internaldate,
            lastupdated=message.internaldate,
            mailbox=mailbox.uniqueid,
            imap_uid=message.uid,
            modseq=message.modseq,
            createdmodseq=message.createdmodseq,
            id=script.id,
            name=script.name,
            contentid=script.contentid,
            isactive=bool(message.system_flags & FLAGGED),
        )
    by_id = {record.id: record for record in by_name.values()}
    return sorted(by_id.values(), key=lambda record: record.imap_uid)
