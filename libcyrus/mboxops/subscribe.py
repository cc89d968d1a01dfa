"""Subscribing to mailboxes."""

from __future__ import annotations

from libcyrus import acl as acls
from libcyrus.auth import AuthState
from libcyrus.errors import MailboxNonexistent
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records.subscriptions import Subscriptions


def subscribe(
    store: MailStore, name: str, userid: str, auth: AuthState | None, *, add: bool, force: bool = False
) -> None:
    """Subscribe (``add``) to a mailbox or stop; to one that does not exist or may not be seen only with
    ``force``.

    Makes an event of it. Raises MailboxNonexistent.
    """
    subscriptions = Subscriptions(store.config, store.userstate)
    if add and not force:
        entry = store.mboxlist.lookup(name)
        if not store.mboxlist.acl.myrights(auth, entry.acl) & acls.LOOKUP:
            raise MailboxNonexistent
    if add:
        subscriptions.add(userid, name)
    else:
        subscriptions.remove(userid, name)
    store.sync_log.subscription(userid, name)
    if store.events is not None:
        event = store.events.new(EventType.MAILBOX_SUBSCRIBE if add else EventType.MAILBOX_UNSUBSCRIBE)
        store.events.about_name(event, name, userid)
        store.events.send(event)
