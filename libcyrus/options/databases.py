"""Which backend each database uses and where its file is."""

from __future__ import annotations

from libcyrus.options.declare import string, stringlist, switch

annotation_db = stringlist(
    "annotation_db",
    "twoskip",
    ("skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the annotation databases.",
)
annotation_db_path = string(
    "annotation_db_path",
    None,
    since="2.5.0",
    doc="The file of the global annotation database; configdirectory/annotations.db if not set.",
)
backup_db = stringlist(
    "backup_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the database of users and their backup files.",
)
backup_db_path = string(
    "backup_db_path",
    None,
    since="3.0.0",
    doc="The file of that database; configdirectory/backups.db if not set.",
)
conversations_db = stringlist(
    "conversations_db",
    "skiplist",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of each user's conversations.",
)
duplicate_db = stringlist(
    "duplicate_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the database of delivered messages and vacation replies.",
)
duplicate_db_path = string(
    "duplicate_db_path",
    None,
    since="2.5.0",
    doc="The file of that database; configdirectory/deliver.db if not set.",
)
improved_mboxlist_sort = switch(
    "improved_mboxlist_sort",
    False,
    since="2.3.17",
    doc=(
        "Sort the names of mailboxes so that a mailbox is always followed by those below it. Changing "
        "this needs the databases to be converted."
    ),
)
mboxkey_db = stringlist(
    "mboxkey_db",
    "twoskip",
    ("skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the keys of URLAUTH.",
)
mboxlist_db = stringlist(
    "mboxlist_db",
    "twoskip",
    ("flat", "skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the list of mailboxes.",
)
mboxlist_db_path = string(
    "mboxlist_db_path",
    None,
    since="2.5.0",
    doc="The file of the list of mailboxes; configdirectory/mailboxes.db if not set.",
)
newsrc_db_path = string(
    "newsrc_db_path",
    None,
    since="2.5.0",
    doc="The file of fetchnews's database; configdirectory/fetchnews.db if not set.",
)
ptscache_db = stringlist(
    "ptscache_db",
    "twoskip",
    ("skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the cache of group memberships.",
)
ptscache_db_path = string(
    "ptscache_db_path",
    None,
    since="2.5.0",
    doc="The file of that cache; configdirectory/ptclient/ptscache.db if not set.",
)
quota_db = stringlist(
    "quota_db",
    "quotalegacy",
    ("flat", "skiplist", "sql", "quotalegacy", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the quota roots.",
)
quota_db_path = string(
    "quota_db_path",
    None,
    since="2.5.0",
    doc="The file, or for quotalegacy the directory, of the quota roots.",
)
reverseuniqueids = switch(
    "reverseuniqueids",
    True,
    deprecated="3.6.0",
    since="3.6.0",
    doc="Obsolete: the index from unique identifiers to mailboxes is always kept.",
)
search_indexed_db = stringlist(
    "search_indexed_db",
    "twoskip",
    ("flat", "skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the record of what is indexed already.",
)
seenstate_db = stringlist(
    "seenstate_db",
    "twoskip",
    ("flat", "skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of each user's record of read messages.",
)
skiplist_always_checkpoint = switch(
    "skiplist_always_checkpoint",
    True,
    since="2.3.17",
    doc="Rewrite a skiplist database whenever it is recovered.",
)
skiplist_unsafe = switch(
    "skiplist_unsafe",
    False,
    since="2.3.17",
    doc="Do not sync skiplist databases to disk. A crash of the machine may destroy them.",
)
sortcache_db = stringlist(
    "sortcache_db",
    "twoskip",
    ("skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the cache of sorted results.",
)
subscription_db = stringlist(
    "subscription_db",
    "flat",
    ("flat", "skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of each user's subscriptions.",
)
statuscache_db = stringlist(
    "statuscache_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the cache of mailbox states.",
)
statuscache_db_path = string(
    "statuscache_db_path",
    None,
    since="2.5.0",
    doc="The file of that cache; configdirectory/statuscache.db if not set.",
)
sync_cache_db = stringlist(
    "sync_cache_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.3.1",
    doc="The backend of the cache of what the replica has.",
)
sync_cache_db_path = string(
    "sync_cache_db_path",
    None,
    channel=True,
    since="3.3.1",
    doc="The file of the cache of what the replica has; without one there is no cache.",
)
tls_sessions_db = stringlist(
    "tls_sessions_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc=(
        "The backend of the cache of TLS sessions: for clients of TLS 1.2 that take no tickets, where "
        "OpenSSL is a library of its own, as in distributions."
    ),
)
tls_sessions_db_path = string(
    "tls_sessions_db_path",
    None,
    since="2.5.0",
    doc="The file of that cache; configdirectory/tls_sessions.db if not set.",
)
userdeny_db = stringlist(
    "userdeny_db",
    "flat",
    ("flat", "skiplist", "sql", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the list of denied users.",
)
userdeny_db_path = string(
    "userdeny_db_path",
    None,
    since="2.5.0",
    doc="The file of that list; configdirectory/user_deny.db if not set.",
)
zoneinfo_db = stringlist(
    "zoneinfo_db",
    "twoskip",
    ("flat", "skiplist", "twoskip", "zeroskip"),
    since="3.1.6",
    doc="The backend of the index of time zones.",
)
zoneinfo_db_path = string(
    "zoneinfo_db_path",
    None,
    since="2.5.0",
    doc="The file of that index; configdirectory/zoneinfo.db if not set.",
)
sql_database = string(
    "sql_database",
    None,
    since="2.3.17",
    doc="The SQL database that holds a table for each database of the backend sql. With SQLite, a file; each"
    " database is a file of its own if not set.",
)
sql_engine = stringlist(
    "sql_engine",
    None,
    ("mysql", "pgsql", "sqlite"),
    since="2.3.17",
    doc="The SQL engine of the backend sql; pgsql if not set. It takes the Python package psycopg for pgsql,"
    " PyMySQL for mysql.",
)
sql_hostnames = string(
    "sql_hostnames",
    "",
    since="2.3.17",
    doc="SQL servers, separated by comma, a colon and the port behind each if need be. The first that answers"
    " is used.",
)
sql_passwd = string("sql_passwd", None, since="2.3.17", doc="The password for the SQL server.")
sql_user = string("sql_user", None, since="2.3.17", doc="The user name for the SQL server.")
sql_usessl = switch("sql_usessl", False, since="2.3.17", doc="Use TLS to the SQL server.")
