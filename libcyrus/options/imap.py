"""The IMAP service: limits, timeouts, capabilities, special-use folders."""

from __future__ import annotations

from libcyrus.options.declare import duration, integer, string, switch

allowallsubscribe = switch(
    "allowallsubscribe", False, since="2.3.17", doc="Let users subscribe to mailboxes that do not exist."
)
allowdeleted = switch(
    "allowdeleted",
    False,
    since="3.1.8",
    doc="Show deleted mailboxes and messages through the extensions vendor.cmu-*.",
)
allowusermoves = switch(
    "allowusermoves",
    False,
    since="2.3.17",
    doc="Let RENAME and XFER move a user with all that belongs to the user.",
)
autoexpunge = switch(
    "autoexpunge", False, since="3.1.7", doc="Expunge messages marked \\Deleted whenever a mailbox is closed."
)
delete_unsubscribe = switch(
    "delete_unsubscribe",
    False,
    since="3.0.0",
    doc="Let DELETE of a mailbox end the user's subscription to it.",
)
disconnect_on_vanished_mailbox = switch(
    "disconnect_on_vanished_mailbox",
    False,
    since="2.3.17",
    doc="Disconnect a client whose selected mailbox has gone; otherwise it seems empty.",
)
flushseenstate = switch(
    "flushseenstate",
    True,
    deprecated="2.5.0",
    since="2.5.0",
    doc="Obsolete: the record of read messages is always written at once.",
)
foolstupidclients = switch("foolstupidclients", False, since="2.3.17", doc='Take LIST "*" for LIST "INBOX*".')
idlesocket = string(
    "idlesocket", "{configdirectory}/socket/idle", since="2.3.17", doc="The UNIX socket of idled."
)
ignorereference = switch(
    "ignorereference", False, since="2.3.17", doc="Ignore the reference argument of LIST and LSUB."
)
imapidlepoll = duration(
    "imapidlepoll",
    "60s",
    unit="s",
    since="3.1.8",
    doc=(
        "How often IDLE looks at the mailbox when idled is not there; 0 switches IDLE off, otherwise at "
        "least 1 second."
    ),
)
imapidresponse = switch(
    "imapidresponse", True, since="2.3.17", doc="Tell name and version of the server in answer to ID."
)
imapmagicplus = switch(
    "imapmagicplus",
    False,
    since="2.3.17",
    doc='Let a login as "user+namespace" list only that namespace, and as "user+" only subscribed mailboxes.',
)
literalminus = switch("literalminus", False, since="3.0.0", doc="Offer LITERAL- instead of LITERAL+.")
maxargssize = integer(
    "maxargssize",
    0,
    unit="bytes",
    since="3.6.5",
    doc="The size of all arguments of one command together; 0 for no limit.",
)
maxliteral = integer(
    "maxliteral", 131072, unit="bytes", since="3.6.5", doc="The largest literal that is not a message."
)
maxquoted = integer("maxquoted", 131072, unit="bytes", since="2.3.17", doc="The longest quoted string.")
maxword = integer("maxword", 131072, unit="bytes", since="2.3.17", doc="The longest word.")
netscapeurl = string(
    "netscapeurl",
    None,
    since="2.3.17",
    doc="The URL in the answer to the command NETSCAPE; without one the command is not offered.",
)
readonly = switch("readonly", False, since="3.3.0", doc="Refuse everything that would change a mailbox.")
specialuse_extra = string(
    "specialuse_extra", None, since="2.5.0", doc="More special uses that users may set, separated by space."
)
specialuse_nochildren = string(
    "specialuse_nochildren",
    None,
    since="3.6.0",
    doc="Special uses whose folders may have no folders below them, separated by space.",
)
specialuse_protect = string(
    "specialuse_protect",
    "\\Archive \\Drafts \\Important \\Junk \\Sent \\Trash",
    since="3.1.7",
    doc="Special uses whose folders can be neither deleted nor renamed, separated by space.",
)
specialusealways = switch(
    "specialusealways",
    True,
    since="3.1.1",
    doc="Show special uses in LIST and LSUB even where the client did not ask for them.",
)
suppress_capabilities = string(
    "suppress_capabilities",
    None,
    since="3.0.0",
    doc="Capabilities that are not announced, separated by space and written exactly as they would be.",
)
statuscache = switch(
    "statuscache", False, since="2.3.17", doc="Answer STATUS from a cache where that is possible."
)
timeout = duration(
    "timeout", "32m", unit="m", since="3.1.8", doc="How long an idle client is kept; at least 30 minutes."
)
imapidletimeout = duration(
    "imapidletimeout",
    None,
    unit="m",
    since="3.1.8",
    doc="How long a client is kept in IDLE; timeout if not set.",
)
