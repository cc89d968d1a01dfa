"""The NNTP service and news feeds."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, duration, string, switch

allownewnews = switch("allownewnews", False, since="2.3.17", doc="Permit costly NEWNEWS command.")
newsaddheaders = bitfield(
    "newsaddheaders", ("to",), ("to", "replyto"), since="2.5.0", doc="Headers added to incoming articles."
)
newsgroups = string("newsgroups", "*", since="2.4.0", doc="Wildmat of mailboxes acting as newsgroups.")
newsmaster = string("newsmaster", "news", since="2.3.17", doc="Userid authorizing control messages.")
newspeer = string("newspeer", None, since="2.3.17", doc="Outgoing feed specifications.")
newspostuser = string("newspostuser", None, since="2.5.0", doc="Mail userid for posting to groups.")
newsprefix = string("newsprefix", None, since="2.3.17", doc="Mailbox prefix for newsgroup names.")
nntptimeout = duration("nntptimeout", "3m", unit="m", since="3.1.8", doc="Inactivity timeout; minimum 3m.")
