"""A user's conversations: the threads across all of the user's mailboxes.

``ConversationsDb`` opens the database of a user for one transaction (``Conversations``), ``update_record``
tells it of the change of one message. The records are in ``layout``, ``conversation`` and ``guids``; how
messages find their conversation in ``assign``; what is done to a whole database in ``maintenance``.
"""

from libcyrus.records.conversations.content import Content
from libcyrus.records.conversations.conversation import Conversation
from libcyrus.records.conversations.guids import GuidRecord
from libcyrus.records.conversations.layout import FolderStatus, Quota, format_cid, parse_cid
from libcyrus.records.conversations.state import Conversations, NoSplits, Splits
from libcyrus.records.conversations.update import Assigned, Folder, MessageRecord, update_record
from libcyrus.records.conversations.users import ConversationsDb

__all__ = [
    "Assigned",
    "Content",
    "Conversation",
    "Conversations",
    "ConversationsDb",
    "Folder",
    "FolderStatus",
    "GuidRecord",
    "MessageRecord",
    "NoSplits",
    "Quota",
    "Splits",
    "format_cid",
    "parse_cid",
    "update_record",
]
