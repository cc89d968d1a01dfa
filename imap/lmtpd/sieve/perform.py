"""Doing what a script wants with a message, in its order, up to the first thing that fails.

What was done stays done. After a failure the caller keeps the message as without a script, so that it may
be in two places, and never in none.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from imap.lmtpd import placing
from imap.lmtpd.app import Lmtpd
from imap.lmtpd.placing import Place
from imap.lmtpd.sieve import replies, snooze
from imap.lmtpd.sieve.host import ScriptHost, text
from imap.lmtpd.sieve.message import ScriptMessage
from libcyrus import mboxops
from libcyrus.annotations import Setting
from libcyrus.append import Appender, Stage
from libcyrus.auth import AuthState
from libcyrus.base.dataclasses import dataclass, replace
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import CyrusError, MailboxNonexistent, NotFound, PermissionDenied
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mboxops import annotation, checks
from libcyrus.mboxops.subscribe import subscribe
from libcyrus.records.annotate import SPECIALUSE
from libcyrus.records.duplicate import DuplicateKey
from libcyrus.smtp import submit
from libcyrus.smtp.envelope import Envelope, Mailbox
from sieve.run.outcomes import (
    Discard,
    Fileinto,
    Keep,
    Outcome,
    Redirect,
    Reject,
    Snooze,
    Target,
    Vacation,
)

log = logging.getLogger(__name__)

MOST_MEMBERS = 1000
"""Addresses of a list that one message is redirected to."""
_REPORT_LIMIT = 4096


@dataclass(slots=True)
class Performer:
    """For one message and one recipient.

    ``sender`` is the return path, ``where`` is where the message would go without a script, in the sender's
    name; ``owner`` is who the script belongs to.
    """

    app: Lmtpd
    host: ScriptHost
    message: placing.Message
    seen: ScriptMessage
    sender: str
    where: Place
    owner: AuthState | None
    report: str = "Action(s) taken:\n"
    """What a notification is told of all that was done."""
    refusal: tuple[str, ...] | None = None
    """The reply to the recipient, where that is not success."""

    @property
    def userid(self) -> str:
        return self.host.userid or ""

    def perform(self, outcome: Outcome) -> None:
        """Raises CyrusError."""
        _WAYS[type(outcome)](self, outcome)

    def keep(self, outcome: Keep) -> None:
        name = self.app.namespace.rules.from_internal(outcome.mailbox)
        where = replace(self.where, name=name, flags=_flags(outcome.flags), owner=self.owner)
        if name.is_inbox:
            where = placing.inbox(self.app, where)
        self._place(where, outcome.edited)
        self._count("keep")
        self._note("Kept")

    def fileinto(self, outcome: Fileinto) -> None:
        where = Place(
            self.app.namespace.rules.from_internal(outcome.mailbox),
            self.userid,
            self.owner,
            ignorequota=self.where.ignorequota,
            flags=_flags(outcome.flags),
            told=self.host.userid,
        )
        try:
            self._place(where, outcome.edited)
        except MailboxNonexistent:
            if not self._create(outcome.mailbox, outcome.target):
                raise
            self._place(where, outcome.edited)
        self._count("fileinto")
        self._note(f"Filed into: {text(outcome.target.name)}")

    def discard(self, outcome: Discard) -> None:
        log.info("sieve discarded: %s", self._id)
        self._audit("auditlog: discard sessionid=<%s> message-id=%s")
        self._count("discard")
        self._note("Discarded")

    def redirect(self, outcome: Redirect) -> None:
        address = text(outcome.address)
        message_id = self.message.message_id
        key = DuplicateKey(message_id + b"-" + outcome.address, self.host.address_key, self.message.date)
        duplicates = self.app.duplicates
        if duplicates is not None and duplicates.check(key):
            duplicates.log(key, "redirect", self.message.session_id)
            self._note(f"Redirected to {address}")
            return
        header = self.seen.original_header if outcome.edited is None else outcome.edited
        sender = self.app.srs.forward(self.sender) if self.app.srs is not None else self.sender
        recipients = self._members(outcome.address) if outcome.is_list else [address]
        envelope = Envelope(
            Mailbox(sender),
            tuple(Mailbox(recipient) for recipient in recipients),
            auth=self.host.userid,
            notify=_word(outcome.notify),
            ret=_word(outcome.ret),
            by=outcome.deliverby,
        )
        self._send(envelope, replies.forward(header, self.seen.rest))
        if duplicates is not None:
            duplicates.mark(key, int(time.time()))
        log.info("sieve redirected: %s to: %s", self._id, address)
        self._audit("auditlog: redirect sessionid=<%s> message-id=%s target=<%s> userid=<%s>", address)
        self._count("redirect")
        self._note(f"Redirected to {address}")

    def _members(self, name: bytes) -> list[str]:
        """Whom a list stands for (RFC 6134); without anybody there is nobody to send to."""
        members = self.host.lists.members(name, MOST_MEMBERS + 1)
        if not members:
            raise NotFound(f"list {text(name)} is empty or unknown")
        if len(members) > MOST_MEMBERS:
            raise PermissionDenied(f"list {text(name)} has more than {MOST_MEMBERS} members")
        return members

    def reject(self, outcome: Reject) -> None:
        reason = outcome.reason
        shown = text(reason)
        if outcome.extended or (self.app.settings.lmtp_reject and reason.isascii()):
            self.refusal = replies.lmtp_refusal(reason)
            log.info("sieve LMTP rejected: %s", self._id)
            self._audit("auditlog: LMTP reject sessionid=<%s> message-id=%s userid=<%s>", self.userid)
        elif not self.sender:
            log.info("sieve: discarded reject to <> for %s id %s", self.userid, self._id)
            self._audit("auditlog: discard-reject sessionid=<%s> message-id=%s userid=<%s>", self.userid)
        else:
            self._send_back(reason)
        self._count("reject")
        self._note(f"{'eRejected' if outcome.extended else 'Rejected'} with: {shown}")

    def _send_back(self, reason: bytes) -> None:
        now = int(time.time())
        message_id = replies.new_id(self.app.config, now)
        original = self.seen.header(b"original-recipient")
        self._remember_sent(message_id, now)
        mail = replies.rejection(
            self.app.config,
            reason=reason,
            to=self.sender.encode("utf-8", "surrogateescape"),
            recipient=self.host.address.encode("utf-8", "surrogateescape"),
            original_recipient=original[0] if original else None,
            original_id=self.message.message_id,
            message=self.seen.original_header + self.seen.rest,
            message_id=message_id,
            now=now,
        )
        self._send(Envelope(Mailbox(""), (Mailbox(self.sender),), auth=self.host.userid), mail)
        log.info("sieve rejected: %s to: %s", self._id, self.sender)
        self._audit("auditlog: reject sessionid=<%s> message-id=%s target=<%s> userid=<%s>", self.sender)

    def vacation(self, outcome: Vacation) -> None:
        """Answer, unless the sender had an answer lately (RFC 5230 section 4.2)."""
        self._count("autorespond")
        now = int(time.time())
        what = outcome.handle if outcome.handle is not None else outcome.sender + outcome.message
        digest = hashlib.md5(outcome.to + what, usedforsecurity=False).hexdigest().upper()
        key = DuplicateKey(digest.encode(), self.userid.encode("utf-8", "surrogateescape"))
        duplicates = self.app.duplicates
        if duplicates is not None:
            if now < duplicates.check(key):
                self._note("Vacation reply suppressed")
                return
            duplicates.mark(key, now + outcome.seconds)
        message_id = replies.new_id(self.app.config, now)
        mail = replies.vacation(outcome, self.message.message_id, message_id, now)
        self._send(Envelope(Mailbox(""), (Mailbox(text(outcome.to)),), auth=self.host.userid), mail)
        self._remember_sent(message_id, now)
        if outcome.fcc is not None:
            self._file_copy(outcome, outcome.fcc, mail, now)
        self._count("autorespond_sent")
        self._note("Sent vacation reply")

    def _file_copy(self, outcome: Vacation, target: Target, mail: bytes, now: int) -> None:
        """Keep a copy of the answer (RFC 8580); that this fails undoes nothing."""
        store = self.app.store
        mailbox = self.host.resolve(target)
        try:
            if mailbox is None:
                raise MailboxNonexistent
            if store.mboxlist.get(mailbox) is None and not self._create(mailbox, target):
                raise MailboxNonexistent
            # a second later, so that it comes behind the message it answers
            with (
                Stage.from_bytes(store, mail) as stage,
                Appender.open(
                    store, mailbox, userid=self.userid, auth=self.owner, event=EventType.MESSAGE_APPEND
                ) as appender,
            ):
                appender.append(stage, flags=_flags(outcome.fcc_flags), internaldate=now + 1)
                appender.commit()
        except CyrusError as error:
            log.log(NOTICE, "sieve fcc '%s' failed: %s", text(target.name), error)

    def snooze(self, outcome: Snooze) -> None:
        box = self.host.by_use(rb"\Snoozed")
        moment = snooze.until(outcome, int(time.time()))
        if box is None or moment is None:
            raise MailboxNonexistent
        awaken_in = None if outcome.awaken is None else self._awaken_in(outcome.awaken)
        value = snooze.details(outcome, moment, awaken_in)
        where = Place(
            self.app.namespace.rules.from_internal(box.name),
            self.userid,
            self.owner,
            ignorequota=self.where.ignorequota,
            flags=[*_flags(outcome.flags), snooze.FLAG],
            told=self.host.userid,
            savedate=moment,
            settings=(Setting(snooze.ANNOTATION, [("value.shared", value)]),),
        )
        self._place(where, outcome.edited)
        self._count("snooze")
        self._note("Snoozed")

    def _awaken_in(self, target: Target) -> str | None:
        """The id of the mailbox that a snoozed message goes to, made if it may be."""
        mailbox = self.host.resolve(target)
        if mailbox is None:
            return None
        mailboxes = self.app.store.mboxlist
        if mailboxes.get(mailbox) is None and not self._create(mailbox, target):
            return None
        entry = mailboxes.get(mailbox)
        return None if entry is None else entry.uniqueid

    # what several of them need

    def _place(self, where: Place, edited: bytes | None) -> None:
        if edited is None:
            placing.place(self.app, self.message, where)
            return
        # another message than all others have got
        with Stage.from_bytes(
            self.app.store, edited + self.seen.rest, partition=self.message.stage.partition
        ) as stage:
            placing.place(self.app, replace(self.message, stage=stage), where)

    def _create(self, mailbox: str, target: Target) -> bool:
        """Make a missing mailbox, if the script or the configuration says so; whether it is there now."""
        app, userid = self.app, self.host.userid
        name = app.namespace.rules.from_internal(mailbox)
        if userid is None:
            return False
        wanted = target.create or app.settings.any_sieve_folder
        if not wanted:
            wanted = name.userid == userid and ".".join(name.boxes) in app.settings.sieve_folders
        if not wanted:
            return False
        try:
            mboxops.create(app.store, mailbox, is_admin=False, userid=userid, auth=self.owner)
        except CyrusError as error:
            if app.store.mboxlist.get(mailbox) is not None:
                # somebody else was faster
                return True
            log.error(
                "autosievefolder: User %s, folder %s creation failed. %s", userid, mailbox, error
            )
            return False
        try:
            subscribe(app.store, mailbox, userid, self.owner, add=True, force=True)
            if target.specialuse is not None:
                use = checks.validate_specialuse(app.store, userid, [text(target.specialuse)])
                annotation.write(app.store, mailbox, SPECIALUSE, userid, use.encode())
        except CyrusError as error:
            log.warning("autosievefolder: User %s, folder %s: %s", userid, mailbox, error)
        return True

    def _send(self, envelope: Envelope, mail: bytes) -> None:
        with submit.opened(self.app.config) as client:
            client.send(envelope, mail)

    def _remember_sent(self, message_id: bytes, now: int) -> None:
        if self.app.duplicates is not None:
            self.app.duplicates.mark(DuplicateKey(message_id, self.host.address_key, self.message.date), now)

    @property
    def _id(self) -> str:
        return self.message.message_id.decode("utf-8", "backslashreplace") or "<nomsgid>"

    def _audit(self, line: str, *values: str) -> None:
        if self.app.settings.auditlog:
            count = line.count("%s")
            every = (self.message.session_id, self._id, *values, self.userid)
            log.log(NOTICE, line, *every[:count])

    def _count(self, what: str) -> None:
        if self.app.metrics is not None:
            self.app.metrics.add(f"sieve_{what}_total")

    def _note(self, line: str) -> None:
        self.report = (self.report + line + "\n")[:_REPORT_LIMIT]


_WAYS: dict[type, Callable[[Performer, Any], None]] = {
    Keep: Performer.keep,
    Fileinto: Performer.fileinto,
    Redirect: Performer.redirect,
    Discard: Performer.discard,
    Reject: Performer.reject,
    Snooze: Performer.snooze,
    Vacation: Performer.vacation,
}


def _flags(flags: Sequence[bytes]) -> list[str]:
    return [text(flag) for flag in flags]


def _word(value: bytes | None) -> str | None:
    return None if value is None else text(value)
