"""Notifications: notifyd, mailbox events, Apple push."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, enum, integer, string

event_content_inclusion_mode = enum(
    "event_content_inclusion_mode",
    "standard",
    ("standard", "message", "header", "body", "headerbody"),
    since="2.5.0",
    doc="Which message parts events may embed.",
)
event_content_size = integer(
    "event_content_size", 0, unit="bytes", since="2.5.0", doc="Truncate embedded content; 0 unlimited."
)
event_exclude_flags = string(
    "event_exclude_flags", None, since="2.5.0", doc="Flags whose changes emit no event."
)
event_exclude_specialuse = string(
    "event_exclude_specialuse", "\\Junk", since="2.5.0", doc="Special-use folders emitting no events."
)
event_extra_params = bitfield(
    "event_extra_params",
    ("timestamp",),
    (
        "bodyStructure",
        "clientAddress",
        "diskUsed",
        "flagNames",
        "messageContent",
        "messageSize",
        "messages",
        "modseq",
        "service",
        "timestamp",
        "uidnext",
        "vnd.cmu.midset",
        "vnd.cmu.unseenMessages",
        "vnd.cmu.envelope",
        "vnd.cmu.sessionId",
        "vnd.cmu.mailboxACL",
        "vnd.cmu.mbtype",
        "vnd.cmu.davFilename",
        "vnd.cmu.davUid",
        "vnd.fastmail.clientId",
        "vnd.fastmail.sessionId",
        "vnd.fastmail.convExists",
        "vnd.fastmail.convUnseen",
        "vnd.fastmail.cid",
        "vnd.fastmail.counters",
        "vnd.fastmail.jmapEmail",
        "vnd.fastmail.jmapStates",
        "vnd.cmu.emailid",
        "vnd.cmu.threadid",
    ),
    since="3.6.0",
    doc="Optional parameters added to events.",
)
event_groups = bitfield(
    "event_groups",
    ("message", "mailbox"),
    ("message", "quota", "flags", "access", "mailbox", "subscription", "calendar", "applepushservice"),
    since="3.0.0",
    doc="Event groups enabled.",
)
event_notifier = string(
    "event_notifier", None, since="2.5.0", doc="Notifyd method for EVENT class; unset disables."
)
mailnotifier = string(
    "mailnotifier", None, since="2.3.17", doc="Notifyd method for MAIL class; unset disables."
)
notifysocket = string(
    "notifysocket", "{configdirectory}/socket/notify", since="2.3.17", doc="UNIX socket of notifyd."
)
notify_external = string(
    "notify_external", None, since="2.4.0", doc="Program run by notifyd external method."
)
aps_topic = string("aps_topic", None, since="3.0.0", doc="Apple Push topic for mail.")
aps_topic_caldav = string("aps_topic_caldav", None, since="3.0.0", doc="Apple Push topic for CalDAV.")
aps_topic_carddav = string("aps_topic_carddav", None, since="3.0.0", doc="Apple Push topic for CardDAV.")
