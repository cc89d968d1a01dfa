"""How mailbox names look to clients, and virtual domains."""

from __future__ import annotations

from libcyrus.options.declare import enum, string, switch

altnamespace = switch(
    "altnamespace", True, since="3.0.0", doc="Show personal folders beside INBOX instead of below it."
)
altprefix = string(
    "altprefix",
    "Alt Folders",
    since="3.0.0",
    doc="Under altnamespace, the folder that shows folders whose names would be taken for INBOX.",
)
crossdomains = switch(
    "crossdomains",
    False,
    since="3.0.0",
    doc="Show users of other virtual domains, and let users share with them.",
)
crossdomains_onlyother = switch(
    "crossdomains_onlyother",
    False,
    since="3.0.0",
    doc="Show the domain only with users of domains other than one's own.",
)
disable_user_namespace = switch(
    "disable_user_namespace", False, since="2.5.0", doc="Do not list the mailboxes of other users."
)
disable_shared_namespace = switch(
    "disable_shared_namespace", False, since="2.5.0", doc="Do not list shared mailboxes."
)
sharedprefix = string(
    "sharedprefix",
    "Shared Folders",
    since="2.3.17",
    doc="Under altnamespace, the folder that shows shared mailboxes.",
)
userprefix = string(
    "userprefix",
    "Other Users",
    since="2.3.17",
    doc="Under altnamespace, the folder that shows mailboxes of other users.",
)
unixhierarchysep = switch(
    "unixhierarchysep", True, since="3.0.0", doc="Separate the levels of a name with / instead of a dot."
)
defaultdomain = string(
    "defaultdomain", "internal", since="3.0.0", doc="The domain that is left out of names."
)
virtdomains = enum(
    "virtdomains",
    "off",
    ("off", "userid", "on"),
    since="3.1.8",
    doc=(
        "Where the domain of a user comes from: userid takes it from the name, on also from the address "
        "the client reached."
    ),
)
