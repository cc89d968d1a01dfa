"""Conversations about mailboxes, users, rights, quotas, annotations and sessions: configurations, families.

Each is held under several configurations, since most of what differs between them is how names are spelled,
who may do what, and what becomes of a mailbox.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cassandane.conversations import scripts, wandering
from cassandane.conversations.family import Difference, Family
from cassandane.conversations.servers import Heard
from cassandane.conversations.spelling import Spelling
from cassandane.instance import Instance

# refused logins are many
_ALL = {"failedloginpause": "0"}
_CONFIGURATIONS: Mapping[str, Mapping[str, str]] = {
    "default": {},
    "netnews": {"altnamespace": "no", "unixhierarchysep": "no", "delete_mode": "immediate"},
    "standard": {
        "altnamespace": "no",
        "virtdomains": "userid",
        "admins": "admin dadmin@example.com",
        "defaultdomain": "example.org",
        "annotation_enable_legacy_commands": "yes",
        "allowdeleted": "yes",
        "specialusealways": "yes",
        "autocreate_quota": "100",
    },
    "domains": {
        "virtdomains": "on",
        "defaultdomain": "example.org",
        "unixhierarchysep": "no",
        "allowusermoves": "yes",
        "proxyd_disable_mailbox_referrals": "yes",
    },
    "prefixes": {
        "userprefix": "People",
        "sharedprefix": "Common",
        "allowallsubscribe": "yes",
        "allowusermoves": "yes",
        "specialuse_protect": "\\Sent \\Trash",
        "specialuse_extra": "\\Snippets",
        "specialuse_nochildren": "\\Trash",
        "reverseacls": "yes",
        "annotation_enable_legacy_commands": "yes",
        "delete_unsubscribe": "yes",
    },
    "legacy": {
        "altnamespace": "no",
        "mailbox_legacy_dirs": "yes",
        "username_tolower": "no",
        "implicit_owner_rights": "lrswipkxtecda",
        "unix_group_enable": "no",
        "anyoneuseracl": "no",
        "autocreate_quota": "50",
        "autocreate_inbox_folders": "Drafts | Sent",
        "autocreate_subscribe_folders": "Sent",
        "autocreate_post": "yes",
        "delete_mode": "immediate",
        "imapidresponse": "no",
        "foolstupidclients": "yes",
    },
    "layers": {"tls_required": "yes", "tls_session_timeout": "0"},
    "layered": {"allowplaintext": "no", "sasl_mech_list": "PLAIN"},
}
CONFIGURATIONS = {name: _ALL | dict(settings) for name, settings in _CONFIGURATIONS.items()}


def fill(server: Instance) -> None:
    """A user whom commands name that are not made for a family."""
    with server.imap() as admin:
        if "tls_server_cert" in server.settings:
            admin.ok("STARTTLS")
            admin.start_tls()
        admin.ok("LOGIN admin secret")
        separator = "/" if server.settings.get("unixhierarchysep") == "yes" else "."
        admin.ok(f"CREATE user{separator}bob")


def _without(pattern: bytes, lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if not re.match(pattern, line)]


def _capabilities(heard: Heard) -> bool:
    """Whether the original only has more of what belongs to other servers."""
    names = re.compile(rb" (X-REPLICATION|X-SIEVE-MAILBOX)(?=[ \]]|$)")
    return [names.sub(b"", line) for line in heard.original] == heard.ours


def _statuses(heard: Heard) -> bool:
    """Whether nothing but the MAILBOXID of LIST's STATUS differs."""
    ids = re.compile(rb"MAILBOXID \(.*?\)(?= [A-Z]+ \d|\)$)", re.DOTALL)
    ours, original = ([ids.sub(b"", line) for line in lines] for lines in (heard.ours, heard.original))
    return b"MAILBOXID" in heard.sent.upper() and ours == original


def _unreadable(heard: Heard) -> bool:
    """Whether only what LIST's STATUS tells of some mailboxes differs."""
    ours = [line.replace(b"\\Noselect ", b"") for line in _lists(heard.ours)]
    original = [line.replace(b"\\Noselect ", b"") for line in _lists(heard.original)]
    return b"STATUS (" in heard.sent.upper() and ours == original


