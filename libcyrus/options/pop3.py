"""The POP3 service."""

from __future__ import annotations

from libcyrus.options.declare import duration, enum, integer, switch

allowapop = switch("allowapop", True, since="2.3.17", doc="Offer the APOP command.")
popexpiretime = duration(
    "popexpiretime",
    "-1",
    unit="d",
    since="3.1.8",
    doc="EXPIRE capability value; negative NEVER; 0 delete on QUIT.",
)
popminpoll = duration("popminpoll", None, unit="m", since="3.1.8", doc="Minimum gap between logins; 0 none.")
popsubfolders = switch(
    "popsubfolders", False, since="2.3.17", doc="userid+subfolder login selects subfolder."
)
poppollpadding = integer(
    "poppollpadding", 1, unit="connections", since="2.3.17", doc="Logins tolerated before popminpoll applies."
)
poptimeout = duration("poptimeout", "10m", unit="m", since="3.1.8", doc="Inactivity timeout; minimum 10m.")
popuseacl = switch("popuseacl", False, since="2.3.17", doc="Enforce IMAP ACLs.")
popuseimapflags = switch("popuseimapflags", False, since="2.3.17", doc="Honour and set IMAP flags.")
uidl_format = enum(
    "uidl_format",
    "cyrus",
    ("uidonly", "cyrus", "dovecot", "courier"),
    since="3.0.0",
    doc="UIDL string shape.",
)
