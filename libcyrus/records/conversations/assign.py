"""Which conversation a message belongs to.

One that has the same message already (by GUID); or else the highest of those that know one of its message
ids and have its subject; or else a new one, whose id comes from the GUID. One that grew too long (option
``conversations_max_thread``) goes on in another: that is then the CID, the old one the base.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, NamedTuple

from libcyrus.base import xstats
from libcyrus.base.xlog import NOTICE
from libcyrus.base.xstats import Metric
from libcyrus.records.conversations.content import Content
from libcyrus.records.conversations.conversation import Conversation
from libcyrus.records.conversations.state import Conversations

if TYPE_CHECKING:
    from libcyrus.records.conversations.update import MessageRecord

log = logging.getLogger(__name__)

_DRAFT: Final = 1 << 3
_CID_MASK: Final = 0x91F3D9E10B690B12


class Found(NamedTuple):
    """A message's conversation, not saved yet; None where it has none."""

    cid: int
    basecid: int
    conversation: Conversation | None


def assign(
    state: Conversations,
    mailbox: str,
    record: MessageRecord,
    content: Content,
    *,
    basecid: int = 0,
    silent: bool = False,
) -> Found:
    """Find the conversation of a message and tell it the message's ids; ``silent`` keeps the CID it has.

    Raises MailboxBadFormat, and what ``content`` raises.
    """
    cid = record.cid
    keep = False
    if not silent:
        matching = _matching(state, content)
        known = state.guid_cid(record.guid)
        if known:
            cid, keep = known, True
        cid = cid or max(matching, default=0)
        if not cid:
            cid, keep = new_cid(record.guid), True
        if not keep and not basecid:
            continued = state.splits.get(cid)
            if continued:
                cid, basecid = continued, cid
    if not cid:
        return Found(0, basecid, None)
    basecid = basecid or cid
    conversation = state.load(cid)
    if conversation is None:
        conversation = Conversation()
        xstats.count(Metric.CONV_NEW)
    if conversation.exists >= state.settings.max_thread and not keep and not silent:
        was, cid = cid, new_cid(record.guid)
        log.log(
            NOTICE, "splitting conversation for %s %u base:%016x was:%016x now:%016x",
            mailbox, record.uid, basecid, was, cid,
        )  # fmt: skip
        conversation = state.load(cid)
        if conversation is None:
            conversation = Conversation()
            xstats.count(Metric.CONV_NEW)
        state.splits.set(basecid, cid)
    if conversation.subject is None and not record.system_flags & _DRAFT:
        conversation.subject = content.subject
    for msgid, _ in content.msgids:
        state.add_msgid(msgid, basecid)
    return Found(cid, basecid, conversation)


def new_cid(guid: bytes) -> int:
    """The id of a conversation that a message with this GUID begins."""
    # not to be taken for the beginning of the GUID
    return int.from_bytes(guid[:8]) ^ _CID_MASK or 1


def _matching(state: Conversations, content: Content) -> set[int]:
    """The conversations whose message ids the message names, if the subject is the same."""
    found = set()
    for msgid, any_subject in content.msgids:
        for cid in state.msgid_cids(msgid):
            conversation = state.load(cid)
            if (
                conversation is None
                or any_subject
                or conversation.subject is None
                or content.same_subject(conversation.subject)
            ):
                found.add(cid)
    return found
