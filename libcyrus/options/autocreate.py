"""What is created for a user on first sight."""

from __future__ import annotations

from libcyrus.options.declare import integer, string, switch

autocreateinboxfolders = string(
    "autocreateinboxfolders",
    None,
    deprecated="2.5.0",
    use="autocreate_inbox_folders",
    since="2.5.0",
    doc="The old name of autocreate_inbox_folders.",
)
autocreatequota = integer(
    "autocreatequota",
    0,
    unit="KiB",
    deprecated="2.5.0",
    use="autocreate_quota",
    since="2.5.0",
    doc="The old name of autocreate_quota.",
)
autocreatequotamsg = integer(
    "autocreatequotamsg",
    -1,
    unit="messages",
    deprecated="2.5.0",
    use="autocreate_quota_messages",
    since="2.5.0",
    doc="The old name of autocreate_quota_messages.",
)
autosievefolders = string(
    "autosievefolders",
    None,
    deprecated="2.5.0",
    use="autocreate_sieve_folders",
    since="2.5.0",
    doc="The old name of autocreate_sieve_folders.",
)
generate_compiled_sieve_script = switch(
    "generate_compiled_sieve_script",
    False,
    deprecated="2.5.0",
    use="autocreate_sieve_script_compile",
    since="2.5.0",
    doc="The old name of autocreate_sieve_script_compile.",
)
autocreate_sieve_compiled_script = string(
    "autocreate_sieve_compiled_script",
    None,
    deprecated="2.5.0",
    use="autocreate_sieve_script_compiled",
    since="2.5.0",
    doc="The old name of autocreate_sieve_script_compiled.",
)
autosubscribeinboxfolders = string(
    "autosubscribeinboxfolders",
    None,
    deprecated="2.5.0",
    use="autocreate_subscribe_folders",
    since="2.5.0",
    doc="The old name of autocreate_subscribe_folders.",
)
autosubscribesharedfolders = string(
    "autosubscribesharedfolders",
    None,
    deprecated="2.5.0",
    use="autocreate_subscribe_sharedfolders",
    since="2.5.0",
    doc="The old name of autocreate_subscribe_sharedfolders.",
)
autosubscribe_all_sharedfolders = switch(
    "autosubscribe_all_sharedfolders",
    False,
    deprecated="2.5.0",
    use="autocreate_subscribe_sharedfolders_all",
    since="2.5.0",
    doc="The old name of autocreate_subscribe_sharedfolders_all.",
)
autocreate_inbox_folders = string(
    "autocreate_inbox_folders",
    None,
    since="2.5.0",
    doc="Folders that are created together with a new INBOX, separated by |.",
)
autocreate_post = switch(
    "autocreate_post",
    False,
    since="2.5.0",
    doc="Create a missing INBOX when mail for it arrives through LMTP.",
)
autocreate_quota = integer(
    "autocreate_quota",
    -1,
    unit="KiB",
    since="2.5.0",
    doc="If 0 or more, a missing INBOX is created at login; if more, it gets this storage quota.",
)
autocreate_quota_messages = integer(
    "autocreate_quota_messages",
    -1,
    unit="messages",
    since="3.0.0",
    doc="If 0 or more, the quota of messages of an automatically created INBOX.",
)
autocreate_sieve_folders = string(
    "autocreate_sieve_folders",
    None,
    since="2.5.0",
    doc="Folders that Sieve's fileinto creates when they are missing, separated by |.",
)
autocreate_sieve_script = string(
    "autocreate_sieve_script",
    None,
    since="2.5.0",
    doc="A file with the Sieve script that every new user is given.",
)
autocreate_sieve_script_compile = switch(
    "autocreate_sieve_script_compile",
    False,
    since="2.5.0",
    doc="Compile autocreate_sieve_script when its compiled form is missing, and keep that.",
)
autocreate_sieve_script_compiled = string(
    "autocreate_sieve_script_compiled",
    None,
    since="2.5.0",
    doc="The file with the compiled form of autocreate_sieve_script.",
)
autocreate_subscribe_folders = string(
    "autocreate_subscribe_folders",
    None,
    since="2.5.0",
    doc="Own folders that a new user is subscribed to, separated by |.",
)
autocreate_subscribe_sharedfolders = string(
    "autocreate_subscribe_sharedfolders",
    None,
    since="2.5.0",
    doc="Shared folders that a new user is subscribed to, separated by |.",
)
autocreate_subscribe_sharedfolders_all = switch(
    "autocreate_subscribe_sharedfolders_all",
    False,
    since="2.5.0",
    doc="Subscribe a new user to every shared folder that the user may see.",
)
autocreate_users = string(
    "autocreate_users",
    "anyone",
    since="2.5.0",
    doc="Users and groups whose INBOX is created automatically, separated by space.",
)
createonpost = switch(
    "createonpost",
    False,
    deprecated="2.5.0",
    use="autocreate_post",
    since="2.5.0",
    doc="The old name of autocreate_post.",
)
anysievefolder = switch(
    "anysievefolder", False, since="2.5.0", doc="Let Sieve's fileinto create any folder below INBOX."
)
