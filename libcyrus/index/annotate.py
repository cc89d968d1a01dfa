"""Changing the annotations of messages in a selected mailbox (RFC 5257 section 4.6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from libcyrus.annotations import Planned, Setting, Target, plan, store_message
from libcyrus.base.seqset import SeqSet
from libcyrus.errors import PermissionDenied
from libcyrus.index.store import unchanged
from libcyrus.index.view import IndexView
from libcyrus.mailbox.mailbox import Mailbox

_FEW = 20
"""Messages whose annotations are looked up one by one."""


def store(
    view: IndexView,
    sequence: str,
    settings: Sequence[Setting],
    target: Callable[[Mailbox, int], Target],
    *,
    by_uid: bool,
    silent: bool,
    unchangedsince: int | None = None,
) -> SeqSet:
    """Set annotations of the messages in a sequence set, of all or of none; ``target`` makes theirs.

    Messages with a modseq above ``unchangedsince`` are left alone; their numbers or UIDs are returned. With
    ``silent`` their new modseqs are not told. Raises PermissionDenied for a mailbox that was opened only to
    be read, what ``store_message`` and ``IndexView.locked`` raise; ValueError for a bad set.
    """
    if view.readonly:
        raise PermissionDenied
    picture = view.picture
    changed = []
    planned: list[Planned] = []
    with view.locked(write=True) as mailbox:
        known_news = set(picture.pending)
        try:
            ranges = list(picture.numbers(sequence, by_uid=by_uid))
            ranges, modified = unchanged(view, ranges, unchangedsince, by_uid=by_uid)
            if sum(high - low for low, high in ranges) > _FEW:
                mailbox.annotations.preload()
            for low, high in ranges:
                for number in range(low, high + 1):
                    uid = picture.uids[number - 1]
                    recno = picture.recnos[number - 1] if uid not in picture.gone else 0
                    record = mailbox.record(recno) if recno else None
                    if record is None or record.expunged:
                        continue
                    place = target(mailbox, uid)
                    planned = planned or plan(place, settings)
                    store_message(place, planned)
                    # the message counts as changed even if its annotations were so before
                    mailbox.rewrite(record)
                    changed.append(uid)
        except BaseException:
            mailbox.abort()
            raise
    if silent:
        picture.pending.difference_update(set(changed) - known_news)
    return modified
