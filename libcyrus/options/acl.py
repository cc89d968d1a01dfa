"""Access control: default rights, what users may change, URLAUTH submitters."""

from __future__ import annotations

from libcyrus.options.declare import string, switch

acl_admin_implies_write = switch(
    "acl_admin_implies_write",
    False,
    since="3.6.0",
    doc="Holder of admin right also gets mailbox write rights.",
)
allowsetacl = switch("allowsetacl", True, since="3.1.8", doc="Permit SETACL over IMAP at all.")
anyoneuseracl = switch(
    "anyoneuseracl", True, since="2.3.17", doc="Non-admins may grant ACLs to identifier anyone."
)
defaultacl = string("defaultacl", "anyone lrs", since="2.3.17", doc="ACL for new top-level shared mailboxes.")
deleteright = string(
    "deleteright", "c", since="2.3.17", doc="Legacy RFC2086 right treated as delete permission."
)
implicit_owner_rights = string(
    "implicit_owner_rights", "lkxan", since="3.1.2", doc="Rights owners always hold."
)
reverseacls = switch("reverseacls", False, since="3.0.0", doc="Maintain reverse ACL index in mailboxes.db.")
submitservers = string(
    "submitservers", None, since="2.3.17", doc="Users/groups allowed to resolve submit+ URLs."
)
