"""DELETE (RFC 3501 section 6.3.4). Deleting a user's INBOX removes the user's whole tree and data."""

from __future__ import annotations

from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus import mboxops
from libcyrus import options as opt


def run(session: Session, mailbox: str) -> Ok:
    process = session.process
    name = session.internal_name(mailbox)
    mboxops.delete(
        process.store,
        name,
        is_admin=session.privileged,
        userid=session.user(),
        auth=session.auth,
        on_failure=lambda failed, error: session.out.no(f"delete {failed}: {error}"),
    )
    if process.config[opt.delete_unsubscribe]:
        process.subscriptions.remove(session.user(), name)
    return Ok()
