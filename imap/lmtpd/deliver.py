"""Bringing one message to its recipients' mailboxes, each with an outcome of its own.

A user's Sieve script decides if there is one, else, or if it fails: a message for ``user+detail`` goes to
the folder if the sender may post there, and to the INBOX if that fails for any reason; the INBOX takes
mail from everybody. Mail for a shared folder goes there or nowhere.
"""

from __future__ import annotations

import logging

from imap.lmtpd import placing, recipients
from imap.lmtpd.app import Lmtpd
from imap.lmtpd.placing import Message, Place
from imap.lmtpd.session import Recipient
from libcyrus.append import Stage
from libcyrus.auth import AuthState
from libcyrus.base import times
from libcyrus.base.dataclasses import dataclass, replace
from libcyrus.errors import CyrusError, MailboxNonexistent

log = logging.getLogger(__name__)

_SIEVE_FAILED = ("$SieveFailed",)
"""The flag of a message whose script came to grief."""


class Refused(CyrusError):
    """A script refuses the mail; ``lines`` are the reply."""

    text = "Message rejected"

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__()
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and the envelope it came in; ``authstate`` is of MAIL's AUTH=."""

    message: Message
    sender: str
    authuser: str | None
    authstate: AuthState | None
    remote: tuple[str, str]
    """The client's host name and address."""


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
    flags: tuple[str, ...] = ()
    as_sender = _as_sender(delivery, recipient)
    program = app.scripts.for_recipient(app.store, recipient.mboxname)
    if program is not None:
        # loaded together with the program
        from imap.lmtpd.sieve.filter import Filter

        script = Filter(app, delivery.message, as_sender, delivery.sender, delivery.remote)
        refusal = script.run(program)
        if refusal is not None:
            raise Refused(refusal)
        if script.succeeded:
            return
        flags = _SIEVE_FAILED
    _plainly(app, delivery.message, replace(as_sender, flags=flags))


def _as_sender(delivery: Delivery, recipient: Recipient) -> Place:
    """The mailbox of the address, in the name of whoever the sender is."""
    return Place(
        recipient.mboxname,
        delivery.authuser or recipient.mboxname.userid or "",
        delivery.authstate,
        ignorequota=recipient.ignorequota,
        told=recipient.mboxname.userid,
    )


def _plainly(app: Lmtpd, message: Message, where: Place) -> None:
    name = where.name
    if name.userid is None:
        placing.place(app, message, where)
        return
    if name.boxes:
        try:
            _into_folder(app, message, where)
            return
        except CyrusError as error:
            log.debug("%s: %s; trying INBOX", name.internal, error)
    placing.place(app, message, placing.inbox(app, where))


def _into_folder(app: Lmtpd, message: Message, where: Place) -> None:
    try:
        placing.place(app, message, where)
        return
    except MailboxNonexistent:
        similar = recipients.fuzzy_match(app, where.name) if app.settings.fuzzy else None
        if similar is None:
            raise
    placing.place(app, message, replace(where, name=similar))
