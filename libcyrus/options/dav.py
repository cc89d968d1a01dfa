"""Calendars, address books, files and time zones over WebDAV."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, duration, enum, integer, string, switch

caldav_accept_invalid_rrules = switch(
    "caldav_accept_invalid_rrules",
    False,
    since="3.6.0",
    doc="Store events whose recurrence rules are invalid.",
)
caldav_allowattach = switch(
    "caldav_allowattach", True, since="3.0.0", doc="Offer managed attachments (RFC 8607)."
)
caldav_allowcalendaradmin = switch(
    "caldav_allowcalendaradmin",
    False,
    since="3.1.2",
    doc="Offer the web page on which users manage their calendars.",
)
caldav_allowscheduling = enum(
    "caldav_allowscheduling",
    "on",
    ("off", "on", "apple"),
    since="2.5.0",
    doc="Offer scheduling (RFC 6638); apple does it as CalendarServer did.",
)
caldav_create_attach = switch(
    "caldav_create_attach",
    True,
    since="3.0.0",
    doc="Create the collection of attachments for a user who has none.",
)
caldav_create_default = switch(
    "caldav_create_default", True, since="3.0.0", doc="Create a default calendar for a user who has none."
)
caldav_create_sched = switch(
    "caldav_create_sched",
    True,
    since="3.0.0",
    doc="Create the scheduling inbox and outbox for a user who has none.",
)
caldav_historical_age = duration(
    "caldav_historical_age",
    "7d",
    unit="d",
    since="3.1.8",
    doc="Changes to events older than this send no invitations.",
)
caldav_maxdatetime = string(
    "caldav_maxdatetime",
    "20380119T031407Z",
    since="2.5.0",
    doc="The latest date that is accepted, which also ends recurrences.",
)
caldav_mindatetime = string(
    "caldav_mindatetime", "19011213T204552Z", since="2.5.0", doc="The earliest date that is accepted."
)
caldav_realm = string(
    "caldav_realm",
    None,
    since="2.5.0",
    doc="The realm of HTTP authentication for calendars; servername if not set.",
)
calendarprefix = string(
    "calendarprefix", "#calendars", since="2.5.0", doc="The part of mailbox names under which calendars lie."
)
calendar_default_displayname = string(
    "calendar_default_displayname",
    "personal",
    since="3.3.0",
    doc="The name shown for the automatically created calendar.",
)
calendar_user_address_set = string(
    "calendar_user_address_set",
    None,
    since="2.5.0",
    doc="Domains whose calendar users are local, separated by space; servername if not set.",
)
calendar_component_set = bitfield(
    "calendar_component_set",
    ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY", "VPOLL"),
    ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY", "VPOLL"),
    since="3.1.7",
    doc="Kinds of components that a calendar may hold unless it says otherwise.",
)
icalendar_max_size = integer(
    "icalendar_max_size",
    0,
    unit="bytes",
    since="3.6.0",
    doc="The largest iCalendar object stored; 0 for no limit.",
)
imipnotifier = string(
    "imipnotifier",
    None,
    since="3.0.0",
    doc="The notifyd method for invitations (class IMIP); without one they are not sent.",
)
addressbookprefix = string(
    "addressbookprefix",
    "#addressbooks",
    since="2.5.0",
    doc="The part of mailbox names under which address books lie.",
)
carddav_allowaddmember = switch(
    "carddav_allowaddmember",
    False,
    since="3.1.3",
    doc="Offer POST to a collection to add a member (RFC 5995).",
)
carddav_allowaddressbookadmin = switch(
    "carddav_allowaddressbookadmin",
    False,
    since="3.1.2",
    doc="Offer the web page on which users manage their address books.",
)
carddav_realm = string(
    "carddav_realm",
    None,
    since="2.5.0",
    doc="The realm of HTTP authentication for address books; servername if not set.",
)
carddav_repair_vcard = switch(
    "carddav_repair_vcard",
    False,
    deprecated="3.3.1",
    since="3.0.0",
    doc="Obsolete: broken vCards were once repaired.",
)
vcard_max_size = integer(
    "vcard_max_size", 0, unit="bytes", since="3.6.0", doc="The largest vCard stored; 0 for no limit."
)
davdriveprefix = string(
    "davdriveprefix",
    "#drive",
    since="3.0.0",
    doc="The part of mailbox names under which files of WebDAV lie.",
)
davnotificationsprefix = string(
    "davnotificationsprefix",
    "#notifications",
    since="3.0.0",
    doc="The part of mailbox names under which notifications of WebDAV lie.",
)
dav_realm = string(
    "dav_realm",
    None,
    since="2.5.0",
    doc="The realm of HTTP authentication for principals; servername if not set.",
)
dav_lock_timeout = duration(
    "dav_lock_timeout",
    "20s",
    unit="s",
    since="3.1.8",
    doc="How long to wait for the lock on a user's WebDAV database before the answer is 503.",
)
fastmailsharing = switch(
    "fastmailsharing",
    False,
    since="3.0.0",
    doc="Show shared calendars and address books under the path of their owner.",
)
ischedule_dkim_domain = string(
    "ischedule_dkim_domain",
    None,
    since="2.5.0",
    doc="The domain (d=) of the DKIM signature on iSchedule requests.",
)
ischedule_dkim_key_file = string(
    "ischedule_dkim_key_file", None, since="2.5.0", doc="The private key for that signature."
)
ischedule_dkim_required = switch(
    "ischedule_dkim_required", True, since="3.1.4", doc="Refuse iSchedule requests that are not signed."
)
ischedule_dkim_selector = string(
    "ischedule_dkim_selector", None, since="2.5.0", doc="The selector (s=) of that signature."
)
zoneinfo_dir = string(
    "zoneinfo_dir", None, since="3.2.0", doc="The directory of time zone files, as vzic makes them."
)
