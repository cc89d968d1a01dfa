"""Mailboxes that mailboxes.db knows to be on another server (RFC 2193): who is sent there, who is refused.

This server does not work on other servers' mailboxes for its clients. It refers a client that shows that it
knows of referrals (RLIST, RLSUB, the REMOTE option of LIST) where the original does, and everybody while a
mailbox is on its way to another server.
"""

from __future__ import annotations

from imap.imapd.response import No
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus import options as opt
from libcyrus.base import imapurl
from libcyrus.errors import MailboxMoved, MailboxNonexistent, MailboxNotSupported
from libcyrus.text import mutf7

# what the original does not send after a mailbox that is on its way
_WAITING = frozenset(
    ("DELETE", "LOCALDELETE", "RENAME", "COPY", "MOVE", "UID COPY", "UID MOVE", "XMOVE", "UID XMOVE")
)


def learn(session: Session) -> None:
    """The client knows of referrals."""
    session.refers = not session.process.config[opt.proxyd_disable_mailbox_referrals]


def refusal(session: Session, command: str, error: MailboxMoved) -> No:
    """What is said of a mailbox that another server has; ``command`` is the name in the command table."""
    entry = session.process.store.mboxlist.get(error.mboxname)
    if entry is None or entry.server is None:
        return No(str(error))
    if not session.is_admin and not session.rights(entry.acl) & acl.LOOKUP:
        return No(MailboxNonexistent.text)
    if not entry.remote and command in _WAITING:
        return No(MailboxNotSupported.text, "CANNOT" if "MOVE" in command or "COPY" in command else None)
    if entry.remote and not _refers(session, command):
        return No(str(error))
    mechanism = "anonymous" if session.userid == "anonymous" else "*"
    mailbox = mutf7.decode_lenient(session.external_name(entry.name).encode("utf-8", "surrogateescape"))
    return No("Remote mailbox.", f"REFERRAL {imapurl.referral(entry.server, mechanism, mailbox)}")


def _refers(session: Session, command: str) -> bool:
    if command == "RECONSTRUCT":
        return True
    if command == "STATUS":
        return session.refers and session.process.config[opt.proxyd_allow_status_referral]
    return session.refers and command in ("SELECT", "EXAMINE", "APPEND", "DELETE", "LOCALDELETE")
