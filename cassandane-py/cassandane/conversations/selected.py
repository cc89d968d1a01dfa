"""Conversations about a selected mailbox and its messages: the servers they are held on."""

from __future__ import annotations

from cassandane.conversations import corpus
from cassandane.instance import Instance

SETTINGS = {"conversations": "yes", "conversations_counted_flags": r"\Draft \Flagged $X"}
WRITERS = ("bob", "cid", "dan", "eve", "fay", "gus")
"""Users whose mailboxes streams make and change, each family's its own."""


def fill(server: Instance) -> None:
    corpus.fill(server)
    for user in WRITERS:
        server.create_user(user)
