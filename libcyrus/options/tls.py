"""Transport security, as server and as client."""

from __future__ import annotations

from libcyrus.options.declare import duration, enum, string, stringlist, switch

tls_ca_file = string(
    "tls_ca_file",
    None,
    deprecated="2.5.0",
    use="tls_client_ca_file",
    since="2.5.0",
    doc="Old spelling of tls_client_ca_file.",
)
tls_ca_path = string(
    "tls_ca_path",
    None,
    deprecated="2.5.0",
    use="tls_client_ca_dir",
    since="2.5.0",
    doc="Old spelling of tls_client_ca_dir.",
)
tlscache_db = stringlist(
    "tlscache_db",
    "twoskip",
    ("skiplist", "sql", "twoskip", "zeroskip"),
    deprecated="2.5.0",
    use="tls_sessions_db",
    since="2.5.0",
    doc="Old spelling of tls_sessions_db.",
)
tlscache_db_path = string(
    "tlscache_db_path",
    None,
    deprecated="2.5.0",
    use="tls_sessions_db_path",
    since="2.5.0",
    doc="Old spelling of tls_sessions_db_path.",
)
tls_cert_file = string(
    "tls_cert_file",
    None,
    deprecated="2.5.0",
    use="tls_server_cert",
    since="2.5.0",
    doc="Old spelling of tls_server_cert.",
)
tls_cipher_list = string(
    "tls_cipher_list",
    "DEFAULT",
    deprecated="2.5.0",
    use="tls_ciphers",
    since="2.5.0",
    doc="Old spelling of tls_ciphers.",
)
tls_ciphers = string("tls_ciphers", "DEFAULT", since="2.5.0", doc="OpenSSL cipher list.")
tls_crl_file = string("tls_crl_file", None, since="3.1.2", doc="Certificate revocation list file.")
tls_client_ca_dir = string(
    "tls_client_ca_dir", None, since="2.5.0", doc="CA directory verifying client certificates."
)
tls_client_ca_file = string(
    "tls_client_ca_file", None, since="2.5.0", doc="CA file verifying client certificates."
)
tls_client_cert = string(
    "tls_client_cert", None, since="2.5.0", doc="Certificate shown when acting as client."
)
tls_client_certs = enum(
    "tls_client_certs",
    "optional",
    ("off", "optional", "require"),
    since="2.5.0",
    doc="Whether client certificates are requested/required.",
)
tls_client_key = string("tls_client_key", None, since="2.5.0", doc="Key for tls_client_cert.")
tls_eccurve = string("tls_eccurve", "prime256v1", since="2.5.0", doc="ECDHE curve.")
tls_key_file = string(
    "tls_key_file",
    None,
    deprecated="2.5.0",
    use="tls_server_key",
    since="2.5.0",
    doc="Old spelling of tls_server_key.",
)
tls_required = switch("tls_required", False, since="3.0.0", doc="No authentication before TLS.")
tls_prefer_server_ciphers = switch(
    "tls_prefer_server_ciphers", False, since="2.5.0", doc="Server cipher order wins."
)
tls_server_ca_dir = string(
    "tls_server_ca_dir", None, since="2.5.0", doc="CA directory verifying remote servers."
)
tls_server_ca_file = string(
    "tls_server_ca_file", None, since="2.5.0", doc="CA file verifying remote servers."
)
tls_server_cert = string(
    "tls_server_cert", None, since="3.1.8", doc="Server certificate chain; two allowed by comma."
)
tls_server_dhparam = string("tls_server_dhparam", None, since="3.1.4", doc="DH parameters file.")
tls_server_key = string("tls_server_key", None, since="3.1.8", doc="Server key; two allowed by comma.")
tls_session_timeout = duration(
    "tls_session_timeout", "24h", unit="m", since="3.1.8", doc="Cached session life; max 24h; 0 off."
)
tls_versions = string(
    "tls_versions",
    "tls1_0 tls1_1 tls1_2 tls1_3",
    since="3.1.8",
    doc="Protocol versions kept enabled: tokens tls1_0 tls1_1 tls1_2 tls1_3 (ssl2 ssl3 legacy).",
)
