"""What events tell about messages; see ``telling``."""

from __future__ import annotations

import logging
import mmap
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from libcyrus.errors import CyrusError
from libcyrus.events.mboxevent import jmapemail
from libcyrus.events.mboxevent.event import MboxEvent
from libcyrus.events.mboxevent.params import Param
from libcyrus.events.mboxevent.sender import Content
from libcyrus.mailbox.index_record import IndexRecord
from libcyrus.message import cache as cache_record
from libcyrus.message import nstring

if TYPE_CHECKING:
    from libcyrus.mailbox.mailbox import Mailbox

log = logging.getLogger(__name__)

_FROM_CACHE = frozenset({Param.MIDSET, Param.JMAP_EMAIL, Param.ENVELOPE, Param.BODYSTRUCTURE})


class MessageTelling:
    """Says which messages an event is about. ``content`` is how much of a new message is told."""

    def __init__(self, content: Content) -> None:
        self._content = content

    def add(
        self,
        event: MboxEvent | None,
        mailbox: Mailbox,
        record: IndexRecord,
        cache: bytes | memoryview | None = None,
    ) -> None:
        """It is about this message too, with what is known of it now."""
        if event is None:
            return
        # with the third message there is none any more
        event.put_if_wanted(Param.MODSEQ, record.modseq if event.count < 2 else None)
        event.add_uids([record.uid])
        event.put_if_wanted(Param.MESSAGE_SIZE, record.size)
        event.put_if_wanted(Param.MESSAGE_CID, f"{record.cid:016x}" if record.cid else "NIL")
        guid = record.guid.hex()
        event.put_if_wanted(Param.MESSAGE_EMAILID, jmapemail.email_id(guid))
        event.put_if_wanted(Param.MESSAGE_THREADID, jmapemail.thread_id(record.cid))
        if event.expected.isdisjoint(_FROM_CACHE):
            return
        try:
            items = cache_record.split(mailbox.cache(record) if cache is None else cache)
            envelope = nstring.parse_envelope(items.envelope)
        except (ValueError, CyrusError) as error:
            log.error("mboxevent: can't extract cache of %s uid %d: %s", mailbox.name, record.uid, error)
            return
        if event.wants(Param.MIDSET):
            event.add_message_id(envelope.message_id)
        if event.wants(Param.JMAP_EMAIL):
            event.put(Param.JMAP_EMAIL, jmapemail.properties(guid, record.cid, envelope))
        event.put_if_wanted(Param.ENVELOPE, bytes(items.envelope))
        event.put_if_wanted(Param.BODYSTRUCTURE, bytes(items.bodystructure))

    def add_changed(
        self, event: MboxEvent | None, mailbox: Mailbox, uids: Sequence[int], recnos: Iterable[int]
    ) -> None:
        """It is about these messages, with uncommitted changes, by UID in ascending order and number."""
        if event is None:
            return
        if not event.wants(Param.MIDSET) and (not event.wants(Param.MODSEQ) or len(uids) > 2):
            event.add_uids(uids)
            return
        with event.harmlessly():
            for recno in recnos:
                self.add(event, mailbox, mailbox.record(recno))

    def add_content(
        self, event: MboxEvent | None, size: int, header_size: int, read: Callable[[], bytes | mmap.mmap]
    ) -> None:
        """The message itself, as much of it as is wanted."""
        if event is None or not event.wants(Param.MESSAGE_CONTENT):
            return
        span = self._content.span(size, header_size)
        if span is not None:
            with event.harmlessly():
                event.put(Param.MESSAGE_CONTENT, read()[slice(*span)])
