"""Directories, partitions, archives, expunge and delete modes, quota warnings."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, duration, enum, integer, string, stringlist, switch

archive_enabled = switch(
    "archive_enabled", False, since="3.0.0", doc="Move older messages to archive partitions."
)
archive_days = duration(
    "archive_days",
    None,
    unit="d",
    deprecated="3.1.8",
    use="archive_after",
    since="3.1.8",
    doc="The old name of archive_after.",
)
archive_after = duration(
    "archive_after", "7d", unit="d", since="3.1.8", doc="Messages older than this are moved."
)
archive_maxsize = integer(
    "archive_maxsize", 1024, unit="KiB", since="3.0.0", doc="Messages larger than this are archived at once."
)
archive_keepflagged = switch(
    "archive_keepflagged",
    False,
    since="3.0.0",
    doc="Do not archive messages that are flagged, unless they are too large.",
)
boundary_limit = integer(
    "boundary_limit", 1000, unit="levels", since="2.5.0", doc="How deep the parts of a message may be nested."
)
configdirectory = string(
    "configdirectory",
    None,
    since="2.3.17",
    doc="The directory of the server's own files. There is no server without one.",
)
defaultpartition = string(
    "defaultpartition",
    None,
    since="2.3.17",
    doc="The partition of new mailboxes; the one chosen by partition_select_mode if not set.",
)
deletedprefix = string(
    "deletedprefix",
    "DELETED",
    since="2.3.17",
    doc="The part of names under which deleted mailboxes are kept.",
)
delete_mode = enum(
    "delete_mode",
    "delayed",
    ("immediate", "delayed"),
    since="2.5.0",
    doc="Whether deleted mailboxes go at once or are kept under deletedprefix for cyr_expire.",
)
expunge_mode = enum(
    "expunge_mode",
    "delayed",
    ("immediate", "semidelayed", "delayed"),
    since="3.1.1",
    doc=(
        "When expunged messages go: immediate removes them at once, semidelayed removes the files but "
        "keeps the records, delayed keeps both; cyr_expire removes what is kept."
    ),
)
fulldirhash = switch(
    "fulldirhash",
    False,
    since="2.3.17",
    doc=(
        "Spread directories by a hash of the whole name instead of its first letter. Changing this needs "
        "the program rehash."
    ),
)
hashimapspool = switch(
    "hashimapspool",
    False,
    since="2.3.17",
    doc="Spread the directories of partitions by that letter or hash too.",
)
mailbox_default_options = integer(
    "mailbox_default_options", 0, since="2.3.17", doc="Bits of options that new mailboxes are given."
)
mailbox_initial_flags = string(
    "mailbox_initial_flags",
    None,
    since="2.5.0",
    doc="Flags that new mailboxes know from the start, separated by space.",
)
mailbox_legacy_dirs = switch(
    "mailbox_legacy_dirs",
    False,
    since="3.6.0",
    doc="Give new users directories named after mailboxes instead of unique identifiers.",
)
mailbox_maxmessages_addressbook = integer(
    "mailbox_maxmessages_addressbook",
    0,
    unit="messages",
    since="3.3.0",
    doc="Most entries in an address book; 0 for no limit.",
)
mailbox_maxmessages_calendar = integer(
    "mailbox_maxmessages_calendar",
    0,
    unit="messages",
    since="3.3.0",
    doc="Most entries in a calendar; 0 for no limit.",
)
mailbox_maxmessages_email = integer(
    "mailbox_maxmessages_email",
    0,
    unit="messages",
    since="3.3.0",
    doc="Most messages in a mailbox; 0 for no limit.",
)
maxheaderlines = integer(
    "maxheaderlines",
    1000,
    unit="lines",
    since="2.3.17",
    doc="How many lines of a header are looked at for the cache; 0 for all.",
)
mboxname_lockpath = string(
    "mboxname_lockpath",
    None,
    since="2.4.0",
    doc="The directory of the locks on names, best in memory; configdirectory/lock if not set.",
)
metapartition_files = bitfield(
    "metapartition_files",
    (),
    ("header", "index", "cache", "expunge", "squat", "annotations", "lock", "dav", "archivecache"),
    since="3.0.0",
    doc="The files of a mailbox that lie on the metapartition.",
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
    doc="How the partition of a new mailbox is chosen.",
)
partition_select_exclude = string(
    "partition_select_exclude",
    None,
    since="2.5.0",
    doc="Partitions that are never chosen, separated by space.",
)
partition_select_usage_reinit = integer(
    "partition_select_usage_reinit",
    0,
    unit="operations",
    since="2.5.0",
    doc="After so many choices the use of partitions is looked up again; 0 for never.",
)
partition_select_soft_usage_limit = integer(
    "partition_select_soft_usage_limit",
    0,
    unit="percent",
    since="2.5.0",
    doc="Partitions that are fuller than this are not chosen, unless all are; 0 for no limit.",
)
rfc2046_strict = switch(
    "rfc2046_strict",
    False,
    since="2.3.17",
    doc="Compare MIME boundaries exactly; otherwise one that begins with another matches it.",
)
rfc2047_utf8 = switch("rfc2047_utf8", False, since="3.0.0", doc="Take 8-bit characters in headers for UTF-8.")
singleinstancestore = switch(
    "singleinstancestore",
    True,
    since="2.3.17",
    doc="Store a message for several mailboxes of a partition once, with hard links.",
)
quota_use_conversations = switch(
    "quota_use_conversations",
    False,
    since="3.3.0",
    doc="Count a message that lies in several folders of a user once; needs conversations.",
)
quotawarn = integer(
    "quotawarn", 90, unit="percent", since="2.3.17", doc="Warn users whose quota is used to this part."
)
quotawarnkb = integer(
    "quotawarnkb",
    0,
    unit="KiB",
    since="2.3.17",
    doc="Warn only while less storage than this is left; 0 for always.",
)
quotawarnmsg = integer(
    "quotawarnmsg",
    0,
    unit="messages",
    since="2.5.0",
    doc="Warn only while fewer messages than this are left; 0 for always.",
)
