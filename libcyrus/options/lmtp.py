"""Delivery through LMTP, and virus notices."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

duplicatesuppression = switch(
    "duplicatesuppression",
    True,
    since="2.3.17",
    doc="Deliver a message with the same Message-ID to a mailbox only once.",
)
lmtp_downcase_rcpt = switch(
    "lmtp_downcase_rcpt", True, since="2.5.0", doc="Turn recipients to lower case, up to the plus sign."
)
lmtp_exclude_specialuse = string(
    "lmtp_exclude_specialuse",
    "\\Snoozed",
    since="3.1.8",
    doc="Special uses whose folders take no mail addressed to them, separated by space.",
)
lmtp_fuzzy_mailbox_match = switch(
    "lmtp_fuzzy_mailbox_match",
    False,
    since="2.3.17",
    doc=(
        'Deliver mail for "user+folder" to the folder whose name comes nearest, without regard to case and '
        "space, or to one above it."
    ),
)
lmtp_over_quota_perm_failure = switch(
    "lmtp_over_quota_perm_failure",
    False,
    since="2.3.17",
    doc="Make a full mailbox a permanent failure instead of a temporary one.",
)
lmtp_preparse = switch(
    "lmtp_preparse",
    False,
    since="3.3.1",
    doc="Parse a message for the search index before the mailbox is locked.",
)
lmtp_strict_quota = switch(
    "lmtp_strict_quota",
    False,
    since="2.3.17",
    doc=(
        "Refuse a message that would exceed the quota; otherwise a mailbox is full only once it has "
        "exceeded it."
    ),
)
lmtp_strict_rfc2821 = switch(
    "lmtp_strict_rfc2821", True, since="2.5.0", doc="Insist on correct addresses in the envelope."
)
lmtpsocket = string(
    "lmtpsocket",
    "{configdirectory}/socket/lmtp",
    since="2.3.17",
    doc="The UNIX socket through which deliver talks to lmtpd.",
)
lmtptxn_timeout = duration(
    "lmtptxn_timeout",
    "5m",
    unit="s",
    since="3.1.8",
    doc="How long to wait for another server while mail is passed on to it.",
)
maxmessagesize = integer(
    "maxmessagesize", 0, unit="bytes", since="2.3.17", doc="The largest message taken; 0 for no limit."
)
munge8bit = switch(
    "munge8bit",
    True,
    since="2.3.17",
    doc="Replace 8-bit characters in headers with X; otherwise, unless reject8bit, leave them.",
)
postspec = string("postspec", None, since="2.3.17", doc="Read by nothing.")
postuser = string(
    "postuser",
    "",
    since="2.3.17",
    doc='The user in the address of shared mailboxes: with "bb", bb+folder posts to them.',
)
reject8bit = switch(
    "reject8bit", False, since="2.3.17", doc="Refuse messages with 8-bit characters in their headers."
)
soft_noauth = switch(
    "soft_noauth",
    True,
    since="2.3.17",
    doc=(
        "Tell an LMTP client that does not authenticate to try again later; otherwise its mail is "
        "refused for good."
    ),
)
lmtp_catchall_mailbox = string(
    "lmtp_catchall_mailbox", None, since="2.5.0", doc="The user who gets mail for users that do not exist."
)
virusscan_notification_subject = string(
    "virusscan_notification_subject",
    "Automatically deleted mail",
    since="3.1.8",
    doc="The subject of notices about deleted messages.",
)
virusscan_notification_template = string(
    "virusscan_notification_template", None, since="3.1.8", doc="The file with the text of those notices."
)
