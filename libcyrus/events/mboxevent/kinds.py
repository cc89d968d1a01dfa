"""The types of events, and the groups by which ``event_groups`` turns them on."""

from __future__ import annotations

import enum
from typing import Final


class EventType(enum.IntFlag):
    """The numbers are Cyrus's own; CANCELLED is an event that is not sent after all."""

    CANCELLED = 0
    MESSAGE_APPEND = 1 << 0
    MESSAGE_EXPIRE = 1 << 1
    MESSAGE_EXPUNGE = 1 << 2
    MESSAGE_NEW = 1 << 3
    MESSAGE_COPY = 1 << 4
    MESSAGE_MOVE = 1 << 5
    QUOTA_EXCEED = 1 << 6
    QUOTA_WITHIN = 1 << 7
    QUOTA_CHANGE = 1 << 8
    MESSAGE_READ = 1 << 9
    MESSAGE_TRASH = 1 << 10
    FLAGS_SET = 1 << 11
    FLAGS_CLEAR = 1 << 12
    LOGIN = 1 << 13
    LOGOUT = 1 << 14
    MAILBOX_CREATE = 1 << 15
    MAILBOX_DELETE = 1 << 16
    MAILBOX_RENAME = 1 << 17
    MAILBOX_SUBSCRIBE = 1 << 18
    MAILBOX_UNSUBSCRIBE = 1 << 19
    ACL_CHANGE = 1 << 20
    CALENDAR = 1 << 21
    """Marks a MESSAGE_NEW that is about a calendar resource."""
    CALENDAR_ALARM = 1 << 22
    APPLEPUSHSERVICE = 1 << 23
    APPLEPUSHSERVICE_DAV = 1 << 24
    MAILBOX_MODSEQ = 1 << 25


_E = EventType

NEW_MESSAGES: Final = _E.MESSAGE_APPEND | _E.MESSAGE_NEW
COPIES: Final = _E.MESSAGE_COPY | _E.MESSAGE_MOVE
MESSAGE_EVENTS: Final = NEW_MESSAGES | COPIES | _E.MESSAGE_EXPIRE | _E.MESSAGE_EXPUNGE
FLAGS_EVENTS: Final = _E.FLAGS_SET | _E.FLAGS_CLEAR | _E.MESSAGE_READ | _E.MESSAGE_TRASH
MAILBOX_EVENTS: Final = (
    _E.MAILBOX_CREATE | _E.MAILBOX_DELETE | _E.MAILBOX_RENAME | _E.ACL_CHANGE | _E.MAILBOX_MODSEQ
)
SUBSCRIPTION_EVENTS: Final = _E.MAILBOX_SUBSCRIBE | _E.MAILBOX_UNSUBSCRIBE
QUOTA_EVENTS: Final = _E.QUOTA_EXCEED | _E.QUOTA_WITHIN | _E.QUOTA_CHANGE
ACCESS_EVENTS: Final = _E.LOGIN | _E.LOGOUT

GROUPS: Final = {
    "message": MESSAGE_EVENTS,
    "quota": QUOTA_EVENTS,
    "flags": FLAGS_EVENTS,
    "access": ACCESS_EVENTS | _E.ACL_CHANGE,
    "mailbox": MAILBOX_EVENTS,
    "subscription": SUBSCRIPTION_EVENTS,
    "calendar": _E.CALENDAR_ALARM,
    "applepushservice": _E.APPLEPUSHSERVICE | _E.APPLEPUSHSERVICE_DAV,
}
"""The words of ``event_groups``."""

NAMES: Final = {
    _E.MESSAGE_APPEND: "MessageAppend",
    _E.MESSAGE_EXPIRE: "MessageExpire",
    _E.MESSAGE_EXPUNGE: "MessageExpunge",
    _E.MESSAGE_NEW: "MessageNew",
    _E.MESSAGE_NEW | _E.CALENDAR: "MessageNew",
    _E.MESSAGE_COPY: "vnd.cmu.MessageCopy",
    _E.MESSAGE_MOVE: "vnd.cmu.MessageMove",
    _E.QUOTA_EXCEED: "QuotaExceed",
    _E.QUOTA_WITHIN: "QuotaWithin",
    _E.QUOTA_CHANGE: "QuotaChange",
    _E.MESSAGE_READ: "MessageRead",
    _E.MESSAGE_TRASH: "MessageTrash",
    _E.FLAGS_SET: "FlagsSet",
    _E.FLAGS_CLEAR: "FlagsClear",
    _E.LOGIN: "Login",
    _E.LOGOUT: "Logout",
    _E.MAILBOX_CREATE: "MailboxCreate",
    _E.MAILBOX_DELETE: "MailboxDelete",
    _E.MAILBOX_RENAME: "MailboxRename",
    _E.MAILBOX_SUBSCRIBE: "MailboxSubscribe",
    _E.MAILBOX_UNSUBSCRIBE: "MailboxUnSubscribe",
    _E.ACL_CHANGE: "AclChange",
    _E.CALENDAR_ALARM: "CalendarAlarm",
    _E.APPLEPUSHSERVICE: "ApplePushService",
    _E.APPLEPUSHSERVICE_DAV: "ApplePushServiceDAV",
    _E.MAILBOX_MODSEQ: "MailboxModseq",
}
"""What the text of an event calls it."""
