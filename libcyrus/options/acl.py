"""Access control: default rights, what users may change, URLAUTH submitters."""

from __future__ import annotations

from libcyrus.options.declare import string, switch

acl_admin_implies_write = switch(
    "acl_admin_implies_write",
    False,
    since="3.6.0",
    doc="Give whoever has the admin right on a mailbox the right to write to it as well.",
)
allowsetacl = switch(
    "allowsetacl", True, since="3.1.8", doc="Let clients change access rights over IMAP at all."
)
anyoneuseracl = switch(
    "anyoneuseracl", True, since="2.3.17", doc='Let users who are no administrators grant rights to "anyone".'
)
defaultacl = string(
    "defaultacl",
    "anyone lrs",
    since="2.3.17",
    doc="Access rights of a new shared mailbox that has no parent to inherit them from.",
)
deleteright = string(
    "deleteright",
    "c",
    since="2.3.17",
    doc="The right of RFC 2086 that older clients take for the permission to delete, usually c or d.",
)
implicit_owner_rights = string(
    "implicit_owner_rights",
    "lkxan",
    since="3.1.2",
    doc="Rights that owners have on their mailboxes whatever the access list says.",
)
reverseacls = switch(
    "reverseacls",
    False,
    since="3.0.0",
    doc=(
        "Keep an index from users to the mailboxes they may see, which makes listing shared mailboxes "
        "quicker."
    ),
)
submitservers = string(
    "submitservers",
    None,
    since="2.3.17",
    doc="Users and groups that may fetch submit+ URLs (URLAUTH), separated by space.",
)
