"""Group membership through ptloader: LDAP and AFS."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, stringlist, switch

ldap_authz = string("ldap_authz", None, since="2.3.17", doc="The SASL authorization identity for LDAP.")
ldap_base = string("ldap_base", "", since="2.3.17", doc="The base of searches for users.")
ldap_bind_dn = string("ldap_bind_dn", None, since="2.3.17", doc="The name with which a simple bind is made.")
ldap_deref = stringlist(
    "ldap_deref",
    "never",
    ("search", "find", "always", "never"),
    since="2.3.17",
    doc="When aliases are followed.",
)
ldap_domain_base_dn = string(
    "ldap_domain_base_dn", "", since="2.5.0", doc="The base of searches for domains."
)
ldap_domain_filter = string(
    "ldap_domain_filter",
    "(&(objectclass=domainrelatedobject)(associateddomain=%s))",
    since="2.5.0",
    doc="The filter that finds a domain, written as %s.",
)
ldap_domain_name_attribute = string(
    "ldap_domain_name_attribute",
    "associateddomain",
    since="2.5.0",
    doc="The attribute with the name of a domain.",
)
ldap_domain_scope = stringlist(
    "ldap_domain_scope",
    "sub",
    ("sub", "one", "base"),
    since="2.5.0",
    doc="The scope of searches for domains.",
)
ldap_domain_result_attribute = string(
    "ldap_domain_result_attribute",
    "inetdomainbasedn",
    since="2.5.0",
    doc="The attribute with the base of a domain's users.",
)
ldap_filter = string(
    "ldap_filter",
    "(uid=%u)",
    since="2.3.17",
    doc="The filter that finds a user; %u, %U, %d and others stand for parts of the name.",
)
ldap_group_base = string("ldap_group_base", "", since="2.3.17", doc="The base of searches for groups.")
ldap_group_filter = string(
    "ldap_group_filter", "(cn=%u)", since="2.3.17", doc="The filter that finds a group."
)
ldap_group_scope = stringlist(
    "ldap_group_scope", "sub", ("sub", "one", "base"), since="2.3.17", doc="The scope of searches for groups."
)
ldap_id = string("ldap_id", None, since="2.3.17", doc="The SASL authentication identity for LDAP.")
ldap_mech = string("ldap_mech", None, since="2.3.17", doc="The SASL mechanism for LDAP.")
ldap_user_attribute = string(
    "ldap_user_attribute",
    None,
    since="2.5.0",
    doc="The attribute that holds a user's name as this server knows it.",
)
ldap_member_attribute = string(
    "ldap_member_attribute", None, since="2.3.17", doc="The attribute that names a user's groups."
)
ldap_member_base = string(
    "ldap_member_base", "", since="2.3.17", doc="The base of searches with ldap_member_filter."
)
ldap_member_filter = string(
    "ldap_member_filter",
    "(member=%D)",
    since="2.3.17",
    doc="The filter that finds the groups of a user; %D is the user's own entry.",
)
ldap_member_method = stringlist(
    "ldap_member_method",
    "attribute",
    ("attribute", "filter"),
    since="2.3.17",
    doc="Whether groups are found by ldap_member_attribute or by ldap_member_filter.",
)
ldap_member_scope = stringlist(
    "ldap_member_scope",
    "sub",
    ("sub", "one", "base"),
    since="2.3.17",
    doc="The scope of searches with ldap_member_filter.",
)
ldap_password = string("ldap_password", None, since="2.3.17", doc="The password for the bind.")
ldap_realm = string("ldap_realm", None, since="2.3.17", doc="The SASL realm for LDAP.")
ldap_referrals = switch("ldap_referrals", False, since="2.3.17", doc="Follow referrals.")
ldap_restart = switch(
    "ldap_restart", True, since="2.3.17", doc="Let interrupted LDAP input and output start again."
)
ldap_sasl = switch("ldap_sasl", True, since="2.3.17", doc="Bind with SASL instead of a simple bind.")
ldap_sasl_authc = string(
    "ldap_sasl_authc", None, deprecated="2.5.0", use="ldap_id", since="2.5.0", doc="The old name of ldap_id."
)
ldap_sasl_authz = string(
    "ldap_sasl_authz",
    None,
    deprecated="2.5.0",
    use="ldap_authz",
    since="2.5.0",
    doc="The old name of ldap_authz.",
)
ldap_sasl_mech = string(
    "ldap_sasl_mech",
    None,
    deprecated="2.5.0",
    use="ldap_mech",
    since="2.5.0",
    doc="The old name of ldap_mech.",
)
ldap_sasl_password = string(
    "ldap_sasl_password",
    None,
    deprecated="2.5.0",
    use="ldap_password",
    since="2.5.0",
    doc="The old name of ldap_password.",
)
ldap_sasl_realm = string(
    "ldap_sasl_realm",
    None,
    deprecated="2.5.0",
    use="ldap_realm",
    since="2.5.0",
    doc="The old name of ldap_realm.",
)
ldap_scope = stringlist(
    "ldap_scope", "sub", ("sub", "one", "base"), since="2.3.17", doc="The scope of searches for users."
)
ldap_servers = string(
    "ldap_servers",
    "ldap://localhost/",
    deprecated="2.5.0",
    use="ldap_uri",
    since="2.5.0",
    doc="The old name of ldap_uri.",
)
ldap_size_limit = integer(
    "ldap_size_limit", 1, unit="entries", since="2.3.17", doc="Most entries that a search may return."
)
ldap_start_tls = switch("ldap_start_tls", False, since="2.3.17", doc="Use StartTLS on ldap:// connections.")
ldap_time_limit = duration(
    "ldap_time_limit", "5s", unit="s", since="3.1.8", doc="How long the LDAP server may search."
)
ldap_timeout = duration(
    "ldap_timeout", "5s", unit="s", since="3.1.8", doc="How long to wait for the LDAP server."
)
ldap_ca_dir = string(
    "ldap_ca_dir", None, since="2.5.0", doc="The directory of certificates of trusted authorities."
)
ldap_ca_file = string(
    "ldap_ca_file", None, since="2.5.0", doc="The file with certificates of trusted authorities."
)
ldap_ciphers = string("ldap_ciphers", None, since="2.5.0", doc="The ciphers allowed for LDAP over TLS.")
ldap_client_cert = string("ldap_client_cert", None, since="2.5.0", doc="Our certificate for LDAP over TLS.")
ldap_client_key = string("ldap_client_key", None, since="2.5.0", doc="The key of ldap_client_cert.")
ldap_verify_peer = switch(
    "ldap_verify_peer", False, since="2.5.0", doc="Require a valid certificate from the LDAP server."
)
ldap_tls_cacert_dir = string(
    "ldap_tls_cacert_dir",
    None,
    deprecated="2.5.0",
    use="ldap_ca_dir",
    since="2.5.0",
    doc="The old name of ldap_ca_dir.",
)
ldap_tls_cacert_file = string(
    "ldap_tls_cacert_file",
    None,
    deprecated="2.5.0",
    use="ldap_ca_file",
    since="2.5.0",
    doc="The old name of ldap_ca_file.",
)
ldap_tls_cert = string(
    "ldap_tls_cert",
    None,
    deprecated="2.5.0",
    use="ldap_client_cert",
    since="2.5.0",
    doc="The old name of ldap_client_cert.",
)
ldap_tls_key = string(
    "ldap_tls_key",
    None,
    deprecated="2.5.0",
    use="ldap_client_key",
    since="2.5.0",
    doc="The old name of ldap_client_key.",
)
ldap_tls_check_peer = switch(
    "ldap_tls_check_peer",
    False,
    deprecated="2.5.0",
    use="ldap_verify_peer",
    since="2.5.0",
    doc="The old name of ldap_verify_peer.",
)
ldap_tls_ciphers = string(
    "ldap_tls_ciphers",
    None,
    deprecated="2.5.0",
    use="ldap_ciphers",
    since="2.5.0",
    doc="The old name of ldap_ciphers.",
)
ldap_uri = string("ldap_uri", None, since="2.3.17", doc="The URLs of LDAP servers.")
ldap_version = integer(
    "ldap_version",
    3,
    since="2.3.17",
    doc="The version of the LDAP protocol, 2 or 3; TLS and SASL need 3.",
)
afspts_localrealms = string(
    "afspts_localrealms",
    None,
    since="2.3.17",
    doc="Kerberos realms that count as local and are dropped from names.",
)
afspts_mycell = string(
    "afspts_mycell",
    None,
    since="2.3.17",
    doc="The AFS cell that is asked for groups; the local one if not set.",
)
pts_module = stringlist(
    "pts_module", "afskrb", ("afskrb", "ldap"), since="2.3.17", doc="How ptloader finds groups."
)
ptloader_sock = string(
    "ptloader_sock",
    None,
    since="2.3.17",
    doc="The UNIX socket of ptloader; configdirectory/ptclient/ptsock if not set.",
)
ptscache_timeout = duration(
    "ptscache_timeout", "3h", unit="s", since="3.1.8", doc="How long a cached group membership counts."
)
ptskrb5_convert524 = switch(
    "ptskrb5_convert524",
    True,
    since="2.3.16",
    doc="Turn Kerberos 5 names to those of Kerberos 4 before AFS is asked.",
)
ptskrb5_strip_default_realm = switch(
    "ptskrb5_strip_default_realm", True, since="2.3.17", doc="Drop the default realm from Kerberos names."
)
