"""Calendars, address books, files and time zones over WebDAV."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, duration, enum, integer, string, switch

caldav_accept_invalid_rrules = switch(
    "caldav_accept_invalid_rrules", False, since="3.6.0", doc="Store events carrying invalid RRULEs."
)
caldav_allowattach = switch("caldav_allowattach", True, since="3.0.0", doc="Enable managed attachments.")
caldav_allowcalendaradmin = switch(
    "caldav_allowcalendaradmin", False, since="3.1.2", doc="Enable calendar admin web page."
)
caldav_allowscheduling = enum(
    "caldav_allowscheduling",
    "on",
    ("off", "on", "apple"),
    since="2.5.0",
    doc="Enable scheduling; apple mimics CalendarServer.",
)
caldav_create_attach = switch(
    "caldav_create_attach", True, since="3.0.0", doc="Auto-create Attachments collection."
)
caldav_create_default = switch(
    "caldav_create_default", True, since="3.0.0", doc="Auto-create Default calendar."
)
caldav_create_sched = switch(
    "caldav_create_sched", True, since="3.0.0", doc="Auto-create scheduling Inbox and Outbox."
)
caldav_historical_age = duration(
    "caldav_historical_age",
    "7d",
    unit="d",
    since="3.1.8",
    doc="Changes to occurrences older than this send no iTIP.",
)
caldav_maxdatetime = string(
    "caldav_maxdatetime",
    "20380119T031407Z",
    since="2.5.0",
    doc="Latest accepted date; bounds recurrence expansion.",
)
caldav_mindatetime = string(
    "caldav_mindatetime", "19011213T204552Z", since="2.5.0", doc="Earliest accepted date."
)
caldav_realm = string("caldav_realm", None, since="2.5.0", doc="HTTP auth realm for CalDAV.")
calendarprefix = string(
    "calendarprefix", "#calendars", since="2.5.0", doc="Mailbox name component rooting calendar trees."
)
calendar_default_displayname = string(
    "calendar_default_displayname",
    "personal",
    since="3.3.0",
    doc="Display name for auto-created Default calendar.",
)
calendar_user_address_set = string(
    "calendar_user_address_set", None, since="2.5.0", doc="Domains whose calendar addresses are local."
)
calendar_component_set = bitfield(
    "calendar_component_set",
    ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY", "VPOLL"),
    ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VAVAILABILITY", "VPOLL"),
    since="3.1.7",
    doc="Component types allowed in calendars.",
)
icalendar_max_size = integer(
    "icalendar_max_size", 0, unit="bytes", since="3.6.0", doc="Largest stored iCalendar; 0 unlimited."
)
imipnotifier = string(
    "imipnotifier", None, since="3.0.0", doc="Notifyd method for IMIP class; unset disables."
)
addressbookprefix = string(
    "addressbookprefix",
    "#addressbooks",
    since="2.5.0",
    doc="Mailbox name component rooting addressbook trees.",
)
carddav_allowaddmember = switch(
    "carddav_allowaddmember", False, since="3.1.3", doc="Support POST add-member."
)
carddav_allowaddressbookadmin = switch(
    "carddav_allowaddressbookadmin", False, since="3.1.2", doc="Enable addressbook admin web page."
)
carddav_realm = string("carddav_realm", None, since="2.5.0", doc="HTTP auth realm for CardDAV.")
carddav_repair_vcard = switch(
    "carddav_repair_vcard",
    False,
    deprecated="3.3.1",
    since="3.0.0",
    doc="Formerly attempted repair of broken vCards.",
)
vcard_max_size = integer(
    "vcard_max_size", 0, unit="bytes", since="3.6.0", doc="Largest stored vCard; 0 unlimited."
)
davdriveprefix = string(
    "davdriveprefix", "#drive", since="3.0.0", doc="Mailbox name component rooting DAV file storage."
)
davnotificationsprefix = string(
    "davnotificationsprefix",
    "#notifications",
    since="3.0.0",
    doc="Mailbox name component for DAV notifications.",
)
dav_realm = string("dav_realm", None, since="2.5.0", doc="HTTP auth realm for principals.")
dav_lock_timeout = duration(
    "dav_lock_timeout", "20s", unit="s", since="3.1.8", doc="Wait for DAV DB write lock before 503."
)
fastmailsharing = switch(
    "fastmailsharing", False, since="3.0.0", doc="Expose shared DAV resources by full owner path."
)
ischedule_dkim_domain = string(
    "ischedule_dkim_domain", None, since="2.5.0", doc="DKIM d= domain for iSchedule."
)
ischedule_dkim_key_file = string(
    "ischedule_dkim_key_file", None, since="2.5.0", doc="Private key file for iSchedule DKIM."
)
ischedule_dkim_required = switch(
    "ischedule_dkim_required", True, since="3.1.4", doc="Reject unsigned incoming iSchedule requests."
)
ischedule_dkim_selector = string(
    "ischedule_dkim_selector", None, since="2.5.0", doc="DKIM s= selector for iSchedule."
)
zoneinfo_dir = string("zoneinfo_dir", None, since="3.2.0", doc="Directory of vzic time zone files.")
