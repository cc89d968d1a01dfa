"""DELETE (RFC 3501 section 6.3.4). Deleting a user's INBOX removes the user's whole tree and data.

Sessions of a user who is deleted end, and so do those in a mailbox that is not only renamed.
"""

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
    parsed = process.store.rules.from_internal(name)
    if parsed.is_inbox:
        process.end_others(user=parsed.userid)
    if parsed.deleted or process.config[opt.delete_mode] == "immediate":
        process.end_others(mailbox=name)
    if process.config[opt.delete_unsubscribe]:
        process.subscriptions.remove(session.user(), name)
    return Ok()
