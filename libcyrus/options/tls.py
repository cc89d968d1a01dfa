"""Transport security, as server and as client."""

from __future__ import annotations

from libcyrus.options.declare import duration, enum, string, stringlist, switch

tls_ca_file = string(
    "tls_ca_file",
    None,
    deprecated="2.5.0",
    use="tls_client_ca_file",
    since="2.5.0",
    doc="The old name of tls_client_ca_file.",
)
tls_ca_path = string(
    "tls_ca_path",
    None,
    deprecated="2.5.0",
    use="tls_client_ca_dir",
    since="2.5.0",
    doc="The old name of tls_client_ca_dir.",
)
tlscache_db = stringlist(
    "tlscache_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    deprecated="2.5.0",
    use="tls_sessions_db",
    since="2.5.0",
    doc="The old name of tls_sessions_db.",
)
tlscache_db_path = string(
    "tlscache_db_path",
    None,
    deprecated="2.5.0",
    use="tls_sessions_db_path",
    since="2.5.0",
    doc="The old name of tls_sessions_db_path.",
)
tls_cert_file = string(
    "tls_cert_file",
    None,
    deprecated="2.5.0",
    use="tls_server_cert",
    since="2.5.0",
    doc="The old name of tls_server_cert.",
)
tls_cipher_list = string(
    "tls_cipher_list",
    "DEFAULT",
    deprecated="2.5.0",
    use="tls_ciphers",
    since="2.5.0",
    doc="The old name of tls_ciphers.",
)
tls_ciphers = string(
    "tls_ciphers",
    "DEFAULT",
    since="2.5.0",
    doc=(
        "Ciphers, as OpenSSL writes lists of them, for TLS 1.2 and before. The suites of TLS 1.3 are not "
        "chosen here. TLS 1.0 and 1.1 need @SECLEVEL=0 at the end of the list."
    ),
)
tls_crl_file = string(
    "tls_crl_file",
    None,
    since="3.1.2",
    doc=(
        "The file with the lists of revoked client certificates, one of each authority. Without a list that "
        "is in force no certificate of an authority is believed."
    ),
)
tls_client_ca_dir = string(
    "tls_client_ca_dir",
    None,
    since="2.5.0",
    doc="The directory of authorities for certificates of clients, each under its hash (openssl rehash).",
)
tls_client_ca_file = string(
    "tls_client_ca_file", None, since="2.5.0", doc="The file of authorities for certificates of clients."
)
tls_client_cert = string(
    "tls_client_cert", None, since="2.5.0", doc="Our certificate when we are the client."
)
tls_client_certs = enum(
    "tls_client_certs",
    "optional",
    ("off", "optional", "require"),
    since="2.5.0",
    doc=(
        "Whether clients are asked for certificates, if there are authorities for them. The common name in "
        "one is the user for whom SASL's EXTERNAL logs in."
    ),
)
tls_client_key = string("tls_client_key", None, since="2.5.0", doc="The key of tls_client_cert.")
tls_eccurve = string(
    "tls_eccurve",
    "prime256v1",
    since="2.5.0",
    doc=(
        "The only elliptic curve for the exchange of keys, by OpenSSL's short name. One that is not known "
        "leaves the choice to OpenSSL."
    ),
)
tls_key_file = string(
    "tls_key_file",
    None,
    deprecated="2.5.0",
    use="tls_server_key",
    since="2.5.0",
    doc="The old name of tls_server_key.",
)
tls_required = switch("tls_required", False, since="3.0.0", doc="Refuse logins until TLS is on.")
tls_prefer_server_ciphers = switch(
    "tls_prefer_server_ciphers",
    False,
    since="2.5.0",
    doc="Choose ciphers by our order instead of the client's.",
)
tls_server_ca_dir = string(
    "tls_server_ca_dir",
    None,
    since="2.5.0",
    doc="The directory of authorities for certificates of other servers.",
)
tls_server_ca_file = string(
    "tls_server_ca_file",
    None,
    since="2.5.0",
    doc="The file of authorities for certificates of other servers.",
)
tls_server_cert = string(
    "tls_server_cert",
    None,
    since="3.1.8",
    doc=(
        "The certificate of this server with its chain; two of different kinds may be given, separated "
        "by comma. New files are found by workers that start later, and by all on SIGHUP."
    ),
)
tls_server_dhparam = string(
    "tls_server_dhparam",
    None,
    since="3.1.4",
    doc=(
        "The file with Diffie-Hellman parameters. Without, those in the file of the key or the certificate "
        "are used, or none."
    ),
)
tls_server_key = string(
    "tls_server_key", None, since="3.1.8", doc="The key of tls_server_cert, or two, separated by comma."
)
tls_session_timeout = duration(
    "tls_session_timeout",
    "24h",
    unit="m",
    since="3.1.8",
    doc=(
        "How long sessions can be resumed, at most 24 hours; 0 for not at all. The workers of a service "
        "share the keys of tickets, which are in their memory only, and change every 12 hours and on SIGHUP."
    ),
)
tls_versions = string(
    "tls_versions",
    "tls1_0 tls1_1 tls1_2 tls1_3",
    since="3.1.8",
    doc="Versions of the protocol that are offered: tls1_0, tls1_1, tls1_2 and tls1_3, separated by space.",
)
