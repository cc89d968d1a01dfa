"""The settings that SASL reads, which the configuration keeps as text: see ``libcyrus.sasl.settings``.

Most are libsasl2's, under its names; those of our own say so. They stand here for the manual alone.
"""

from __future__ import annotations

from typing import NamedTuple


class Setting(NamedTuple):
    """``default`` as the manual shows it, None for none."""

    name: str
    default: str | None
    doc: str


SETTINGS = (
    Setting("sasl_authdaemond_path", "/dev/null", "The socket of Courier's authdaemond."),
    Setting(
        "sasl_auto_transition",
        "no",
        "Store a password that saslauthd or another place has found right in the places of "
        "sasl_auxprop_plugin, so that all mechanisms can be used from then on: yes, no, or noplain, which "
        "stores no clear password (see sasl_scram_secret_generate).",
    ),
    Setting(
        "sasl_auxprop_plugin",
        None,
        "Where users' passwords are looked up: sasldb, sql, ldapdb, or several, which are asked in their "
        "order. By default all that the other settings configure.",
    ),
    Setting(
        "sasl_canon_user_plugin",
        "INTERNAL",
        "What makes canonical names: INTERNAL, or ldapdb, which takes them from sasl_ldapdb_canon_attr.",
    ),
    Setting(
        "sasl_keytab",
        None,
        "The file with the Kerberos keys of the services, for GSSAPI and GSS-SPNEGO. By default the one "
        "that Kerberos itself uses. The mechanisms are offered only where the service has a key.",
    ),
    Setting(
        "sasl_ldapdb_canon_attr", None, "The attribute of users' entries that holds their canonical names."
    ),
    Setting("sasl_ldapdb_id", None, "The name with which to log in to the directory."),
    Setting("sasl_ldapdb_mech", None, "The mechanism for that; by default the best that the directory has."),
    Setting("sasl_ldapdb_pw", None, "The password for that."),
    Setting("sasl_ldapdb_rc", None, "A file with more settings of the LDAP library's (ldap.conf)."),
    Setting(
        "sasl_ldapdb_starttls", None, "Use TLS: demand, or try, which goes on without where there is none."
    ),
    Setting(
        "sasl_ldapdb_uri",
        None,
        "The directories to ask, separated by space, for example ldapi:// or ldaps://ldap1/. They have to "
        "let sasl_ldapdb_id speak for the users (proxied authorization), and to map names to entries. Needs "
        "the Python package python-ldap.",
    ),
    Setting(
        "sasl_library",
        "builtin",
        "Who authenticates: builtin, or system, which is the libsasl2 of the machine with its own plugins. "
        "An addition of this implementation's.",
    ),
    Setting(
        "sasl_log_level",
        None,
        "How much SASL logs: 0 nothing, 1 and 2 errors, 3 warnings, 4 notes, 5 to 7 details.",
    ),
    Setting("sasl_mech_list", None, "The mechanisms to offer, separated by space; all by default."),
    Setting(
        "sasl_oauth_audience",
        None,
        "Names, separated by space, of which a bearer token has to be meant for one. All sasl_oauth "
        "settings are additions of this implementation's.",
    ),
    Setting(
        "sasl_oauth_ca_file",
        None,
        "The certificates with which the server of an introspection URL is checked.",
    ),
    Setting("sasl_oauth_introspection_client", None, "The name with which to ask about bearer tokens."),
    Setting("sasl_oauth_introspection_secret", None, "The password for that."),
    Setting(
        "sasl_oauth_introspection_url",
        None,
        "Where to ask about bearer tokens (RFC 7662), for OAUTHBEARER and XOAUTH2.",
    ),
    Setting("sasl_oauth_issuer", None, "Who has to have issued a bearer token."),
    Setting(
        "sasl_oauth_keys",
        None,
        "A file with the keys that sign bearer tokens (RFC 7517), for OAUTHBEARER and XOAUTH2. Needs the "
        "Python package PyJWT.",
    ),
    Setting("sasl_oauth_scope", None, "The scopes that a bearer token has to have, separated by space."),
    Setting(
        "sasl_oauth_user_claim",
        "sub",
        "The claim of a bearer token that names the user; of several, separated by space, the first that is "
        "there.",
    ),
    Setting(
        "sasl_pwcheck_method",
        "auxprop",
        "What checks clear passwords: auxprop (sasl_auxprop_plugin), saslauthd, authdaemond, or "
        "alwaystrue, which takes any, for tests. Several are asked in their order.",
    ),
    Setting("sasl_saslauthd_path", "/var/run/saslauthd/mux", "The socket of saslauthd."),
    Setting("sasl_sasldb_mapsize", "1048576", "Bytes to which a sasldb file of LMDB's may grow."),
    Setting("sasl_sasldb_maxreaders", "126", "Most processes that read a sasldb file of LMDB's at a time."),
    Setting(
        "sasl_sasldb_path",
        "/etc/sasldb2",
        "The file that saslpasswd2 writes. One of Berkeley DB, as on Debian, needs its library, version "
        "5.3; one of GDBM or LMDB needs the Python module of that name.",
    ),
    Setting(
        "sasl_scram_iteration_counter",
        "4096",
        "How often SCRAM hashes a password. May be set for each mechanism, as in "
        "sasl_scram-sha-256_scram_iteration_counter.",
    ),
    Setting(
        "sasl_scram_secret_generate",
        "no",
        "Store keys for the strongest SCRAM mechanism when sasl_auto_transition stores a password.",
    ),
    Setting(
        "sasl_sql_database",
        None,
        "The name of the database that holds users' passwords; for SQLite its file.",
    ),
    Setting(
        "sasl_sql_engine",
        "mysql",
        "Which database that is: mysql, pgsql or sqlite3. The first needs the Python package PyMySQL, the "
        "second psycopg.",
    ),
    Setting(
        "sasl_sql_hostnames",
        None,
        "The servers of the database, separated by commas, each with a colon and a port if it is not the "
        "usual one. The first that answers is used.",
    ),
    Setting(
        "sasl_sql_insert",
        None,
        "The statement that stores a property of a new user, with sasl_sql_update. In statements %u is the "
        "user's name, %r the realm, %p the property and %v its value, each to be put between quotes where "
        "it is a value.",
    ),
    Setting("sasl_sql_passwd", None, "The password with which to log in to the database."),
    Setting(
        "sasl_sql_select",
        None,
        "The statement that looks up a property, as in SELECT %p FROM users WHERE name = '%u' AND realm = "
        "'%r'. sasl_sql_statement is its former name.",
    ),
    Setting("sasl_sql_update", None, "The statement that stores a property of a known user."),
    Setting("sasl_sql_user", None, "The name with which to log in to the database."),
    Setting("sasl_sql_usessl", "no", "Ask the database under TLS only."),
)
