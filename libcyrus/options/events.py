"""Notifications: notifyd, mailbox events, Apple push."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, enum, integer, string

event_content_inclusion_mode = enum(
    "event_content_inclusion_mode",
    "standard",
    ("standard", "message", "header", "body", "headerbody"),
    since="2.5.0",
    doc="Which part of a message an event may carry.",
)
event_content_size = integer(
    "event_content_size",
    0,
    unit="bytes",
    since="2.5.0",
    doc="How much of a message an event may carry; 0 for no limit.",
)
event_exclude_flags = string(
    "event_exclude_flags", None, since="2.5.0", doc="Flags whose change makes no event, separated by space."
)
event_exclude_specialuse = string(
    "event_exclude_specialuse",
    "\\Junk",
    since="2.5.0",
    doc="Special uses whose folders make no events, separated by space.",
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
    doc="Parameters that events carry besides the required ones.",
)
event_groups = bitfield(
    "event_groups",
    ("message", "mailbox"),
    ("message", "quota", "flags", "access", "mailbox", "subscription", "calendar", "applepushservice"),
    since="3.0.0",
    doc="Groups of events that are sent.",
)
event_notifier = string(
    "event_notifier",
    None,
    since="2.5.0",
    doc="The notifyd method for events (class EVENT); without one none are sent.",
)
mailnotifier = string(
    "mailnotifier",
    None,
    since="2.3.17",
    doc="The notifyd method for new mail (class MAIL); without one there is none.",
)
notifysocket = string(
    "notifysocket", "{configdirectory}/socket/notify", since="2.3.17", doc="The UNIX socket of notifyd."
)
notify_external = string(
    "notify_external", None, since="2.4.0", doc='The program that notifyd\'s method "external" runs.'
)
aps_topic = string("aps_topic", None, since="3.0.0", doc="The topic of Apple push notifications for mail.")
aps_topic_caldav = string(
    "aps_topic_caldav", None, since="3.0.0", doc="The topic of Apple push notifications for calendars."
)
aps_topic_carddav = string(
    "aps_topic_carddav", None, since="3.0.0", doc="The topic of Apple push notifications for address books."
)
