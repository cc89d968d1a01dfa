"""The backup service."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

backup_compact_minsize = integer(
    "backup_compact_minsize",
    0,
    unit="KiB",
    since="3.0.0",
    doc="Compaction joins neighbouring chunks that are smaller than this; 0 for never.",
)
backup_compact_maxsize = integer(
    "backup_compact_maxsize",
    0,
    unit="KiB",
    since="3.0.0",
    doc="Compaction splits chunks that are larger than this; 0 for never.",
)
backup_compact_work_threshold = integer(
    "backup_compact_work_threshold",
    1,
    unit="chunks",
    since="3.0.0",
    doc="How many chunks must need work before compaction starts; at least 1.",
)
backup_staging_path = string(
    "backup_staging_path",
    None,
    since="3.0.0",
    doc="The directory in which incoming backups are put together; temp_path/backup if not set.",
)
backup_retention_days = duration(
    "backup_retention_days",
    None,
    unit="d",
    deprecated="3.1.8",
    use="backup_retention",
    since="3.1.8",
    doc="The old name of backup_retention.",
)
backup_retention = duration(
    "backup_retention", "7d", unit="d", since="3.1.0", doc="How long a backup keeps what was deleted."
)
backup_keep_previous = switch(
    "backup_keep_previous",
    False,
    since="3.0.0",
    doc="Keep the former file, with a time stamp in its name, when a backup is compacted or indexed anew.",
)
restore_authname = string(
    "restore_authname", None, since="3.0.0", doc="The name with which restore logs in to the server."
)
restore_password = string(
    "restore_password", None, since="3.0.0", doc="The password with which restore logs in."
)
restore_realm = string("restore_realm", None, since="3.0.0", doc="The SASL realm in which restore logs in.")
xbackup_enabled = switch(
    "xbackup_enabled", False, since="3.0.0", doc="Offer the command XBACKUP, which starts a backup of a user."
)
