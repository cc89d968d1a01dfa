"""Conversations about a selected mailbox and its messages: the families, and the servers they are held on."""

from __future__ import annotations

from cassandane.conversations import (
    corpus,
    selected_append,
    selected_broken,
    selected_changes,
    selected_fetch,
    selected_search,
    selected_sessions,
)
from cassandane.instance import Instance

SETTINGS = {
    "allowdeleted": "yes",
    "conversations": "yes",
    "conversations_counted_flags": r"\Draft \Flagged $X",
    "imapidlepoll": "1",
}
WRITERS = ("bob", "cid", "dan", "eve", "fay", "gus", "hal")
"""Users whose mailboxes streams make and change, each family's its own."""

FAMILIES = (
    selected_fetch.FETCH,
    selected_fetch.FETCH_ITEMS,
    selected_fetch.FETCH_ODD,
    selected_search.SEARCH,
    selected_search.SEARCH_FAULTS,
    selected_search.LANGUAGES,
    selected_search.SEARCH_ODD,
    selected_search.SORT,
    selected_search.THREAD,
    selected_changes.STORE,
    selected_changes.FLAGS,
    selected_changes.COPY,
    selected_changes.EXPUNGE,
    selected_changes.SELECT,
    selected_changes.EXPUNGED,
    selected_changes.RESYNC,
    selected_changes.MIXTURE,
    selected_append.APPEND,
    selected_append.APPEND_REFUSED,
    selected_append.APPEND_ODD,
    selected_append.CATENATE,
    selected_sessions.SESSIONS,
    selected_sessions.TOLD,
    selected_sessions.SHARED,
    selected_sessions.REMOVED,
    selected_sessions.IDLE,
    selected_broken.LINES,
    selected_broken.NONSENSE,
    selected_broken.TORRENTS,
)


def fill(server: Instance) -> None:
    corpus.fill(server)
    for user in WRITERS:
        server.create_user(user)
