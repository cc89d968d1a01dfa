"""Sieve scripts, and the sender rewriting that redirect uses."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, duration, integer, string, switch

postmaster = string(
    "postmaster", "postmaster", since="2.3.17", doc="The user in the From header of refusals."
)
rfc3028_strict = switch(
    "rfc3028_strict",
    True,
    since="2.3.17",
    doc='Let the tests "address" and "envelope" look only at the headers that RFC 3028 names.',
)
sieve_allowreferrals = switch(
    "sieve_allowreferrals",
    True,
    since="2.3.17",
    doc="Let timsieved refer clients to the user's backend instead of passing commands on.",
)
sieve_duplicate_max_expiration = duration(
    "sieve_duplicate_max_expiration",
    "90d",
    unit="s",
    since="3.1.8",
    doc='The longest time for which the test "duplicate" remembers.',
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
    doc="Extensions that scripts may use.",
)
sieve_folder = string(
    "sieve_folder", "#sieve", since="3.6.0", doc="The part of mailbox names under which scripts lie."
)
sieve_maxscriptsize = integer(
    "sieve_maxscriptsize", 32, unit="KiB", since="2.3.17", doc="The largest script."
)
sieve_maxscripts = integer(
    "sieve_maxscripts", 5, unit="scripts", since="2.3.17", doc="Most scripts of one user."
)
sieve_utf8fileinto = switch(
    "sieve_utf8fileinto",
    False,
    since="2.3.17",
    doc="Take names in fileinto for UTF-8 instead of modified UTF-7.",
)
sieve_sasl_send_unsolicited_capability = switch(
    "sieve_sasl_send_unsolicited_capability",
    False,
    since="2.3.17",
    doc="Send the capabilities again after a login.",
)
sieve_use_lmtp_reject = switch(
    "sieve_use_lmtp_reject",
    True,
    since="3.1.1",
    doc="Refuse mail in LMTP itself instead of sending a message back, where that is possible.",
)
sieve_vacation_min_response = duration(
    "sieve_vacation_min_response",
    "3d",
    unit="s",
    since="3.1.8",
    doc="The shortest time between two vacation replies to one sender.",
)
sieve_vacation_max_response = duration(
    "sieve_vacation_max_response",
    "90d",
    unit="s",
    since="3.1.8",
    doc="The longest time between two vacation replies to one sender; at least 7 days.",
)
sievedir = string("sievedir", "/usr/sieve", since="2.3.17", doc="The directory of scripts.")
sievenotifier = string(
    "sievenotifier",
    None,
    since="2.3.17",
    doc="The notifyd method for Sieve's notify (class SIEVE); without one there is none.",
)
sieveusehomedir = switch(
    "sieveusehomedir",
    False,
    since="2.3.17",
    doc="Look for scripts in each user's home directory, in the file .sieve.",
)
srs_alwaysrewrite = switch(
    "srs_alwaysrewrite",
    False,
    since="2.5.0",
    doc="Rewrite the sender of every message that is passed on, even where that is not needed.",
)
srs_domain = string(
    "srs_domain",
    None,
    since="3.1.2",
    doc="The domain in rewritten sender addresses; without one none are rewritten.",
)
srs_hashlength = integer(
    "srs_hashlength",
    0,
    unit="characters",
    since="3.1.2",
    doc="The length of the hash in rewritten addresses.",
)
srs_secrets = string("srs_secrets", None, since="3.1.2", doc="Secrets that the hash is made with.")
srs_separator = string(
    "srs_separator", None, since="3.1.2", doc="The character after SRS0 or SRS1: -, + or =."
)
