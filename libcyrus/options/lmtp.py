"""Delivery through LMTP, and virus notices."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

duplicatesuppression = switch(
    "duplicatesuppression", True, since="2.3.17", doc="Drop repeats of a message-id per mailbox."
)
lmtp_downcase_rcpt = switch("lmtp_downcase_rcpt", True, since="2.5.0", doc="Lowercase recipient up to '+'.")
lmtp_exclude_specialuse = string(
    "lmtp_exclude_specialuse", "\\Snoozed", since="3.1.8", doc="Special-use folders that refuse delivery."
)
lmtp_fuzzy_mailbox_match = switch(
    "lmtp_fuzzy_mailbox_match", False, since="2.3.17", doc="Deliver +detail to nearest existing parent."
)
lmtp_over_quota_perm_failure = switch(
    "lmtp_over_quota_perm_failure", False, since="2.3.17", doc="Over-quota failure is permanent."
)
lmtp_preparse = switch(
    "lmtp_preparse", False, since="3.3.1", doc="Parse message for search before locking mailbox."
)
lmtp_strict_quota = switch(
    "lmtp_strict_quota", False, since="2.3.17", doc="Refuse mail that would overflow quota."
)
lmtp_strict_rfc2821 = switch(
    "lmtp_strict_rfc2821", True, since="2.5.0", doc="Strict envelope address syntax."
)
lmtpsocket = string(
    "lmtpsocket", "{configdirectory}/socket/lmtp", since="2.3.17", doc="UNIX socket used by deliver."
)
lmtptxn_timeout = duration(
    "lmtptxn_timeout", "5m", unit="s", since="3.1.8", doc="Timeout for transactions with remote backends."
)
maxmessagesize = integer(
    "maxmessagesize", 0, unit="bytes", since="2.3.17", doc="Largest accepted message; 0 unlimited."
)
munge8bit = switch("munge8bit", True, since="2.3.17", doc="Replace raw 8-bit header bytes with X.")
postspec = string("postspec", None, since="2.3.17", doc="Undocumented; read nowhere notable.")
postuser = string("postuser", "", since="2.3.17", doc="Userid prefix for shared-folder delivery.")
reject8bit = switch("reject8bit", False, since="2.3.17", doc="Refuse 8-bit header characters.")
soft_noauth = switch("soft_noauth", True, since="2.3.17", doc="Unauthenticated LMTP gets temporary failure.")
lmtp_catchall_mailbox = string(
    "lmtp_catchall_mailbox", None, since="2.5.0", doc="Userid receiving mail for unknown recipients."
)
virusscan_notification_subject = string(
    "virusscan_notification_subject",
    "Automatically deleted mail",
    since="3.1.8",
    doc="Subject of deletion notices.",
)
virusscan_notification_template = string(
    "virusscan_notification_template", None, since="3.1.8", doc="Template file of deletion notices."
)