def _passed_over(heard: Heard) -> bool:
    """Whether the original only has more names, all non-existent."""
    counted = re.compile(rb" \d+ calls")
    ours, original = (
        [counted.sub(b"", line) for line in _without(rb"\* LIST \(\\NonExistent", lines)]
        for lines in (heard.ours, heard.original)
    )
    return b"INCLUDE-NONEXISTENT" in heard.sent.upper() and ours == original


def _lists(lines: list[bytes]) -> list[bytes]:
    return _without(rb"\* (STATUS|MYRIGHTS|METADATA) ", lines)


_LEFT_OVER = Difference(
    "what is left of a line that the original refused, it takes for the next command",
    lambda heard: _without(rb"(\* BAD Invalid tag|-?\d+ BAD Unrec)", heard.original) == heard.ours,
)
_CAPABILITIES = Difference("replication is for another daemon", _capabilities)
_STATUSES = Difference(
    "the original tells MAILBOXID in LIST's STATUS from memory that it gave back", _statuses
)
_NEW_CRASH = Difference(
    "the original dies of a special use that is empty",
    lambda heard: heard.original[-1:] == [b"<closed>"] and b"USE (" in heard.sent.upper(),
)
_NO_READ = Difference(
    "the original tells STATUS in LIST to who may look a mailbox up but not read it", _unreadable
)
_PASSED_OVER = Difference(
    "the original calls mailboxes that a pattern passes over non-existent", _passed_over
)
_BLANK = Difference(
    "the original sends an empty line before it refuses ENABLE",
    lambda heard: [line for line in heard.original if line] == heard.ours,
)

_NULL_CRASH = Difference(
    "the original dies of an empty identifier where anyone may not be given rights",
    lambda heard: heard.original[-1:] == [b"<closed>"] and b"ACL" in heard.sent.upper(),
)
_CUT_BASE64 = Difference(
    "the original asks for more when an initial response ends too early, and dies of what it gets",
    lambda heard: b"+ " in heard.original and any(b"another step" in line for line in heard.ours),
)
_INBOX_CRASH = Difference(
    "the original dies when the messages of an INBOX go to a shared mailbox",
    lambda heard: b"RENAME" in heard.sent.upper() and b"<closed>" in heard.original,
)
_UNWOUND = Difference(
    "the original dies of looking back at what came byte by byte",
    lambda heard: any(b"Can't unwind" in line for line in heard.original),
)
_NOT_LOCKED = Difference(
    "the original dies of annotations of shared mailboxes that it forgot to lock",
    lambda heard: any(b"user_isnamespacelocked" in line for line in heard.original),
)

DIFFERENCES = (_LEFT_OVER, _CAPABILITIES, _NEW_CRASH, _BLANK, _NULL_CRASH, _CUT_BASE64)
"""What the usual run comes upon."""
RARE = (_STATUSES, _NO_READ, _PASSED_OVER, _INBOX_CRASH, _NOT_LOCKED, _UNWOUND)
"""What only long runs are sure to come upon."""


WITH_TLS = ("layers", "layered")
"""Configurations in which clients have to begin TLS before they can log in."""
PLAYED: Mapping[str, tuple[str, ...]] = {
    "default": (
        "wandering", "folders", "names", "parameters", "quotas", "refused", "rights", "sessions", "urls",
    ),  # fmt: skip
    "netnews": ("wandering", "folders", "names", "users"),
    "standard": ("wandering", "domains", "metadata", "names", "rights", "sessions"),
    "domains": ("wandering", "quotas", "sessions"),
    "prefixes": ("wandering", "metadata", "parameters", "users"),
    "legacy": ("wandering", "rights", "quotas"),
    "layers": ("layers",),
    "layered": ("layers",),
}
"""Which families the usual run plays under a configuration."""

FAMILIES = ("wandering", *scripts.names())


def family(name: str, settings: Mapping[str, str], *, count: int = 1) -> Family:
    """A family under a configuration; ``count`` is how many streams at random."""
    spelling = Spelling.of(settings)
    if name == "wandering":
        return Family(name, wandering.streams("w", spelling, count), DIFFERENCES + RARE)
    return Family(name, scripts.streams(name, spelling), DIFFERENCES + RARE)
