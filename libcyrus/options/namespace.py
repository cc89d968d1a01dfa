"""How mailbox names look to clients, and virtual domains."""

from __future__ import annotations

from libcyrus.options.declare import enum, string, switch

altnamespace = switch(
    "altnamespace", True, since="3.0.0", doc="Personal folders appear beside INBOX, not beneath it."
)
altprefix = string(
    "altprefix",
    "Alt Folders",
    since="3.0.0",
    doc="Holder for alternate-spelled INBOX folders under altnamespace.",
)
crossdomains = switch(
    "crossdomains", False, since="3.0.0", doc="Allow sharing and addressing across virtual domains."
)
crossdomains_onlyother = switch(
    "crossdomains_onlyother", False, since="3.0.0", doc="Show domain part only for foreign-domain users."
)
disable_user_namespace = switch(
    "disable_user_namespace", False, since="2.5.0", doc="Hide other users' mailboxes from LIST."
)
disable_shared_namespace = switch(
    "disable_shared_namespace", False, since="2.5.0", doc="Hide shared mailboxes from LIST."
)
sharedprefix = string(
    "sharedprefix", "Shared Folders", since="2.3.17", doc="Shared namespace prefix under altnamespace."
)
userprefix = string("userprefix", "Other Users", since="2.3.17", doc="Other-users prefix under altnamespace.")
unixhierarchysep = switch("unixhierarchysep", True, since="3.0.0", doc="Use '/' instead of '.' separator.")
defaultdomain = string("defaultdomain", "internal", since="3.0.0", doc="Domain treated as unqualified.")
virtdomains = enum(
    "virtdomains", "off", ("off", "userid", "on"), since="3.1.8", doc="How user domains are determined."
)
