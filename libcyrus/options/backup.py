"""The backup service."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

backup_compact_minsize = integer(
    "backup_compact_minsize",
    0,
    unit="KiB",
    since="3.0.0",
    doc="Compaction joins adjacent chunks below this size.",
)
backup_compact_maxsize = integer(
    "backup_compact_maxsize", 0, unit="KiB", since="3.0.0", doc="Compaction splits chunks above this size."
)
backup_compact_work_threshold = integer(
    "backup_compact_work_threshold",
    1,
    unit="chunks",
    since="3.0.0",
    doc="Chunks needing work before compaction proceeds (values < 1 act as 1).",
)
backup_staging_path = string(
    "backup_staging_path", None, since="3.0.0", doc="Staging directory; temp_path/backup if unset."
)
backup_retention_days = duration(
    "backup_retention_days",
    None,
    unit="d",
    deprecated="3.1.8",
    use="backup_retention",
    since="3.1.8",
    doc="Old spelling of backup_retention.",
)
backup_retention = duration(
    "backup_retention", "7d", unit="d", since="3.1.0", doc="How long deleted source content stays in backups."
)
backup_keep_previous = switch(
    "backup_keep_previous", False, since="3.0.0", doc="Compact/reindex keep timestamped copy of old file."
)
restore_authname = string("restore_authname", None, since="3.0.0", doc="Authname used by restore.")
restore_password = string("restore_password", None, since="3.0.0", doc="Password used by restore.")
restore_realm = string("restore_realm", None, since="3.0.0", doc="Realm used by restore.")
xbackup_enabled = switch("xbackup_enabled", False, since="3.0.0", doc="Enable XBACKUP command.")
