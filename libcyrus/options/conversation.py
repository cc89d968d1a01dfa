"""Conversations (threads across mailboxes)."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

conversations = switch(
    "conversations", False, since="3.0.0", doc="Track threads per user; enables XCONV* and JMAP mail."
)
conversations_counted_flags = string(
    "conversations_counted_flags", None, since="3.0.0", doc="Flags counted per conversation."
)
conversations_expire_days = duration(
    "conversations_expire_days",
    None,
    unit="d",
    deprecated="3.1.8",
    use="conversations_expire_after",
    since="3.1.8",
    doc="Old spelling of conversations_expire_after.",
)
conversations_expire_after = duration(
    "conversations_expire_after",
    "90d",
    unit="d",
    since="3.1.8",
    doc="Retention of message-id to thread mapping.",
)
conversations_keep_existing = switch(
    "conversations_keep_existing", True, since="3.3.0", doc="Cleanup spares threads still having messages."
)
conversations_max_thread = integer(
    "conversations_max_thread",
    100,
    unit="messages",
    since="3.1.1",
    doc="Messages per thread before splitting.",
)
conversations_max_guidrecords = integer(
    "conversations_max_guidrecords",
    5000,
    unit="records",
    since="3.3.0",
    doc="Cap on total records sharing a GUID.",
)
conversations_max_guidexists = integer(
    "conversations_max_guidexists",
    100,
    unit="records",
    since="3.3.0",
    doc="Cap on live records sharing a GUID.",
)
conversations_max_guidinfolder = integer(
    "conversations_max_guidinfolder",
    10,
    unit="records",
    since="3.3.0",
    doc="Cap on same-GUID records in one folder.",
)
