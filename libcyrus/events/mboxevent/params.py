"""What events carry: the parameters in the order in which they are written, and which event has which.

Some come with the type of the event, others only if ``event_extra_params`` asks for them. (Message content is
last, so that a reader can cut it off.)
"""

from __future__ import annotations

import enum
from collections.abc import Container
from typing import Final

from libcyrus.events.mboxevent import kinds
from libcyrus.events.mboxevent.kinds import EventType


class Param(enum.Enum):
    """Each with its key in the text; SERVER_ADDRESS and CLIENT_ADDRESS have two."""

    TIMESTAMP = "timestamp"
    SERVICE = "service"
    SERVER_ADDRESS = "serverDomain serverPort"
    CLIENT_ADDRESS = "clientIP clientPort"
    OLD_MAILBOX_ID = "oldMailboxID"
    OLD_UIDSET = "vnd.cmu.oldUidset"
    MAILBOX_ID = "mailboxID"
    URI = "uri"
    MODSEQ = "modseq"
    QUOTA_STORAGE = "diskQuota"
    DISK_USED = "diskUsed"
    QUOTA_MESSAGES = "maxMessages"
    MESSAGES = "messages"
    UNSEEN_MESSAGES = "vnd.cmu.unseenMessages"
    UIDNEXT = "uidnext"
    UIDSET = "uidset"
    MIDSET = "vnd.cmu.midset"
    FLAG_NAMES = "flagNames"
    PID = "pid"
    ACL_SUBJECT = "aclSubject"
    ACL_RIGHTS = "aclRights"
    USER = "user"
    MESSAGE_SIZE = "messageSize"
    MBTYPE = "vnd.cmu.mbtype"
    SERVERFQDN = "serverFQDN"
    MAILBOX_ACL = "vnd.cmu.mailboxACL"
    DAV_FILENAME = "vnd.cmu.davFilename"
    DAV_UID = "vnd.cmu.davUid"
    ENVELOPE = "vnd.cmu.envelope"
    SESSIONID = "vnd.cmu.sessionId"
    BODYSTRUCTURE = "bodyStructure"
    CLIENT_ID = "vnd.fastmail.clientId"
    SESSION_ID = "vnd.fastmail.sessionId"
    CONVEXISTS = "vnd.fastmail.convExists"
    CONVUNSEEN = "vnd.fastmail.convUnseen"
    MESSAGE_CID = "vnd.fastmail.cid"
    COUNTERS = "vnd.fastmail.counters"
    MESSAGE_EMAILID = "vnd.cmu.emailid"
    MESSAGE_THREADID = "vnd.cmu.threadid"
    JMAP_EMAIL = "vnd.fastmail.jmapEmail"
    JMAP_STATES = "vnd.fastmail.jmapStates"
    CALENDAR_ALARM_TIME = "alarmTime"
    CALENDAR_ALARM_RECIPIENTS = "alarmRecipients"
    CALENDAR_USER_ID = "userId"
    CALENDAR_CALENDAR_ID = "calendarId"
    CALENDAR_CALENDAR_NAME = "calendarName"
    CALENDAR_CALENDAR_COLOR = "calendarColor"
    CALENDAR_UID = "uid"
    CALENDAR_ACTION = "action"
    CALENDAR_SUMMARY = "summary"
    CALENDAR_DESCRIPTION = "description"
    CALENDAR_LOCATION = "location"
    CALENDAR_TIMEZONE = "timezone"
    CALENDAR_START = "start"
    CALENDAR_END = "end"
    CALENDAR_ALLDAY = "allDay"
    CALENDAR_ATTENDEE_NAMES = "attendeeNames"
    CALENDAR_ATTENDEE_EMAILS = "attendeeEmails"
    CALENDAR_ATTENDEE_STATUS = "attendeeStatus"
    CALENDAR_ORGANIZER = "organizer"
    APS_VERSION = "apsVersion"
    APS_ACCOUNT_ID = "apsAccountId"
    APS_DEVICE_TOKEN = "apsDeviceToken"
    APS_SUBTOPIC = "apsSubtopic"
    APS_MAILBOXES = "mailboxes"
    APS_DAV_TOPIC = "apsTopic"
    APS_DAV_MAILBOX_USER = "mailboxUser"
    APS_DAV_MAILBOX_UNIQUEID = "mailboxUniqueId"
    APS_DAV_EXPIRY = "expiry"
    MESSAGE_CONTENT = "messageContent"


_P = Param
_E = EventType
_OF_MESSAGES: Final = kinds.MESSAGE_EVENTS | kinds.FLAGS_EVENTS
_ALL: Final = EventType(~0)

