"""Changing the annotations of messages in a selected mailbox (RFC 5257 section 4.6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from libcyrus.annotations import Setting, Target, store_message
from libcyrus.errors import PermissionDenied
from libcyrus.index.view import IndexView
from libcyrus.mailbox.mailbox import Mailbox


def store(
    view: IndexView,
    sequence: str,
    settings: Sequence[Setting],
    target: Callable[[Mailbox, int], Target],
    *,
    by_uid: bool,
) -> None:
    """Set annotations of the messages in a sequence set, of all or of none; ``target`` makes theirs.

    What this does is not told. Raises PermissionDenied for a mailbox that was opened only to be read, what
    ``store_message`` and ``IndexView.locked`` raise; ValueError for a bad set.
    """
    if view.readonly:
        raise PermissionDenied
    picture = view.picture
    changed = []
    with view.locked(write=True) as mailbox:
        known_news = set(picture.pending)
        try:
            for low, high in picture.numbers(sequence, by_uid=by_uid):
                for number in range(low, high + 1):
                    uid = picture.uids[number - 1]
                    record = mailbox.find_uid(uid) if uid not in picture.gone else None
                    if record is None or record.expunged:
                        continue
                    store_message(target(mailbox, uid), settings)
                    # the message counts as changed even if its annotations were so before
                    mailbox.rewrite(record)
                    changed.append(uid)
        except BaseException:
            mailbox.abort()
            raise
    picture.pending.difference_update(set(changed) - known_news)
