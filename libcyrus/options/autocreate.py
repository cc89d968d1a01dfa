"""What is created for a user on first sight."""

from __future__ import annotations

from libcyrus.options.declare import integer, string, switch

autocreateinboxfolders = string(
    "autocreateinboxfolders",
    None,
    deprecated="2.5.0",
    use="autocreate_inbox_folders",
    since="2.5.0",
    doc="Old spelling of autocreate_inbox_folders.",
)
autocreatequota = integer(
    "autocreatequota",
    0,
    unit="KiB",
    deprecated="2.5.0",
    use="autocreate_quota",
    since="2.5.0",
    doc="Old spelling of autocreate_quota.",
)
autocreatequotamsg = integer(
    "autocreatequotamsg",
    -1,
    unit="messages",
    deprecated="2.5.0",
    use="autocreate_quota_messages",
    since="2.5.0",
    doc="Old spelling of autocreate_quota_messages.",
)
autosievefolders = string(
    "autosievefolders",
    None,
    deprecated="2.5.0",
    use="autocreate_sieve_folders",
    since="2.5.0",
    doc="Old spelling of autocreate_sieve_folders.",
)
generate_compiled_sieve_script = switch(
    "generate_compiled_sieve_script",
    False,
    deprecated="2.5.0",
    use="autocreate_sieve_script_compile",
    since="2.5.0",
    doc="Old spelling of autocreate_sieve_script_compile.",
)
autocreate_sieve_compiled_script = string(
    "autocreate_sieve_compiled_script",
    None,
    deprecated="2.5.0",
    use="autocreate_sieve_script_compiled",
    since="2.5.0",
    doc="Old spelling of autocreate_sieve_script_compiled.",
)
autosubscribeinboxfolders = string(
    "autosubscribeinboxfolders",
    None,
    deprecated="2.5.0",
    use="autocreate_subscribe_folders",
    since="2.5.0",
    doc="Old spelling of autocreate_subscribe_folders.",
)
autosubscribesharedfolders = string(
    "autosubscribesharedfolders",
    None,
    deprecated="2.5.0",
    use="autocreate_subscribe_sharedfolders",
    since="2.5.0",
    doc="Old spelling of autocreate_subscribe_sharedfolders.",
)
autosubscribe_all_sharedfolders = switch(
    "autosubscribe_all_sharedfolders",
    False,
    deprecated="2.5.0",
    use="autocreate_subscribe_sharedfolders_all",
    since="2.5.0",
    doc="Old spelling of autocreate_subscribe_sharedfolders_all.",
)
autocreate_inbox_folders = string(
    "autocreate_inbox_folders",
    None,
    since="2.5.0",
    doc="Subfolders, separated by |, that are made together with a new INBOX.",
)
autocreate_post = switch(
    "autocreate_post", False, since="2.5.0", doc="lmtpd creates missing INBOX on delivery."
)
autocreate_quota = integer(
    "autocreate_quota",
    -1,
    unit="KiB",
    since="2.5.0",
    doc="Creates a missing INBOX at login when 0 or more; more than 0 is also its storage quota.",
)
autocreate_quota_messages = integer(
    "autocreate_quota_messages",
    -1,
    unit="messages",
    since="3.0.0",
    doc="Message-count quota for autocreated INBOX.",
)
autocreate_sieve_folders = string(
    "autocreate_sieve_folders",
    None,
    since="2.5.0",
    doc="Folders, separated by |, that fileinto may create on demand.",
)
autocreate_sieve_script = string(
    "autocreate_sieve_script", None, since="2.5.0", doc="Script file installed as new user's default."
)
autocreate_sieve_script_compile = switch(
    "autocreate_sieve_script_compile",
    False,
    since="2.5.0",
    doc="Save bytecode of default script to configured file.",
)
autocreate_sieve_script_compiled = string(
    "autocreate_sieve_script_compiled",
    None,
    since="2.5.0",
    doc="Precompiled bytecode file for new user's default script.",
)
autocreate_subscribe_folders = string(
    "autocreate_subscribe_folders",
    None,
    since="2.5.0",
    doc="Own folders, separated by |, that a new user is subscribed to.",
)
autocreate_subscribe_sharedfolders = string(
    "autocreate_subscribe_sharedfolders",
    None,
    since="2.5.0",
    doc="Shared folders, separated by |, that a new user is subscribed to.",
)
autocreate_subscribe_sharedfolders_all = switch(
    "autocreate_subscribe_sharedfolders_all",
    False,
    since="2.5.0",
    doc="Auto-subscribe to every permitted shared folder.",
)
autocreate_users = string(
    "autocreate_users", "anyone", since="2.5.0", doc="Users/groups eligible for automatic INBOX creation."
)
createonpost = switch(
    "createonpost",
    False,
    deprecated="2.5.0",
    use="autocreate_post",
    since="2.5.0",
    doc="Old spelling of autocreate_post.",
)
anysievefolder = switch(
    "anysievefolder", False, since="2.5.0", doc="fileinto may create any INBOX subfolder."
)
