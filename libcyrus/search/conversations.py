"""What searching and sorting ask of the conversations that messages are in.

They are those of the mailbox's owner, read while the mailbox is locked; of each conversation once, however
many of its messages are looked at.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from libcyrus.errors import CyrusError
from libcyrus.index.view import IndexView
from libcyrus.records.conversations import Conversations
from libcyrus.records.conversations.conversation import Summary
from libcyrus.search.expr import ConversationFlag

log = logging.getLogger(__name__)

_SEEN: Final = "\\seen"
_SEEN_INCLUDING_TRASH: Final = "\\seenincltrash"
_NONE: Final = Summary(0, 0, 0, (), 0)


class KnownConversations:
    """Looks conversations up; without a database there are none."""

    def __init__(self, state: Conversations | None) -> None:
        self._state = state
        self._summaries: dict[int, Summary] = {}

    def get(self, cid: int) -> Summary:
        """A conversation; all zero if there is none, or none that can be read."""
        summary = self._summaries.get(cid)
        if summary is None:
            found = self._state.summary(cid) if self._state is not None and cid else None
            summary = self._summaries[cid] = found or _NONE
        return summary

    def counter(self, flag: str) -> int:
        """The place of a flag among those that are counted; -1 if it is not."""
        counted = self._state.counted_flags if self._state is not None else []
        return next((place for place, name in enumerate(counted) if name.lower() == flag.lower()), -1)

    def flag_test(self, expr: ConversationFlag) -> Callable[[int], bool]:
        """A test of conversation ids."""
        name = expr.name.lower()
        if name in (_SEEN, _SEEN_INCLUDING_TRASH):
            unseen = self._unseen if name == _SEEN else self._unseen_with_trash
            if expr.on_all:
                return lambda cid: bool(self.get(cid).exists) and not unseen(cid)
            return lambda cid: bool(self.get(cid).exists) and unseen(cid) != self.get(cid).exists
        place = self.counter(name)
        if place < 0:
            return lambda cid: False
        if expr.on_all:
            return lambda cid: 0 < self.get(cid).exists == self.get(cid).count(place)
        return lambda cid: bool(self.get(cid).exists and self.get(cid).count(place))

    def _unseen(self, cid: int) -> int:
        return self.get(cid).unseen

    def _unseen_with_trash(self, cid: int) -> int:
        """Trash counts for itself otherwise."""
        state = self._state
        conversation = state.load(cid) if state is not None else None
        if state is None or conversation is None:
            return 0
        trash = sum(folder.unseen for folder in conversation.folders if folder.number == state.trash)
        return conversation.unseen + trash


@contextmanager
def reading(view: IndexView) -> Iterator[KnownConversations]:
    """The conversations of the owner of a mailbox, which is locked and brought up to date for the block.

    Raises what ``IndexView.locked`` raises; a database that cannot be read is logged.
    """
    with ExitStack() as held:
        held.enter_context(view.locked(write=False))
        state = None
        if view.store.conversations_on:
            try:
                state = held.enter_context(view.store.conversations.reading(view.mboxname))
            except CyrusError as error:
                log.warning("error opening conversations for %s: %s", view.mboxname, error)
        yield KnownConversations(state)
