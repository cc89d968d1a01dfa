"""Putting one message into one mailbox, unless it is there already."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from imap.lmtpd.app import Lmtpd
from libcyrus import acl
from libcyrus.annotations import Arrival, Setting, Target
from libcyrus.append import Appender, Stage
from libcyrus.append.append import check
from libcyrus.auth import AuthState, new_state
from libcyrus.base.dataclasses import dataclass, replace
from libcyrus.errors import MailboxNotSupported, MailboxSpecialUse
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
class Message:
    """A finished stage and what it goes by. ``summary`` is what a notification says of it."""

    stage: Stage
    message_id: bytes
    date: bytes
    internaldate: int
    session_id: str
    summary: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message goes, and in whose name.

    ``need`` are the rights that ``authstate`` must have; without any the message goes there whatever the
    ACL says. ``userid`` is whose \\Seen a flag sets. Flags are set by the rights of ``authstate`` and of
    ``owner`` together. ``told`` is the user who is notified. A ``savedate`` is for a snoozed message, which
    may go where mail may not.
    """

    name: MboxName
    userid: str
    authstate: AuthState | None
    need: int = acl.POST
    ignorequota: bool = False
    flags: Sequence[str] = ()
    owner: AuthState | None = None
    told: str | None = None
    savedate: int = 0
    settings: Sequence[Setting] = ()


def place(app: Lmtpd, message: Message, where: Place) -> None:
    """Raises the CyrusError that says why the message cannot go there.

    The check for a duplicate, the append and the note in deliver.db happen under one lock of the
    mailbox, so that the same message arriving twice at once is stored once.
    """
    settings, store, name = app.settings, app.store, where.name
    if name.deleted or (name.boxes and name.boxes[0] in settings.closed_folders):
        raise MailboxNotSupported
    quota = None
    if not where.ignorequota:
        size = (message.stage.size, 1) if settings.strict_quota else (0, 0)
        quota = (*size, 0, _WITHOUT_QUOTA_ROOTS_FOLDERS)
    with store.open(name.internal, write=True) as mailbox:
        if not where.savedate:
            _check_special_use(app, name, mailbox)
        rights = acl.ALL
        if where.need or where.flags:
            rights = store.acl_rules.myrights(where.authstate, mailbox.acl)
        check(mailbox, rights, need=where.need, quota=quota)
        if where.owner is not None and where.owner is not where.authstate:
            rights |= store.acl_rules.myrights(where.owner, mailbox.acl) & ~acl.POST
        key = DuplicateKey(message.message_id, mailbox.uniqueid.encode(), message.date)
        duplicates = app.duplicates
        if duplicates is not None and not mailbox.i.options & DUPDELIVER and duplicates.check(key):
            duplicates.log(key, "delivery", message.session_id)
            return
        with Appender(mailbox, userid=where.userid, rights=rights, event=EventType.MESSAGE_NEW) as appender:
            record = appender.append(
                message.stage,
                flags=where.flags,
                internaldate=message.internaldate,
                savedate=where.savedate,
                link=settings.single_instance,
                arrival=_arrival(app, message, where, mailbox),
            )
            appender.commit()
        log.info(
            "Delivered: %s to mailbox: %s",
            message.message_id.decode("utf-8", "backslashreplace"),
            name.internal,
        )
        if duplicates is not None:
            duplicates.mark(key, int(time.time()), record.uid)
    _notify(app, message, where)


def inbox(app: Lmtpd, where: Place) -> Place:
    """The INBOX of the user to whom ``where`` belongs, which takes mail from everybody."""
    name = where.name
    assert name.userid is not None
    auth = new_state(app.config, name.userid)
    return replace(where, name=name.with_boxes(), userid=name.userid, authstate=auth, need=0)


def _notify(app: Lmtpd, message: Message, where: Place) -> None:
    userid = where.told
    if app.notifier is None or userid is None or not app.settings.notifier:
        return
    # a folder of the user's own is always said to be the INBOX, as in the original
    shown = where.name.with_boxes() if where.name.userid == userid else where.name
    mailbox = app.namespace.to_external(shown, userid) or "INBOX"
    app.notifier.notify(
        app.settings.notifier, "MAIL", user=userid, mailbox=mailbox, message=message.summary
    )


def _arrival(app: Lmtpd, message: Message, where: Place, mailbox: Mailbox) -> Arrival | None:
    if not (where.settings or app.settings.callout):
        return None
    # private values are the owner's
    actor = Actor(True, where.userid or mailbox.userid or "", where.authstate)
    target = Target(app.store, app.definitions, actor)
    return Arrival(target, message.stage.message, where.settings)


def _check_special_use(app: Lmtpd, name: MboxName, mailbox: Mailbox) -> None:
    """Raise MailboxSpecialUse for a user's folder that ``lmtp_exclude_specialuse`` closes."""
    excluded = app.settings.excluded_specialuse
    if not excluded or name.userid is None:
        return
    uses = app.store.annotations.lookup_mailbox(mailbox.uniqueid, mailbox.name, SPECIALUSE, name.userid)
    if uses and not excluded.isdisjoint(uses.decode("utf-8", "replace").lower().split()):
        raise MailboxSpecialUse