_BY_TYPE: Final = {
    _P.URI: _ALL,
    _P.PID: _ALL,
    _P.SERVERFQDN: _ALL,
    _P.QUOTA_STORAGE: kinds.QUOTA_EVENTS,
    _P.QUOTA_MESSAGES: kinds.QUOTA_EVENTS,
    _P.DISK_USED: _E.QUOTA_EXCEED | _E.QUOTA_WITHIN,
    _P.MESSAGES: _E.QUOTA_EXCEED | _E.QUOTA_WITHIN,
    _P.FLAG_NAMES: _E.FLAGS_SET | _E.FLAGS_CLEAR,
    _P.MAILBOX_ID: kinds.MAILBOX_EVENTS,
    _P.MBTYPE: kinds.MAILBOX_EVENTS,
    _P.MAILBOX_ACL: kinds.MAILBOX_EVENTS,
    _P.OLD_MAILBOX_ID: kinds.COPIES | _E.MAILBOX_RENAME,
    _P.OLD_UIDSET: kinds.COPIES,
    _P.SERVER_ADDRESS: kinds.ACCESS_EVENTS,
    _P.ACL_SUBJECT: _E.ACL_CHANGE,
    _P.ACL_RIGHTS: _E.ACL_CHANGE,
    _P.UIDSET: _OF_MESSAGES & ~kinds.NEW_MESSAGES,
    _P.USER: (
        _OF_MESSAGES
        | kinds.MAILBOX_EVENTS
        | kinds.SUBSCRIPTION_EVENTS
        | kinds.ACCESS_EVENTS
        | _E.QUOTA_CHANGE
    ),
}

_BY_OPTION: Final = {
    "bodyStructure": (_P.BODYSTRUCTURE, kinds.NEW_MESSAGES),
    "clientAddress": (_P.CLIENT_ADDRESS, kinds.ACCESS_EVENTS),
    "diskUsed": (_P.DISK_USED, _E.QUOTA_CHANGE),
    "flagNames": (_P.FLAG_NAMES, kinds.NEW_MESSAGES),
    "messageContent": (_P.MESSAGE_CONTENT, kinds.NEW_MESSAGES),
    "messageSize": (_P.MESSAGE_SIZE, kinds.NEW_MESSAGES),
    "messages": (_P.MESSAGES, _OF_MESSAGES),
    "modseq": (_P.MODSEQ, _OF_MESSAGES),
    "service": (_P.SERVICE, _ALL),
    "timestamp": (_P.TIMESTAMP, _ALL),
    "uidnext": (_P.UIDNEXT, _OF_MESSAGES),
    "vnd.cmu.midset": (_P.MIDSET, _OF_MESSAGES),
    "vnd.cmu.unseenMessages": (_P.UNSEEN_MESSAGES, _OF_MESSAGES),
    "vnd.cmu.envelope": (_P.ENVELOPE, kinds.NEW_MESSAGES),
    "vnd.cmu.sessionId": (_P.SESSIONID, _ALL),
    "vnd.cmu.davFilename": (_P.DAV_FILENAME, _E.CALENDAR),
    "vnd.cmu.davUid": (_P.DAV_UID, _E.CALENDAR),
    "vnd.fastmail.clientId": (_P.CLIENT_ID, _ALL),
    "vnd.fastmail.sessionId": (_P.SESSION_ID, _ALL),
    "vnd.fastmail.convExists": (_P.CONVEXISTS, _ALL),
    "vnd.fastmail.convUnseen": (_P.CONVUNSEEN, _ALL),
    "vnd.fastmail.cid": (_P.MESSAGE_CID, kinds.NEW_MESSAGES),
    "vnd.fastmail.counters": (_P.COUNTERS, _ALL),
    "vnd.fastmail.jmapEmail": (_P.JMAP_EMAIL, kinds.NEW_MESSAGES),
    "vnd.fastmail.jmapStates": (_P.JMAP_STATES, _ALL),
    "vnd.cmu.emailid": (_P.MESSAGE_EMAILID, kinds.NEW_MESSAGES),
    "vnd.cmu.threadid": (_P.MESSAGE_THREADID, kinds.NEW_MESSAGES),
}
"""For the words of ``event_extra_params``. vnd.cmu.mailboxACL and vnd.cmu.mbtype ask for what all have."""

_OF_DAEMONS: Final = {
    _E.CALENDAR_ALARM: frozenset(param for param in Param if param.name.startswith("CALENDAR_"))
    | {_P.SERVERFQDN},
    _E.APPLEPUSHSERVICE: frozenset(
        {_P.APS_VERSION, _P.APS_ACCOUNT_ID, _P.APS_DEVICE_TOKEN, _P.APS_SUBTOPIC, _P.APS_MAILBOXES, _P.USER}
    ),
    _E.APPLEPUSHSERVICE_DAV: frozenset(
        {
            _P.APS_DAV_TOPIC,
            _P.APS_DEVICE_TOKEN,
            _P.APS_DAV_MAILBOX_USER,
            _P.APS_DAV_MAILBOX_UNIQUEID,
            _P.APS_DAV_EXPIRY,
            _P.USER,
        }
    ),
}


def expected(kind: EventType, extra: Container[str]) -> frozenset[Param]:
    """The parameters of an event of this type, if the words ``extra`` are in ``event_extra_params``."""
    own = _OF_DAEMONS.get(kind)
    if own is not None:
        return own
    found = {param for param, having in _BY_TYPE.items() if having & kind}
    found.update(param for word, (param, having) in _BY_OPTION.items() if word in extra and having & kind)
    return frozenset(found)
