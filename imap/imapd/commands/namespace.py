"""NAMESPACE (RFC 2342): the groups in which this user sees mailboxes."""

from __future__ import annotations

from imap.imapd.response import Ok
from imap.imapd.session import Session


def run(session: Session, _args: None) -> Ok:
    space = session.namespace
    mailboxes = session.process.store.mboxlist
    personal = mailboxes.get(space.rules.inbox(session.user())) is not None
    seen = (personal, session.is_admin or space.user_accessible, session.is_admin or space.shared_accessible)
    session.out.namespace(
        [
            ((prefix, space.separator),) if visible else ()
            for prefix, visible in zip(space.prefixes, seen, strict=True)
        ]
    )
    return Ok()
