"""Bringing one message to its recipients' mailboxes, each with an outcome of its own.

A message for ``user+detail`` goes to the folder if the sender may post there, and to the INBOX if that
fails for any reason; the INBOX takes mail from everybody. Mail for a shared folder goes there or nowhere.
"""

from __future__ import annotations

import logging
import time

from imap.lmtpd import recipients
from imap.lmtpd.app import Lmtpd
from imap.lmtpd.session import Recipient
from libcyrus import acl
from libcyrus.annotations import Arrival, Target
from libcyrus.append import Appender, Stage
from libcyrus.append.append import check
from libcyrus.auth import AuthState
from libcyrus.base import times
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import (
    CyrusError,
    MailboxNonexistent,
    MailboxNotSupported,
    MailboxSpecialUse,
)
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox.index_header import DUPDELIVER
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mboxname import MboxName
from libcyrus.mboxops import Actor
from libcyrus.records.annotate import SPECIALUSE
from libcyrus.records.duplicate import DuplicateKey

log = logging.getLogger(__name__)

_WITHOUT_QUOTA_ROOTS_FOLDERS = -1


@dataclass(frozen=True, slots=True)
class Delivery:
    """A finished stage and what goes with it to every mailbox; ``authstate`` is of MAIL's AUTH=."""

    stage: Stage
    message_id: bytes
    date: bytes
    authuser: str | None
    authstate: AuthState | None
    session_id: str
    internaldate: int
    summary: str
    """What a notification says of the message."""


def internaldate(stage: Stage, now: int) -> int:
    """The date that the mailbox shows: what X-DeliveredInternalDate says, else now, as our Received does."""
    stated = stage.message.delivered_internaldate
    return (times.from_rfc5322(stated) if stated else None) or now


def deliver(app: Lmtpd, delivery: Delivery, addressees: list[Recipient]) -> list[CyrusError | None]:
    """Deliver to each; None stands for success."""
    outcomes: list[CyrusError | None] = []
    for recipient in addressees:
        try:
            _to_recipient(app, delivery, recipient)
            outcomes.append(None)
        except CyrusError as error:
            outcomes.append(error)
        app.usage.log(recipient.mboxname.userid)
    return outcomes


def _to_recipient(app: Lmtpd, delivery: Delivery, recipient: Recipient) -> None:
    """Raises the CyrusError of the last place that was tried."""
    name = recipient.mboxname
    if name.userid is None:
        _into(app, delivery, recipient, name, need=acl.POST)
        return
    if name.boxes:
        try:
            _into_folder(app, delivery, recipient, name)
            return
        except CyrusError as error:
            log.debug("%s: %s; trying INBOX", name.internal, error)
    _into(app, delivery, recipient, name.with_boxes(), need=0)


def _into_folder(app: Lmtpd, delivery: Delivery, recipient: Recipient, name: MboxName) -> None:
    try:
        _into(app, delivery, recipient, name, need=acl.POST)
        return
    except MailboxNonexistent:
        similar = recipients.fuzzy_match(app, name) if app.settings.fuzzy else None
        if similar is None:
            raise
    _into(app, delivery, recipient, similar, need=acl.POST)


def _into(app: Lmtpd, delivery: Delivery, recipient: Recipient, name: MboxName, *, need: int) -> None:
    """Put the message into one mailbox, unless it is there already.

    The check for a duplicate, the append and the note in deliver.db happen under one lock of the
    mailbox, so that the same message arriving twice at once is stored once.
    """
    settings = app.settings
    if name.deleted or (name.boxes and name.boxes[0] in settings.closed_folders):
        raise MailboxNotSupported
    store = app.store
    quota = None
    if not recipient.ignorequota:
        size = (delivery.stage.size, 1) if settings.strict_quota else (0, 0)
        quota = (*size, 0, _WITHOUT_QUOTA_ROOTS_FOLDERS)
    with store.open(name.internal, write=True) as mailbox:
        _check_special_use(app, name, mailbox)
        rights = store.acl_rules.myrights(delivery.authstate, mailbox.acl) if need else acl.ALL
        check(mailbox, rights, need=need, quota=quota)
        key = DuplicateKey(delivery.message_id, mailbox.uniqueid.encode(), delivery.date)
        duplicates = app.duplicates
        if duplicates is not None and not mailbox.i.options & DUPDELIVER and duplicates.check(key):
            duplicates.log(key, "delivery", delivery.session_id)
            return
        # without the right to post it is for the owner that it is delivered
        userid = delivery.authuser if need else name.userid
        with Appender(
            mailbox, userid=userid or "", rights=rights, event=EventType.MESSAGE_NEW
        ) as appender:
            record = appender.append(
                delivery.stage,
                internaldate=delivery.internaldate,
                link=settings.single_instance,
                arrival=_arrival(app, delivery, mailbox),
            )
            appender.commit()
        _warn_of_script(app, name, mailbox)
        log.info(
            "Delivered: %s to mailbox: %s",
            delivery.message_id.decode("utf-8", "backslashreplace"),
            name.internal,
        )
        if duplicates is not None:
            duplicates.mark(key, int(time.time()), record.uid)
    if app.notifier is not None and name.userid is not None and settings.notifier:
        # the folder of a user's own mail is always said to be the INBOX, as in the original
        mailbox_name = app.namespace.to_external(name.with_boxes(), name.userid) or "INBOX"
        app.notifier.notify(
            settings.notifier, "MAIL", user=name.userid, mailbox=mailbox_name, message=delivery.summary
        )


def _arrival(app: Lmtpd, delivery: Delivery, mailbox: Mailbox) -> Arrival | None:
    if app.annotation_definitions is None:
        return None
    # private values are the owner's
    actor = Actor(True, delivery.authuser or mailbox.userid or "", delivery.authstate)
    return Arrival(Target(app.store, app.annotation_definitions, actor), delivery.stage.message)


def _check_special_use(app: Lmtpd, name: MboxName, mailbox: Mailbox) -> None:
    """Raise MailboxSpecialUse for a user's folder that ``lmtp_exclude_specialuse`` closes."""
    excluded = app.settings.excluded_specialuse
    if not excluded or name.userid is None:
        return
    uses = app.store.annotations.lookup_mailbox(mailbox.uniqueid, mailbox.name, SPECIALUSE, name.userid)
    if uses and not excluded.isdisjoint(uses.decode("utf-8", "replace").lower().split()):
        raise MailboxSpecialUse


def _warn_of_script(app: Lmtpd, name: MboxName, mailbox: Mailbox) -> None:
    """A script that is not run should at least be heard of."""
    if name.userid is None or name.boxes:
        return
    path = app.sieve_script(name, mailbox.entry.path_id)
    if path is not None:
        log.warning("Sieve is not supported: script %s of %s was not run, message kept", path, name.userid)
