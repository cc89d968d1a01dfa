"""The POP3 service."""

from __future__ import annotations

from libcyrus.options.declare import duration, enum, integer, switch

allowapop = switch("allowapop", True, since="2.3.17", doc="Offer the command APOP.")
popexpiretime = duration(
    "popexpiretime",
    "-1",
    unit="d",
    since="3.1.8",
    doc=(
        "How long messages are kept at least, as the capability EXPIRE tells clients; negative for ever. "
        "Nothing is deleted by it."
    ),
)
popminpoll = duration(
    "popminpoll", None, unit="m", since="3.1.8", doc="The shortest time between two logins; 0 for no limit."
)
popsubfolders = switch(
    "popsubfolders", False, since="2.3.17", doc='Let a login as "user+folder" read that folder.'
)
poppollpadding = integer(
    "poppollpadding",
    1,
    unit="connections",
    since="2.3.17",
    doc="How many logins are let pass before popminpoll counts.",
)
poptimeout = duration(
    "poptimeout", "10m", unit="m", since="3.1.8", doc="How long an idle client is kept; at least 10 minutes."
)
popuseacl = switch("popuseacl", False, since="2.3.17", doc="Let access rights count in POP3 too.")
popuseimapflags = switch("popuseimapflags", False, since="2.3.17", doc="Read and set the flags of IMAP.")
uidl_format = enum(
    "uidl_format",
    "cyrus",
    ("uidonly", "cyrus", "dovecot", "courier"),
    since="3.0.0",
    doc="The form of the identifiers in UIDL, to suit clients of a former server.",
)
