"""Group membership through ptloader: LDAP and AFS."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, stringlist, switch

ldap_authz = string("ldap_authz", None, since="2.3.17", doc="SASL authorization id for LDAP bind.")
ldap_base = string("ldap_base", "", since="2.3.17", doc="Search base for users.")
ldap_bind_dn = string("ldap_bind_dn", None, since="2.3.17", doc="DN for simple bind.")
ldap_deref = stringlist(
    "ldap_deref",
    "never",
    ("search", "find", "always", "never"),
    since="2.3.17",
    doc="Alias dereferencing policy.",
)
ldap_domain_base_dn = string("ldap_domain_base_dn", "", since="2.5.0", doc="Search base for domains.")
ldap_domain_filter = string(
    "ldap_domain_filter",
    "(&(objectclass=domainrelatedobject)(associateddomain=%s))",
    since="2.5.0",
    doc="Filter locating a domain.",
)
ldap_domain_name_attribute = string(
    "ldap_domain_name_attribute", "associateddomain", since="2.5.0", doc="Attribute naming a domain."
)
ldap_domain_scope = stringlist(
    "ldap_domain_scope", "sub", ("sub", "one", "base"), since="2.5.0", doc="Domain search scope."
)
ldap_domain_result_attribute = string(
    "ldap_domain_result_attribute",
    "inetdomainbasedn",
    since="2.5.0",
    doc="Attribute giving a domain's base DN.",
)
ldap_filter = string("ldap_filter", "(uid=%u)", since="2.3.17", doc="Filter locating a user (%-tokens).")
ldap_group_base = string("ldap_group_base", "", since="2.3.17", doc="Search base for groups.")
ldap_group_filter = string("ldap_group_filter", "(cn=%u)", since="2.3.17", doc="Filter locating a group.")
ldap_group_scope = stringlist(
    "ldap_group_scope", "sub", ("sub", "one", "base"), since="2.3.17", doc="Group search scope."
)
ldap_id = string("ldap_id", None, since="2.3.17", doc="SASL authentication id for LDAP.")
ldap_mech = string("ldap_mech", None, since="2.3.17", doc="SASL mechanism for LDAP.")
ldap_user_attribute = string(
    "ldap_user_attribute", None, since="2.5.0", doc="Attribute giving canonical userid."
)
ldap_member_attribute = string(
    "ldap_member_attribute", None, since="2.3.17", doc="Attribute listing memberships."
)
ldap_member_base = string("ldap_member_base", "", since="2.3.17", doc="Search base for member filter.")
ldap_member_filter = string(
    "ldap_member_filter", "(member=%D)", since="2.3.17", doc="Filter finding user's groups."
)
ldap_member_method = stringlist(
    "ldap_member_method",
    "attribute",
    ("attribute", "filter"),
    since="2.3.17",
    doc="Find groups by attribute or filter.",
)
ldap_member_scope = stringlist(
    "ldap_member_scope", "sub", ("sub", "one", "base"), since="2.3.17", doc="Member search scope."
)
ldap_password = string("ldap_password", None, since="2.3.17", doc="Bind password.")
ldap_realm = string("ldap_realm", None, since="2.3.17", doc="SASL realm for LDAP.")
ldap_referrals = switch("ldap_referrals", False, since="2.3.17", doc="Follow referrals.")
ldap_restart = switch("ldap_restart", True, since="2.3.17", doc="Restart interrupted LDAP I/O.")
ldap_sasl = switch("ldap_sasl", True, since="2.3.17", doc="Bind using SASL.")
ldap_sasl_authc = string(
    "ldap_sasl_authc", None, deprecated="2.5.0", use="ldap_id", since="2.5.0", doc="Old spelling of ldap_id."
)
ldap_sasl_authz = string(
    "ldap_sasl_authz",
    None,
    deprecated="2.5.0",
    use="ldap_authz",
    since="2.5.0",
    doc="Old spelling of ldap_authz.",
)
ldap_sasl_mech = string(
    "ldap_sasl_mech",
    None,
    deprecated="2.5.0",
    use="ldap_mech",
    since="2.5.0",
    doc="Old spelling of ldap_mech.",
)
ldap_sasl_password = string(
    "ldap_sasl_password",
    None,
    deprecated="2.5.0",
    use="ldap_password",
    since="2.5.0",
    doc="Old spelling of ldap_password.",
)
ldap_sasl_realm = string(
    "ldap_sasl_realm",
    None,
    deprecated="2.5.0",
    use="ldap_realm",
    since="2.5.0",
    doc="Old spelling of ldap_realm.",
)
ldap_scope = stringlist("ldap_scope", "sub", ("sub", "one", "base"), since="2.3.17", doc="User search scope.")
ldap_servers = string(
    "ldap_servers",
    "ldap://localhost/",
    deprecated="2.5.0",
    use="ldap_uri",
    since="2.5.0",
    doc="Old spelling of ldap_uri.",
)
ldap_size_limit = integer("ldap_size_limit", 1, unit="entries", since="2.3.17", doc="Max entries per search.")
ldap_start_tls = switch("ldap_start_tls", False, since="2.3.17", doc="Issue STARTTLS on ldap://.")
ldap_time_limit = duration(
    "ldap_time_limit", "5s", unit="s", since="3.1.8", doc="Server-side search time limit."
)
ldap_timeout = duration("ldap_timeout", "5s", unit="s", since="3.1.8", doc="Client-side search timeout.")
ldap_ca_dir = string("ldap_ca_dir", None, since="2.5.0", doc="CA certificate directory.")
ldap_ca_file = string("ldap_ca_file", None, since="2.5.0", doc="CA certificate file.")
ldap_ciphers = string("ldap_ciphers", None, since="2.5.0", doc="TLS cipher list.")
ldap_client_cert = string("ldap_client_cert", None, since="2.5.0", doc="Client certificate file.")
ldap_client_key = string("ldap_client_key", None, since="2.5.0", doc="Client key file.")
ldap_verify_peer = switch("ldap_verify_peer", False, since="2.5.0", doc="Require valid server certificate.")
ldap_tls_cacert_dir = string(
    "ldap_tls_cacert_dir",
    None,
    deprecated="2.5.0",
    use="ldap_ca_dir",
    since="2.5.0",
    doc="Old spelling of ldap_ca_dir.",
)
ldap_tls_cacert_file = string(
    "ldap_tls_cacert_file",
    None,
    deprecated="2.5.0",
    use="ldap_ca_file",
    since="2.5.0",
    doc="Old spelling of ldap_ca_file.",
)
ldap_tls_cert = string(
    "ldap_tls_cert",
    None,
    deprecated="2.5.0",
    use="ldap_client_cert",
    since="2.5.0",
    doc="Old spelling of ldap_client_cert.",
)
ldap_tls_key = string(
    "ldap_tls_key",
    None,
    deprecated="2.5.0",
    use="ldap_client_key",
    since="2.5.0",
    doc="Old spelling of ldap_client_key.",
)
ldap_tls_check_peer = switch(
    "ldap_tls_check_peer",
    False,
    deprecated="2.5.0",
    use="ldap_verify_peer",
    since="2.5.0",
    doc="Old spelling of ldap_verify_peer.",
)
ldap_tls_ciphers = string(
    "ldap_tls_ciphers",
    None,
    deprecated="2.5.0",
    use="ldap_ciphers",
    since="2.5.0",
    doc="Old spelling of ldap_ciphers.",
)
ldap_uri = string("ldap_uri", None, since="2.3.17", doc="LDAP server URLs.")
ldap_version = integer(
    "ldap_version",
    3,
    since="2.3.17",
    doc="LDAP protocol version; forced 3 with TLS/SASL (2|3).",
)
afspts_localrealms = string(
    "afspts_localrealms",
    None,
    since="2.3.17",
    doc="Realms stripped as local during AFS PTS canonicalization.",
)
afspts_mycell = string(
    "afspts_mycell", None, since="2.3.17", doc="AFS cell used for PTS queries; local cell if unset."
)
pts_module = stringlist("pts_module", "afskrb", ("afskrb", "ldap"), since="2.3.17", doc="ptloader module.")
ptloader_sock = string("ptloader_sock", None, since="2.3.17", doc="UNIX socket of ptloader.")
ptscache_timeout = duration("ptscache_timeout", "3h", unit="s", since="3.1.8", doc="Cached entry lifetime.")
ptskrb5_convert524 = switch("ptskrb5_convert524", True, since="2.3.16", doc="Convert krb5 name to AFS style.")
ptskrb5_strip_default_realm = switch(
    "ptskrb5_strip_default_realm", True, since="2.3.17", doc="Strip default realm from userid."
)
