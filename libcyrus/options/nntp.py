"""The NNTP service and news feeds."""

from __future__ import annotations

from libcyrus.options.declare import bitfield, duration, string, switch

allownewnews = switch(
    "allownewnews", False, since="2.3.17", doc="Answer the command NEWNEWS, which costs much."
)
newsaddheaders = bitfield(
    "newsaddheaders",
    ("to",),
    ("to", "replyto"),
    since="2.5.0",
    doc="Headers that articles are given, so that they can be answered by mail; needs newspostuser.",
)
newsgroups = string(
    "newsgroups", "*", since="2.4.0", doc="Mailboxes that are newsgroups, as a wildmat pattern."
)
newsmaster = string(
    "newsmaster", "news", since="2.3.17", doc="The user whose rights decide what control messages do."
)
newspeer = string(
    "newspeer",
    None,
    since="2.3.17",
    doc=(
        "Servers that articles are fed to, each as [user[:password]@]host[:port][/wildmat], separated by "
        "space."
    ),
)
newspostuser = string("newspostuser", None, since="2.5.0", doc="The user in the mail address of a newsgroup.")
newsprefix = string("newsprefix", None, since="2.3.17", doc="The mailbox below which newsgroups lie.")
nntptimeout = duration(
    "nntptimeout", "3m", unit="m", since="3.1.8", doc="How long an idle client is kept; at least 3 minutes."
)
