"""Who may log in, how passwords are checked, and how hard guessing is made."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, stringlist, switch

admins = string(
    "admins",
    "",
    since="2.3.17",
    doc="Users with administrative rights, separated by space. They should not read mail under these names.",
)
allowanonymouslogin = switch(
    "allowanonymouslogin",
    False,
    since="2.3.17",
    doc='Let the user "anonymous" log in with any password, and offer SASL ANONYMOUS.',
)
allowplaintext = switch(
    "allowplaintext",
    False,
    since="3.0.0",
    doc="Accept passwords that cross the network in the clear, without TLS.",
)
auth_mech = stringlist(
    "auth_mech",
    "unix",
    ("unix", "pts", "krb", "krb5"),
    since="2.3.17",
    doc="Where group memberships come from.",
)
failedloginpause = duration(
    "failedloginpause",
    "3s",
    unit="s",
    since="3.1.8",
    doc="How long the answer to a failed login is held back.",
)
loginrealms = string(
    "loginrealms",
    "",
    since="2.3.17",
    doc="Realms other than our own whose users may log in, separated by space.",
)
loginuseacl = switch(
    "loginuseacl",
    False,
    since="2.3.17",
    doc="Let whoever has the administer right on a user's INBOX log in as that user.",
)
maxlogins_per_host = integer(
    "maxlogins_per_host",
    0,
    unit="sessions",
    since="2.5.0",
    doc="Most sessions from one host at a time; 0 for no limit.",
)
maxlogins_per_user = integer(
    "maxlogins_per_user",
    0,
    unit="sessions",
    since="2.5.0",
    doc="Most sessions of one user at a time; 0 for no limit.",
)
plaintextloginpause = duration(
    "plaintextloginpause",
    None,
    unit="s",
    since="3.1.8",
    doc="How long the answer to a successful plaintext login is held back, to make users turn to TLS.",
)
plaintextloginalert = string(
    "plaintextloginalert",
    None,
    since="2.3.17",
    doc="A message to users who log in with a plaintext password.",
)
srvtab = string("srvtab", "", since="2.3.17", doc="The Kerberos service key file, for SASL.")
username_tolower = switch("username_tolower", True, since="2.3.17", doc="Turn user names to lower case.")
unix_group_enable = switch(
    "unix_group_enable",
    True,
    since="2.3.17",
    doc="Look up UNIX groups. Where access rights name no groups, logins are quicker without it.",
)
force_sasl_client_mech = string(
    "force_sasl_client_mech",
    None,
    since="2.3.17",
    doc="The SASL mechanism to prefer when logging in to other servers.",
)
sasl_maximum_layer = integer(
    "sasl_maximum_layer",
    256,
    since="2.3.17",
    doc="The strongest protection to negotiate, in bits, TLS and a SASL security layer together: "
    "with 0 a mechanism brings no layer, 1 stands for integrity alone.",
)
sasl_minimum_layer = integer(
    "sasl_minimum_layer",
    0,
    since="2.3.17",
    doc="The weakest protection to accept, in bits. What TLS does not give has to come from a mechanism's "
    "own security layer, as DIGEST-MD5 and GSSAPI have it; others are not offered then.",
)
