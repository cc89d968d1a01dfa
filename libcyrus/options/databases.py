"""Which backend each database uses and where its file is."""

from __future__ import annotations

from libcyrus.options.declare import string, stringlist, switch

annotation_db = stringlist(
    "annotation_db",
    "twoskip",
    ("skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend for mailbox annotation databases.",
)
annotation_db_path = string(
    "annotation_db_path", None, since="2.5.0", doc="File path of global annotations database."
)
backup_db = stringlist(
    "backup_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend for user-to-backup-file map.",
)
backup_db_path = string("backup_db_path", None, since="3.0.0", doc="File path of backups.db.")
conversations_db = stringlist(
    "conversations_db",
    "skiplist",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend for per-user conversations.",
)
duplicate_db = stringlist(
    "duplicate_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend for duplicate-delivery/sieve response DB.",
)
duplicate_db_path = string("duplicate_db_path", None, since="2.5.0", doc="File path of deliver.db.")
improved_mboxlist_sort = switch(
    "improved_mboxlist_sort", False, since="2.3.17", doc="Sort mailbox names correctly around space/hyphen."
)
mboxkey_db = stringlist(
    "mboxkey_db",
    "twoskip",
    ("skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend for mailbox URLAUTH keys.",
)
mboxlist_db = stringlist(
    "mboxlist_db",
    "twoskip",
    ("flat", "skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend for mailboxes.db.",
)
mboxlist_db_path = string("mboxlist_db_path", None, since="2.5.0", doc="File path of mailboxes.db.")
newsrc_db_path = string("newsrc_db_path", None, since="2.5.0", doc="File path of fetchnews.db.")
ptscache_db = stringlist(
    "ptscache_db", "twoskip", ("skiplist", "twoskip", "zeroskip"), since="3.1.6", doc="Backend for PTS cache."
)
ptscache_db_path = string("ptscache_db_path", None, since="2.5.0", doc="File path of ptscache.db.")
quota_db = stringlist(
    "quota_db",
    "quotalegacy",
    ("flat", "skiplist", "sql", "quotalegacy", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend for quota roots.",
)
quota_db_path = string("quota_db_path", None, since="2.5.0", doc="File or base path for quotas.")
reverseuniqueids = switch(
    "reverseuniqueids", True, deprecated="3.6.0", since="3.6.0", doc="Obsolete; always on."
)
search_indexed_db = stringlist(
    "search_indexed_db",
    "twoskip",
    ("flat", "skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend for last-indexed-uid state (xapian).",
)
seenstate_db = stringlist(
    "seenstate_db",
    "twoskip",
    ("flat", "skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend for per-user seen state.",
)
skiplist_always_checkpoint = switch(
    "skiplist_always_checkpoint", True, since="2.3.17", doc="skiplist checkpoints on every recovery."
)
skiplist_unsafe = switch("skiplist_unsafe", False, since="2.3.17", doc="skiplist skips fsync.")
sortcache_db = stringlist(
    "sortcache_db",
    "twoskip",
    ("skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend caching XCONVMULTISORT results.",
)
subscription_db = stringlist(
    "subscription_db",
    "flat",
    ("flat", "skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend for subscriptions.",
)
statuscache_db = stringlist(
    "statuscache_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend of status cache.",
)
statuscache_db_path = string("statuscache_db_path", None, since="2.5.0", doc="File path of statuscache.db.")
sync_cache_db = stringlist(
    "sync_cache_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.3.1",
    doc="Backend of replication cache.",
)
sync_cache_db_path = string(
    "sync_cache_db_path", None, channel=True, since="3.3.1", doc="Replication cache file; unset disables."
)
tls_sessions_db = stringlist(
    "tls_sessions_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend of TLS session cache.",
)
tls_sessions_db_path = string(
    "tls_sessions_db_path", None, since="2.5.0", doc="File path of tls_sessions.db."
)
userdeny_db = stringlist(
    "userdeny_db",
    "flat",
    ("flat", "skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend of user deny list.",
)
userdeny_db_path = string("userdeny_db_path", None, since="2.5.0", doc="File path of user_deny.db.")
zoneinfo_db = stringlist(
    "zoneinfo_db",
    "twoskip",
    ("flat", "skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="Backend of zoneinfo.db.",
)
zoneinfo_db_path = string("zoneinfo_db_path", None, since="2.5.0", doc="File path of zoneinfo.db.")
sql_database = string("sql_database", None, since="2.3.17", doc="Database name.")
sql_engine = stringlist("sql_engine", None, ("mysql", "pgsql", "sqlite"), since="2.3.17", doc="SQL engine.")
sql_hostnames = string("sql_hostnames", "", since="2.3.17", doc="SQL servers.")
sql_passwd = string("sql_passwd", None, since="2.3.17", doc="SQL password.")
sql_user = string("sql_user", None, since="2.3.17", doc="SQL user.")
sql_usessl = switch("sql_usessl", False, since="2.3.17", doc="Use TLS to SQL server.")
