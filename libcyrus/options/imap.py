"""The IMAP service: limits, timeouts, capabilities, special-use folders."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

allowallsubscribe = switch(
    "allowallsubscribe", False, since="2.3.17", doc="Let users subscribe to mailboxes that do not exist."
)
allowdeleted = switch(
    "allowdeleted", False, since="3.1.8", doc="Expose deleted/expunged data through vendor.cmu-* access."
)
allowusermoves = switch(
    "allowusermoves", False, since="2.3.17", doc="Permit user renames (with metadata) through RENAME/XFER."
)
autoexpunge = switch(
    "autoexpunge", False, since="3.1.7", doc="Expunge \\Deleted mail whenever a mailbox index closes."
)
delete_unsubscribe = switch(
    "delete_unsubscribe", False, since="3.0.0", doc="Deleting mailbox also unsubscribes."
)
disconnect_on_vanished_mailbox = switch(
    "disconnect_on_vanished_mailbox",
    False,
    since="2.3.17",
    doc="Drop clients whose selected mailbox disappears.",
)
flushseenstate = switch("flushseenstate", True, deprecated="2.5.0", since="2.5.0", doc="Obsolete; no effect.")
foolstupidclients = switch(
    "foolstupidclients", False, since="2.3.17", doc='Turn LIST "*" into LIST "INBOX*".'
)
idlesocket = string(
    "idlesocket", "{configdirectory}/socket/idle", since="2.3.17", doc="UNIX socket path of idled."
)
ignorereference = switch("ignorereference", False, since="2.3.17", doc="Ignore LIST/LSUB reference argument.")
imapidlepoll = duration(
    "imapidlepoll",
    "60s",
    unit="s",
    since="3.1.8",
    doc="IDLE polling interval without idled; 0 disables IDLE (0 or min 1s).",
)
imapidresponse = switch("imapidresponse", True, since="2.3.17", doc="Answer ID with server details.")
imapmagicplus = switch(
    "imapmagicplus", False, since="2.3.17", doc="userid+namespace login restricts mailbox listing."
)
literalminus = switch("literalminus", False, since="3.0.0", doc="Advertise LITERAL- instead of LITERAL+.")
maxargssize = integer(
    "maxargssize",
    0,
    unit="bytes",
    since="3.6.5",
    doc="Total size allowed for one command's arguments; 0 unlimited.",
)
maxliteral = integer(
    "maxliteral", 131072, unit="bytes", since="3.6.5", doc="Largest parser literal (non-message data)."
)
maxquoted = integer("maxquoted", 131072, unit="bytes", since="2.3.17", doc="Largest quoted string.")
maxword = integer("maxword", 131072, unit="bytes", since="2.3.17", doc="Largest atom/word.")
netscapeurl = string("netscapeurl", None, since="2.3.17", doc="URL answered to NETSCAPE command.")
readonly = switch("readonly", False, since="3.3.0", doc="Refuse all writes in IMAP/POP/JMAP.")
specialuse_extra = string(
    "specialuse_extra", None, since="2.5.0", doc="Additional special-use attributes allowed."
)
specialuse_nochildren = string(
    "specialuse_nochildren", None, since="3.6.0", doc="Special-use folders that may not have children."
)
specialuse_protect = string(
    "specialuse_protect",
    "\\Archive \\Drafts \\Important \\Junk \\Sent \\Trash",
    since="3.1.7",
    doc="Special-use folders protected from delete/rename.",
)
specialusealways = switch(
    "specialusealways", True, since="3.1.1", doc="LIST/LSUB always show special-use flags."
)
suppress_capabilities = string(
    "suppress_capabilities", None, since="3.0.0", doc="Capabilities hidden from responses (exact case)."
)
statuscache = switch("statuscache", False, since="2.3.17", doc="Enable STATUS cache.")
timeout = duration("timeout", "32m", unit="m", since="3.1.8", doc="Inactivity logout; minimum 30m.")
imapidletimeout = duration(
    "imapidletimeout", None, unit="m", since="3.1.8", doc="Inactivity limit during IDLE; else timeout."
)
