"""Directories, partitions, archives, expunge and delete modes, quota warnings."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, duration, enum, integer, string, stringlist, switch

archive_enabled = switch(
    "archive_enabled", False, since="3.0.0", doc="Turn on moving older mail to archive partitions."
)
archive_days = duration(
    "archive_days",
    None,
    unit="d",
    deprecated="3.1.8",
    use="archive_after",
    since="3.1.8",
    doc="Old spelling of archive_after.",
)
archive_after = duration(
    "archive_after", "7d", unit="d", since="3.1.8", doc="Message age before it moves to archive partition."
)
archive_maxsize = integer(
    "archive_maxsize", 1024, unit="KiB", since="3.0.0", doc="Messages bigger than this are archived at once."
)
archive_keepflagged = switch(
    "archive_keepflagged", False, since="3.0.0", doc="Keep flagged messages off archive unless oversize."
)
boundary_limit = integer(
    "boundary_limit", 1000, unit="levels", since="2.5.0", doc="Maximum MIME nesting depth parsed."
)
configdirectory = string("configdirectory", None, since="2.3.17", doc="Root of server state; mandatory.")
defaultpartition = string(
    "defaultpartition", None, since="2.3.17", doc="Partition for new mailboxes; else freest."
)
deletedprefix = string(
    "deletedprefix", "DELETED", since="2.3.17", doc="Hierarchy holding delayed-deleted mailboxes."
)
delete_mode = enum(
    "delete_mode",
    "delayed",
    ("immediate", "delayed"),
    since="2.5.0",
    doc="Remove deleted mailboxes immediately or keep renamed.",
)
expunge_mode = enum(
    "expunge_mode",
    "delayed",
    ("immediate", "semidelayed", "delayed"),
    since="3.1.1",
    doc="When expunged messages and caches physically vanish.",
)
fulldirhash = switch(
    "fulldirhash", False, since="2.3.17", doc="Hash on whole username instead of first letter."
)
hashimapspool = switch("hashimapspool", False, since="2.3.17", doc="Hash spool partition directories too.")
mailbox_default_options = integer(
    "mailbox_default_options", 0, since="2.3.17", doc="Options bits for new mailboxes."
)
mailbox_initial_flags = string(
    "mailbox_initial_flags", None, since="2.5.0", doc="User flags predefined in new mailboxes."
)
mailbox_legacy_dirs = switch(
    "mailbox_legacy_dirs", False, since="3.6.0", doc="New root mailboxes use name-based paths."
)
mailbox_maxmessages_addressbook = integer(
    "mailbox_maxmessages_addressbook",
    0,
    unit="messages",
    since="3.3.0",
    doc="Message cap per addressbook; 0 none.",
)
mailbox_maxmessages_calendar = integer(
    "mailbox_maxmessages_calendar", 0, unit="messages", since="3.3.0", doc="Message cap per calendar; 0 none."
)
mailbox_maxmessages_email = integer(
    "mailbox_maxmessages_email", 0, unit="messages", since="3.3.0", doc="Message cap per mail folder; 0 none."
)
maxheaderlines = integer(
    "maxheaderlines",
    1000,
    unit="lines",
    since="2.3.17",
    doc="Header lines considered for cache; 0 unlimited.",
)
mboxname_lockpath = string("mboxname_lockpath", None, since="2.4.0", doc="Directory of mailbox name locks.")
metapartition_files = bitfield(
    "metapartition_files",
    (),
    ("header", "index", "cache", "expunge", "squat", "annotations", "lock", "dav", "archivecache"),
    since="3.0.0",
    doc="Metadata files placed on metapartition.",
)
partition_select_mode = stringlist(
    "partition_select_mode",
    "freespace-most",
    (
        "random",
        "freespace-most",
        "freespace-percent-most",
        "freespace-percent-weighted",
        "freespace-percent-weighted-delta",
    ),
    since="2.5.0",
    doc="How partition for new mailbox is chosen.",
)
partition_select_exclude = string(
    "partition_select_exclude", None, since="2.5.0", doc="Partitions never auto-selected."
)
partition_select_usage_reinit = integer(
    "partition_select_usage_reinit",
    0,
    unit="operations",
    since="2.5.0",
    doc="Operations before usage data refresh; 0 never.",
)
partition_select_soft_usage_limit = integer(
    "partition_select_soft_usage_limit",
    0,
    unit="percent",
    since="2.5.0",
    doc="Usage percent excluding a partition; 0 none.",
)
rfc2046_strict = switch("rfc2046_strict", False, since="2.3.17", doc="Exact MIME boundary matching.")
rfc2047_utf8 = switch("rfc2047_utf8", False, since="3.0.0", doc="Treat raw header bytes as UTF-8.")
singleinstancestore = switch(
    "singleinstancestore", True, since="2.3.17", doc="Hard-link identical messages per partition."
)
quota_use_conversations = switch(
    "quota_use_conversations", False, since="3.3.0", doc="Count duplicates once using conversations data."
)
quotawarn = integer("quotawarn", 90, unit="percent", since="2.3.17", doc="Usage percent triggering warning.")
quotawarnkb = integer(
    "quotawarnkb", 0, unit="KiB", since="2.3.17", doc="Warn only when free space below this."
)
quotawarnmsg = integer(
    "quotawarnmsg", 0, unit="messages", since="2.5.0", doc="Warn only when free messages below this."
)
