"""What events tell about mailboxes and messages: the way from those to ``libcyrus.events.mboxevent``.

``MailStore.events`` is a ``Telling`` if the configuration asks for events, else None, and then nothing is
done for them. Whoever changes something makes the event while the mailbox is still locked, when all its
numbers are right, and has it sent when the change is on disk: an event is never about something that did not
come to be.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from libcyrus.errors import CyrusError
from libcyrus.events.mboxevent import kinds
from libcyrus.events.mboxevent.event import MboxEvent
from libcyrus.events.mboxevent.jsontext import Json
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.events.mboxevent.params import Param
from libcyrus.events.mboxevent.sender import EventSender
from libcyrus.mailbox.telling_messages import MessageTelling
from libcyrus.mailbox.telling_quota import QuotaTelling
from libcyrus.mboxname import Namespace
from libcyrus.records import counters
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import SPECIALUSE
from libcyrus.records.counters import CounterValues
from libcyrus.text.urlpath import mailbox_path

if TYPE_CHECKING:
    from libcyrus.mailbox.mailbox import Mailbox
    from libcyrus.mailbox.mailstore import MailStore

log = logging.getLogger(__name__)

_TOLD_COUNTERS = (
    "highest", "mail", "caldav", "carddav", "notes", "mailfolders", "caldavfolders", "carddavfolders",
    "notesfolders", "quota", "racl",
)  # fmt: skip
_JMAP_STATES = {
    "Mailbox": "mailfolders",
    "Email": "mail",
    "EmailSubmission": "submission",
    "Calendar": "caldavfolders",
    "CalendarEvent": "caldav",
    "Contact": "carddav",
    "ContactGroup": "carddav",
    "Note": "notes",
    "SieveScript": "sieve",
    "Quota": "quota",
    "Racl": "racl",
}


class Telling:
    """Makes events about a store's mailboxes and sends them; see the module.

    ``messages`` says what an event tells of messages, ``quota`` makes those about quotas. Whatever the event,
    those who make it may do with None as with an event that nobody wants.
    """

    def __init__(self, store: MailStore) -> None:
        self._store = store
        self._sender = EventSender(store.config)
        self._namespace = Namespace.from_config(store.config, admin=True)
        self.send = self._sender.send
        self.told_flags = self._sender.told_flags
        self.quota = QuotaTelling(self, store.rules)
        self.messages = MessageTelling(self._sender.content)

    @property
    def client_id(self) -> str:
        """What the client calls itself (XMEID)."""
        return self._sender.client_id

    @client_id.setter
    def client_id(self, name: str) -> None:
        self._sender.client_id = name

    def new(self, kind: EventType) -> MboxEvent | None:
        """An event that happens now; None if nobody wants to hear of such."""
        self._sender.session_id = self._store.session_id
        return self._sender.new(kind)

    def close(self) -> None:
        self._sender.close()

    # mailboxes

    def about(
        self,
        event: MboxEvent | None,
        mailbox: Mailbox,
        userid: str | None,
        *,
        unseen: int | None = None,
        name: str | None = None,
        acl: str | None = None,
    ) -> None:
        """It happened in this mailbox, index locked, and ``userid`` did it (empty: nobody in particular).

        ``unseen`` are the messages that this user has not seen, None for those of the owner. ``name`` and
        ``acl`` are what the mailbox has by that, if its files say something else. Cancels the event if the
        mailbox is one of which nothing is told.
        """
        if event is None:
            return
        with event.harmlessly():
            if not self._is_told_of(mailbox):
                event.cancel()
                return
        uid = 0
        if event.kind & kinds.NEW_MESSAGES:
            uid = event.first_uid
            event.forget_uids()
        i = mailbox.i
        event.put(Param.URI, self.url(name or mailbox.name, i.uidvalidity, uid))
        event.put(Param.MBTYPE, mbtypes.format(mailbox.entry.mbtype))
        event.put(Param.MAILBOX_ACL, mailbox.header.acl if acl is None else acl)
        event.put(Param.MAILBOX_ID, mailbox.uniqueid)
        event.put_if_wanted(Param.UIDNEXT, i.last_uid + 1)
        event.put_if_wanted(Param.MESSAGES, i.exists)
        event.put_if_wanted(Param.UNSEEN_MESSAGES, i.unseen if unseen is None else unseen)
        if userid is not None:
            event.put_if_wanted(Param.USER, userid)
        self._put_state(event, mailbox)

    def about_old(self, event: MboxEvent | None, mailbox: Mailbox, *, name: str | None = None) -> None:
        """It was this mailbox before, or was in it. ``name`` is what that was called."""
        if event is not None:
            event.put(Param.OLD_MAILBOX_ID, self.url(name or mailbox.name, mailbox.i.uidvalidity))

    def about_name(self, event: MboxEvent | None, name: str, userid: str) -> None:
        """It is about what has this name, be it a mailbox or not, and ``userid`` did it."""
        if event is None:
            return
        event.put(Param.URI, self.url(name))
        with event.harmlessly():
            entry = self._store.mboxlist.get(name)
            if entry is not None and entry.uniqueid:
                event.put(Param.MAILBOX_ID, entry.uniqueid)
        event.put_if_wanted(Param.USER, userid)

    def modseq_changed(
        self, mailbox: Mailbox, *, name: str | None = None, acl: str | None = None
    ) -> MboxEvent | None:
        """An event about something in the mailbox that changed."""
        event = self.new(EventType.MAILBOX_MODSEQ)
        self.about(event, mailbox, "", name=name, acl=acl)
        return event

    def acl_changed(
        self,
        mailbox: Mailbox,
        identifier: str,
        rights: str | None,
        userid: str | None,
        *,
        name: str | None = None,
        acl: str | None = None,
    ) -> MboxEvent | None:
        """An event about somebody's rights, which were set to these letters; None if they were removed."""
        event = self.new(EventType.ACL_CHANGE)
        self.about(event, mailbox, userid, name=name, acl=acl)
        if event is not None:
            event.put(Param.ACL_SUBJECT, identifier)
            event.put(Param.ACL_RIGHTS, rights)
        return event

    def accessed(self, kind: EventType, userid: str, *, server: str | None, client: str | None) -> None:
        """A user logged in or out; the addresses are like ``192.0.2.1;143``, None where there are none."""
        event = self.new(kind)
        if event is not None:
            event.put(Param.URI, self.url(None))
            event.put_if_wanted(Param.USER, userid)
            event.put_if_wanted(Param.SERVER_ADDRESS, _address(server))
            event.put_if_wanted(Param.CLIENT_ADDRESS, _address(client))
            self.send(event)

    def url(self, name: str | None, uidvalidity: int = 0, uid: int = 0) -> str:
        """The URL of a mailbox or a message in it; without a name that of the server."""
        url = f"imap://{self._sender.servername}"
        external = self._namespace.to_external(name, None) if name is not None else None
        if external is not None:
            url += "/" + mailbox_path(external)
        if uidvalidity:
            url += f";UIDVALIDITY={uidvalidity}"
        if uid:
            url += f"/;UID={uid}"
        return url

    def _is_told_of(self, mailbox: Mailbox) -> bool:
        """Whether the options ``event_exclude_*`` leave this mailbox."""
        store, sender = self._store, self._sender
        if sender.inboxes_only and not store.rules.from_internal(mailbox.name).is_inbox:
            return False
        if not sender.excluded_uses:
            return True
        owner = mailbox.userid or ""
        uses = store.annotations.lookup_mailbox(mailbox.uniqueid, mailbox.name, SPECIALUSE, owner)
        return not uses or sender.excluded_uses.isdisjoint(uses.decode("utf-8", "replace").split())

    def _put_state(self, event: MboxEvent, mailbox: Mailbox) -> None:
        """Conversations and counters of the owner."""
        if event.wants(Param.CONVEXISTS) or event.wants(Param.CONVUNSEEN):
            status = mailbox.conversing.status()
            event.put_if_wanted(Param.CONVEXISTS, status.threadexists)
            event.put_if_wanted(Param.CONVUNSEEN, status.threadunseen)
        if event.wants(Param.COUNTERS) or event.wants(Param.JMAP_STATES):
            values = self._counters(mailbox.name)
            version = counters.VERSION if values.generation else 0
            numbers = [
                version,
                *(values.modseqs[name] for name in _TOLD_COUNTERS),
                values.uidvalidity,
            ]
            event.put_if_wanted(Param.COUNTERS, " ".join(map(str, numbers)))
            states: Json = {kind: str(values.modseqs[name]) for kind, name in _JMAP_STATES.items()}
            event.put_if_wanted(Param.JMAP_STATES, states)

    def _counters(self, name: str) -> CounterValues:
        try:
            return self._store.counters.read(name)
        except CyrusError as error:
            log.error("mboxevent: no counters of %s: %s", name, error)
            return CounterValues()


def _address(text: str | None) -> Json:
    host, _, port = (text or "").partition(";")
    return (host, int(port)) if port.isdigit() else None
