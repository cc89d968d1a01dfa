"""Sieve scripts, and the sender rewriting that redirect uses."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, duration, integer, string, switch

postmaster = string("postmaster", "postmaster", since="2.3.17", doc="From user of reject MDNs.")
rfc3028_strict = switch(
    "rfc3028_strict", True, since="2.3.17", doc="Limit headers usable in address/envelope tests."
)
sieve_allowreferrals = switch(
    "sieve_allowreferrals", True, since="2.3.17", doc="timsieved refers rather than proxies."
)
sieve_duplicate_max_expiration = duration(
    "sieve_duplicate_max_expiration",
    "90d",
    unit="s",
    since="3.1.8",
    doc="Cap on duplicate-test tracking lifetime.",
)
sieve_extensions = bitfield(
    "sieve_extensions",
    (
        "fileinto",
        "reject",
        "vacation",
        "vacation-seconds",
        "notify",
        "include",
        "envelope",
        "environment",
        "body",
        "relational",
        "regex",
        "subaddress",
        "copy",
        "date",
        "index",
        "imap4flags",
        "mailbox",
        "mboxmetadata",
        "servermetadata",
        "variables",
        "editheader",
        "extlists",
        "duplicate",
        "ihave",
        "fcc",
        "special-use",
        "redirect-dsn",
        "redirect-deliverby",
        "mailboxid",
        "vnd.cyrus.log",
        "vnd.cyrus.jmapquery",
        "vnd.cyrus.imip",
        "snooze",
    ),
    (
        "fileinto",
        "reject",
        "vacation",
        "vacation-seconds",
        "notify",
        "include",
        "envelope",
        "environment",
        "body",
        "relational",
        "regex",
        "subaddress",
        "copy",
        "date",
        "index",
        "imap4flags",
        "mailbox",
        "mboxmetadata",
        "servermetadata",
        "variables",
        "editheader",
        "extlists",
        "duplicate",
        "ihave",
        "fcc",
        "special-use",
        "redirect-dsn",
        "redirect-deliverby",
        "mailboxid",
        "vnd.cyrus.log",
        "vnd.cyrus.jmapquery",
        "vnd.cyrus.imip",
        "snooze",
    ),
    since="3.6.0",
    aliases={
        "imapflags": "imap4flags",
        "x-cyrus-log": "vnd.cyrus.log",
        "x-cyrus-jmapquery": "vnd.cyrus.jmapquery",
        "vnd.cyrus.snooze": "snooze",
        "x-cyrus-snooze": "snooze",
    },
    doc="Extensions permitted in scripts.",
)
sieve_folder = string("sieve_folder", "#sieve", since="3.6.0", doc="Mailbox name storing scripts.")
sieve_maxscriptsize = integer("sieve_maxscriptsize", 32, unit="KiB", since="2.3.17", doc="Largest script.")
sieve_maxscripts = integer(
    "sieve_maxscripts", 5, unit="scripts", since="2.3.17", doc="Scripts allowed per user."
)
sieve_utf8fileinto = switch(
    "sieve_utf8fileinto", False, since="2.3.17", doc="fileinto names are UTF-8 not mUTF-7."
)
sieve_sasl_send_unsolicited_capability = switch(
    "sieve_sasl_send_unsolicited_capability",
    False,
    since="2.3.17",
    doc="Send capabilities after SASL success.",
)
sieve_use_lmtp_reject = switch(
    "sieve_use_lmtp_reject", True, since="3.1.1", doc="Reject with LMTP 550 when possible."
)
sieve_vacation_min_response = duration(
    "sieve_vacation_min_response", "3d", unit="s", since="3.1.8", doc="Shortest gap between vacation replies."
)
sieve_vacation_max_response = duration(
    "sieve_vacation_max_response", "90d", unit="s", since="3.1.8", doc="Longest gap; minimum 7 days."
)
sievedir = string("sievedir", "/usr/sieve", since="2.3.17", doc="Global script tree when not using homes.")
sievenotifier = string(
    "sievenotifier", None, since="2.3.17", doc="Notifyd method for SIEVE class; unset disables."
)
sieveusehomedir = switch("sieveusehomedir", False, since="2.3.17", doc="Scripts read from ~user/.sieve.")
srs_alwaysrewrite = switch("srs_alwaysrewrite", False, since="2.5.0", doc="Rewrite every forwarded sender.")
srs_domain = string(
    "srs_domain", None, since="3.1.2", doc="Domain in rewritten addresses; unset disables SRS."
)
srs_hashlength = integer("srs_hashlength", 0, unit="characters", since="3.1.2", doc="Hash length.")
srs_secrets = string("srs_secrets", None, since="3.1.2", doc="Secrets.")
srs_separator = string("srs_separator", None, since="3.1.2", doc="Character after SRS0/SRS1.")
