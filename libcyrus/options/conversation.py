"""Conversations (threads across mailboxes)."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

conversations = switch(
    "conversations",
    False,
    since="3.0.0",
    doc="Track conversations, the threads across all mailboxes of a user. JMAP mail needs it.",
)
conversations_counted_flags = string(
    "conversations_counted_flags",
    None,
    since="3.0.0",
    doc="Flags whose messages are counted for each conversation, separated by space.",
)
conversations_expire_days = duration(
    "conversations_expire_days",
    None,
    unit="d",
    deprecated="3.1.8",
    use="conversations_expire_after",
    since="3.1.8",
    doc="The old name of conversations_expire_after.",
)
conversations_expire_after = duration(
    "conversations_expire_after",
    "90d",
    unit="d",
    since="3.1.8",
    doc="How long the conversation of a message identifier is remembered.",
)
conversations_keep_existing = switch(
    "conversations_keep_existing",
    True,
    since="3.3.0",
    doc="Do not forget a conversation that still has messages.",
)
conversations_max_thread = integer(
    "conversations_max_thread",
    100,
    unit="messages",
    since="3.1.1",
    doc="Most messages in one conversation; the next starts another.",
)
conversations_max_guidrecords = integer(
    "conversations_max_guidrecords",
    5000,
    unit="records",
    since="3.3.0",
    doc="Most records of messages with the same content, over all folders.",
)
conversations_max_guidexists = integer(
    "conversations_max_guidexists",
    100,
    unit="records",
    since="3.3.0",
    doc="Most existing messages with the same content, over all folders.",
)
conversations_max_guidinfolder = integer(
    "conversations_max_guidinfolder",
    10,
    unit="records",
    since="3.3.0",
    doc="Most messages with the same content in one folder.",
)
