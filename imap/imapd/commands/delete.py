"""DELETE (RFC 3501 section 6.3.4). Deleting a user's INBOX removes the user's whole tree and data.

LOCALDELETE, the administrator's, removes one mailbox for good, whatever its ACL and wherever it is.
Sessions of a user who is deleted end, and so do those in a mailbox that is not only renamed.
"""

from __future__ import annotations

from imap.imapd.response import Ok
from imap.imapd.session import Session
from libcyrus import mboxops
from libcyrus import options as opt
from libcyrus.errors import PermissionDenied


def run(session: Session, mailbox: str, *, local_only: bool = False) -> Ok:
    process = session.process
    name = session.internal_name(mailbox)
    if local_only:
        process.store.mboxlist.lookup(name)
        if not session.privileged:
            raise PermissionDenied
    mboxops.delete(
        process.store,
        name,
        is_admin=session.privileged,
        userid=session.user(),
        auth=session.auth,
        local_only=local_only,
        force=local_only,
        on_failure=lambda failed, error: session.out.no(f"delete {failed}: {error}"),
    )
    parsed = process.store.rules.from_internal(name)
    if parsed.is_inbox and not local_only:
        process.end_others(user=parsed.userid)
    if parsed.deleted or local_only or process.config[opt.delete_mode] == "immediate":
        process.end_others(mailbox=name)
    if process.config[opt.delete_unsubscribe]:
        mboxops.subscribe(process.store, name, session.user(), session.auth, add=False)
    return Ok()
