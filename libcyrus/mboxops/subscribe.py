"""Subscribing to mailboxes."""

from __future__ import annotations

from libcyrus import acl as acls
from libcyrus.auth import AuthState
from libcyrus.errors import MailboxNonexistent
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records.subscriptions import Subscriptions


def subscribe(
    store: MailStore,
    name: str,
    userid: str,
    auth: AuthState | None,
    *,
    add: bool,
    force: bool = False,
    tell: bool = True,
) -> None:
    """Subscribe (``add``) to a mailbox or stop; to one that does not exist or may not be seen only with
    ``force``.

    ``tell`` makes an event of it. Raises MailboxNonexistent.
    """
    subscriptions = Subscriptions(store.config, store.userstate)
    if add and not force:
        entry = store.mboxlist.lookup(name)
        if not store.mboxlist.acl.myrights(auth, entry.acl) & acls.LOOKUP:
            raise MailboxNonexistent
    if add:
        subscriptions.add(userid, name)
    elif not subscriptions.remove(userid, name):
        return
    store.sync_log.subscription(userid, name)
    if tell and store.events is not None:
        event = store.events.new(EventType.MAILBOX_SUBSCRIBE if add else EventType.MAILBOX_UNSUBSCRIBE)
        store.events.about_name(event, name, userid)
        store.events.send(event)
