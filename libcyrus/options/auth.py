"""Who may log in, how passwords are checked, and how hard guessing is made."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, stringlist, switch

admins = string("admins", "", since="2.3.17", doc="Space-separated userids that are server administrators.")
allowanonymouslogin = switch(
    "allowanonymouslogin", False, since="2.3.17", doc="Accept anonymous logins and SASL ANONYMOUS."
)
allowplaintext = switch("allowplaintext", False, since="3.0.0", doc="Allow cleartext passwords without TLS.")
auth_mech = stringlist(
    "auth_mech",
    "unix",
    ("unix", "pts", "krb", "krb5"),
    since="2.3.17",
    doc="Authorization module used to build group membership.",
)
failedloginpause = duration(
    "failedloginpause", "3s", unit="s", since="3.1.8", doc="Delay after failed login."
)
loginrealms = string("loginrealms", "", since="2.3.17", doc="Remote realms allowed for cross-realm login.")
loginuseacl = switch("loginuseacl", False, since="2.3.17", doc="INBOX 'a' right allows logging in as owner.")
maxlogins_per_host = integer(
    "maxlogins_per_host", 0, unit="sessions", since="2.5.0", doc="Concurrent sessions per host; 0 unlimited."
)
maxlogins_per_user = integer(
    "maxlogins_per_user", 0, unit="sessions", since="2.5.0", doc="Concurrent sessions per user; 0 unlimited."
)
plaintextloginpause = duration(
    "plaintextloginpause", None, unit="s", since="3.1.8", doc="Delay after successful plaintext login."
)
plaintextloginalert = string(
    "plaintextloginalert", None, since="2.3.17", doc="ALERT text after plaintext login."
)
srvtab = string("srvtab", "", since="2.3.17", doc="Kerberos srvtab file for SASL.")
username_tolower = switch("username_tolower", True, since="2.3.17", doc="Lowercase userids.")
unix_group_enable = switch("unix_group_enable", True, since="2.3.17", doc="Look up UNIX groups.")
force_sasl_client_mech = string(
    "force_sasl_client_mech", None, since="2.3.17", doc="Mechanism preferred for outgoing connections."
)
sasl_maximum_layer = integer("sasl_maximum_layer", 256, since="2.3.17", doc="Highest SSF negotiable.")
sasl_minimum_layer = integer("sasl_minimum_layer", 0, since="2.3.17", doc="Lowest SSF; >1 forbids plaintext.")
